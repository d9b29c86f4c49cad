//! Every limit of the finding side, with its name, its unit and what happens when it is reached.

use std::time::Duration;

/// How far a node sees. Routes decide how fast an id is found, never who holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Routes {
    /// Its next and its prev, as in the process ring: N / 4 relays on average.
    Neighbours,
    /// Some nodes at distances 1, 2, 4, 8 … both ways: about ½ log2 N relays.
    #[default]
    Fingers,
    /// Every node, when it is fed them ([`Finder::set_links`](super::Finder::set_links),
    /// [`Finder::start_in_ring`](super::Finder::start_in_ring)): one relay. Otherwise as with fingers.
    All,
}

/// The settings of a finder.
///
/// `lease` and `takeover_after` keep two nodes from holding one id: a node holds its span only while its
/// next has confirmed it within a lease, and what a dead node held is taken over only when every lease
/// its neighbourhood may have had has run out. So `takeover_after` is at least `lease`; twice the lease
/// also covers newcomers that only the dead node knew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FindConfig {
    /// How far the node sees.
    pub routes: Routes,
    /// Entries in a successor list, at least 1. As many neighbours may die at once as it is long, less one.
    pub successors: usize,
    /// A node looks after its links once in this time.
    pub stabilize_every: Duration,
    /// A finger is looked up once in this time.
    pub fix_finger_every: Duration,
    /// Fingers stand 2^k, or with more bits j * 16^i and so on, apart: bits per digit, 1 to 8.
    pub finger_bits: u32,
    /// A node that does not answer within this time is asked again. Longer than a round trip.
    pub answer_timeout: Duration,
    /// A node that was asked so often in vain counts as dead. At least 1.
    pub ask_tries: u32,
    /// A prev that was not heard for this time is pinged.
    pub prev_silence: Duration,
    /// After *busy* a node waits about this long.
    pub busy_pause: Duration,
    /// So long a confirmation by the next lasts; then the node holds nothing until it is confirmed again.
    pub lease: Duration,
    /// So long after the death of a prev its ground is taken over. At least `lease`.
    pub takeover_after: Duration,
    /// A lookup that is passed on must be answered in this time; then it goes on step by step.
    pub lookup_timeout: Duration,
    /// A lookup fails after so many tries. At least 1.
    pub lookup_tries: u32,
    /// Whether the first try is passed on from hand to hand; otherwise every try goes step by step.
    pub pass_on_first: bool,
    /// The pause before a lookup's second try; it doubles with each, up to 16 times.
    pub backoff: Duration,
    /// A lookup is dropped, and the asker told, rather than relayed more often.
    pub relay_limit: u32,
    /// The records of a span must be received in this time; then the join starts again.
    pub receive_timeout: Duration,
    /// A join is given up after so many tries.
    pub join_tries: u32,
    /// A leaving node goes without a hand-over after so many offers.
    pub leave_tries: u32,
    /// Nodes that were silent are not asked for lookups during this time.
    pub suspect_for: Duration,
    /// Each pause is up to this many percent longer or shorter, at random; 0 to 100.
    pub jitter_percent: u32,
}

impl Default for FindConfig {
    fn default() -> FindConfig {
        FindConfig {
            routes: Routes::Fingers,
            successors: 4,
            stabilize_every: Duration::from_secs(1),
            fix_finger_every: Duration::from_secs(5),
            finger_bits: 1,
            answer_timeout: Duration::from_millis(500),
            ask_tries: 3,
            prev_silence: Duration::from_secs(4),
            busy_pause: Duration::from_millis(100),
            lease: Duration::from_secs(6),
            takeover_after: Duration::from_secs(12),
            lookup_timeout: Duration::from_secs(3),
            lookup_tries: 6,
            pass_on_first: true,
            backoff: Duration::from_millis(100),
            relay_limit: 256,
            receive_timeout: Duration::from_secs(60),
            join_tries: 50,
            leave_tries: 240,
            suspect_for: Duration::from_secs(10),
            jitter_percent: 25,
        }
    }
}

impl FindConfig {
    /// Asserts what the other parts take for granted.
    ///
    /// # Panics
    /// If a field is outside what its documentation allows.
    pub fn check(&self) {
        assert!(
            self.successors >= 1,
            "a successor list has at least one entry"
        );
        assert!(
            (1..=8).contains(&self.finger_bits),
            "fingers have 1 to 8 bits per digit"
        );
        assert!(
            self.ask_tries >= 1 && self.lookup_tries >= 1,
            "whoever asks, asks at least once"
        );
        assert!(
            self.takeover_after >= self.lease,
            "a takeover waits at least a lease"
        );
        assert!(self.jitter_percent <= 100, "jitter is at most 100 percent");
        assert!(
            self.stabilize_every > Duration::ZERO,
            "a period is longer than nothing"
        );
    }
}
