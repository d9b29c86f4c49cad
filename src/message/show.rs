//! What a trace says of a message: one line, made for reading.

use std::fmt;

use super::show_ops::{Copies, Each};
use super::{
    Answered, Ballot, Expiry, FindMessage, KeepMessage, KeyOp, LinksAre, Lookup, LookupAnswer,
    Message, Outcome, Peer, Refusal, Request, Road, Route, Step, Upload, UploadId, Want,
};
use super::{Balanced, Purged, Status, Tuning};
use crate::keyspace::Span;
use crate::placement::HostId;
use crate::record::{Body, Cells, Key, Record, Summary, WallMs};
use crate::roster::{Change, Phase, Roster};

/// How much of a key a line shows.
const SHOWN: usize = 32;

/// A key in quotes, cut off where it is long.
struct Quoted<'a>(&'a Key);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.bytes();
        let cut = bytes.len() > SHOWN;
        let shown = bytes.get(..SHOWN).unwrap_or(bytes);
        write!(
            f,
            "\"{}{}\"",
            shown.escape_ascii(),
            if cut { "…" } else { "" }
        )
    }
}

/// Hosts with spaces between.
struct Hosts<'a>(&'a [HostId]);

impl fmt::Display for Hosts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, host) in self.0.iter().enumerate() {
            write!(f, "{}{host}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// A roster by its version and what it does; small ones with their hosts.
struct Brief<'a>(&'a Roster);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = |hosts: Vec<HostId>| match hosts.len() {
            0..=8 => format!("{}", Hosts(&hosts)),
            n => format!("{n} hosts"),
        };
        let version = self.0.version;
        match &self.0.phase {
            Phase::Settled(all) => {
                write!(
                    f,
                    "{version} settled({})",
                    members(all.placement.hosts().collect())
                )
            }
            Phase::Moving { old, new } => {
                let (old, new) = (old.placement.hosts(), new.placement.hosts());
                write!(
                    f,
                    "{version} moving({} -> {})",
                    members(old.collect()),
                    members(new.collect())
                )
            }
        }
    }
}

/// The versions under a key.
struct Versions<'a>(&'a Summary);

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.value {
            Some(version) => write!(f, "{version}")?,
            None => write!(f, "nothing")?,
        }
        match self.0.expiry {
            Some(cell) => write!(f, ", expiry set at {}", cell.version),
            None => Ok(()),
        }
    }
}

/// The versions under a key, and how many bytes of value come along.
struct Contents<'a>(&'a Cells);

impl fmt::Display for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Versions(&self.0.summary()))?;
        match self.0.value.as_ref().and_then(|cell| cell.body.as_ref()) {
            Some(body) => write!(f, ", {body}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Body {
    /// `5 bytes`, with `bare` where the pieces are to be fetched.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.len == 1 { "byte" } else { "bytes" };
        write!(
            f,
            "{} {unit}{}",
            self.len,
            if self.is_whole() { "" } else { ", bare" }
        )
    }
}

impl Message {
    /// What kind of message it is, in the word with which a trace begins to tell it: `Ask`, `Wrote`.
    #[must_use]
    pub fn name(&self) -> String {
        let told = match self {
            Message::Find { message, .. } => message.to_string(),
            Message::Keep(message) => message.to_string(),
            Message::Detect(_) => "Detect".to_owned(),
        };
        let end = told.find(|c: char| !c.is_ascii_alphabetic());
        told[..end.unwrap_or(told.len())].to_owned()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Find { from, to, message } => {
                write!(f, "<{}> to <{}>: {message}", from.short(), to.short())
            }
            Message::Keep(message) => write!(f, "{message}"),
            Message::Detect(bytes) => write!(f, "Detect {} bytes", bytes.len()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Behind(version) => write!(f, "behind, at {version}"),
            Refusal::Ahead(roster) => write!(f, "ahead, with {}", Brief(roster)),
            Refusal::NotMine => write!(f, "not mine"),
            Refusal::Store(reason) => write!(f, "{reason}"),
            Refusal::Below => write!(f, "below the fence"),
            Refusal::Incomplete => write!(f, "not whole here"),
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Road::Request => "request",
            Road::WriteBack => "write-back",
            Road::Hint => "hint",
            Road::Repair => "repair",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Ready => "ready?",
            Step::Fence => "fence",
            Step::Floor => "floor",
        })
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.host)
    }
}

impl fmt::Display for KeepMessage {
    #[expect(clippy::too_many_lines, reason = "a table: an arm for each message")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask {
                at,
                key,
                want: Want::Versions,
                ..
            } => write!(f, "Ask {at} {} versions", Quoted(key)),
            Self::Ask {
                at,
                key,
                want: Want::Value,
                ..
            } => write!(f, "Ask {at} {} value", Quoted(key)),
            Self::Answer {
                at,
                result: Ok(Answered::Versions(summary)),
                ..
            } => {
                write!(f, "Answer {at} {}", Versions(summary))
            }
            Self::Answer {
                at,
                result: Ok(Answered::Cells(cells)),
                ..
            } => {
                write!(f, "Answer {at} {}", Contents(cells))
            }
            Self::Write {
                at,
                record: Record { key, cells },
                road,
                ..
            } => {
                write!(
                    f,
                    "Write {at} {} {} by {road}",
                    Quoted(key),
                    Contents(cells)
                )
            }
            Self::Wrote {
                at,
                result: Ok(summary),
                ..
            } => write!(f, "Wrote {at} {}", Versions(summary)),
            Self::AskPiece {
                key,
                version,
                index,
                ..
            } => {
                write!(f, "AskPiece {index} of {} {version}", Quoted(key))
            }
            Self::PieceIs {
                index,
                bytes: Some(bytes),
                ..
            } => {
                write!(f, "PieceIs {index}, {} bytes", bytes.len())
            }
            Self::PieceIs {
                index, bytes: None, ..
            } => write!(f, "PieceIs {index}, not here"),
            Self::SuspectAsk { host, .. } => write!(f, "SuspectAsk {host}"),
            Self::SuspectIs { host, .. } => write!(f, "SuspectIs {host}"),
            Self::Health { well } => write!(f, "Health {}", if *well { "well" } else { "unwell" }),
            Self::ChoreAsk { chore, .. } => write!(f, "ChoreAsk {chore}"),
            Self::ChoreIs { report, .. } => write!(f, "ChoreIs {report}"),
            Self::Gossip { version, .. } => write!(f, "Gossip {version}"),
            Self::RosterAsk { have } => write!(f, "RosterAsk, have {have}"),
            Self::RosterIs(roster) => write!(f, "RosterIs {}", Brief(roster)),
            Self::RosterHave { version } => write!(f, "RosterHave {version}"),
            Self::Prepare { version, ballot } => write!(f, "Prepare {version} ballot {ballot}"),
            Self::Promise {
                version,
                ballot,
                accepted: None,
            } => {
                write!(f, "Promise {version} ballot {ballot}")
            }
            Self::Promise {
                version,
                ballot,
                accepted: Some((at, roster)),
            } => {
                write!(
                    f,
                    "Promise {version} ballot {ballot}, accepted at {at}: {}",
                    Brief(roster)
                )
            }
            Self::Propose { ballot, roster } => {
                write!(f, "Propose {} ballot {ballot}", Brief(roster))
            }
            Self::Accepted { version, ballot } => write!(f, "Accepted {version} ballot {ballot}"),
            Self::Rejected { version, promised } => {
                write!(f, "Rejected {version}, promised {promised}")
            }
            Self::ChangeAsk { changes, .. } => write!(f, "ChangeAsk{}", Wishes(changes)),
            Self::ChangeIs {
                result: Ok(version),
                ..
            } => write!(f, "ChangeIs {version}"),
            Self::ChangeIs {
                result: Err(reason),
                ..
            } => write!(f, "ChangeIs refused: {reason}"),
            Self::Pull {
                at, span, after, ..
            } => write!(f, "Pull {at} {}{}", ShortSpan(*span), After(after.as_ref())),
            Self::Chunk {
                at,
                result: Ok((records, more)),
                ..
            } => {
                write!(f, "Chunk {at} {} records{}", records.len(), more_of(*more))
            }
            Self::MoveAsk { at } => write!(f, "MoveAsk {at}"),
            Self::MoveIs { at, progress } => {
                write!(
                    f,
                    "MoveIs {at} {} of {}",
                    progress.complete, progress.pieces
                )
            }
            Self::DigestAsk {
                at, span, parts, ..
            } => write!(f, "DigestAsk {at} {} in {parts}", ShortSpan(*span)),
            Self::DigestsAre {
                result: Ok(digests),
                ..
            } => write!(f, "DigestsAre {}", digests.len()),
            Self::ListAsk {
                at, span, after, ..
            } => {
                write!(
                    f,
                    "ListAsk {at} {}{}",
                    ShortSpan(*span),
                    After(after.as_ref())
                )
            }
            Self::ListIs {
                result: Ok((keys, more)),
                ..
            } => {
                write!(f, "ListIs {} keys{}", keys.len(), more_of(*more))
            }
            Self::Answer {
                at,
                result: Err(why),
                ..
            } => write!(f, "Answer {at} refused: {why}"),
            Self::Wrote {
                at,
                result: Err(why),
                ..
            } => write!(f, "Wrote {at} refused: {why}"),
            Self::Chunk {
                at,
                result: Err(why),
                ..
            } => write!(f, "Chunk {at} refused: {why}"),
            Self::DigestsAre {
                result: Err(why), ..
            } => write!(f, "DigestsAre refused: {why}"),
            Self::ListIs {
                result: Err(why), ..
            } => write!(f, "ListIs refused: {why}"),
            Self::MarksAsk { at } => write!(f, "MarksAsk {at}"),
            Self::MarksAre {
                at,
                result: Ok((marks, lacking)),
            } => {
                write!(f, "MarksAre {at} of {} stretches", marks.len())?;
                match lacking.len() {
                    0 => Ok(()),
                    spans => write!(f, ", lacks those of {spans} spans"),
                }
            }
            Self::MarksAre {
                at,
                result: Err(why),
            } => write!(f, "MarksAre {at} refused: {why}"),
            Self::RoundAsk { at, span, step, .. } => {
                write!(f, "RoundAsk {at} {} {step}", ShortSpan(*span))
            }
            Self::RoundIs {
                at, result: Ok(()), ..
            } => write!(f, "RoundIs {at} done"),
            Self::RoundIs {
                at,
                result: Err(why),
                ..
            } => write!(f, "RoundIs {at} refused: {why}"),
        }
    }
}

const fn more_of(more: bool) -> &'static str {
    if more { ", more follow" } else { "" }
}

/// A span by the first digits of its ends.
struct ShortSpan(Span);

impl fmt::Display for ShortSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.0.from.short(), self.0.to.short())
    }
}

/// Where a page goes on.
struct After<'a>(Option<&'a Key>);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |key| write!(f, " after {}", Quoted(key)))
    }
}

/// A batch of changes, each after a space.
struct Wishes<'a>(&'a [Change]);

impl fmt::Display for Wishes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|change| match change {
            Change::Join(host, member) => {
                write!(f, " join({host}, {} tokens)", member.tokens.len())
            }
            Change::Remove(host) => write!(f, " remove({host})"),
            Change::Tokens(host, tokens) => write!(f, " tokens({host}, {})", tokens.len()),
            Change::Replicas(replicas) => write!(f, " replicas({replicas})"),
            Change::Drain(host) => write!(f, " drain({host})"),
            Change::EndDrain(host) => write!(f, " end-drain({host})"),
            Change::AcceptLoss(hosts) => write!(f, " accept-loss({})", Hosts(hosts)),
        })
    }
}

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

impl fmt::Display for Outcome {
    #[allow(clippy::too_many_lines, reason = "one line for each outcome")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Stored(version) => write!(f, "stored {version}"),
            Outcome::Deleted(version, true) => write!(f, "deleted {version}"),
            Outcome::Deleted(version, false) => write!(f, "deleted {version}, was not there"),
            Outcome::StoredContent(key, version) => write!(f, "stored {} {version}", Quoted(key)),
            Outcome::Value(Some(found)) => write!(f, "value {} {}", found.version, found.body),
            Outcome::Large(large) => {
                write!(f, "value {} {}", large.found.version, large.found.body)
            }
            Outcome::Piece(bytes) => write!(f, "piece of {} bytes", bytes.len()),
            Outcome::Began(UploadId(id)) => write!(f, "upload {id} begins"),
            Outcome::Taken(pieces) => write!(f, "{pieces} pieces taken"),
            Outcome::Version(Some(version)) => write!(f, "version {version}"),
            Outcome::Value(None) | Outcome::Version(None) | Outcome::Ttl(None) => {
                write!(f, "none")
            }
            Outcome::Ttl(Some(None)) => write!(f, "lives for ever"),
            Outcome::Ttl(Some(Some(WallMs(until)))) => write!(f, "lives until {until}"),
            Outcome::Many(results) => {
                let failed = results.iter().filter(|result| result.is_err()).count();
                write!(f, "{} results, {failed} failed", results.len())
            }
            Outcome::Hosts(hosts) => write!(f, "{}", Hosts(hosts)),
            Outcome::Route(route) => write!(f, "{route}"),
            Outcome::Settled(version) => write!(f, "settled {version}"),
            Outcome::Roster(Some(roster)) => write!(f, "{}", Brief(roster)),
            Outcome::Roster(None) => write!(f, "no roster"),
            Outcome::Status(status) => {
                let state = if status.moving { "moving" } else { "settled" };
                write!(
                    f,
                    "{} {state}, {} hosts",
                    status.version,
                    status.hosts.len()
                )
            }
            Outcome::StatusOfAll(hosts) => write!(
                f,
                "{}",
                Each(hosts, |status: &Status| Outcome::Status(Box::new(
                    status.clone()
                )))
            ),
            Outcome::Checked(replicas) => write!(f, "{}", Copies(replicas)),
            Outcome::Explained(explained) => write!(f, "{explained}"),
            Outcome::Balanced(hosts) => write!(f, "{}", Each(hosts, Balanced::clone)),
            Outcome::Purged(hosts) => write!(f, "{}", Each(hosts, Purged::clone)),
            Outcome::Configured(hosts) => write!(f, "{}", Each(hosts, Tuning::clone)),
            Outcome::Exported(page) => write!(
                f,
                "exported {} values{}",
                page.items.len(),
                more_of(page.next.is_some())
            ),
            Outcome::Imported(count) => write!(f, "{count}"),
        }
    }
}

/// Some peers, each after a space.
struct Peers<'a>(&'a [Peer]);

impl fmt::Display for Peers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|peer| write!(f, " {peer}"))
    }
}

/// A peer, or a dash.
struct Maybe(Option<Peer>);

impl fmt::Display for Maybe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, "{peer}"),
            None => write!(f, "-"),
        }
    }
}

impl fmt::Display for FindMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(lookup) => {
                let Lookup {
                    target,
                    direction,
                    relays,
                    limit,
                    ..
                } = lookup;
                write!(
                    f,
                    "Lookup {} {direction}, relays {relays} of {limit}",
                    target.short()
                )
            }
            Self::Answer { answer, .. } => write!(f, "Answer {answer}"),
            Self::AskLinks { joining: true, .. } => write!(f, "AskLinks, joining"),
            Self::AskLinks { joining: false, .. } => write!(f, "AskLinks"),
            Self::Links {
                links: LinksAre {
                    prev, successors, ..
                },
                ..
            } => {
                write!(f, "Links prev {}, next{}", Maybe(*prev), Peers(successors))
            }
            Self::Busy { .. } => write!(f, "Busy"),
            Self::NotInRing { .. } => write!(f, "NotInRing"),
            Self::Notify => write!(f, "Notify"),
            Self::Ping { .. } => write!(f, "Ping"),
            Self::Pong { .. } => write!(f, "Pong"),
            Self::LookAgain => write!(f, "LookAgain"),
            Self::Offer { span, .. } => write!(f, "Offer {}", ShortSpan(*span)),
            Self::Take { span, .. } => write!(f, "Take {}", ShortSpan(*span)),
            Self::Granted { grant, .. } => write!(f, "Granted {}", ShortSpan(grant.span)),
            Self::Refused { .. } => write!(f, "Refused"),
            Self::Left => write!(f, "Left"),
        }
    }
}

impl fmt::Display for LookupAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { relays, .. } => write!(f, "found after {relays} relays"),
            Self::GoOn { to, .. } => write!(f, "go on to {to}"),
            Self::Dropped { relays } => write!(f, "dropped after {relays} relays"),
            Self::Unsettled => write!(f, "nobody holds it now"),
        }
    }
}
