//! How does a program use the ring?
//!
//! By a [`Dht`]: a handle on one host. Each call is one message to that host's actor, with a oneshot for
//! the answer; any host will do, since any host can coordinate any request.
//!
//! ```text
//!   dht.put("cat", "meow").await ──Ask──> host h1 ──Ask, Write──> the replicas of "cat"
//!                                <─Reply─
//! ```
//!
//! The same type stands before a ring of actors in one process, a simulated one, and (in stage three)
//! hosts in other processes: only how it is made differs.
//!
//! ```
//! use roundelay::dht::Dht;
//!
//! roundelay::sim::paused().block_on(async {
//!     let dht = Dht::simulated(5, 42).await?;
//!     dht.put("cat", "meow").await?;
//!     let found = dht.get("cat").await?.expect("it was put");
//!     assert_eq!(found.body.to_bytes(), "meow");
//!     dht.delete("cat").await?;
//!     assert_eq!(dht.get("cat").await?, None);
//!     Ok::<(), roundelay::dht::DhtError>(())
//! })?;
//! # Ok::<(), roundelay::dht::DhtError>(())
//! ```
//!
//! *Hold these true*: every call about keys ends by its deadline, with an answer, a failure that says what is
//! stored, or [`DhtError::Gone`]; nothing is retried behind the caller's back, so what a failure says is so.
//!
//! A change of who is in ([`Dht::remove`] and the like) has to *begin* by its deadline (five minutes, if the
//! options name none); then it ends when it has settled or is given up ([`Dht::cancel_move`]). One that waits for a
//! dead host waits as long as that is dead; who does not want to wait drops the call, and the change goes on.
//!
//! Left out on purpose: a cache (a get means to ask).

mod archive;
mod error;
mod key;
mod operate;
mod stream;

use actix::Recipient;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::actor::Ask;
use crate::keyspace::Id;
use crate::message::{Expiry, Failure, Found, KeyOp, Options, Outcome, Request, Route, Status};
use crate::placement::{HostId, Member};
use crate::record::{Body, Key, Version, WallMs};
use crate::roster::{Change, RosterVersion};

pub use archive::ImportOptions;
pub use error::DhtError;
pub use key::IntoKey;
pub use stream::{ValueReader, ValueWriter};

/// A handle on the ring, by way of one of its hosts. Cloning makes another handle on the same host.
#[derive(Clone)]
pub struct Dht {
    door: Recipient<Ask>,
    host: HostId,
    options: Options,
}

impl Dht {
    /// A handle on that host, through a door that takes requests to it.
    #[must_use]
    pub fn new(door: Recipient<Ask>, host: HostId) -> Dht {
        Dht {
            door,
            host,
            options: Options::default(),
        }
    }

    /// The same handle with other options: consistency, how many replicas take part, deadline.
    #[must_use]
    pub fn with(&self, options: Options) -> Dht {
        Dht {
            options,
            ..self.clone()
        }
    }

    /// The host behind this handle.
    #[must_use]
    pub const fn host(&self) -> HostId {
        self.host
    }

    /// Asks the host anything.
    ///
    /// # Errors
    /// [`DhtError::Failed`] with the host's words, or [`DhtError::Gone`].
    pub async fn ask(&self, request: Request) -> Result<Outcome, DhtError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            host: self.host,
            request,
            options: self.options,
            reply,
        };
        self.door.do_send(ask);
        let answer = answer.await.map_err(|_| DhtError::Gone(self.host))?;
        Ok(answer?)
    }

    // ── one key ──

    /// Stores a value; returns the version it has. It is held whole until then: a large one is better written by
    /// [`Dht::put_stream`].
    ///
    /// # Errors
    /// [`Failure::NoQuorum`]: nothing was stored. [`Failure::Unknown`]: read the key to learn.
    pub async fn put(
        &self,
        key: impl IntoKey,
        value: impl Into<Bytes>,
    ) -> Result<Version, DhtError> {
        self.store(key, KeyOp::Put(Body::new(value), None)).await
    }

    /// Stores a value that lives until then.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn put_until(
        &self,
        key: impl IntoKey,
        value: impl Into<Bytes>,
        expiry: Expiry,
    ) -> Result<Version, DhtError> {
        self.store(key, KeyOp::Put(Body::new(value), Some(expiry)))
            .await
    }

    /// The value, or none. It is fetched whole: a large one is better read by [`Dht::get_stream`].
    ///
    /// # Errors
    /// If no quorum answered in time.
    pub async fn get(&self, key: impl IntoKey) -> Result<Option<Found>, DhtError> {
        let outcome = self.one(key, KeyOp::Get).await?;
        let Outcome::Value(found) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(found)
    }

    /// Deletes the key; returns whether there was one.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn delete(&self, key: impl IntoKey) -> Result<bool, DhtError> {
        let outcome = self.one(key, KeyOp::Delete).await?;
        let Outcome::Deleted(_, was_there) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(was_there)
    }

    /// The version of the value, or none: whether the key is there, without fetching it.
    ///
    /// # Errors
    /// If no quorum answered in time.
    pub async fn has(&self, key: impl IntoKey) -> Result<Option<Version>, DhtError> {
        let outcome = self.one(key, KeyOp::Has).await?;
        let Outcome::Version(version) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(version)
    }

    /// From when on the key will be absent: none if it is so already, `Some(None)` if it lives for ever.
    ///
    /// # Errors
    /// If no quorum answered in time.
    pub async fn ttl(&self, key: impl IntoKey) -> Result<Option<Option<WallMs>>, DhtError> {
        let outcome = self.one(key, KeyOp::Ttl).await?;
        let Outcome::Ttl(until) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(until)
    }

    /// Changes how long the present value lives; returns its expiry's version, or none if there is no
    /// value, or if it was to live for ever and does so already.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn expire(
        &self,
        key: impl IntoKey,
        expiry: Expiry,
    ) -> Result<Option<Version>, DhtError> {
        let outcome = self.one(key, KeyOp::Expire(expiry)).await?;
        let Outcome::Version(version) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(version)
    }

    // ── values under their own name ──

    /// Stores a value under the SHA-1 of itself, and returns that key.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn put_content(&self, value: impl Into<Bytes>) -> Result<Key, DhtError> {
        let outcome = self.ask(Request::PutContent(Body::new(value))).await?;
        let Outcome::StoredContent(key, _) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(key)
    }

    /// Fetches such a value, and checks that it is the one its key names.
    ///
    /// # Errors
    /// [`DhtError::NotContent`] if somebody put something else under that key.
    pub async fn fetch(&self, key: impl IntoKey) -> Result<Option<Bytes>, DhtError> {
        let key = key.into_key()?;
        let Some(found) = self.get(&key).await? else {
            return Ok(None);
        };
        if Key::of_content(&found.body.pieces) == key {
            Ok(Some(found.body.to_bytes()))
        } else {
            Err(DhtError::NotContent(key))
        }
    }

    // ── several keys, and places ──

    /// Many requests at once; each has its own result, in this order.
    ///
    /// # Errors
    /// Only if the host refused all of them, or has gone.
    pub async fn many(
        &self,
        requests: Vec<(Key, KeyOp)>,
    ) -> Result<Vec<Result<Outcome, Failure>>, DhtError> {
        let outcome = self.ask(Request::Many(requests)).await?;
        let Outcome::Many(results) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(results)
    }

    /// The hosts that keep a key, the owner's first.
    ///
    /// # Errors
    /// If the host is in no ring.
    pub async fn where_is(&self, key: impl IntoKey) -> Result<Vec<HostId>, DhtError> {
        let outcome = self.ask(Request::WhereIs(key.into_key()?)).await?;
        let Outcome::Hosts(hosts) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(hosts)
    }

    /// Asks round the ring who owns an id, and by which nodes the question went.
    ///
    /// # Errors
    /// If nobody answered in time.
    pub async fn lookup(&self, id: Id) -> Result<Route, DhtError> {
        let outcome = self.ask(Request::Lookup(id)).await?;
        let Outcome::Route(route) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(route)
    }

    // ── who is in ──

    /// Lets the host behind this handle join the ring of which `via` is a member. Without tokens of its
    /// own in `member` it is given so many, where they even the load. Returns when it holds its share.
    ///
    /// # Errors
    /// If the change cannot be, or was given up.
    pub async fn join(
        &self,
        via: HostId,
        member: Member,
        tokens: u16,
    ) -> Result<RosterVersion, DhtError> {
        self.settle(Request::Join {
            via,
            replaces: None,
            replicas: None,
            member,
            tokens,
        })
        .await
    }

    /// Takes the host behind this handle out of the ring; returns when it may stop.
    ///
    /// # Errors
    /// If the change cannot be, or was given up.
    pub async fn leave(&self) -> Result<RosterVersion, DhtError> {
        self.settle(Request::Leave).await
    }

    /// Takes hosts out of the ring, without their consent; returns when the others have all copies.
    ///
    /// # Errors
    /// If the change cannot be, or was given up.
    pub async fn remove(&self, hosts: &[HostId]) -> Result<RosterVersion, DhtError> {
        self.change(hosts.iter().map(|host| Change::Remove(*host)).collect())
            .await
    }

    /// Moves tokens until every host has its due share; returns when the keys have followed.
    ///
    /// # Errors
    /// If the load is even already, or the change was given up.
    pub async fn rebalance(&self) -> Result<RosterVersion, DhtError> {
        self.settle(Request::Rebalance).await
    }

    /// Gives up the move that is under way; returns when all is as it was before.
    ///
    /// # Errors
    /// If there is none.
    pub async fn cancel_move(&self) -> Result<RosterVersion, DhtError> {
        self.settle(Request::CancelMove).await
    }

    /// Keeps this many copies of every key from now on; returns when they are there.
    ///
    /// # Errors
    /// If there cannot be so many, or the change was given up.
    pub async fn set_replicas(&self, replicas: u8) -> Result<RosterVersion, DhtError> {
        self.change(vec![Change::Replicas(replicas)]).await
    }

    /// A batch of changes in one move; returns when it has settled.
    ///
    /// # Errors
    /// If the change cannot be, or was given up.
    pub async fn change(&self, changes: Vec<Change>) -> Result<RosterVersion, DhtError> {
        self.settle(Request::Change(changes)).await
    }

    /// What the host knows of the ring and of itself.
    ///
    /// # Errors
    /// Only if the host has gone.
    pub async fn status(&self) -> Result<Status, DhtError> {
        let outcome = self.ask(Request::Status).await?;
        let Outcome::Status(status) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(*status)
    }

    async fn one(&self, key: impl IntoKey, op: KeyOp) -> Result<Outcome, DhtError> {
        self.ask(Request::One(key.into_key()?, op)).await
    }

    async fn store(&self, key: impl IntoKey, op: KeyOp) -> Result<Version, DhtError> {
        let outcome = self.one(key, op).await?;
        let Outcome::Stored(version) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(version)
    }

    async fn settle(&self, request: Request) -> Result<RosterVersion, DhtError> {
        let outcome = self.ask(request).await?;
        let Outcome::Settled(version) = outcome else {
            return Err(DhtError::unexpected(&outcome));
        };
        Ok(version)
    }
}
