//! How does a host begin: founds it a ring, joins it one, or goes on with its own?
//!
//! ```text
//! a, b and c are started with --join a,b,c and empty stores, in any order
//! a   the first name listed; b and c are empty, or silent for a while      founds the ring
//! b   a is empty, c is empty                                               waits: only a may found
//! b   a is in a ring now                                                   joins by a
//! ```
//!
//! A ring is *bare* while nothing is stored in it. Should two rings be founded after all, since the names were listed in
//! another order, or nobody answered for a while, the hosts of a bare one give it up for the other:
//!
//! ```text
//! a in ring 7, bare     hears of b in ring 5, full        gives 7 up, joins 5
//! a in ring 7, bare     hears of b in ring 5, bare        gives 7 up, joins 5: the smaller number stays
//! a in ring 7, full     hears of b in ring 5, bare        goes on: b comes by itself
//! a in ring 7, full     hears of b in ring 5, full        goes on, and says loudly that there are two
//! ```
//!
//! So hosts started together, or before their seeds, form one ring. Two full rings never merge, since nothing could tell a
//! collected delete from a live value.
//!
//! *Hold these true*: a ring is founded only on an empty store, and by the first name listed or by a host that was told of
//! nobody; a host in whose ring a record is stored never joins another; of two bare rings one gives way.
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
    pub ring: Option<Mine>,
    /// How long silent names are waited for before the first one listed founds a ring.
    pub patience: Duration,
}

/// How a host stands to the ring it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mine {
    /// It is in it.
    In(RingId),
    /// It is in it, and nothing is stored there, on any host.
    Bare(RingId),
    /// It was in it, and is not any more.
    Out(RingId),
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
    /// That it is in that ring, and nothing is stored there, on any host.
    Bare(RingId),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Go on with the ring of the store; with what must be said loudly, if anything.
    GoOn(Option<String>),
    /// Found a ring.
    Found,
    /// Join the ring of that name; give the own one up for it, if there is one.
    Join(String),
    /// Ask again in a while: for whom it waits, in words.
    Wait(String),
    /// Nothing can be done before an operator has decided; in words.
    Refuse(String),
}

/// The rings that others are in, each by one who is in it.
struct Rings<'a> {
    full: Vec<(&'a str, RingId)>,
    /// The one with the smallest number.
    bare: Option<(&'a str, RingId)>,
}

impl Rings<'_> {
    fn seen<'a>(others: &[&'a str], said: impl Fn(&str) -> Said) -> Rings<'a> {
        let mut rings = Rings {
            full: Vec::new(),
            bare: None,
        };
        for name in others {
            match said(name) {
                Said::In(ring) if rings.full.iter().all(|(_, other)| *other != ring) => {
                    rings.full.push((name, ring));
                }
                Said::Bare(ring) if rings.bare.is_none_or(|(_, other)| ring < other) => {
                    rings.bare = Some((name, ring));
                }
                Said::In(_) | Said::Bare(_) | Said::Silent | Said::Empty => {}
            }
        }
        rings
    }
}

impl Beginning {
    /// What to do, as things stand after so long: `said` by each name listed.
    #[must_use]
    pub fn decide(&self, waited: Duration, said: impl Fn(&str) -> Said) -> Begin {
        let listed = self.listed.iter().map(String::as_str);
        let others: Vec<&str> = listed.filter(|name| *name != self.me).collect();
        let rings = Rings::seen(&others, &said);
        match self.ring {
            None => self.without_a_ring(waited, &others, &rings, said),
            Some(Mine::In(mine)) => {
                let other = rings.full.iter().find(|(_, ring)| *ring != mine);
                Begin::GoOn(other.map(|(name, ring)| two_rings(&self.me, mine, name, *ring)))
            }
            Some(Mine::Bare(mine)) => self.with_a_bare_ring(mine, &rings),
            Some(Mine::Out(mine)) => {
                let mut known = rings.full.iter().chain(rings.bare.iter());
                match known.find(|(_, ring)| *ring == mine) {
                    Some((name, _)) => Begin::Join((*name).to_owned()),
                    None => Begin::Wait("nobody of the ring it was in answers".to_owned()),
                }
            }
        }
    }

    fn with_a_bare_ring(&self, mine: RingId, rings: &Rings<'_>) -> Begin {
        match (rings.full.as_slice(), rings.bare) {
            ([(name, ring)], _) if *ring != mine => Begin::Join((*name).to_owned()),
            ([(one, ring), (other, another), ..], _) => {
                Begin::GoOn(Some(two_rings(one, *ring, other, *another)))
            }
            ([], Some((name, ring))) if ring < mine => Begin::Join(name.to_owned()),
            _ => Begin::GoOn(None),
        }
    }

    fn without_a_ring(
        &self,
        waited: Duration,
        others: &[&str],
        rings: &Rings<'_>,
        said: impl Fn(&str) -> Said,
    ) -> Begin {
        match (rings.full.as_slice(), rings.bare) {
            ([(name, _)], _) => return Begin::Join((*name).to_owned()),
            ([], Some((name, _))) => return Begin::Join(name.to_owned()),
            ([(one, ring), (other, another), ..], _) => {
                return Begin::Refuse(two_rings(one, *ring, other, *another));
            }
            ([], None) => {}
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

    fn host(me: &str, listed: &[&str], ring: Option<Mine>) -> Beginning {
        Beginning {
            me: me.into(),
            listed: listed.iter().map(ToString::to_string).collect(),
            ring,
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
        let full = host("a", &[], Some(Mine::In(RingId(7))));
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
        for (in_it, ring) in [(Said::In(RingId(7)), 7), (Said::Bare(RingId(8)), 8)] {
            let c_is_in = |name: &str| match name {
                "c" => in_it,
                _ => Said::Silent,
            };
            for me in ["a", "b", "d"] {
                let joins = host(me, &list, None).decide(AT_ONCE, c_is_in);
                assert_eq!(joins, Begin::Join("c".into()), "{me} {ring}");
            }
        }
    }

    /// How a host that has founded or joined a ring is seen: alone there it is bare.
    fn mine(rings: &[Option<RingId>], me: usize) -> Option<Mine> {
        let ring = rings[me]?;
        let alone = rings.iter().filter(|other| **other == Some(ring)).count() == 1;
        Some(if alone {
            Mine::Bare(ring)
        } else {
            Mine::In(ring)
        })
    }

    fn said_by(rings: &[Option<RingId>], who: usize) -> Said {
        match mine(rings, who) {
            None => Said::Empty,
            Some(Mine::Bare(ring)) => Said::Bare(ring),
            Some(Mine::In(ring) | Mine::Out(ring)) => Said::In(ring),
        }
    }

    /// One turn of a host, with what it can hear.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "in a test it is the shortest way to fail"
    )]
    fn turn(rings: &mut [Option<RingId>], lists: &[[&str; 3]; 3], at: usize, deaf: bool) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let now = rings.to_vec();
        let place = |name: &str| NAMES.iter().position(|other| *other == name).unwrap();
        let said = |name: &str| match deaf {
            true => Said::Silent,
            false => said_by(&now, place(name)),
        };
        let host = host(NAMES[at], &lists[at], mine(&now, at));
        match host.decide(if deaf { PATIENCE } else { AT_ONCE }, said) {
            // Rings have numbers by chance: here the later founder has the smaller one.
            Begin::Found => rings[at] = Some(RingId(10 - at as u64)),
            Begin::Join(name) => rings[at] = now[place(&name)],
            Begin::Wait(_) | Begin::GoOn(None) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Whatever order they are started in, and whoever hears whom, there is one ring.
    #[test]
    fn hosts_started_together_form_one_ring() {
        let mut rings = [None; 3];
        for at in [2, 1, 0, 1, 2, 0] {
            turn(&mut rings, &[["a", "b", "c"]; 3], at, false);
        }
        assert_eq!(rings, [Some(RingId(10)); 3]);
    }

    #[test]
    fn rings_founded_apart_become_one_while_nothing_is_stored_in_them() {
        let lists = [["a", "b", "c"], ["b", "a", "c"], ["b", "a", "c"]];
        let mut rings = [None; 3];
        turn(&mut rings, &lists, 0, true);
        turn(&mut rings, &lists, 1, true);
        assert_eq!(
            rings,
            [Some(RingId(10)), Some(RingId(9)), None],
            "nobody heard anybody"
        );
        for at in [2, 0, 1, 2, 1, 0] {
            turn(&mut rings, &lists, at, false);
        }
        assert_eq!(rings, [Some(RingId(9)); 3]);
    }

    #[test]
    fn a_bare_ring_is_given_up_for_a_full_one_whatever_its_number() {
        let full = |_: &str| Said::In(RingId(9));
        let bare = host("a", &["a", "b"], Some(Mine::Bare(RingId(1))));
        assert_eq!(bare.decide(AT_ONCE, full), Begin::Join("b".into()));
        let other = |_: &str| Said::Bare(RingId(1));
        let mine = host("a", &["a", "b"], Some(Mine::In(RingId(9))));
        assert_eq!(mine.decide(AT_ONCE, other), Begin::GoOn(None));
        let torn = |name: &str| Said::In(RingId(if name == "b" { 8 } else { 9 }));
        let between = host("a", &["a", "b", "c"], Some(Mine::Bare(RingId(1))));
        assert!(matches!(
            between.decide(AT_ONCE, torn),
            Begin::GoOn(Some(_))
        ));
    }

    #[test]
    fn a_host_that_is_out_of_its_ring_comes_back_into_that_one_only() {
        let out = host("a", &["a", "b"], Some(Mine::Out(RingId(1))));
        let own = |_: &str| Said::In(RingId(1));
        assert_eq!(out.decide(AT_ONCE, own), Begin::Join("b".into()));
        let other = |_: &str| Said::In(RingId(2));
        assert!(matches!(out.decide(PATIENCE, other), Begin::Wait(_)));
    }

    #[test]
    fn who_is_out_joins_its_own_ring_again_whether_it_is_bare_or_full() {
        let out = host("c", &["a", "c"], Some(Mine::Out(RingId(2))));
        for (said, begin) in [
            (Said::In(RingId(2)), Begin::Join("a".into())),
            (Said::Bare(RingId(2)), Begin::Join("a".into())),
            (
                Said::Bare(RingId(1)),
                Begin::Wait("nobody of the ring it was in answers".into()),
            ),
        ] {
            assert_eq!(out.decide(AT_ONCE, |_| said), begin, "{said:?}");
        }
    }

    #[test]
    fn two_full_rings_never_merge_and_it_is_said_loudly() {
        let list = ["a", "b", "c"];
        let two = |name: &str| Said::In(RingId(if name == "b" { 1 } else { 2 }));
        let full = host("a", &list, Some(Mine::In(RingId(1)))).decide(PATIENCE, two);
        assert!(matches!(full, Begin::GoOn(Some(why)) if why.contains("never merge")));
        let empty = host("a", &list, None).decide(PATIENCE, two);
        assert!(matches!(empty, Begin::Refuse(why) if why.contains("never merge")));
    }
}
