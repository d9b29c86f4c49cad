//! A client that brings a large value piece by piece, and takes it away so.
//!
//! ```text
//! put    Begin(5 MiB 77) ─> upload 7    Piece(7, …) × 6    End(7, "large") ─> stored
//! read   Open("large") ─> version, holders, no bytes       Piece(0) … Piece(5)
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{Failure, KeyOp, Large, Outcome, Reply, Request, Upload, UploadId};
use roundelay::placement::HostId;
use roundelay::record::{Body, Key, PIECE_BYTES, Time};
use roundelay::sim::{Answer, NetworkConfig, RingPlan, World};
use roundelay::store::{Done, Op};

pub(crate) const LIMIT: Time = Time::from_ms(600_000);

pub(crate) fn world(hosts: u32) -> World {
    let mut world = World::ring(&RingPlan::new(hosts, 5), NetworkConfig::default()).unwrap();
    world.run_until(Time::from_ms(100));
    world
}

pub(crate) fn reply(answer: Option<Answer>) -> Reply {
    match answer {
        Some(Answer::Reply(reply)) => reply,
        other => panic!("no reply but {other:?}"),
    }
}

pub(crate) fn ask(world: &mut World, host: HostId, request: Request) -> Reply {
    reply(world.ask(host, request, LIMIT))
}

/// Each piece is filled with bytes of its own.
pub(crate) fn value(seed: u8, len: usize) -> Bytes {
    let bytes = (0..len).map(|at| seed.wrapping_add(u8::try_from(at / PIECE_BYTES).unwrap()));
    bytes.collect::<Vec<u8>>().into()
}

pub(crate) const LEN: usize = 5 * PIECE_BYTES + 77;

pub(crate) fn key() -> Key {
    Key::new("large").unwrap()
}

pub(crate) fn begin(world: &mut World, host: HostId, len: usize) -> UploadId {
    let begun = ask(world, host, Request::Upload(Upload::Begin(len as u64)));
    let Ok(Outcome::Began(upload)) = begun else {
        panic!("no upload: {begun:?}")
    };
    upload
}

pub(crate) fn piece(world: &mut World, host: HostId, upload: UploadId, piece: Bytes) -> Reply {
    ask(world, host, Request::Upload(Upload::Piece(upload, piece)))
}

pub(crate) fn end(upload: UploadId) -> Request {
    Request::Upload(Upload::End {
        upload,
        key: key(),
        content_type: Some("image/png".into()),
        expiry: None,
    })
}

/// All pieces of a value, put by at a host.
pub(crate) fn put_by(world: &mut World, host: HostId, value: &Bytes) -> UploadId {
    let upload = begin(world, host, value.len());
    for (n, bytes) in (1..).zip(Body::new(value.clone()).pieces) {
        assert_eq!(piece(world, host, upload, bytes), Ok(Outcome::Taken(n)));
    }
    upload
}

pub(crate) fn put(world: &mut World, host: HostId, value: &Bytes) -> Reply {
    let upload = put_by(world, host, value);
    ask(world, host, end(upload))
}

pub(crate) fn open(world: &mut World, host: HostId) -> Arc<Large> {
    let opened = ask(world, host, Request::One(key(), KeyOp::Open));
    let Ok(Outcome::Large(large)) = opened else {
        panic!("no large value: {opened:?}")
    };
    assert!(large.found.body.pieces.is_empty(), "it comes bare");
    large
}

pub(crate) fn read_piece(
    world: &mut World,
    host: HostId,
    large: &Arc<Large>,
    index: u32,
) -> Result<Bytes, Failure> {
    let told = ask(world, host, Request::Piece(Arc::clone(large), index))?;
    let Outcome::Piece(bytes) = told else {
        panic!("no piece: {told}")
    };
    Ok(bytes)
}

pub(crate) fn read(world: &mut World, host: HostId) -> Bytes {
    let large = open(world, host);
    let count = u32::try_from(large.found.body.piece_count()).unwrap();
    let pieces = (0..count).map(|index| read_piece(world, host, &large, index).unwrap());
    pieces.collect::<Vec<Bytes>>().concat().into()
}

/// The replicas of the key, and somebody who is none.
pub(crate) fn places(world: &mut World) -> (Vec<HostId>, HostId) {
    let held = ask(world, HostId(1), Request::WhereIs(key()));
    let Ok(Outcome::Hosts(replicas)) = held else {
        panic!("nobody holds it: {held:?}")
    };
    let mut all = world.hosts().map(|host| host.id());
    let other = all.find(|host| !replicas.contains(host)).unwrap();
    (replicas, other)
}

pub(crate) fn absent(world: &mut World, host: HostId) -> bool {
    ask(world, host, Request::One(key(), KeyOp::Get)) == Ok(Outcome::Value(None))
}

/// Whether anything is put by for that upload at a host: read where no value ever is.
pub(crate) fn is_put_by(world: &mut World, host: HostId, UploadId(number): UploadId) -> bool {
    let op = Op::Piece {
        key: Key::new("upload").unwrap(),
        version: roundelay::record::Version {
            stamp: roundelay::record::Stamp(number),
            delete: true,
            host,
            start: 0,
        },
        index: 0,
    };
    world.store(host).apply(op) != Done::Piece(None)
}

pub(crate) fn later(world: &mut World, seconds: u64) {
    let until = world.now() + Duration::from_secs(seconds);
    world.run_until(until);
}
