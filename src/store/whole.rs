//! Is a value here with all its bytes?

use crate::record::{Body, PIECE_BYTES};

/// Whether the pieces are all here and each as long as it must be.
pub(crate) fn is_whole(body: &Body) -> bool {
    let sum: u64 = body.pieces.iter().map(|piece| piece.len() as u64).sum();
    let all_but_last = body.pieces.len().saturating_sub(1);
    body.is_whole()
        && sum == body.len
        && body.pieces[..all_but_last]
            .iter()
            .all(|piece| piece.len() == PIECE_BYTES)
}
