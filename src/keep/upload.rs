//! A value on its way in, piece by piece: whoever has it never holds all of it in memory, and neither do we.
//!
//! ```text
//! client -> h1      Begin 2.5 MiB             7
//! client -> h1      Piece 7 … Piece 7 …       each is put by in h1's own store, then answered: so the client waits
//! client -> h1      End 7, "cat"
//! h1 -> h2 h3 h4    Ask versions … stamp … Write, bare       a put like any other
//! h2 -> h1          AskPiece 0 … AskPiece 1 … AskPiece 2     read from what h1 has put by
//! ```
//!
//! What is put by has a name of its own, which no value ever has, until the write has its version; so it does
//! not matter whether this host is a replica, or what else is written meanwhile. The version is drawn at the end: a
//! slow client's write is not older than one that began and ended while it was uploading.
//!
//! *Hold these true*: before the end nothing of it is visible anywhere; what was put by goes when the write is
//! over, when the upload is dropped, silent for `upload_patience`, or refused by the store, and with this process.
//!
//! Left out on purpose: going on at another host. What was put by is here; who loses this host begins again.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::message::{Expiry, Failure, KeyOp, Outcome, ReqId, Ticket, Upload, UploadId};
use crate::record::{Body, Key, Stamp, Version};
use crate::store::{Done, Op};

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// One upload.
#[derive(Debug)]
struct Coming {
    /// The whole value, bare.
    body: Body,
    /// So many pieces have come.
    come: u32,
    /// So many of them are put by.
    staged: u32,
    /// It waits only for its write to begin.
    ended: bool,
}

/// The uploads under way here.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    coming: BTreeMap<UploadId, Coming>,
    /// Those whose pieces are not needed any more.
    over: Vec<UploadId>,
}

impl Uploads {
    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.coming.len()
    }

    /// What was put by for it is not needed any more.
    pub(super) fn is_over(&mut self, upload: UploadId) {
        self.over.push(upload);
    }
}

impl Keeper {
    /// A step of an upload, but for its end.
    pub fn upload(&mut self, cx: &mut Context<'_>, ticket: Ticket, step: Upload) {
        let told = match step {
            Upload::Begin(len) => self.begin_upload(cx, len).map(Outcome::Began),
            Upload::Piece(upload, bytes) => {
                match self.take_upload(cx, ticket, upload, bytes) {
                    // Answered when it is put by.
                    Ok(()) => return,
                    Err(failure) => Err(failure),
                }
            }
            Upload::Drop(upload) => {
                self.drop_upload(upload);
                Ok(Outcome::Taken(0))
            }
            Upload::End { .. } => Err(unknown()),
        };
        self.answer(cx, ticket, told);
        self.settle_loopback(cx);
    }

    fn begin_upload(&mut self, cx: &mut Context<'_>, len: u64) -> Result<UploadId, Failure> {
        let most = self.config.max_uploads;
        if self.uploads.coming.len() >= most {
            let why = format!("{most} uploads are open at this host: at most so many; try again");
            return Err(Failure::Limit(why));
        }
        let body = Body {
            len,
            ..Body::default()
        };
        super::begin::check_limits(&body, self.config.max_value_bytes)?;
        let upload = UploadId(self.draw_req().0);
        let coming = Coming {
            body,
            come: 0,
            staged: 0,
            ended: false,
        };
        self.uploads.coming.insert(upload, coming);
        let due = cx.now.at + self.config.upload_patience;
        self.timers.set(Wake::Upload(upload), due);
        Ok(upload)
    }

    fn take_upload(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        upload: UploadId,
        bytes: Bytes,
    ) -> Result<(), Failure> {
        let coming = self.uploads.coming.get_mut(&upload);
        let coming = coming.filter(|coming| !coming.ended).ok_or_else(unknown)?;
        let window = self.config.upload_window;
        if coming.come - coming.staged >= window {
            let why =
                format!("{window} pieces of this upload are on their way: wait for an answer");
            return Err(Failure::Limit(why));
        }
        let (index, due) = (coming.come, coming.body.piece_len(u64::from(coming.come)));
        if bytes.len() as u64 != due || due == 0 {
            let why = format!(
                "piece {index} of this upload has {} bytes and should have {due}; it is given up, and nothing was stored",
                bytes.len()
            );
            self.drop_upload(upload);
            return Err(Failure::Limit(why));
        }
        coming.come += 1;
        let (key, version) = place(upload, self.me);
        let stage = Op::Stage {
            key,
            version,
            index,
            bytes,
        };
        self.store(cx, stage, Next::Taken(upload, ticket));
        let due = cx.now.at + self.config.upload_patience;
        self.timers.set(Wake::Upload(upload), due);
        Ok(())
    }

    /// A piece is put by, or the store had no room for it.
    pub(super) fn taken(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        upload: UploadId,
        ticket: Ticket,
    ) {
        let told = if let Done::Failed(error) = done {
            self.drop_upload(upload);
            Err(Failure::Limit(format!("{}: {error}", self.me)))
        } else {
            let coming = self.uploads.coming.get_mut(&upload);
            coming.ok_or_else(unknown).map(|coming| {
                coming.staged += 1;
                Outcome::Taken(coming.staged)
            })
        };
        self.answer(cx, ticket, told);
    }

    /// All has come: what is to be put now. Who begins it does so as
    /// [`Caller::Upload`](super::Caller::Upload).
    ///
    /// # Errors
    /// If there is no such upload, or a part of it is missing.
    pub fn end_upload(
        &mut self,
        upload: UploadId,
        content_type: Option<std::sync::Arc<str>>,
        expiry: Option<Expiry>,
    ) -> Result<KeyOp, Failure> {
        let coming = self.uploads.coming.get_mut(&upload);
        let coming = coming.filter(|coming| !coming.ended).ok_or_else(unknown)?;
        let (staged, count) = (u64::from(coming.staged), coming.body.piece_count());
        if staged < count {
            let why = format!(
                "{staged} of {count} pieces of this upload are here: it ends after the last one is answered"
            );
            return Err(Failure::Limit(why));
        }
        coming.ended = true;
        self.timers.clear(Wake::Upload(upload));
        let body = Body {
            content_type,
            ..coming.body.clone()
        };
        Ok(KeyOp::Put(body, expiry))
    }

    /// Its write begins: from here on that says when it is over.
    pub(super) fn upload_begins(&mut self, upload: UploadId) {
        self.uploads.coming.remove(&upload);
    }

    /// It will not be written, or nothing came for too long.
    pub(super) fn drop_upload(&mut self, upload: UploadId) {
        self.timers.clear(Wake::Upload(upload));
        if self.uploads.coming.remove(&upload).is_some() {
            self.uploads.is_over(upload);
        }
    }

    /// Nothing came for too long.
    pub(super) fn upload_due(&mut self, upload: UploadId) {
        log::debug!("{}: upload {} was abandoned", self.me, upload.0);
        self.drop_upload(upload);
    }

    /// Lets go of what was put by for uploads that are over.
    pub(super) fn unstage_uploads(&mut self, cx: &mut Context<'_>) {
        for upload in std::mem::take(&mut self.uploads.over) {
            let (key, version) = place(upload, self.me);
            self.store(cx, Op::Unstage(key, version), Next::Nothing);
        }
    }

    /// Where a piece lies that somebody pulls from us by that question.
    pub(super) fn piece_place(&self, req: ReqId, key: &Key, version: Version) -> (Key, Version) {
        let open = self.open.get(&req).filter(|open| open.writes(version));
        match open.and_then(|open| open.upload) {
            Some(upload) => place(upload, self.me),
            None => (key.clone(), version),
        }
    }
}

/// Under which name its pieces are put by: the version of a delete, and no delete has pieces.
fn place(UploadId(number): UploadId, host: crate::placement::HostId) -> (Key, Version) {
    let version = Version {
        stamp: Stamp(number),
        delete: true,
        host,
        start: 0,
    };
    let key = Key::new("upload").expect("a short word is a key");
    (key, version)
}

fn unknown() -> Failure {
    Failure::Limit(
        "there is no such upload at this host (it was ended, refused or silent for too long): begin again; nothing was stored"
            .into(),
    )
}
