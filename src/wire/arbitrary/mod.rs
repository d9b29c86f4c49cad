//! Any message at all, for property tests here and elsewhere.
//!
//! ```text
//!   envelope ┬ keep  ┬ about data, rosters, spans, marks       each message is put together of parts, each part
//!            │       └ chores                                  of any value it may have on the wire
//!            ├ find
//!            └ detect
//! ```

mod chores;
mod find;
mod keep;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::{collection, option};

use crate::keyspace::{Id, Span};
use crate::message::{Envelope, Message, Peer};
use crate::placement::{HostId, Member, Zone};
use crate::record::{
    Body, Cells, ExpiryCell, Key, Mark, PIECE_BYTES, Record, Stamp, Summary, ValueCell, Version,
    WallMs,
};
use crate::roster::{Change, RingId, Roster};

use super::MAX_WALL_MS;

pub(crate) use find::find_message;
pub(crate) use keep::keep_message;

pub(crate) fn id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::from_bytes)
}

pub(crate) fn host() -> impl Strategy<Value = HostId> {
    prop_oneof![(0u64..20), any::<u64>()].prop_map(HostId)
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    (id(), id()).prop_map(|(from, to)| Span::new(from, to))
}

pub(crate) fn peer() -> impl Strategy<Value = Peer> {
    (id(), host()).prop_map(|(id, host)| Peer { id, host })
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    collection::vec(any::<u8>(), 1..40).prop_map(|bytes| Key::new(bytes).unwrap())
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    let stamp = prop_oneof![0u64..9, 0..MAX_WALL_MS << 16].prop_map(Stamp);
    (stamp, any::<bool>(), host(), any::<u32>()).prop_map(|(stamp, delete, host, start)| Version {
        stamp,
        delete,
        host,
        start,
    })
}

/// A value of one piece or none, or a bare one.
pub(crate) fn value() -> impl Strategy<Value = Body> {
    let bare = (PIECE_BYTES as u64 + 1..1 << 40).prop_map(|len| Body {
        len,
        content_type: None,
        pieces: Vec::new(),
    });
    let here = collection::vec(any::<u8>(), 0..200).prop_map(Body::new);
    let media_type = option::of("[a-z/]{0,20}".prop_map(Arc::from));
    (prop_oneof![1 => bare, 4 => here], media_type).prop_map(|(body, content_type)| Body {
        content_type,
        ..body
    })
}

pub(crate) fn expiry() -> impl Strategy<Value = ExpiryCell> {
    (
        version(),
        version(),
        option::of(any::<u64>().prop_map(WallMs)),
    )
        .prop_map(|(of, version, deadline)| ExpiryCell {
            of,
            version,
            deadline,
        })
}

pub(crate) fn cells() -> BoxedStrategy<Cells> {
    let value =
        (version(), option::of(value())).prop_map(|(version, body)| ValueCell { version, body });
    (option::of(value), option::of(expiry()))
        .prop_map(|(value, expiry)| Cells { value, expiry })
        .boxed()
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    (key(), cells()).prop_map(|(key, cells)| Record { key, cells })
}

pub(crate) fn summary() -> BoxedStrategy<Summary> {
    (option::of(version()), option::of(expiry()))
        .prop_map(|(value, expiry)| Summary { value, expiry })
        .boxed()
}

pub(crate) fn member() -> impl Strategy<Value = Member> {
    let zone = option::of("[a-z]{1,5}".prop_map(|name| Zone::new(&name).unwrap()));
    (zone, 1u32..9, collection::btree_set(id(), 1..4)).prop_map(|(zone, weight, tokens)| Member {
        zone,
        weight,
        tokens: tokens.into_iter().collect(),
    })
}

/// Settled, or moving because one host joins and R changes.
pub(crate) fn roster() -> BoxedStrategy<Arc<Roster>> {
    let members = collection::btree_map(host(), member(), 2..5);
    (any::<u64>(), members, 1u8..4, any::<bool>())
        .prop_map(|(ring, mut members, r, moving)| {
            let last = members.pop_last();
            let settled = Roster::settled(RingId(ring), members, r).unwrap();
            let (host, member) =
                last.unwrap_or_else(|| panic!("{:?}", BTreeMap::<HostId, Member>::new()));
            let changes = [Change::Join(host, member), Change::Replicas(4)];
            Arc::new(if moving {
                settled.moved(host, &changes).unwrap()
            } else {
                settled
            })
        })
        .boxed()
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (0..MAX_WALL_MS << 16).prop_map(Stamp)
}

fn mark() -> impl Strategy<Value = Mark> {
    (stamp(), stamp()).prop_map(|(a, b)| Mark {
        fence: a.max(b),
        floor: a.min(b),
    })
}

/// Any message, as it travels: values of several pieces are bare.
pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let keep = keep_message().prop_map(Message::Keep);
    let find = find_message().prop_map(|(from, to, message)| Message::Find { from, to, message });
    let detect =
        collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Message::Detect(bytes.into()));
    (
        host(),
        host(),
        prop_oneof![4 => keep, 4 => find, 1 => detect],
    )
        .prop_map(|(from, to, body)| Envelope { from, to, body })
}
