//! What changes hands between two placements.

use crate::keyspace::{Id, Span};

use super::{HostId, Placement};

/// A span whose owner changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The ids.
    pub span: Span,
    /// Who owned them.
    pub from: HostId,
    /// Who owns them now.
    pub to: HostId,
}

/// A span within which neither of two placements changes its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The ids.
    pub span: Span,
    /// Who holds them by the old placement, the owner first; empty if the old ring was.
    pub old: Vec<HostId>,
    /// Who holds them by the new placement, the owner first; empty if the new ring is.
    pub new: Vec<HostId>,
}

/// The spans that change owner from `old` to `new`, in clockwise order from zero, neighbouring ones
/// with the same two hosts joined into one. Nothing when either ring is empty: then there is nobody to
/// move from, or to.
pub fn moved(old: &Placement, new: &Placement) -> Vec<Moved> {
    let mut all: Vec<Moved> = Vec::new();
    for span in spans(old, new) {
        let (Ok(from), Ok(to)) = (old.owner(span.to), new.owner(span.to)) else {
            continue;
        };
        let (from, to) = (from.host, to.host);
        match all.last_mut() {
            Some(last) if last.from == from && last.to == to && last.span.to == span.from => {
                last.span.to = span.to;
            }
            Some(_) | None if from == to => {}
            Some(_) | None => all.push(Moved { span, from, to }),
        }
    }
    join_over_zero(&mut all);
    all
}

/// The last span and the first may be one that passes zero, cut there only because we began there.
fn join_over_zero(all: &mut Vec<Moved>) {
    let [first, .., last] = all.as_mut_slice() else {
        return;
    };
    if last.span.to == first.span.from && (last.from, last.to) == (first.from, first.to) {
        first.span.from = last.span.from;
        all.pop();
    }
}

/// The circle cut at every token of either placement, each piece with its holders before (`r_old`
/// copies) and after (`r_new` copies), in clockwise order; the first piece is the one that ends at the
/// first token from zero on. Together the pieces hold each id exactly once. No pieces if both rings
/// are empty.
pub fn pieces(old: &Placement, r_old: usize, new: &Placement, r_new: usize) -> Vec<Piece> {
    let piece = |span: Span| Piece {
        span,
        old: old.replicas(span.to, r_old),
        new: new.replicas(span.to, r_new),
    };
    spans(old, new).into_iter().map(piece).collect()
}

/// The circle cut at every token of either placement.
// region: spans
fn spans(old: &Placement, new: &Placement) -> Vec<Span> {
    let mut cuts: Vec<Id> = old
        .tokens()
        .chain(new.tokens())
        .map(|token| token.id)
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let before = cuts.last().copied().into_iter().chain(cuts.iter().copied());
    before
        .zip(cuts.iter().copied())
        .map(|(from, to)| Span::new(from, to))
        .collect()
}
// endregion: spans
