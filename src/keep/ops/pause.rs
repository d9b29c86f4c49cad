//! When is a silent host asked again?
//!
//! ```text
//! retry 0.2 s, source_patience 3 s
//! asked at    0 s   0.2 s   0.6 s   1.4 s   2.4 s   then it is not waited for
//! pause         0.2     0.4     0.8     1.0               twice the one before, at most a third of the patience
//! ```
//!
//! *Hold this true*: whoever is there and loses one question or one answer is asked again before it is given up.

use std::time::Duration;

use crate::record::Time;

use super::super::KeepConfig;

/// The pauses of one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
    due: Time,
    next: Duration,
}

impl Pauses {
    /// It is asked now for the first time.
    pub(super) fn new(now: Time, config: &KeepConfig) -> Pauses {
        Pauses {
            due: now + config.retry,
            next: config.retry,
        }
    }

    /// Whether it is to be asked again; then the next pause begins.
    pub(super) fn is_over(&mut self, now: Time, config: &KeepConfig) -> bool {
        let over = now >= self.due;
        if over {
            let longest = (config.source_patience / 3).max(config.retry);
            self.next = (self.next * 2).min(longest);
            self.due = now + self.next;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_third_of_the_patience() {
        let config = KeepConfig::default();
        let mut pauses = Pauses::new(Time::ZERO, &config);
        let asked = (0..=60).map(|n| Time::from_ms(n * 50));
        let asked = asked.filter(|now| pauses.is_over(*now, &config));
        let asked: Vec<u64> = asked.map(Time::as_ms).collect();
        assert_eq!(asked, [200, 600, 1400, 2400]);
    }
}
