//! How answers read: a map as lines, a list of words as one line, a list of maps as a table.
//!
//! ```text
//! version: v3
//! hosts:
//!   host  tokens   share
//!   h1        16  33.10%
//! ```

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a library can read is more than what a host of ours says"
)]

use std::fmt::Write;

use redis::Value;

/// The bytes of a string.
pub(super) fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.as_bytes(),
        _ => &[],
    }
}

/// An answer as lines.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    lines(value, "", &mut out);
    out
}

fn lines(value: &Value, indent: &str, out: &mut String) {
    match value {
        Value::Map(pairs) => {
            for (name, value) in pairs {
                let name = word(name);
                if is_flat(value) {
                    let _ = writeln!(out, "{indent}{name}: {}", word(value));
                } else {
                    let _ = writeln!(out, "{indent}{name}:");
                    lines(value, &format!("{indent}  "), out);
                }
            }
        }
        Value::Array(items)
            if items.iter().all(|item| matches!(item, Value::Map(_))) && !items.is_empty() =>
        {
            table(items, indent, out);
        }
        flat => {
            let _ = writeln!(out, "{indent}{}", word(flat));
        }
    }
}

/// Whether it fits into a line.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Map(_) => false,
        Value::Array(items) => items.iter().all(|item| !matches!(item, Value::Map(_))),
        _ => true,
    }
}

/// It in a line.
fn word(value: &Value) -> String {
    match value {
        Value::Nil => "-".to_owned(),
        Value::Int(n) => n.to_string(),
        Value::Okay => "OK".to_owned(),
        Value::Boolean(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Double(n) => n.to_string(),
        Value::Array(items) | Value::Set(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) | Value::Set(items) => {
            items.iter().map(word).collect::<Vec<String>>().join(" ")
        }
        Value::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{} {}", word(name), word(value)));
            pairs.collect::<Vec<String>>().join(", ")
        }
        Value::ServerError(error) => {
            format!("{} {}", error.code(), error.details().unwrap_or_default())
        }
        other => String::from_utf8_lossy(bytes(other)).into_owned(),
    }
}

/// Maps with the same names as rows. Numbers stand to the right.
fn table(maps: &[Value], indent: &str, out: &mut String) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for map in maps {
        let Value::Map(pairs) = map else { continue };
        if rows.is_empty() {
            rows.push(pairs.iter().map(|(name, _)| word(name)).collect());
        }
        rows.push(pairs.iter().map(|(_, value)| word(value)).collect());
    }
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let numbers: Vec<bool> = (0..columns)
        .map(|column| {
            let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
            cells.all(|cell| cell.trim_end_matches('%').parse::<f64>().is_ok())
        })
        .collect();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths.get(column).copied().unwrap_or(0);
            match numbers.get(column) {
                Some(true) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            }
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        let _ = writeln!(out, "{indent}{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn maps_are_lines_and_lists_of_maps_tables() {
        let host = |id: &str, tokens| {
            Value::Map(vec![
                (bulk("host"), bulk(id)),
                (bulk("tokens"), Value::Int(tokens)),
            ])
        };
        let ring = Value::Map(vec![
            (bulk("version"), bulk("v3")),
            (bulk("going"), Value::Array(Vec::new())),
            (
                bulk("hosts"),
                Value::Array(vec![host("h1", 8), host("ha2", 16)]),
            ),
        ]);
        let expected =
            "version: v3\ngoing: none\nhosts:\n  host  tokens\n  h1         8\n  ha2       16\n";
        assert_eq!(text(&ring), expected);
        assert_eq!(text(&Value::Array(vec![bulk("h1"), bulk("h2")])), "h1 h2\n");
        assert_eq!(text(&Value::Nil), "-\n");
    }
}
