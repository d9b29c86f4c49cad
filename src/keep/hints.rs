//! A write that a replica missed waits for it here.
//!
//! Hints are a courtesy: bounded, kept in memory, safe to lose, and they never count towards an
//! acknowledgement. They make a replica whole soon after it is back; repair does so in any case. A host whose store
//! does not keep up gets none until it does: sent again and again, they would be what it cannot keep up with.

use std::collections::BTreeMap;

use crate::keyspace::Id;
use crate::message::{Event, KeepMessage, Refusal, ReqId, Road};
use crate::placement::HostId;
use crate::record::{Cells, Key, Record, Summary};

use super::check::{ensure, same_count};
use super::config::KeepConfig;
use super::open::Phase;
use super::timers::Wake;
use super::{Context, Keeper};

/// The hints, by the host they wait for.
#[derive(Debug, Default)]
pub(super) struct Hints {
    waiting: BTreeMap<HostId, BTreeMap<Key, Cells>>,
    sent: BTreeMap<ReqId, (HostId, Key)>,
    count: usize,
    bytes: u64,
}

impl Hints {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The cells that wait for a host under a key.
    pub(super) fn find(&self, host: HostId, key: &Key) -> Option<&Cells> {
        self.waiting.get(&host)?.get(key)
    }

    /// Whoever a write at this place waits for.
    pub(super) fn at(&self, id: Id) -> Vec<(HostId, Summary)> {
        let waiting = self.waiting.iter();
        let of_host = |(host, keys): (&HostId, &BTreeMap<Key, Cells>)| {
            let (_, cells) = keys.iter().find(|(key, _)| key.id() == id)?;
            Some((*host, cells.summary()))
        };
        waiting.filter_map(of_host).collect()
    }

    /// They are counted right, none is for the host itself, and they are within their limits.
    pub(super) fn check(&self, me: HostId, config: &KeepConfig) -> Result<(), String> {
        same_count("hints", &self.waiting, BTreeMap::len, self.count)?;
        let all = self.waiting.values().flat_map(BTreeMap::values);
        let (bytes, counted) = (all.map(Cells::value_bytes).sum::<u64>(), self.bytes);
        ensure(bytes == counted, || {
            format!("{bytes} bytes in hints, counted {counted}")
        })?;
        let (most, window) = (config.max_hint_bytes, config.hint_window);
        ensure(bytes <= most, || {
            format!("{bytes} bytes in hints, at most {most}")
        })?;
        ensure(!self.waiting.contains_key(&me), || {
            "keeps a hint for itself".to_owned()
        })?;
        for host in self.waiting.keys() {
            let to = self.sent.values().filter(|(to, _)| to == host).count();
            ensure(to <= window, || {
                format!("{to} hints under way to {host}, at most {window}")
            })?;
        }
        Ok(())
    }

    fn remove(&mut self, host: HostId, key: &Key) {
        let Some(keys) = self.waiting.get_mut(&host) else {
            return;
        };
        if let Some(cells) = keys.remove(key) {
            self.count -= 1;
            self.bytes -= cells.value_bytes();
        }
        if keys.is_empty() {
            self.waiting.remove(&host);
        }
    }
}

impl Keeper {
    /// A write is answered, and some replicas have not confirmed it in time: it is kept for them.
    pub(super) fn leave_hints(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let silent = open.silent();
        if let Phase::Write {
            record,
            back: false,
            acked,
            ..
        } = &open.phase
            // A value that is not in it is given out of our own store, or left to repair.
            && (!open.is_bare() || acked.contains(&self.me))
        {
            let record = record.clone();
            for host in silent {
                self.hint(cx, host, &record);
            }
        }
        self.close(req);
    }

    fn hint(&mut self, cx: &mut Context<'_>, host: HostId, record: &Record) {
        let bytes = record.cells.value_bytes();
        let room = self.hints.count < self.config.max_hints
            && self.hints.bytes.saturating_add(bytes) <= self.config.max_hint_bytes;
        if !room || host == self.me {
            return;
        }
        let keys = self.hints.waiting.entry(host).or_default();
        let before = keys.get(&record.key).map(Cells::value_bytes);
        let cells = keys.entry(record.key.clone()).or_default();
        cells.merge(record.cells.clone());
        self.hints.bytes = self.hints.bytes + cells.value_bytes() - before.unwrap_or(0);
        self.hints.count += usize::from(before.is_none());
        self.note(
            cx,
            Event::Hinted {
                host,
                key: record.key.clone(),
            },
        );
        if self.hints.count == 1 {
            self.timers
                .set(Wake::Hints, cx.now.at + self.config.hint_retry);
        }
    }

    /// Tries the hints of every host that is not known to be down or unwell, and drops those for hosts that left.
    pub(super) fn hints_due(&mut self, cx: &mut Context<'_>) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        self.hints.sent.clear();
        let hosts: Vec<HostId> = self.hints.waiting.keys().copied().collect();
        for host in hosts {
            if !roster.has(host) {
                let keys: Vec<Key> = self
                    .hints
                    .waiting
                    .get(&host)
                    .map(|keys| keys.keys().cloned().collect())
                    .unwrap_or_default();
                keys.iter().for_each(|key| self.hints.remove(host, key));
            } else if !self.is_last_to_ask(cx.now.at, host) {
                self.send_hints(cx, host);
            }
        }
        if self.hints.count > 0 {
            self.timers
                .set(Wake::Hints, cx.now.at + self.config.hint_retry);
        }
    }

    fn send_hints(&mut self, cx: &mut Context<'_>, host: HostId) {
        let at = self.version();
        let under_way: Vec<Key> = self
            .hints
            .sent
            .values()
            .filter(|(to, _)| *to == host)
            .map(|(_, key)| key.clone())
            .collect();
        let Some(keys) = self.hints.waiting.get(&host) else {
            return;
        };
        let fresh = keys.iter().filter(|(key, _)| !under_way.contains(key));
        let room = self.config.hint_window.saturating_sub(under_way.len());
        let batch: Vec<Record> = fresh
            .take(room)
            .map(|(key, cells)| Record {
                key: key.clone(),
                cells: cells.for_travel(),
            })
            .collect();
        for record in batch {
            let req = self.draw_req();
            self.hints.sent.insert(req, (host, record.key.clone()));
            self.send(
                cx,
                host,
                KeepMessage::Write {
                    req,
                    at,
                    record,
                    road: Road::Hint,
                },
            );
        }
    }

    /// A confirmation that belongs to no open request: of a hint or of repair.
    pub(super) fn extra_wrote(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<Summary, Refusal>,
    ) {
        let Some((host, key)) = self.hints.sent.remove(&req) else {
            return self.repair_wrote(cx, from, req, result);
        };
        match result {
            Ok(held) => {
                let done = self
                    .hints
                    .find(host, &key)
                    .is_some_and(|cells| held.covers(&cells.summary()));
                if done {
                    self.hints.remove(host, &key);
                    self.note(cx, Event::HintDelivered { host, key });
                    self.send_hints(cx, host);
                }
            }
            // What it says is known there, or was collected.
            Err(Refusal::NotMine | Refusal::Below) => self.hints.remove(host, &key),
            Err(Refusal::Behind(theirs)) => self.offer_roster(cx, from, theirs),
            Err(Refusal::Ahead(roster)) => self.roster_is(cx, Some(from), roster),
            Err(Refusal::Store(_) | Refusal::Incomplete | Refusal::Doubts) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_that_are_counted_wrong_or_for_oneself_are_reported() {
        let (me, config) = (HostId(1), KeepConfig::default());
        let broken = |how: fn(&mut Hints)| {
            let mut hints = Hints::default();
            assert_eq!(hints.check(me, &config), Ok(()));
            how(&mut hints);
            hints.check(me, &config).unwrap_err()
        };
        assert_eq!(broken(|hints| hints.count = 1), "0 hints, counted 1");
        let said = broken(|hints| hints.bytes = 3);
        assert_eq!(said, "0 bytes in hints, counted 3");
        let own = broken(|hints| {
            hints.waiting.insert(HostId(1), BTreeMap::new());
        });
        assert_eq!(own, "keeps a hint for itself");
        let crowd = broken(|hints| {
            hints.waiting.insert(HostId(2), BTreeMap::new());
            for req in 0..=32 {
                let key = Key::new(format!("k{req}")).unwrap();
                hints.sent.insert(ReqId(req), (HostId(2), key));
            }
        });
        assert_eq!(crowd, "33 hints under way to h2, at most 32");
    }
}
