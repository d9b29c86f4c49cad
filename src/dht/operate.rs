//! What people who run a ring ask of it, by way of any of its hosts.

use super::{Dht, DhtError, IntoKey};
use crate::message::{
    Balanced, Counted, Explained, ExportPage, Imported, Item, Outcome, PerHost, Purged, Replica,
    Request, Status, Tuning,
};
use crate::placement::HostId;
use crate::record::Key;

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

    /// How many keys are in the ring: counted by each host for the spans it is the first replica of. For those who are
    /// down or do not answer, as many are taken for granted as their share of the circle lets expect.
    ///
    /// # Errors
    /// If this host is in no ring.
    pub async fn count(&self) -> Result<Counted, DhtError> {
        let outcome = self.ask(Request::Count).await?;
        let Outcome::Counted(counted) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(counted)
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

    /// A page of live values after a key, in the order of ids: so many bytes, and one value more. Of those of more than
    /// a piece it says only where they are: [`Dht::read_large`] reads them.
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
}
