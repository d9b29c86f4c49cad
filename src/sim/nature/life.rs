//! What if a host's process ends, and how do the others hear of it?
//!
//! ```text
//!   h2 crashes ──link_down_ms──> "h2 is down" ──> h1, then h3, then h4 …       each as an input of its own,
//!   h2 starts  ──max_ms───────>  "h2 is up"   ──> h1, then h3, then h4 …       in the order of the table
//! ```
//!
//! *Hold this true*: news goes round only while it is news. A host that is up again before the others heard of
//! its crash was never down for them.

use super::{Happening, Nature, Occurrence};
use crate::actor::Input;
use crate::sim::slab::at;

/// News that goes round: about whom, up or down, and who is told next.
pub(super) struct Rumour {
    about: u32,
    up: bool,
    next: u32,
}

impl Nature {
    /// A host's process starts: the first time, or again.
    pub(in crate::sim) fn start(&mut self, place: u32) {
        let now = self.queue.now();
        let max_ms = self.network.config.max_ms;
        let site = self.site_mut(place);
        assert!(!site.up, "host {} is up already", site.id);
        site.up = true;
        let lost = site.disk.may_have_lost();
        site.life += 1;
        let (life, id, mourned) = (site.life, site.id, site.mourned);
        self.trace.line(now, format_args!("{id} starts"));
        self.tell(place, Input::Start { lost });
        if mourned {
            self.queue
                .push(now + max_ms, Occurrence::Rumour { about: place, life });
        }
    }

    /// A host's process ends without a word; its disk keeps what a power cut would leave, or, if the
    /// machine runs on, all that was reported. Returns how many reported writes are lost.
    pub(in crate::sim) fn crash(&mut self, place: u32, power_cut: bool) -> usize {
        let now = self.queue.now();
        let site = &mut self.sites[at(place)];
        if !site.up {
            return 0;
        }
        site.up = false;
        site.life += 1;
        site.armed = None;
        site.wants = None;
        let lost = site.disk.crash(now, power_cut, &mut self.rng);
        let (life, id) = (site.life, site.id);
        self.tell_not_kept(place);
        match lost {
            0 => self.trace.line(now, format_args!("{id} crashes")),
            _ => self
                .trace
                .line(now, format_args!("{id} crashes, {lost} writes are lost")),
        }
        if let Some(after) = self.network.config.link_down_ms {
            self.queue
                .push(now + after, Occurrence::Rumour { about: place, life });
        }
        self.clients.leave(place);
        lost
    }

    /// News of a crash or a return goes round, if it is still news.
    pub(super) fn hear(&mut self, about: u32, life: u32) {
        let site = self.site_mut(about);
        if site.life != life || site.mourned != site.up {
            return;
        }
        site.mourned = !site.up;
        self.rumour = Some(Rumour {
            about,
            up: site.up,
            next: 0,
        });
    }

    /// The next one who hears the news that is going round.
    pub(super) fn spread(&mut self) -> Option<(u32, Happening)> {
        while let Some(rumour) = &mut self.rumour {
            let (place, about, up) = (rumour.next, rumour.about, rumour.up);
            rumour.next += 1;
            let Some(site) = self.sites.get(at(place)) else {
                self.rumour = None;
                break;
            };
            if place != about && site.up {
                return Some((place, Happening::Rumour(self.id(about), up)));
            }
        }
        None
    }
}
