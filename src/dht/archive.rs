//! All live values of a ring become an archive, and come into another ring.
//!
//! ```text
//! export   a page: ant, bee, and film, which is large      film is read and written piece by piece
//! import   short values page by page                       film is written as its pieces are read
//! ```
//!
//! *Hold this true*: of a value of more than a piece neither this program nor a host holds more than a few pieces.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;

use super::{Dht, DhtError, ValueReader, ValueWriter};
use crate::archive::{Part, Reader, Writer};
use crate::message::{Expiry, Failure, Imported, Item, Large};
use crate::record::Body;

/// A page of an export holds so many bytes, and one value more.
const PAGE_BYTES: u64 = 1024 * 1024;

/// So many bytes of an archive are read at once.
const READ_BYTES: usize = 64 * 1024;

/// At most so many values are imported in one request.
const PAGE_ITEMS: usize = 1_000;

/// A large value that is overwritten while it is exported is begun so often; then the export fails.
const TRIES: u32 = 16;

/// How an import goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Write also where there is a value; else only absent keys are written.
    pub overwrite: bool,
    /// Pass over so many values at the beginning: those that an earlier try had already brought in. They are read
    /// all the same, for the checksum.
    pub skip: u64,
}

fn broken(error: std::io::Error) -> DhtError {
    DhtError::Archive(error.to_string())
}

impl Dht {
    /// Writes all live values into an archive; returns how many. What it writes to is written to as pages come, and
    /// may block for a moment.
    ///
    /// # Errors
    /// If a page could not be had, or not be written. What was written is then no whole archive.
    pub async fn export(&self, to: &mut impl Write) -> Result<u64, DhtError> {
        let mut writer = Writer::new();
        to.write_all(&writer.begin()).map_err(broken)?;
        let mut after = None;
        loop {
            let page = self.export_page(after, PAGE_BYTES).await?;
            for item in &page.items {
                to.write_all(&writer.item(item)).map_err(broken)?;
            }
            for large in page.large {
                self.export_large(large, &mut writer, to).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let items = writer.items();
        to.write_all(&writer.end()).map_err(broken)?;
        Ok(items)
    }

    /// A large value, as it is now: if it is overwritten meanwhile it is begun again.
    async fn export_large(
        &self,
        large: Arc<Large>,
        writer: &mut Writer,
        to: &mut impl Write,
    ) -> Result<(), DhtError> {
        let key = large.key.clone();
        let mut reader = self.read_large(large);
        for _ in 0..TRIES {
            let found = reader.found().clone();
            let item = Item {
                key: key.clone(),
                body: found.body,
                deadline: found.deadline,
            };
            to.write_all(&writer.head(&item)).map_err(broken)?;
            let replaced = loop {
                match reader.next().await {
                    Ok(Some(piece)) => to.write_all(&writer.piece(&piece)).map_err(broken)?,
                    Ok(None) => return Ok(()),
                    Err(DhtError::Failed(failure @ Failure::Replaced)) => break failure,
                    Err(error) => return Err(error),
                }
            };
            log::debug!("{key} is exported anew: {replaced}");
            to.write_all(&writer.broken()).map_err(broken)?;
            match self.get_stream(key.clone()).await? {
                None => return Ok(()),
                Some(again) => reader = again,
            }
        }
        let why = format!("{key} was overwritten {TRIES} times while it was read");
        Err(DhtError::Archive(why))
    }

    /// Brings the values of an archive into this ring. It is done only when the checksum of the whole archive fits.
    ///
    /// # Errors
    /// [`DhtError::Import`], with how many values were taken before: a further try may pass over those.
    pub async fn import(
        &self,
        from: &mut impl Read,
        options: ImportOptions,
    ) -> Result<Imported, DhtError> {
        let mut import = Import {
            dht: self,
            options,
            page: Vec::new(),
            held: 0,
            large: None,
            sum: Imported::default(),
            taken: options.skip,
        };
        match import.all(from).await {
            Ok(()) => Ok(import.sum),
            Err(why) => Err(DhtError::Import {
                taken: import.taken,
                why,
            }),
        }
    }
}

/// A large value on its way into the ring.
struct Coming {
    item: Item,
    /// None: it is read, and not written.
    writer: Option<ValueWriter>,
    left: u64,
}

/// An import under way.
struct Import<'a> {
    dht: &'a Dht,
    options: ImportOptions,
    page: Vec<Item>,
    /// Bytes of the values of that page.
    held: u64,
    large: Option<Coming>,
    sum: Imported,
    /// So many values of the archive are done with.
    taken: u64,
}

impl Import<'_> {
    async fn all(&mut self, from: &mut impl Read) -> Result<(), String> {
        let mut reader = Reader::new();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let read = from.read(&mut bytes).map_err(|error| error.to_string())?;
            reader.feed(&bytes[..read]);
            while let Some(part) = reader.next().map_err(|error| error.to_string())? {
                if let Part::End { .. } = part {
                    return self.write_page().await;
                }
                let skip = reader.items() <= self.options.skip;
                self.part(part, skip, reader.items()).await?;
            }
            if read == 0 {
                self.write_page().await?;
                return reader.close().map_err(|error| error.to_string());
            }
        }
    }

    /// A part of the archive; `before`: so many values were read, with this one if it is whole.
    async fn part(&mut self, part: Part, skip: bool, before: u64) -> Result<(), String> {
        match part {
            Part::Item(_) if skip => Ok(()),
            Part::Item(item) => {
                self.held += item.body.len;
                self.page.push(item);
                match self.held >= PAGE_BYTES || self.page.len() >= PAGE_ITEMS {
                    true => self.write_page().await,
                    false => Ok(()),
                }
            }
            Part::Large(item) => {
                self.write_page().await?;
                let begun = self.begin(item, before < self.options.skip).await;
                begun.map_err(|error| error.to_string())
            }
            Part::Piece(piece) => {
                let came = self.piece(piece, skip).await;
                came.map_err(|error| error.to_string())
            }
            Part::Broken => {
                self.large = None;
                Ok(())
            }
            Part::End { .. } => Ok(()),
        }
    }

    async fn write_page(&mut self) -> Result<(), String> {
        self.held = 0;
        let items = std::mem::take(&mut self.page);
        let many = items.len() as u64;
        if many == 0 {
            return Ok(());
        }
        let count = self.dht.import_page(items, self.options.overwrite).await;
        self.count(count.map_err(|error| error.to_string())?);
        self.taken += many;
        Ok(())
    }

    fn count(&mut self, more: Imported) {
        self.sum.written += more.written;
        self.sum.present += more.present;
        self.sum.expired += more.expired;
    }

    /// A large value begins: whether it is to be written is asked first.
    async fn begin(&mut self, item: Item, skip: bool) -> Result<(), DhtError> {
        let left = item.body.len;
        let wanted = !skip && self.is_wanted(&item).await?;
        let writer = match wanted {
            true => Some(self.dht.put_stream(left).await?),
            false => None,
        };
        self.large = Some(Coming { item, writer, left });
        Ok(())
    }

    /// Whether it is to be written; else it is counted here.
    async fn is_wanted(&mut self, item: &Item) -> Result<bool, DhtError> {
        let is_there = self.dht.has(item.key.clone()).await?.is_some();
        if !is_there || self.options.overwrite && item.deadline.is_none() {
            return Ok(true);
        }
        // What a host says of a short value with this deadline holds for this one. The key is there, so nothing is
        // written.
        let short = Item {
            body: Body::new(""),
            ..item.clone()
        };
        let said = self.dht.import_page(vec![short], false).await?;
        if said.expired == 0 && self.options.overwrite {
            return Ok(true);
        }
        self.count(said);
        Ok(false)
    }

    async fn piece(&mut self, piece: Bytes, skip: bool) -> Result<(), DhtError> {
        let Some(mut coming) = self.large.take() else {
            return Ok(());
        };
        coming.left = coming.left.saturating_sub(piece.len() as u64);
        if let Some(writer) = &mut coming.writer {
            writer.write(piece).await?;
        }
        if coming.left > 0 {
            self.large = Some(coming);
            return Ok(());
        }
        if let Some(writer) = coming.writer {
            let expiry = coming.item.deadline.map(Expiry::At);
            let kind = coming.item.body.content_type;
            let version = writer.finish_as(coming.item.key, kind, expiry).await?;
            // Where its time had run out there is nothing now, as before.
            match version.delete {
                true => self.sum.expired += 1,
                false => self.sum.written += 1,
            }
        }
        self.taken += u64::from(!skip);
        Ok(())
    }
}

impl Dht {
    /// Reads a value that was found, piece by piece: of that version and no other.
    #[must_use]
    pub fn read_large(&self, large: Arc<Large>) -> ValueReader {
        ValueReader::of(self.clone(), large)
    }
}
