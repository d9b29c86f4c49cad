//! What a trace tells: one line for each thing a host decided.
//!
//! ```text
//! h1 adopts v2, moving           a message says what is asked; an event, what the host made of it
//! h1 keeps a hint for h3: cat
//! ```

use std::fmt;

use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{Key, Version};
use crate::roster::{Loss, RosterVersion};

/// Something a host did that a reader of a trace wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A roster was durably adopted.
    Adopted {
        /// Which.
        version: RosterVersion,
        /// Whether it moves spans.
        moving: bool,
    },
    /// Its part of a move is complete.
    Complete {
        /// The Moving roster.
        version: RosterVersion,
        /// Records merged.
        records: u64,
    },
    /// A move waits for a host that does not answer.
    Waiting {
        /// The Moving roster.
        version: RosterVersion,
        /// The silent host.
        host: HostId,
    },
    /// Its store has no room for what it has to merge.
    Full {
        /// The Moving roster.
        version: RosterVersion,
    },
    /// It proposes to give a move up.
    GivingUp {
        /// The Moving roster.
        version: RosterVersion,
    },
    /// A replica missed a write; it is kept for it.
    Hinted {
        /// For whom.
        host: HostId,
        /// Which key.
        key: Key,
    },
    /// A hint was delivered.
    HintDelivered {
        /// To whom.
        host: HostId,
        /// Which key.
        key: Key,
    },
    /// A read found replicas behind and wrote the newest version back.
    WroteBack {
        /// Which key.
        key: Key,
        /// Which version.
        version: Version,
    },
    /// Repair brought a key up, here or at another replica.
    Repaired {
        /// Which key.
        key: Key,
        /// At which host.
        host: HostId,
    },
    /// Its detector takes a host for dead, or sees it alive (again).
    Seen {
        /// Whom.
        host: HostId,
        /// Whether it is alive.
        up: bool,
    },
    /// It proposes to remove a host that was silent for long.
    Removing {
        /// Whom.
        host: HostId,
    },
    /// A silent host is due, and stays in for now; in words.
    RemovalWaits(String),
    /// Hosts were given up for good.
    LossAccepted(Loss),
    /// Its store does not keep up (true), or does again.
    Unwell(bool),
    /// What was deleted or had expired is gone for good here.
    Collected {
        /// Where.
        span: Span,
        /// How many records.
        records: u64,
    },
    /// A round of collection cannot end.
    CollectingWaits {
        /// Where.
        span: Span,
        /// The replica that is silent, or whose copy is not whole.
        host: HostId,
    },
    /// It may have lost writes in a power cut: it serves nothing before it has merged what all others have.
    Doubts,
    /// What it missed, or may have lost, is here.
    Sure,
    /// Records it had from before, of spans it holds again.
    HeadStart {
        /// Records that a source has, too: they were not sent.
        reused: u64,
        /// Records that no replica confirmed: set aside, out of sight.
        aside: u64,
        /// Records of that sort for which there was no room.
        dropped: u64,
    },
    /// Something happened to its links; in words.
    Links(String),
    /// One of its actors panicked, and all of them have ended.
    Fell {
        /// The actor of which node; none: the host's own.
        node: Option<Id>,
        /// What the panic said.
        why: String,
        /// Whether the host begins again from its records.
        again: bool,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Adopted { version, moving } => {
                let phase = if *moving { "moving" } else { "settled" };
                write!(f, "adopts {version}, {phase}")
            }
            Event::Complete {
                version: RosterVersion::NONE,
                records,
            } => write!(f, "has a span handed over: {records} records merged"),
            Event::Complete { version, records } => {
                write!(f, "is complete in {version}: {records} records merged")
            }
            Event::Waiting { version, host } => write!(f, "waits for {host} in {version}"),
            Event::Full { version } => {
                write!(
                    f,
                    "has no room for what {version} brings: its store is full"
                )
            }
            Event::GivingUp { version } => write!(f, "proposes to give {version} up"),
            Event::Hinted { host, key } => write!(f, "keeps a hint for {host}: {key}"),
            Event::HintDelivered { host, key } => write!(f, "delivered a hint to {host}: {key}"),
            Event::WroteBack { key, version } => write!(f, "writes {key} back at {version}"),
            Event::Repaired { key, host } => write!(f, "repaired {key} at {host}"),
            Event::Seen { host, up: true } => write!(f, "sees {host} alive"),
            Event::Seen { host, up: false } => write!(f, "takes {host} for dead"),
            Event::Removing { host } => write!(f, "proposes to remove {host}, silent for long"),
            Event::RemovalWaits(why) => write!(f, "{why}"),
            Event::LossAccepted(loss) => write!(f, "accepts {loss}"),
            Event::Unwell(true) => write!(f, "is unwell: its store does not keep up"),
            Event::Unwell(false) => write!(f, "is well again"),
            Event::Collected { span, records } => {
                let unit = if *records == 1 { "record" } else { "records" };
                write!(f, "collected {records} {unit} in {span:#}")
            }
            Event::CollectingWaits { span, host } => {
                write!(f, "collects nothing in {span:#} before {host} takes part")
            }
            Event::Doubts => write!(f, "is in doubt: it compares all it holds before it serves"),
            Event::Sure => write!(f, "is sure again, and serves"),
            Event::HeadStart {
                reused,
                aside,
                dropped,
            } => head_start(f, *reused, *aside, *dropped),
            Event::Links(text) => write!(f, "{text}"),
            Event::Fell { node, why, again } => fell(f, *node, why, *again),
        }
    }
}

fn head_start(f: &mut fmt::Formatter<'_>, reused: u64, aside: u64, dropped: u64) -> fmt::Result {
    write!(f, "had a head start of {reused} records")?;
    if (aside, dropped) != (0, 0) {
        write!(f, "; {aside} that nobody confirms are set aside")?;
    }
    match dropped {
        0 => Ok(()),
        _ => write!(f, ", {dropped} dropped for want of room"),
    }
}

fn fell(f: &mut fmt::Formatter<'_>, node: Option<Id>, why: &str, again: bool) -> fmt::Result {
    match node {
        Some(id) => write!(f, "falls: node {} panicked ({why})", id.short())?,
        None => write!(f, "falls: its actor panicked ({why})")?,
    }
    let then = if again {
        "begins again from its records"
    } else {
        "stays down"
    };
    write!(f, "; it {then}")
}
