//! Large values, piece by piece: neither this program nor any host ever holds one whole.
//!
//! ```text
//! writer.write(64 KiB) …   1 MiB is full: sent; waits while two pieces are on their way
//! writer.finish("cat")     the last, shorter one; then the put itself
//!
//! reader.next()            piece 0, while 1 is already asked for
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::{Dht, DhtError, IntoKey};
use crate::message::{Expiry, Found, KeyOp, Large, Outcome, Reply, Request, Upload, UploadId};
use crate::record::{Body, Key, PIECE_BYTES, Version};

/// So many pieces of one value are on their way between this program and its host.
const WINDOW: usize = 2;

impl Dht {
    /// Begins to store a value of so many bytes that is given bit by bit. It is visible once
    /// [`ValueWriter::finish`] has returned, all of it, and never in part. The pieces lie at this handle's host until
    /// then: if that ends, or the writer is dropped, they go.
    ///
    /// ```
    /// use roundelay::dht::Dht;
    ///
    /// roundelay::sim::paused().block_on(async {
    ///     let dht = Dht::simulated(5, 42).await?;
    ///     let mut writer = dht.put_stream(3_000_000).await?;
    ///     for _ in 0..30 {
    ///         writer.write(vec![7; 100_000]).await?;
    ///     }
    ///     writer.finish("film").await?;
    ///
    ///     let mut reader = dht.get_stream("film").await?.expect("it was put");
    ///     let mut len = 0;
    ///     while let Some(piece) = reader.next().await? {
    ///         assert!(piece.iter().all(|byte| *byte == 7));
    ///         len += piece.len();
    ///     }
    ///     assert_eq!(len, 3_000_000);
    ///     Ok::<(), roundelay::dht::DhtError>(())
    /// })?;
    /// # Ok::<(), roundelay::dht::DhtError>(())
    /// ```
    ///
    /// # Errors
    /// If it is too long, or too many uploads are open at that host.
    pub async fn put_stream(&self, len: u64) -> Result<ValueWriter, DhtError> {
        let outcome = self.ask(Request::Upload(Upload::Begin(len))).await?;
        let Outcome::Began(upload) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(ValueWriter {
            dht: self.clone(),
            upload: Some(upload),
            left: len,
            piece: BytesMut::new(),
            on_their_way: VecDeque::new(),
        })
    }

    /// Finds a value, to be read piece by piece; none if there is none. What is read is of one version, even if the
    /// key is written meanwhile.
    ///
    /// # Errors
    /// If no quorum answered in time.
    pub async fn get_stream(&self, key: impl IntoKey) -> Result<Option<ValueReader>, DhtError> {
        let outcome = self.one(key, KeyOp::Open).await?;
        let source = if let Outcome::Value(None) = outcome {
            return Ok(None);
        } else if let Outcome::Value(Some(found)) = outcome {
            Source::Here(found)
        } else if let Outcome::Large(large) = outcome {
            Source::There(large)
        } else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(Some(ValueReader {
            dht: self.clone(),
            source,
            asked: 0,
            on_their_way: VecDeque::new(),
        }))
    }

    /// Asks now; the answer may be awaited later.
    fn ask_ahead(&self, request: Request) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        self.door.do_send(crate::actor::Ask {
            host: self.host,
            request,
            options: self.options,
            reply,
        });
        answer
    }
}

/// A value on its way in: see [`Dht::put_stream`].
pub struct ValueWriter {
    dht: Dht,
    /// None once it is ended or given up.
    upload: Option<UploadId>,
    /// Bytes that were promised and not given yet.
    left: u64,
    /// The beginning of the next piece.
    piece: BytesMut,
    on_their_way: VecDeque<oneshot::Receiver<Reply>>,
}

impl ValueWriter {
    /// The next bytes, as many as there are. Returns when there is room for more.
    ///
    /// # Errors
    /// More bytes than were promised; or the host's words, and then nothing is stored.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), DhtError> {
        let mut bytes: Bytes = bytes.into();
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(DhtError::Length { left: self.left })?;
        while !bytes.is_empty() {
            if self.piece.is_empty() && bytes.len() >= PIECE_BYTES {
                self.send(bytes.split_to(PIECE_BYTES)).await?;
                continue;
            }
            let room = PIECE_BYTES - self.piece.len();
            let taken = bytes.split_to(bytes.len().min(room));
            self.piece.extend_from_slice(&taken);
            if self.piece.len() == PIECE_BYTES {
                let piece = std::mem::take(&mut self.piece).freeze();
                self.send(piece).await?;
            }
        }
        Ok(())
    }

    /// All bytes were given: stores the value under that key, and returns its version.
    ///
    /// # Errors
    /// Fewer bytes than were promised; or as [`Dht::put`].
    pub async fn finish(self, key: impl IntoKey) -> Result<Version, DhtError> {
        self.finish_as(key, None, None).await
    }

    /// The same, saying what the value is and how long it lives.
    ///
    /// # Errors
    /// As [`ValueWriter::finish`].
    pub async fn finish_as(
        mut self,
        key: impl IntoKey,
        content_type: Option<Arc<str>>,
        expiry: Option<Expiry>,
    ) -> Result<Version, DhtError> {
        let key: Key = key.into_key()?;
        if self.left > 0 {
            return Err(DhtError::Length { left: self.left });
        }
        if !self.piece.is_empty() {
            let piece = std::mem::take(&mut self.piece).freeze();
            self.send(piece).await?;
        }
        while !self.on_their_way.is_empty() {
            self.taken().await?;
        }
        let Some(upload) = self.upload.take() else {
            return Err(DhtError::Gone(self.dht.host));
        };
        let end = Upload::End {
            upload,
            key,
            content_type,
            expiry,
        };
        let outcome = self.dht.ask(Request::Upload(end)).await?;
        let Outcome::Stored(version) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(version)
    }

    async fn send(&mut self, piece: Bytes) -> Result<(), DhtError> {
        while self.on_their_way.len() >= WINDOW {
            self.taken().await?;
        }
        if let Some(upload) = self.upload {
            let step = Upload::Piece(upload, piece);
            let answer = self.dht.ask_ahead(Request::Upload(step));
            self.on_their_way.push_back(answer);
        }
        Ok(())
    }

    /// Waits until the oldest piece on its way is put by.
    async fn taken(&mut self) -> Result<(), DhtError> {
        let Some(answer) = self.on_their_way.pop_front() else {
            return Ok(());
        };
        let reply = answer.await.map_err(|_| DhtError::Gone(self.dht.host))?;
        let outcome = reply?;
        if let Outcome::Taken(_) = outcome {
            Ok(())
        } else {
            Err(DhtError::unexpected(&outcome))
        }
    }
}

impl Drop for ValueWriter {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            // Nobody waits for the answer.
            drop(self.dht.ask_ahead(Request::Upload(Upload::Drop(upload))));
        }
    }
}

enum Source {
    /// It has one piece, which came with the answer.
    Here(Found),
    There(Arc<Large>),
}

/// A value on its way out: see [`Dht::get_stream`].
pub struct ValueReader {
    dht: Dht,
    source: Source,
    asked: u32,
    on_their_way: VecDeque<oneshot::Receiver<Reply>>,
}

impl ValueReader {
    pub(super) fn of(dht: Dht, large: Arc<Large>) -> ValueReader {
        ValueReader {
            dht,
            source: Source::There(large),
            asked: 0,
            on_their_way: VecDeque::new(),
        }
    }

    /// The value without its bytes: version, length, media type, deadline.
    #[must_use]
    pub fn found(&self) -> &Found {
        match &self.source {
            Source::Here(found) => found,
            Source::There(large) => &large.found,
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.found().body.len
    }

    /// The next piece, in order; none when all were given.
    ///
    /// # Errors
    /// [`Failure::Replaced`](crate::message::Failure::Replaced): it was overwritten or deleted meanwhile, and nobody
    /// has it any more. Or if no holder answered in time.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DhtError> {
        let large = match &mut self.source {
            Source::Here(found) => return Ok(found.body.pieces.pop()),
            Source::There(large) => Arc::clone(large),
        };
        self.ask_for(&large);
        let Some(answer) = self.on_their_way.pop_front() else {
            return Ok(None);
        };
        let reply = answer.await.map_err(|_| DhtError::Gone(self.dht.host))?;
        let outcome = reply?;
        if let Outcome::Piece(bytes) = outcome {
            Ok(Some(bytes))
        } else {
            Err(DhtError::unexpected(&outcome))
        }
    }

    fn ask_for(&mut self, large: &Arc<Large>) {
        let body: &Body = &large.found.body;
        while self.on_their_way.len() < WINDOW && u64::from(self.asked) < body.piece_count() {
            let request = Request::Piece(Arc::clone(large), self.asked);
            self.on_their_way.push_back(self.dht.ask_ahead(request));
            self.asked += 1;
        }
    }
}
