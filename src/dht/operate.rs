//! What people who run a ring ask of it, by way of any of its hosts.

use std::io::{Read, Write};

use super::{Dht, DhtError, IntoKey};
use crate::archive::{Part, Reader, Writer};
use crate::message::{
    Balanced, Explained, ExportPage, Imported, Item, Outcome, PerHost, Purged, Replica, Request,
    Status, Tuning,
};
use crate::placement::HostId;
use crate::record::Key;

/// A page of an export holds so many bytes, and one value more.
const PAGE_BYTES: u64 = 1024 * 1024;

/// So many bytes of an archive are read at once.
const READ_BYTES: usize = 64 * 1024;

/// At most so many values are imported in one request.
const PAGE_ITEMS: usize = 1_000;

/// How an import goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Write also where there is a value; else only absent keys are written.
    pub overwrite: bool,
    /// Pass over so many values at the beginning: those that an earlier try had already brought in. They are read
    /// all the same, for the checksum.
    pub skip: u64,
}

impl Dht {
    /// Compares every span's copies now and heals what differs. Each host reports what it pulled and pushed, and whom
    /// it could not reach.
    ///
    /// # Errors
    /// If this host is in no ring. What goes wrong at another host stands in its report.
    pub async fn balance(&self) -> Result<PerHost<Balanced>, DhtError> {
        let outcome = self.ask(Request::Balance).await?;
        let Outcome::Balanced(hosts) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(hosts)
    }

    /// Drops old copies now, on one host or on all, as far as all current holders are known to have them.
    ///
    /// # Errors
    /// If this host is in no ring. What goes wrong at another host stands in its report.
    pub async fn purge(&self, host: Option<HostId>) -> Result<PerHost<Purged>, DhtError> {
        let outcome = self.ask(Request::Purge(host)).await?;
        let Outcome::Purged(hosts) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(hosts)
    }

    /// What each host of the ring knows, or why it does not say.
    ///
    /// # Errors
    /// If this host is in no ring.
    pub async fn status_of_all(&self) -> Result<PerHost<Status>, DhtError> {
        let outcome = self.ask(Request::StatusOfAll).await?;
        let Outcome::StatusOfAll(hosts) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(hosts)
    }

    /// How many copies the ring keeps of each key.
    ///
    /// # Errors
    /// Only if the host has gone.
    pub async fn replicas(&self) -> Result<u8, DhtError> {
        Ok(self.status().await?.replicas)
    }

    /// Asks each host that should hold a key what it has.
    ///
    /// # Errors
    /// If this host is in no ring. A host that does not answer is reported as silent.
    pub async fn check(&self, key: impl IntoKey) -> Result<Vec<Replica>, DhtError> {
        let outcome = self.ask(Request::Check(key.into_key()?)).await?;
        let Outcome::Checked(replicas) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(replicas)
    }

    /// Why a key is where it is, how a request finds it, what each copy is, and what a get would find.
    ///
    /// # Errors
    /// If this host is in no ring.
    pub async fn explain(&self, key: impl IntoKey) -> Result<Explained, DhtError> {
        let outcome = self.ask(Request::Explain(key.into_key()?)).await?;
        let Outcome::Explained(explained) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(*explained)
    }

    /// Changes settings while they run, of one host or of all; returns what each has now.
    ///
    /// # Errors
    /// If this host is in no ring.
    pub async fn configure(
        &self,
        tuning: Tuning,
        host: Option<HostId>,
    ) -> Result<PerHost<Tuning>, DhtError> {
        let outcome = self.ask(Request::Configure(tuning, host)).await?;
        let Outcome::Configured(hosts) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(hosts)
    }

    /// A page of live values after a key, in the order of ids: so many bytes, and one value more.
    ///
    /// # Errors
    /// If a quorum of a span did not answer before anything was on the page.
    pub async fn export_page(
        &self,
        after: Option<Key>,
        max_bytes: u64,
    ) -> Result<ExportPage, DhtError> {
        let outcome = self.ask(Request::Export { after, max_bytes }).await?;
        let Outcome::Exported(page) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(page)
    }

    /// Writes values that came from elsewhere. Harmless when repeated, unless it overwrites.
    ///
    /// # Errors
    /// If a value could not be written; others may have been.
    pub async fn import_page(
        &self,
        items: Vec<Item>,
        overwrite: bool,
    ) -> Result<Imported, DhtError> {
        let outcome = self.ask(Request::Import { items, overwrite }).await?;
        let Outcome::Imported(count) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(count)
    }

    /// Writes all live values into an archive; returns how many. What it writes to is written to as pages come, and
    /// may block for a moment.
    ///
    /// # Errors
    /// If a page could not be had, or not be written. What was written is then no whole archive.
    pub async fn export(&self, to: &mut impl Write) -> Result<u64, DhtError> {
        let broken = |error: std::io::Error| DhtError::Archive(error.to_string());
        let mut writer = Writer::new();
        to.write_all(&writer.begin()).map_err(broken)?;
        let mut after = None;
        loop {
            let page = self.export_page(after, PAGE_BYTES).await?;
            for item in &page.items {
                to.write_all(&writer.item(item)).map_err(broken)?;
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

    /// Brings the values of an archive into this ring. It is done only when the checksum of the whole archive fits.
    ///
    /// # Errors
    /// [`DhtError::Import`], with how many values were taken before: a further try may pass over those.
    pub async fn import(
        &self,
        from: &mut impl Read,
        options: ImportOptions,
    ) -> Result<Imported, DhtError> {
        let (mut reader, mut sum) = (Reader::new(), Imported::default());
        let mut taken = options.skip;
        let result = self
            .import_all(from, options, &mut reader, &mut sum, &mut taken)
            .await;
        match result {
            Ok(()) => Ok(sum),
            Err(why) => Err(DhtError::Import { taken, why }),
        }
    }

    async fn import_all(
        &self,
        from: &mut impl Read,
        options: ImportOptions,
        reader: &mut Reader,
        sum: &mut Imported,
        taken: &mut u64,
    ) -> Result<(), String> {
        let mut page = Vec::new();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let read = from.read(&mut bytes).map_err(|error| error.to_string())?;
            let more = &bytes[..read];
            reader.feed(more);
            let mut held: u64 = page.iter().map(|item: &Item| item.body.len).sum();
            loop {
                match reader.next().map_err(|error| error.to_string())? {
                    Some(Part::Item(_)) if reader.items() <= options.skip => {}
                    Some(Part::Item(item)) => {
                        held += item.body.len;
                        page.push(item);
                    }
                    Some(Part::End { .. }) => {
                        return self.import_some(&mut page, options, sum, taken).await;
                    }
                    None => break,
                }
                if held >= PAGE_BYTES || page.len() >= PAGE_ITEMS {
                    self.import_some(&mut page, options, sum, taken).await?;
                    held = 0;
                }
            }
            if read == 0 {
                self.import_some(&mut page, options, sum, taken).await?;
                return reader.close().map_err(|error| error.to_string());
            }
        }
    }

    async fn import_some(
        &self,
        page: &mut Vec<Item>,
        options: ImportOptions,
        sum: &mut Imported,
        taken: &mut u64,
    ) -> Result<(), String> {
        let items = std::mem::take(page);
        let many = items.len() as u64;
        if many == 0 {
            return Ok(());
        }
        let count = self.import_page(items, options.overwrite).await;
        let count = count.map_err(|error| error.to_string())?;
        sum.written += count.written;
        sum.present += count.present;
        sum.expired += count.expired;
        *taken += many;
        Ok(())
    }
}
