//! A host's lives: how often it was started, and which stamps it may issue.
//!
//! Both go to disk ahead of use, so that no two lives ever share a version, whatever the wall clock did in
//! between. Until that is done, requests wait.

use bytes::Bytes;

use crate::record::Stamp;
use crate::store::{Op, Setting};

use super::then::Next;
use super::{Context, Keeper};

/// What a host's disk holds of its earlier lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) start: u32,
    pub(super) reserved: Stamp,
}

impl Life {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = self.start.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.reserved.0.to_be_bytes());
        bytes.into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Life> {
        let (start, reserved) = bytes.split_first_chunk::<4>()?;
        let reserved = <[u8; 8]>::try_from(reserved).ok()?;
        Some(Life {
            start: u32::from_be_bytes(*start),
            reserved: Stamp(u64::from_be_bytes(reserved)),
        })
    }
}

/// What [`Setting::Life`] says: the number of a life, and up to which stamp it may issue.
#[must_use]
pub fn reserved_until(bytes: &[u8]) -> Option<(u32, Stamp)> {
    Life::decode(bytes).map(|life| (life.start, life.reserved))
}

impl Keeper {
    /// Puts the start number and stamps ahead of use on disk.
    pub(super) fn reserve(&mut self, cx: &mut Context<'_>, above: Option<Stamp>) {
        if self.reserving.is_some() {
            return;
        }
        let ahead = u64::try_from(self.config.clock_ahead.as_millis()).unwrap_or(u64::MAX);
        let next = self.clock.peek(cx.now.wall, above);
        let reserved = Stamp(next.0.saturating_add(ahead << 16));
        self.reserving = Some(reserved);
        let life = Life {
            start: self.starting,
            reserved,
        };
        self.store(cx, Op::Set(Setting::Life, life.encode()), Next::Life);
    }

    pub(super) fn life_is_durable(&mut self, cx: &mut Context<'_>) {
        if let Some(reserved) = self.reserving.take() {
            self.clock.reserve(reserved);
        }
        let first = self.start == 0;
        self.start = self.starting;
        if first {
            self.give_drain_back(cx);
        }
        for req in std::mem::take(&mut self.stalled) {
            self.proceed(cx, req);
        }
        if self.adopting.is_none() {
            for (from, message) in std::mem::take(&mut self.parked) {
                self.handle(cx, from, message);
            }
        }
    }
}
