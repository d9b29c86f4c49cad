//! How are a host's effects carried out?
//!
//! ```text
//!   (what a store does at once is done already)
//!   effects of one call:  notes, then stores, then answers, then sends, then when to wake
//!                                       │                   │                   │
//!                             the disk says when     the network says     one alarm
//!                             that is done           when, if ever        in the queue
//! ```
//!
//! *Hold this true*: both drivers keep this order, for chance is drawn from as things are sent.

use super::{Nature, Occurrence};
use crate::actor::Collected;
use crate::keep::Then;
use crate::message::Event;
use crate::record::Time;
use crate::sim::slab::at;
use crate::store::{Done, Op};

impl Nature {
    /// Carries out the effects of one call, in the order all drivers keep.
    pub(in crate::sim) fn carry_out(
        &mut self,
        place: u32,
        effects: &mut Collected,
        wake: Option<Time>,
    ) {
        // Mostly there is something in one of them only.
        if !effects.notes.is_empty() {
            let notes = effects.notes.drain(..);
            notes.for_each(|event| self.note(place, &event));
        }
        if !effects.stores.is_empty() {
            let stores = effects.stores.drain(..);
            stores.for_each(|(op, then)| self.store(place, op, then));
        }
        if !effects.answers.is_empty() {
            let answers = effects.answers.drain(..);
            answers.for_each(|(ticket, reply)| self.answer(place, ticket, reply));
        }
        if !effects.sends.is_empty() {
            let sends = effects.sends.drain(..);
            sends.for_each(|envelope| self.send(place, envelope));
        }
        self.settled(place, wake);
    }

    pub(in crate::sim) fn note(&mut self, place: u32, event: &Event) {
        if let Some(watch) = &mut self.watch {
            let id = self.sites[at(place)].id;
            watch.note(Time::from_ms(self.queue.now()), id, event);
        }
        if self.trace.on() {
            let id = self.id(place);
            self.trace
                .line(self.queue.now(), format_args!("{id} {event}"));
        }
    }

    pub(in crate::sim) fn store(&mut self, place: u32, op: Op, then: Then) {
        let now = self.queue.now();
        if let Some(watch) = &mut self.watch {
            watch.store(Time::from_ms(now), self.sites[at(place)].id, &op);
        }
        let site = self.site_mut(place);
        let life = site.life;
        let due = site.disk.ask(now, op, then);
        self.queue
            .push(due, Occurrence::DiskDone { site: place, life });
    }

    /// The same before this returns, on a disk that does so; others leave the operation.
    pub(in crate::sim) fn store_at_once(
        &mut self,
        place: u32,
        op: &mut Option<Op>,
    ) -> Option<Done> {
        let now = self.queue.now();
        if !self.site_mut(place).disk.is_at_once() {
            return None;
        }
        let op = op.take()?;
        if let Some(watch) = &mut self.watch {
            watch.store(Time::from_ms(now), self.sites[at(place)].id, &op);
        }
        let done = self.site_mut(place).disk.apply(now, op);
        self.tell_not_kept(place);
        Some(done)
    }

    /// Shows the watch what a disk has not kept.
    pub(super) fn tell_not_kept(&mut self, place: u32) {
        let now = Time::from_ms(self.queue.now());
        let site = &mut self.sites[at(place)];
        for op in site.disk.not_kept.drain(..) {
            if let Some(watch) = &mut self.watch {
                watch.not_kept(now, site.id, &op);
            }
        }
    }

    /// The host wants to be woken then: at the first whole millisecond not before it.
    pub(in crate::sim) fn settled(&mut self, place: u32, wake: Option<Time>) {
        self.site_mut(place).wants = wake.map(|at| at.0.div_ceil(1000));
        self.arm(place);
    }

    /// Makes sure that an alarm rings no later than the host wants. An earlier one that is in the queue
    /// already will do: it is put off when it rings.
    pub(super) fn arm(&mut self, place: u32) {
        let site = self.site_mut(place);
        let Some(wants) = site.wants else { return };
        if site.armed.is_none_or(|armed| wants < armed) {
            site.armed = Some(wants);
            self.queue.push(wants, Occurrence::Alarm { site: place });
        }
    }
}
