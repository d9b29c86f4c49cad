//! How does a host begin: founds it a ring, joins it one, or goes on with its own?
//!
//! ```text
//! a, b and c are started with --join a,b,c and empty stores, in any order
//! a   the first name listed; b and c are empty, or silent for a while      founds the ring
//! b   a is empty, c is empty                                               waits: only a may found
//! b   a is in a ring now                                                   joins by a
//! ```
//!
//! So hosts started together, or before their seeds, form one ring. An empty host joins a ring by itself. Two full rings never
//! merge, since nothing could tell a collected delete from a live value: that is said loudly, and each goes on.
//!
//! *Hold these true*: a ring is founded only on an empty store, and by the first name listed or by a host that was told of
//! nobody; a host with a ring never joins another.
//!
//! Left out on purpose: asking. Whoever starts a host asks those listed, and tells here what they said.

use std::time::Duration;

use crate::roster::RingId;

/// What a host was told to begin with, and what its store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Its own name, as the others would list it.
    pub me: String,
    /// The names it was told to join, in the order given; its own may be among them.
    pub listed: Vec<String>,
    /// The ring of the roster in its store; none in an empty one.
    pub ring: Option<RingId>,
    /// How long silent names are waited for before the first one listed founds a ring.
    pub patience: Duration,
}

/// What somebody listed has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Silent,
    /// That it is in no ring yet.
    Empty,
    /// That it is in that ring.
    In(RingId),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Go on with the ring of the store; with what must be said loudly, if anything.
    GoOn(Option<String>),
    /// Found a ring.
    Found,
    /// Join the ring of that name.
    Join(String),
    /// Ask again in a while: for whom it waits, in words.
    Wait(String),
    /// Nothing can be done before an operator has decided; in words.
    Refuse(String),
}

impl Beginning {
    /// What to do, as things stand after so long: `said` by each name listed.
    #[must_use]
    pub fn decide(&self, waited: Duration, said: impl Fn(&str) -> Said) -> Begin {
        let others: Vec<&String> = self
            .listed
            .iter()
            .filter(|name| **name != self.me)
            .collect();
        let rings: Vec<(&String, RingId)> = others
            .iter()
            .filter_map(|name| match said(name) {
                Said::In(ring) => Some((*name, ring)),
                Said::Silent | Said::Empty => None,
            })
            .collect();
        if let Some(mine) = self.ring {
            let other = rings.iter().find(|(_, ring)| *ring != mine);
            return Begin::GoOn(other.map(|(name, ring)| two_rings(&self.me, mine, name, *ring)));
        }
        if let [(first, ring), rest @ ..] = rings.as_slice() {
            return match rest.iter().find(|(_, other)| other != ring) {
                Some((name, other)) => Begin::Refuse(two_rings(first, *ring, name, *other)),
                None => Begin::Join((*first).clone()),
            };
        }
        let silent = others.iter().find(|name| said(name) == Said::Silent);
        match (self.listed.first(), silent) {
            (None, _) => Begin::Found,
            (Some(first), _) if *first != self.me => Begin::Wait(format!(
                "{first} is the first name listed: it founds the ring, and this host waits for it"
            )),
            (Some(_), Some(name)) if waited < self.patience => Begin::Wait(format!(
                "{name} does not answer: it may be in a ring already"
            )),
            (Some(_), _) => Begin::Found,
        }
    }
}

fn two_rings(one: &str, ring: RingId, other: &str, another: RingId) -> String {
    format!(
        "{one} is in ring {:x}, {other} in ring {:x}: two full rings never merge. Take one of them out of the list; to \
         bring its live values over, export them there and import them here",
        ring.0, another.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const AT_ONCE: Duration = Duration::ZERO;

    fn host(me: &str, listed: &[&str], ring: Option<u64>) -> Beginning {
        Beginning {
            me: me.into(),
            listed: listed.iter().map(ToString::to_string).collect(),
            ring: ring.map(RingId),
            patience: PATIENCE,
        }
    }

    fn silent(_: &str) -> Said {
        Said::Silent
    }

    fn empty(_: &str) -> Said {
        Said::Empty
    }

    #[test]
    fn without_join_a_ring_is_founded_on_an_empty_store_only() {
        assert_eq!(host("a", &[], None).decide(AT_ONCE, silent), Begin::Found);
        let full = host("a", &[], Some(7));
        assert_eq!(full.decide(AT_ONCE, silent), Begin::GoOn(None));
    }

    #[test]
    fn only_the_first_name_listed_founds_and_waits_for_the_silent_first() {
        let list = ["a", "b", "c"];
        let (first, second) = (host("a", &list, None), host("b", &list, None));
        assert_eq!(first.decide(AT_ONCE, empty), Begin::Found);
        assert!(matches!(first.decide(AT_ONCE, silent), Begin::Wait(why) if why.starts_with("b ")));
        assert_eq!(first.decide(PATIENCE, silent), Begin::Found);
        for waited in [AT_ONCE, PATIENCE, PATIENCE * 100] {
            assert!(
                matches!(second.decide(waited, empty), Begin::Wait(why) if why.starts_with("a "))
            );
            assert!(matches!(second.decide(waited, silent), Begin::Wait(_)));
        }
        let stranger = host("d", &list, None);
        assert!(matches!(stranger.decide(PATIENCE, empty), Begin::Wait(_)));
    }

    #[test]
    fn an_empty_host_joins_whoever_is_in_a_ring_even_the_first_one_listed() {
        let list = ["a", "b", "c"];
        let c_is_in = |name: &str| match name {
            "c" => Said::In(RingId(7)),
            _ => Said::Silent,
        };
        for me in ["a", "b", "d"] {
            let joins = host(me, &list, None).decide(AT_ONCE, c_is_in);
            assert_eq!(joins, Begin::Join("c".into()), "{me}");
        }
    }

    /// Whatever order they are started in, and whoever hears whom, there is one ring.
    #[test]
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "in a test it is the shortest way to fail"
    )]
    fn hosts_started_together_form_one_ring() {
        let list = ["a", "b", "c"];
        let mut rings: Vec<Option<RingId>> = vec![None; 3];
        for turn in [2, 1, 0, 1, 2, 0] {
            let now = rings.clone();
            let said = |name: &str| {
                let at = list.iter().position(|other| *other == name).unwrap_or(0);
                now[at].map_or(Said::Empty, Said::In)
            };
            match host(list[turn], &list, now[turn].map(|ring| ring.0)).decide(AT_ONCE, said) {
                Begin::Found => rings[turn] = Some(RingId(turn as u64)),
                Begin::Join(name) => {
                    rings[turn] = now[list.iter().position(|n| **n == name).unwrap()]
                }
                Begin::Wait(_) | Begin::GoOn(None) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rings, [Some(RingId(0)); 3]);
    }

    #[test]
    fn two_full_rings_never_merge_and_it_is_said_loudly() {
        let list = ["a", "b", "c"];
        let two = |name: &str| Said::In(RingId(if name == "b" { 1 } else { 2 }));
        let full = host("a", &list, Some(1)).decide(PATIENCE, two);
        assert!(matches!(full, Begin::GoOn(Some(why)) if why.contains("never merge")));
        let empty = host("a", &list, None).decide(PATIENCE, two);
        assert!(matches!(empty, Begin::Refuse(why) if why.contains("never merge")));
    }
}
