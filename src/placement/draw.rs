//! The circle as text, for terminals and pages.
//!
//! Zero is at the top and ids grow clockwise, as on a clock. [`ring`] draws a placement:
//!
//! ```text
//!         0
//!       . * . h0 00000000          three hosts with a token each, an eighth of the circle
//!   ...       ..* h1 20000000      or two apart: h0 owns what lies behind h3, up the left side
//!  .             .
//! .               .
//! .               .
//! .               .
//!  .             .
//!   ...       ..* h3 60000000
//!       . . .
//! ```
//!
//! [`circle`] draws any marks, keys among them; [`line()`] says the same in one line.

use crate::keyspace::Id;

use super::Placement;

/// Tokens up to which each is named beside its mark; a picture of more is a picture of a crowd.
const NAMED: usize = 64;

/// Labels in one row and on one side, up to which they are written out.
const IN_A_ROW: usize = 3;

/// Something to show on the circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its place.
    pub at: Id,
    /// The character that stands there. Of two in one cell the one further clockwise is seen, and of two at one place
    /// the later in the list.
    pub symbol: char,
    /// What is written beside it; may be empty.
    pub label: String,
}

/// Draws every token of a placement as `*`, with its host and the first digits of its id while there
/// are at most 64.
pub fn ring(placement: &Placement) -> String {
    let count = placement.tokens().len();
    let label = |token: super::Token| match count {
        0..=NAMED => format!("{} {}", token.host, token.id.short()),
        _ => String::new(),
    };
    let mark = |token: super::Token| Mark {
        at: token.id,
        symbol: '*',
        label: label(token),
    };
    let marks: Vec<Mark> = placement.tokens().map(mark).collect();
    let mut drawing = circle(&marks, count.min(NAMED) / 2 + 5);
    if count > NAMED {
        drawing += &format!("{count} tokens of {} hosts\n", placement.len());
    }
    drawing
}

/// The tokens in the order of the circle with the way back to the first: `h1 28b92b56 -> … -> h1`.
pub fn line(placement: &Placement) -> String {
    let mut text = String::new();
    for token in placement.tokens() {
        text += &format!("{} {} -> ", token.host, token.id.short());
    }
    match placement.tokens().next() {
        Some(first) => text + &first.host.to_string(),
        None => "(nobody)".to_owned(),
    }
}

/// Draws marks on a circle that is `rows` high, at least 9 and at most 41.
pub fn circle(marks: &[Mark], rows: usize) -> String {
    let radius = rows.clamp(9, 41) / 2;
    let mut canvas = Canvas::new(radius);
    let mut clockwise: Vec<&Mark> = marks.iter().collect();
    clockwise.sort_by_key(|mark| mark.at);
    for mark in clockwise {
        canvas.mark(mark);
    }
    canvas.text()
}

/// A grid of characters with what is written to both sides of each row.
struct Canvas {
    radius: usize,
    rows: Vec<Row>,
}

struct Row {
    cells: Vec<char>,
    /// Labels of marks on the left half, in clockwise order.
    left: Vec<String>,
    /// Labels of marks on the right half, in clockwise order.
    right: Vec<String>,
}

impl Canvas {
    /// An empty circle. A character is about twice as high as wide, so a row counts for two columns.
    fn new(radius: usize) -> Canvas {
        let row = || Row {
            cells: vec![' '; 4 * radius + 1],
            left: Vec::new(),
            right: Vec::new(),
        };
        let rows = (0..=2 * radius).map(|_| row()).collect();
        let mut canvas = Canvas { radius, rows };
        // One dot a row on the sides, one in two columns where the circle is flat; the same in every
        // quarter, so that the picture is as round as letters allow.
        let whole = radius as f64;
        for step in 0..=radius {
            let across = 2.0 * (whole * whole - (step * step) as f64).sqrt();
            canvas.dots(round(across), step);
            let down = (1.0 - (step as f64 / whole).powi(2)).sqrt() * whole;
            canvas.dots(2 * step, round(down));
        }
        canvas
    }

    /// Four dots, so many columns and rows from the centre.
    fn dots(&mut self, across: usize, down: usize) {
        let centre = self.radius;
        for row in [centre - down, centre + down] {
            for column in [2 * centre - across, 2 * centre + across] {
                self.rows[row].cells[column] = '.';
            }
        }
    }

    /// The column and row of a place on the circle.
    fn cell(&self, at: Id) -> (usize, usize) {
        let (sine, cosine) = (at.fraction() * std::f64::consts::TAU).sin_cos();
        let radius = self.radius as f64;
        (
            round(2.0 * radius * (1.0 + sine)),
            round(radius * (1.0 - cosine)),
        )
    }

    fn mark(&mut self, mark: &Mark) {
        let (column, row) = self.cell(mark.at);
        let row = &mut self.rows[row];
        row.cells[column] = mark.symbol;
        if !mark.label.is_empty() {
            let right_half = mark.at < Id::power_of_two(Id::BITS - 1);
            let side = if right_half {
                &mut row.right
            } else {
                &mut row.left
            };
            side.push(mark.label.clone());
        }
    }

    /// The finished picture, every line ended, no line with spaces at its end.
    fn text(&self) -> String {
        let sides: Vec<(String, String)> = self.rows.iter().map(Row::sides).collect();
        let margin = self
            .rows
            .iter()
            .zip(&sides)
            .map(|(row, (left, _))| left.chars().count().saturating_sub(row.indent()));
        let margin = margin.max().unwrap_or(0);
        let mut text = format!("{:>1$}\n", 0, margin + 2 * self.radius + 1);
        for (row, (left, right)) in self.rows.iter().zip(&sides) {
            let cells: String = row.cells.iter().collect();
            text += &format!(
                "{left:>0$}{1}{right}\n",
                margin + row.indent(),
                cells.trim()
            );
        }
        text
    }
}

impl Row {
    /// Columns before the first character.
    fn indent(&self) -> usize {
        self.cells.iter().take_while(|cell| **cell == ' ').count()
    }

    /// What is written to the left and to the right, each side listed clockwise.
    fn sides(&self) -> (String, String) {
        let list = |labels: &[String]| match labels.len() {
            0..=IN_A_ROW => labels.join(", "),
            more => format!(
                "{}, and {} more",
                labels[..IN_A_ROW].join(", "),
                more - IN_A_ROW
            ),
        };
        let (left, right) = (list(&self.left), list(&self.right));
        let spaced = |text: String, before: &str, after: &str| match text.is_empty() {
            true => text,
            false => format!("{before}{text}{after}"),
        };
        (spaced(left, "", " "), spaced(right, " ", ""))
    }
}

/// The nearest whole number of a small positive one.
fn round(x: f64) -> usize {
    // At most four times the greatest radius.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = x.round() as usize;
    whole
}

#[cfg(test)]
mod tests {
    use super::super::{HostId, Member, by_name};
    use super::*;

    fn eighths(tokens: &[(u64, u64)]) -> Placement {
        let member = |(host, eighth): &(u64, u64)| {
            (HostId(*host), Member::new([Id::from_top(eighth << 61)]))
        };
        Placement::from_members(tokens.iter().map(member)).unwrap()
    }

    #[test]
    fn a_ring_of_three_is_drawn_clockwise_from_the_top() {
        let drawing = ring(&eighths(&[(0, 0), (1, 1), (3, 3)]));
        let expected = [
            "        0",
            "      . * . h0 00000000",
            "  ...       ..* h1 20000000",
            " .             .",
            ".               .",
            ".               .",
            ".               .",
            " .             .",
            "  ...       ..* h3 60000000",
            "      . . .",
        ];
        assert_eq!(drawing.lines().collect::<Vec<_>>(), expected);
        assert_eq!(
            line(&eighths(&[(1, 1), (3, 3)])),
            "h1 20000000 -> h3 60000000 -> h1"
        );
    }

    #[test]
    fn every_size_can_be_drawn() {
        assert_eq!(line(&Placement::new()), "(nobody)");
        for hosts in [0, 1, 10, 64, 65, 500] {
            let members = (0..hosts).map(|n| (HostId(n), Member::new(by_name(&n.to_string(), 1))));
            let placement = Placement::from_members(members).unwrap();
            let drawing = ring(&placement);
            assert!(drawing.lines().count() <= 44, "{drawing}");
            assert!(
                drawing
                    .lines()
                    .all(|line| line == line.trim_end() && line.len() < 200)
            );
            let named = (1..=64).contains(&hosts);
            assert!(!named || drawing.contains("h0 ") || drawing.contains("more"));
        }
    }
}
