//! Commands that wait for their answers, in the order they came.
//!
//! ```text
//! GET cat    asks  7        waits
//! PING                      ready     said when the one before it is
//! MGET a b   asks  8, 9     8 is here, waits for 9
//! ```
//!
//! Requests are numbered; each slot has a stretch of numbers, so an answer finds its slot by its number.

use std::collections::VecDeque;
use std::sync::Arc;

use super::commands::{Answer, Before, OfMany, OfOne, Spec};
use super::resp::{Proto, Value};
use super::row::{OfRow, Row};
use crate::message::{Large, Outcome};
use crate::record::WallMs;

/// What a slot waits for.
enum Wait {
    /// Nothing: this is the answer.
    Ready(Value),
    /// One answer.
    One(Option<Answer>, OfOne),
    /// One answer, which may be a large value.
    Flow(Option<Answer>, OfOne, Before),
    /// Many, of which so many are missing.
    Many(Vec<Option<Answer>>, usize, Option<OfMany>),
    /// The same, among which large values may be.
    Row(Vec<Option<Answer>>, usize, OfRow),
}

/// What is to be said.
pub(super) enum Say {
    Value(Value),
    /// A large value, found by the request of that number.
    Large(u64, Arc<Large>, Before),
    /// One in which there may be several.
    Row(Row),
}

struct Slot {
    /// The number of its first request; of the next one, if it has none.
    first: u64,
    /// How many requests it has.
    count: u64,
    wait: Wait,
    /// Which command it is; `None`: one that is not served.
    of: Option<&'static Spec>,
    /// In which version of the protocol it is answered; `None`: not at all.
    proto: Option<Proto>,
}

/// The commands of one connection that are under way.
#[derive(Default)]
pub(super) struct Slots {
    slots: VecDeque<Slot>,
    /// The number of the next request.
    next: u64,
    /// The command that takes slots now.
    of: Option<&'static Spec>,
    /// Requests that are not answered yet.
    open: usize,
    /// Bytes of answers that are here and wait for one before them.
    held: usize,
}

impl Slots {
    /// Requests that are under way.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Bytes of answers that wait for others.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The number the next request will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The next slots are of that command.
    pub(super) fn begin(&mut self, of: Option<&'static Spec>) {
        self.of = of;
    }

    fn push(&mut self, count: u64, wait: Wait, proto: Option<Proto>) {
        let first = self.next;
        self.next += count;
        self.open += usize::try_from(count).unwrap_or(usize::MAX);
        self.slots.push_back(Slot {
            first,
            count,
            wait,
            of: self.of,
            proto,
        });
    }

    pub(super) fn ready(&mut self, value: Value, proto: Option<Proto>) {
        self.held += value.weight();
        self.push(0, Wait::Ready(value), proto);
    }

    pub(super) fn one(&mut self, shape: OfOne, proto: Option<Proto>) {
        self.push(1, Wait::One(None, shape), proto);
    }

    pub(super) fn flow(&mut self, shape: OfOne, before: Before, proto: Option<Proto>) {
        self.push(1, Wait::Flow(None, shape, before), proto);
    }

    /// The slot of that number, if there is one.
    fn slot(&self, number: u64) -> Option<&Slot> {
        let place = self
            .slots
            .partition_point(|slot| slot.first + slot.count <= number);
        self.slots.get(place)
    }

    /// Whether the answer of that number may be a large value, said as it comes.
    pub(super) fn flows(&self, number: u64) -> bool {
        let slot = self.slot(number);
        slot.is_some_and(|slot| matches!(slot.wait, Wait::Flow(..) | Wait::Row(..)))
    }

    /// Whether the request of that number is part of a command that writes nothing.
    pub(super) fn reads(&self, number: u64) -> bool {
        let of = self.slot(number).and_then(|slot| slot.of);
        of.is_some_and(Spec::only_reads)
    }

    pub(super) fn row(&mut self, count: usize, shape: OfRow, proto: Option<Proto>) {
        let missing = (0..count).map(|_| None).collect();
        self.push(count as u64, Wait::Row(missing, count, shape), proto);
    }

    pub(super) fn many(&mut self, count: usize, shape: OfMany, proto: Option<Proto>) {
        let missing = (0..count).map(|_| None).collect();
        let wait = Wait::Many(missing, count, Some(shape));
        self.push(count as u64, wait, proto);
    }

    /// An answer has come.
    pub(super) fn told(&mut self, number: u64, answer: Answer) {
        let place = self
            .slots
            .partition_point(|slot| slot.first + slot.count <= number);
        let Some(slot) = self
            .slots
            .get_mut(place)
            .filter(|slot| slot.first <= number)
        else {
            return;
        };
        self.held += weight(&answer);
        self.open = self.open.saturating_sub(1);
        match &mut slot.wait {
            Wait::Ready(_) => {}
            Wait::One(here, _) | Wait::Flow(here, ..) => *here = Some(answer),
            Wait::Many(here, missing, _) | Wait::Row(here, missing, _) => {
                let index = usize::try_from(number - slot.first).unwrap_or(usize::MAX);
                if let Some(here) = here.get_mut(index).filter(|here| here.is_none()) {
                    *here = Some(answer);
                    *missing -= 1;
                }
            }
        }
    }

    /// The answer to the first command, once it is complete.
    pub(super) fn pop(&mut self, wall: impl FnOnce() -> WallMs) -> Option<(Say, Option<Proto>)> {
        let complete = match &self.slots.front()?.wait {
            Wait::Ready(_) => true,
            Wait::One(here, _) | Wait::Flow(here, ..) => here.is_some(),
            Wait::Many(_, missing, _) | Wait::Row(_, missing, _) => *missing == 0,
        };
        if !complete {
            return None;
        }
        let slot = self.slots.pop_front()?;
        let value = match slot.wait {
            Wait::Ready(value) => {
                self.held = self.held.saturating_sub(value.weight());
                value
            }
            Wait::Flow(Some(Ok(Outcome::Large(large))), _, before) => {
                let answer = Ok(Outcome::Large(Arc::clone(&large)));
                self.held = self.held.saturating_sub(weight(&answer));
                return Some((Say::Large(slot.first, large, before), slot.proto));
            }
            Wait::One(answer, shape) | Wait::Flow(answer, shape, _) => {
                let answer = answer?;
                self.held = self.held.saturating_sub(weight(&answer));
                shape(answer, wall())
            }
            Wait::Many(answers, _, shape) => {
                let answers = self.let_go(answers);
                shape?(answers, wall())
            }
            Wait::Row(answers, _, shape) => {
                let row = Row::new(slot.first, self.let_go(answers), shape, wall());
                return Some((Say::Row(row), slot.proto));
            }
        };
        Some((Say::Value(value), slot.proto))
    }

    /// Answers that are all here wait no longer.
    fn let_go(&mut self, answers: Vec<Option<Answer>>) -> Vec<Answer> {
        let answers: Vec<Answer> = answers.into_iter().flatten().collect();
        let weight: usize = answers.iter().map(weight).sum();
        self.held = self.held.saturating_sub(weight);
        answers
    }
}

/// How many bytes an answer keeps in memory: those of the value, of the rest about so many.
pub(super) fn weight(answer: &Answer) -> usize {
    const REST: usize = 64;
    match answer {
        Ok(Outcome::Value(Some(found))) => usize::try_from(found.body.len)
            .unwrap_or(usize::MAX)
            .saturating_add(REST),
        Ok(Outcome::Exported(page)) => {
            let bytes = page
                .items
                .iter()
                .map(|item| item.body.len + 2 * REST as u64);
            usize::try_from(bytes.sum::<u64>()).unwrap_or(usize::MAX)
        }
        Ok(_) | Err(_) => REST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Found;
    use crate::placement::HostId;
    use crate::record::{Body, Stamp, Version};

    fn found(text: &'static str) -> Answer {
        let version = Version {
            stamp: Stamp(1),
            delete: false,
            host: HostId(1),
            start: 1,
        };
        Ok(Outcome::Value(Some(Found {
            version,
            body: Body::new(text),
            deadline: None,
        })))
    }

    fn length(answer: Answer, _: WallMs) -> Value {
        Value::count(weight(&answer) - 64)
    }

    #[test]
    fn answers_in_any_order_are_said_in_the_order_asked() {
        let mut slots = Slots::default();
        let proto = Some(Proto::Resp2);
        slots.one(length, proto);
        slots.ready(Value::OK, proto);
        slots.many(2, Box::new(|all, _| Value::count(all.len())), proto);
        assert_eq!((slots.open(), slots.next()), (3, 3));
        let pop = |slots: &mut Slots| match slots.pop(WallMs::default)? {
            (Say::Value(value), _) => Some(value),
            (Say::Large(..) | Say::Row(_), _) => panic!("nothing large was asked for"),
        };
        slots.told(2, found("b"));
        assert_eq!(pop(&mut slots), None);
        slots.told(0, found("four"));
        assert_eq!(pop(&mut slots), Some(Value::Int(4)));
        assert_eq!(pop(&mut slots), Some(Value::OK));
        assert_eq!(pop(&mut slots), None);
        slots.told(2, found("twice is once"));
        slots.told(1, found("a"));
        assert_eq!(pop(&mut slots), Some(Value::Int(2)));
        assert!(slots.is_empty());
        slots.told(1, found("late"));
        slots.told(99, found("never asked"));
        assert_eq!(pop(&mut slots), None);
    }

    #[test]
    fn what_is_held_is_counted_and_let_go() {
        let mut slots = Slots::default();
        slots.one(length, None);
        slots.one(length, None);
        slots.told(1, found("waits"));
        assert_eq!(slots.held(), 64 + 5);
        slots.told(0, found("first"));
        while slots.pop(WallMs::default).is_some() {}
        assert_eq!((slots.held(), slots.open()), (0, 0));
    }
}
