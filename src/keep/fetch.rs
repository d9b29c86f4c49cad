//! A get of a whole value: its pieces are fetched one by one from those that hold it.
//!
//! ```text
//! h1 -> h2   AskPiece 0 … AskPiece 1 …      h2 is silent
//! h1 -> h3   AskPiece 1 … AskPiece 2        it said that it holds the same version
//! ```
//!
//! If none of them gives it any more, the whole question is asked again. Whoever wants to hold nothing whole opens the
//! value instead (`download`).

use crate::message::{KeepMessage, ReqId};
use crate::placement::HostId;
use crate::record::Version;

use super::open::Phase;
use super::pieces::wanted;
use super::{Context, Keeper};

impl Keeper {
    /// A get asks for the next piece of the value it found.
    pub(super) fn fetch_next(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Fetch {
            said,
            cells,
            passed,
        } = &open.phase
        else {
            return;
        };
        let Some((version, index)) = wanted(cells) else {
            return self.confirm_read(cx, req);
        };
        let holders = said
            .iter()
            .filter(|(_, theirs)| theirs.value == Some(version));
        let holders: Vec<HostId> = holders.map(|(host, _)| *host).collect();
        let Some(from) = holders.get(passed % holders.len().max(1)).copied() else {
            return;
        };
        let key = open.key.clone();
        self.send(
            cx,
            from,
            KeepMessage::AskPiece {
                req,
                key,
                version,
                index,
            },
        );
    }

    /// A piece of the value a get found has come: its source is given time for the next one.
    pub(super) fn piece_fetched(&mut self, cx: &mut Context<'_>, req: ReqId, version: Version) {
        if let Some(open) = self.open.get_mut(&req)
            && let Phase::Fetch { said, passed, .. } = &mut open.phase
        {
            let holders = said
                .iter()
                .filter(|(_, theirs)| theirs.value == Some(version));
            *passed %= holders.count().max(1);
            open.tries = 0;
        }
        self.arm(cx, req);
        self.fetch_next(cx, req);
    }

    /// The source of a large value is silent or has lost it: the next one, or, when all have failed, the
    /// whole question again.
    pub(super) fn fetch_elsewhere(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        let Phase::Fetch { said, passed, .. } = &mut open.phase else {
            return;
        };
        *passed += 1;
        if *passed > 2 * said.len() {
            self.restart(cx, req)
        } else {
            self.fetch_next(cx, req)
        }
    }
}
