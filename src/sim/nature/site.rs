//! Which hosts are there, and where in the table?
//!
//! Everything in a world speaks of a host by its *place*, a small number, so that nothing need be looked up for
//! each message. Ids become places once, at the edge:
//!
//! ```text
//!   h1 ─┐ index      place   id   life  up   wants    disk
//!   h2 ─┼──────────>   0     h1     1   yes  1,200 ms  …
//!   h7 ─┘              1     h2     3   no   -         …
//! ```
//!
//! *Hold this true*: a host keeps its place for ever, up or down; each crash and each start begins another *life*,
//! and what was meant for an earlier one is dropped.

use std::collections::BTreeMap;

use super::Nature;
use crate::keep::Then;
use crate::placement::HostId;
use crate::record::Key;
use crate::sim::disk::Disk;
use crate::sim::slab::at;
use crate::store::{Done, Op};

/// How much a host has said and heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages it sent, lost ones too.
    pub sent: u64,
    /// Messages that reached it.
    pub received: u64,
    /// Bytes it sent, when messages are encoded.
    pub bytes_sent: u64,
    /// Bytes that reached it, when messages are encoded.
    pub bytes_received: u64,
}

/// What the world knows of one host.
pub(super) struct Site {
    pub(super) id: HostId,
    /// How often it crashed or started: what was meant for another life is dropped.
    pub(super) life: u32,
    pub(super) up: bool,
    /// Whether the others have been told that it is down.
    pub(super) mourned: bool,
    /// The alarm that is in the queue, if one is.
    pub(super) armed: Option<u64>,
    /// When the host wants to be woken.
    pub(super) wants: Option<u64>,
    pub(super) skew_ms: i64,
    pub(super) disk: Disk<Then>,
    pub(super) traffic: Traffic,
}

/// The places of hosts in the table, by id: an array for small numbers, a tree for the rest.
#[derive(Default)]
pub(super) struct Index {
    small: Vec<Option<u32>>,
    large: BTreeMap<HostId, u32>,
}

/// Host numbers below this lie in an array.
const SMALL: u64 = 1 << 21;

impl Index {
    pub(super) fn get(&self, host: HostId) -> Option<u32> {
        if host.0 < SMALL {
            let at = usize::try_from(host.0).ok()?;
            return self.small.get(at).copied().flatten();
        }
        self.large.get(&host).copied()
    }

    fn insert(&mut self, host: HostId, place: u32) {
        match usize::try_from(host.0) {
            Ok(at) if host.0 < SMALL => {
                if self.small.len() <= at {
                    self.small.resize(at + 1, None);
                }
                self.small[at] = Some(place);
            }
            Ok(_) | Err(_) => {
                self.large.insert(host, place);
            }
        }
    }
}

impl Nature {
    /// A new place in the table; the host is not up yet.
    pub(in crate::sim) fn add(&mut self, id: HostId, disk: Disk<Then>) -> u32 {
        assert!(
            self.index.get(id).is_none(),
            "host {id} is in this world already"
        );
        let place = u32::try_from(self.sites.len()).expect("a world of less than 2^32 hosts");
        self.sites.push(Site {
            id,
            life: 0,
            up: false,
            mourned: false,
            armed: None,
            wants: None,
            skew_ms: 0,
            disk,
            traffic: Traffic::default(),
        });
        self.index.insert(id, place);
        place
    }

    pub(in crate::sim) fn place(&self, host: HostId) -> Option<u32> {
        self.index.get(host)
    }

    /// The place of a host that must be known.
    pub(in crate::sim) fn known(&self, host: HostId) -> u32 {
        self.index
            .get(host)
            .unwrap_or_else(|| panic!("host {host} was never added to this world"))
    }

    pub(super) fn site(&self, place: u32) -> &Site {
        &self.sites[at(place)]
    }

    pub(super) fn site_mut(&mut self, place: u32) -> &mut Site {
        &mut self.sites[at(place)]
    }

    pub(in crate::sim) fn id(&self, place: u32) -> HostId {
        self.site(place).id
    }

    pub(in crate::sim) fn is_up(&self, place: u32) -> bool {
        self.site(place).up
    }

    pub(in crate::sim) fn disk(&mut self, place: u32) -> &mut Disk<Then> {
        &mut self.site_mut(place).disk
    }

    /// Whether a store has anything under a key.
    pub(in crate::sim) fn holds(&mut self, place: u32, key: &Key) -> bool {
        let found = self.disk(place).store.apply(Op::Versions(key.clone()));
        matches!(found, Done::Versions(summary) if summary.value.is_some())
    }

    pub(in crate::sim) fn traffic(&self, place: u32) -> Traffic {
        self.site(place).traffic
    }

    pub(in crate::sim) fn skew(&mut self, place: u32, ms: i64) {
        self.site_mut(place).skew_ms = ms;
    }

    /// How many places there are.
    pub(in crate::sim) fn places(&self) -> usize {
        self.sites.len()
    }

    /// What [`World`](crate::sim::World) looks at before things happen, on this side: the site, then its store.
    pub(in crate::sim) fn glance(&self, place: u32, depth: u8) -> u64 {
        let site = self.site(place);
        match depth {
            0 => {
                let words = [site.wants.unwrap_or(0), site.traffic.received, site.id.0];
                words
                    .iter()
                    .fold(site.disk.glance(), |sum, word| sum ^ word)
            }
            1.. => site.disk.store.glance(depth - 1),
        }
    }
}
