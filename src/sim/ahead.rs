//! Why look at hosts before anything happens to them?
//!
//! In a large world the next thing happens to a host that nothing has happened to for a while. Its memory has
//! left the processor's caches, and to have a line of it fetched takes longer than all the host has to think.
//! But who is next is known: their memory can be fetched for many of them at once, because a processor does
//! not wait for a number that nobody needs yet.
//!
//! ```text
//! one by one    h7 ── waits ── works   h3 ── waits ── works   h9 ── waits ── works
//! ahead         h7 h3 h9 ── waits ── h7 works  h3 works  h9 works
//! ```
//!
//! A pointer must be there before it can be followed. So all are looked at first, then what lies behind one
//! pointer of each, then behind two.
//!
//! *Hold this true*: looking changes nothing. Leave it out and every trace is the same, only later.

use std::hint::black_box;

use super::nature::Nature;

/// How many hosts are looked at together: enough to wait once for all, few enough that the first ones are still
/// in the nearest cache when their turn comes.
const TOGETHER: usize = 12;

/// With fewer hosts than this their memory stays in the caches, and looking ahead would only cost.
const MANY: usize = 256;

/// Behind so many pointers lies the farthest of what is looked at: a record in a store.
const DEPTH: u8 = 3;

/// Keeps a few steps ahead of a loop.
#[derive(Default)]
pub(super) struct Ahead {
    /// The places of those who are next, and whether their stores are at work; reused.
    next: Vec<(u32, bool)>,
    /// For how many steps nothing need be done.
    seen: usize,
}

impl Ahead {
    /// To be called before each step. `glance` reads a little of the host at a place, as deep as one pointer.
    pub(super) fn step(&mut self, nature: &Nature, glance: impl Fn(u32, u8) -> u64) {
        if self.seen > 0 {
            self.seen -= 1;
            return;
        }
        self.next.clear();
        if nature.places() >= MANY {
            self.next.extend(nature.coming(TOGETHER));
        }
        let steps = self.next.len();
        for depth in 0..=DEPTH {
            if depth == 2 {
                self.next.retain(|(_, stores)| *stores);
            }
            let mut sum = 0;
            for (place, stores) in &self.next {
                if depth < 2 {
                    sum ^= glance(*place, depth);
                }
                if depth == 0 || *stores {
                    sum ^= nature.glance(*place, depth);
                }
            }
            black_box(sum);
        }
        self.seen = steps.saturating_sub(1);
    }
}
