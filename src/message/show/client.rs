//! What clients ask, and what becomes of it, read aloud.
//!
//! ```text
//! client -> h1 #7 "cat" put 4 bytes     a request, with its ticket
//! h1 -> client #7 stored 12.0/h1.1      its outcome
//! ```

use std::fmt;

use super::ops::{Copies, Each};
use super::parts::{After, Brief, Hosts, Quoted, Wishes, more_of};
use crate::message::{
    Expiry, ExportPage, Found, KeyOp, Outcome, Reply, Request, Route, Upload, UploadId,
};
use crate::record::WallMs;

impl fmt::Display for KeyOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOp::Put(body, None) => write!(f, "put {body}"),
            KeyOp::Put(body, Some(_)) => write!(f, "put {body} with a time to live"),
            KeyOp::Get => write!(f, "get"),
            KeyOp::Open => write!(f, "open"),
            KeyOp::Delete => write!(f, "delete"),
            KeyOp::Has => write!(f, "has"),
            KeyOp::Ttl => write!(f, "ttl"),
            KeyOp::Expire(Expiry::Never) => write!(f, "keep for ever"),
            KeyOp::Expire(Expiry::In(_) | Expiry::At(_)) => write!(f, "expire"),
        }
    }
}

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upload::Begin(len) => write!(f, "upload {len} bytes"),
            Upload::Piece(UploadId(id), bytes) => write!(f, "upload {id}: {} bytes", bytes.len()),
            Upload::End { upload, key, .. } => {
                write!(f, "{} put upload {}", Quoted(key), upload.0)
            }
            Upload::Drop(UploadId(id)) => write!(f, "drop upload {id}"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::One(key, op) => write!(f, "{} {op}", Quoted(key)),
            Request::Many(ops) => write!(f, "{} keys at once", ops.len()),
            Request::PutContent(body) => write!(f, "put content {body}"),
            Request::Upload(upload) => write!(f, "{upload}"),
            Request::Piece(large, index) => {
                let (key, version) = (Quoted(&large.key), large.found.version);
                write!(f, "{key} {version} piece {index}")
            }
            Request::WhereIs(key) => write!(f, "{} where is", Quoted(key)),
            Request::Lookup(id) => write!(f, "lookup {}", id.short()),
            Request::Change(changes) => write!(f, "change{}", Wishes(changes)),
            Request::Rebalance => write!(f, "rebalance"),
            Request::CancelMove => write!(f, "cancel the move"),
            Request::Join { via, .. } => write!(f, "join by {via}"),
            Request::Leave => write!(f, "leave"),
            Request::Drain => write!(f, "drain"),
            Request::EndDrain => write!(f, "end the drain"),
            Request::AcceptLoss(hosts) => write!(f, "accept the loss of {}", Hosts(hosts)),
            Request::Status => write!(f, "status"),
            Request::Roster => write!(f, "roster"),
            Request::StatusOfAll => write!(f, "status of all"),
            Request::Check(key) => write!(f, "{} check", Quoted(key)),
            Request::Explain(key) => write!(f, "{} explain", Quoted(key)),
            Request::Balance => write!(f, "balance"),
            Request::Count => write!(f, "count"),
            Request::Purge(None) => write!(f, "purge"),
            Request::Purge(Some(host)) => write!(f, "purge {host}"),
            Request::Configure(tuning, None) => write!(f, "configure{tuning}"),
            Request::Configure(tuning, Some(host)) => write!(f, "configure {host}{tuning}"),
            Request::Export { after, max_bytes } => {
                write!(f, "export {max_bytes} bytes{}", After(after.as_ref()))
            }
            Request::Import { items, .. } => write!(f, "import {} values", items.len()),
        }
    }
}

impl fmt::Display for Route {
    /// `<a>@h1 <b>@h2 <c>@h3 clockwise`: the way a lookup went.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.iter().try_for_each(|peer| write!(f, "{peer} "))?;
        write!(f, "{}", self.direction)
    }
}

/// A value without its bytes: which version, how long.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.body)
    }
}

/// What became of many keys, counted.
struct Tally<'a>(&'a [Reply]);

impl fmt::Display for Tally<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.0.iter().filter(|result| result.is_err()).count();
        write!(f, "{} results, {failed} failed", self.0.len())
    }
}

impl fmt::Display for ExportPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = more_of(self.next.is_some());
        write!(
            f,
            "exported {} values{more}",
            self.items.len() + self.large.len()
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Stored(version) => write!(f, "stored {version}"),
            Outcome::Deleted(version, true) => write!(f, "deleted {version}"),
            Outcome::Deleted(version, false) => write!(f, "deleted {version}, was not there"),
            Outcome::StoredContent(key, version) => write!(f, "stored {} {version}", Quoted(key)),
            Outcome::Value(Some(found)) => write!(f, "value {found}"),
            Outcome::Large(large) => write!(f, "value {}", large.found),
            Outcome::Piece(bytes) => write!(f, "piece of {} bytes", bytes.len()),
            Outcome::Began(UploadId(id)) => write!(f, "upload {id} begins"),
            Outcome::Taken(pieces) => write!(f, "{pieces} pieces taken"),
            Outcome::Version(Some(version)) => write!(f, "version {version}"),
            Outcome::Value(None) | Outcome::Version(None) | Outcome::Ttl(None) => {
                write!(f, "none")
            }
            Outcome::Ttl(Some(None)) => write!(f, "lives for ever"),
            Outcome::Ttl(Some(Some(WallMs(until)))) => write!(f, "lives until {until}"),
            Outcome::Many(results) => write!(f, "{}", Tally(results)),
            Outcome::Hosts(hosts) => write!(f, "{}", Hosts(hosts)),
            Outcome::Route(route) => write!(f, "{route}"),
            Outcome::Settled(version) => write!(f, "settled {version}"),
            Outcome::Roster(Some(roster)) => write!(f, "{}", Brief(roster)),
            Outcome::Roster(None) => write!(f, "no roster"),
            Outcome::Status(status) => write!(f, "{status}"),
            Outcome::StatusOfAll(hosts) => write!(f, "{}", Each(hosts)),
            Outcome::Checked(replicas) => write!(f, "{}", Copies(replicas)),
            Outcome::Explained(explained) => write!(f, "{explained}"),
            Outcome::Balanced(hosts) => write!(f, "{}", Each(hosts)),
            Outcome::Counted(told) if told.silent.is_empty() => write!(f, "{} keys", told.keys),
            Outcome::Counted(told) => {
                let (keys, silent) = (told.keys, Hosts(&told.silent));
                write!(f, "about {keys} keys, not counted by {silent}")
            }
            Outcome::Purged(hosts) => write!(f, "{}", Each(hosts)),
            Outcome::Configured(hosts) => write!(f, "{}", Each(hosts)),
            Outcome::Exported(page) => write!(f, "{page}"),
            Outcome::Imported(count) => write!(f, "{count}"),
        }
    }
}
