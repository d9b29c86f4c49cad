//! How often may a host begin again?
//!
//! ```text
//! 0 s   falls   begins again
//! 5 s   falls   begins again
//! 9 s   falls   begins again
//! 12 s  falls   stays down: whatever makes it fall is still there
//! 70 s  falls   begins again: of the four before, only those of 12 s and later count
//! ```

use std::time::Duration;

use crate::record::Time;

/// A host that has fallen so often [lately](FALLS_WITHIN) begins no other life.
pub const MAX_FALLS: usize = 3;

/// How long a fall counts.
pub const FALLS_WITHIN: Duration = Duration::from_secs(60);

/// When a host fell, lately.
#[derive(Clone, Debug, Default)]
pub struct Falls(Vec<Time>);

impl Falls {
    /// It has fallen. Whether it may begin again.
    pub fn may_begin_again(&mut self, now: Time) -> bool {
        self.0.retain(|fall| now.since(*fall) < FALLS_WITHIN);
        self.0.push(now);
        self.0.len() <= MAX_FALLS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_falls_in_a_minute_are_borne_and_a_fourth_is_not() {
        let mut falls = Falls::default();
        let at = [0, 5, 9, 12, 70, 71, 71].map(|s| falls.may_begin_again(Time::from_ms(s * 1000)));
        assert_eq!(at, [true, true, true, false, true, true, false]);
    }
}
