//! A host inside an application.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::settings::Settings;
use super::start::{Server, StartError};
use crate::dht::{Dht, DhtError};
use crate::remote::{Address, Secret};
use crate::store::SyncPolicy;

/// How often it is looked whether the host is in a ring yet.
const LOOK: Duration = Duration::from_millis(20);

impl Dht {
    /// A host in this process, over TCP.
    ///
    /// It has a thread of its own, so that any program can have one, and several; the handles work from every
    /// thread and in every asynchronous runtime.
    ///
    /// ```
    /// use roundelay::dht::Dht;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let first = Dht::builder().listen("127.0.0.1:0".parse()?).start().await?;
    /// let second = Dht::builder()
    ///     .listen("127.0.0.1:0".parse()?)
    ///     .join([first.address().clone()])
    ///     .start()
    ///     .await?;
    /// second.joined().await?;
    /// first.put("cat", "meow").await?;
    /// let found = second.get("cat").await?.expect("it was put at the other host");
    /// assert_eq!(found.body.to_bytes(), "meow");
    /// second.stop().await;
    /// first.stop().await;
    /// # Ok(()) })
    /// # }
    /// ```
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// How a host is to be: see [`Dht::builder`]. What is not said is as in [`Settings::default`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// With all these settings.
    #[must_use]
    pub fn settings(settings: Settings) -> Builder {
        Builder { settings }
    }

    /// Where it listens; port 0: whichever is free.
    #[must_use]
    pub fn listen(mut self, at: SocketAddr) -> Builder {
        self.settings.listen = at;
        self
    }

    /// Under which address others reach it.
    #[must_use]
    pub fn advertise(mut self, address: Address) -> Builder {
        self.settings.advertise = Some(address);
        self
    }

    /// Hosts of the ring it shall join, or of the one they found together: then all are told the same, and the
    /// first named founds it.
    #[must_use]
    pub fn join(mut self, others: impl IntoIterator<Item = Address>) -> Builder {
        self.settings.join.extend(others);
        self
    }

    /// The cluster's name, and what all its hosts know.
    #[must_use]
    pub fn cluster(mut self, name: impl Into<String>, secret: impl Into<Vec<u8>>) -> Builder {
        self.settings.cluster = name.into();
        self.settings.secret = Secret::new(secret);
        self
    }

    /// Where its data lie, and when a write is safe there. Otherwise they are in memory.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>, fsync: SyncPolicy) -> Builder {
        self.settings.data_dir = Some(path.into());
        self.settings.fsync = fsync;
        self
    }

    /// How many copies of every key the ring keeps, if it founds one.
    #[must_use]
    pub fn replicas(mut self, replicas: u8) -> Builder {
        self.settings.replicas = Some(replicas);
        self
    }

    /// Whether it leaves the ring when it is stopped.
    #[must_use]
    pub fn leave_on_exit(mut self, leaves: bool) -> Builder {
        self.settings.leave_on_exit = leaves;
        self
    }

    /// Starts the host. It can be asked at once, and answers once it is in a ring: see [`Hosted::joined`].
    ///
    /// # Errors
    /// [`StartError`] says which setting, directory or port it is, and what to do.
    pub async fn start(self) -> Result<Hosted, StartError> {
        let (tell, told) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (is_in, joined) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("roundelay".into())
            .spawn(move || actix::System::new().block_on(host(self.settings, tell, ended, is_in)))
            .map_err(StartError::Thread)?;
        let gone = |_| StartError::Thread(std::io::Error::other("the host's thread has ended"));
        let (dht, address) = told.await.map_err(gone)??;
        Ok(Hosted {
            dht,
            address,
            end: Some(end),
            joined,
            thread: Some(thread),
        })
    }
}

type Started = Result<(Dht, Address), StartError>;

/// What the host's thread does.
async fn host(
    settings: Settings,
    tell: oneshot::Sender<Started>,
    end: oneshot::Receiver<()>,
    is_in: watch::Sender<bool>,
) {
    let mut server = match Server::start(settings).await {
        Ok(server) => server,
        // Who does not wait any more does not need to know.
        Err(error) => return drop(tell.send(Err(error))),
    };
    let watching = actix::spawn(watch_for_the_ring(server.dht(), is_in.clone()));
    let started = (server.dht(), server.address().clone());
    if tell.send(Ok(started)).is_err() {
        return server.close().await;
    }
    tokio::select! {
        biased;
        asked = end => match asked {
            Ok(()) => drop(server.stop(&mut |line| log::info!("{line}")).await),
            // Dropped: at once.
            Err(_) => server.close().await,
        },
        why = server.ended() => {
            log::error!("the host has ended: {why}");
            server.close().await;
        }
    }
    watching.abort();
}

/// Says once when the host is in a ring and holds its share.
async fn watch_for_the_ring(dht: Dht, is_in: watch::Sender<bool>) {
    loop {
        // Between two lives the host does not answer; whoever ends it ends this, too.
        if let Ok(status) = dht.status().await
            && status.hosts.contains(&dht.host())
            && !status.moving
        {
            is_in.send_replace(true);
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A host in this process. It is a [`Dht`] on itself. Dropped, it ends at once, and the others take it for
/// crashed; [`Hosted::stop`] hands over first.
pub struct Hosted {
    dht: Dht,
    address: Address,
    end: Option<oneshot::Sender<()>>,
    joined: watch::Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

impl std::ops::Deref for Hosted {
    type Target = Dht;

    fn deref(&self) -> &Dht {
        &self.dht
    }
}

impl Hosted {
    /// Where others reach it.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until it is in a ring, and holds its share.
    ///
    /// # Errors
    /// If it ended.
    pub async fn joined(&self) -> Result<(), DhtError> {
        let mut joined = self.joined.clone();
        let done = joined.wait_for(|is_in| *is_in).await;
        done.map(drop).map_err(|_| DhtError::Gone(self.dht.host()))
    }

    /// Hands over, and ends.
    pub async fn stop(mut self) {
        if let Some(end) = self.end.take() {
            // A host that has ended already need not be told.
            let _ = end.send(());
        }
        // Nobody is left to change it once the host's thread has ended.
        while self.joined.changed().await.is_ok() {}
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
