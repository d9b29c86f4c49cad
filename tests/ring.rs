//! Stage one, seen from outside: what a ring does when it is linked, when messages travel it both
//! ways at once, and when processes stop.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::{cell::RefCell, num::NonZeroU32, rc::Rc, time::Duration};

use actix::prelude::*;
use roundelay::ring::{Event, Name, NoProcess, Ring, Settings};

/// A ring whose events are kept as the lines they print.
struct Seen {
    ring: Ring,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Seen {
    fn start(n: u32, delay_ms: u64) -> Self {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let settings = Settings {
            delay: Duration::from_millis(delay_ms),
            watch: Box::new({
                let lines = Rc::clone(&lines);
                move |event: Event<'_>| lines.borrow_mut().push(event.to_string())
            }),
        };
        let ring = Ring::start(NonZeroU32::new(n).unwrap(), settings);
        ring.link_all().unwrap();
        lines.borrow_mut().clear();
        Self { ring, lines }
    }

    /// The lines since the last call, after everything that can happen has happened.
    async fn lines(&self) -> Vec<String> {
        let mut quiet_rounds = 0;
        let mut count = self.lines.borrow().len();
        while quiet_rounds < 100 {
            tokio::task::yield_now().await;
            let more = self.lines.borrow().len();
            quiet_rounds = if more == count { quiet_rounds + 1 } else { 0 };
            count = more;
        }
        self.lines.borrow_mut().drain(..).collect()
    }

    /// Who relays a message that starts at `from` and is relayed `limit` times, both ways.
    async fn walks(&self, from: u32, limit: u32) -> [Vec<String>; 2] {
        self.lines().await;
        self.ring.send_cw(Name(from), "x", limit).unwrap();
        let clockwise = self.lines().await;
        self.ring.send_anti_cw(Name(from), "x", limit).unwrap();
        [clockwise, self.lines().await].map(|lines| {
            let relaying = lines.iter().filter(|line| line.contains("Relaying"));
            relaying
                .map(|line| line.split(' ').next().unwrap().to_owned())
                .collect()
        })
    }
}

fn in_a_system<T>(test: impl Future<Output = T>) -> T {
    System::new().block_on(test)
}

#[test]
fn a_message_takes_the_links_of_its_direction() {
    in_a_system(async {
        let seen = Seen::start(4, 0);
        assert_eq!(
            seen.walks(2, 5).await,
            [
                ["<2>", "<3>", "<4>", "<1>", "<2>"],
                ["<2>", "<1>", "<4>", "<3>", "<2>"]
            ]
        );
    });
}

#[test]
fn messages_travel_both_ways_at_once_and_none_is_lost() {
    let run = || {
        in_a_system(async {
            let seen = Seen::start(7, 0);
            for i in 0..20 {
                seen.ring.send_cw(Name(1 + i % 7), "a", 33).unwrap();
                seen.ring.send_anti_cw(Name(7 - i % 7), "b", 33).unwrap();
            }
            seen.lines().await
        })
    };
    let lines = run();
    let relayed = lines.iter().filter(|l| l.contains("Relaying")).count();
    let dropped = lines.iter().filter(|l| l.contains("Dropping")).count();
    assert_eq!((relayed, dropped), (40 * 33, 40));
    assert_eq!(lines, run(), "the same ring twice");
}

#[test]
fn a_process_that_nobody_linked_relays_to_itself() {
    in_a_system(async {
        let settings = Settings {
            delay: Duration::ZERO,
            watch: Box::new(|_| {}),
        };
        let alone = Ring::start(NonZeroU32::MIN, settings);
        let sent = alone.send_cw(Name(1), "x", 3).unwrap();
        assert_eq!(sent.to_string(), r#"{relay,clockwise,3,1,"x"}"#);
        assert_eq!(alone.link(Name(1), Name(2)), Err(NoProcess(Name(2))));
        assert_eq!(
            alone.send_cw(Name(0), "x", 1).unwrap_err(),
            NoProcess(Name(0))
        );
    });
}

#[test]
fn one_that_stops_links_its_neighbours_to_each_other_and_ends() {
    in_a_system(async {
        let mut seen = Seen::start(5, 0);
        let third = seen.ring.find(Name(3)).unwrap().downgrade();
        seen.ring.stop(Name(3)).unwrap();
        assert_eq!(seen.ring.stop(Name(3)), Err(NoProcess(Name(3))));
        assert_eq!(
            seen.walks(2, 4).await,
            [["<2>", "<4>", "<5>", "<1>"], ["<2>", "<1>", "<5>", "<4>"]]
        );
        assert!(third.upgrade().is_none(), "somebody still holds <3>");
    });
}

#[test]
fn any_set_of_processes_may_stop_in_one_moment_if_one_stays() {
    for n in 1..=6_u32 {
        for stopping in 0..(1_u32 << n) - 1 {
            in_a_system(async {
                let mut seen = Seen::start(n, 0);
                seen.lines().await;
                let (gone, stay): (Vec<u32>, Vec<u32>) =
                    (1..=n).partition(|name| stopping & (1 << (name - 1)) != 0);
                let mut ended = Vec::new();
                for &name in &gone {
                    // Under way while the ring changes; 200 relays each.
                    seen.ring.send_cw(Name(name), "x", 200).unwrap();
                    seen.ring.send_anti_cw(Name(name), "x", 200).unwrap();
                    ended.push(seen.ring.find(Name(name)).unwrap().downgrade());
                    seen.ring.stop(Name(name)).unwrap();
                }
                let lines = seen.lines().await;
                let relayed = lines.iter().filter(|l| l.contains("Relaying")).count();
                assert_eq!(relayed, 400 * gone.len(), "lost: {n} {stopping:b}");

                let count = u32::try_from(stay.len()).unwrap();
                let [clockwise, anti] = seen.walks(stay[0], count).await;
                let names: Vec<String> = stay.iter().map(|name| format!("<{name}>")).collect();
                assert_eq!(clockwise, names, "{n} {stopping:b}");
                let mut back = names[1..].to_vec();
                back.push(names[0].clone());
                back.reverse();
                assert_eq!(anti, back, "{n} {stopping:b}");
                assert!(ended.iter().all(|process| process.upgrade().is_none()));
            });
        }
    }
}

#[test]
fn if_all_ask_to_stop_at_once_the_ring_goes_on() {
    in_a_system(async {
        let mut seen = Seen::start(3, 0);
        let first = seen.ring.find(Name(1)).unwrap().clone();
        for name in 1..=3 {
            seen.ring.stop(Name(name)).unwrap();
        }
        seen.lines().await;
        let relay =
            roundelay::ring::Relay::new(roundelay::ring::Direction::Clockwise, 6, "x".to_owned());
        first.do_send(roundelay::ring::Signal::Relay(relay));
        assert_eq!(seen.lines().await.len(), 7);
    });
}

#[test]
fn the_last_process_ends_when_it_is_stopped() {
    in_a_system(async {
        let mut seen = Seen::start(1, 0);
        let last = seen.ring.find(Name(1)).unwrap().downgrade();
        seen.ring.stop(Name(1)).unwrap();
        seen.lines().await;
        assert!(last.upgrade().is_none());
    });
}
