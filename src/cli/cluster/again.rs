//! When is a host started again that has ended?

use std::time::Duration;

/// Whoever ran for so long is steady: what came before is forgotten.
const STEADY: Duration = Duration::from_secs(60);

/// So long it is waited before the first new start; each further one waits twice as long,
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// but not longer than that.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A host that has been started again so often without becoming steady is given up.
pub(super) const MAX_STARTS: u32 = 5;

/// How a host ends that cannot begin with its arguments.
const BAD_ARGUMENTS: i32 = 2;

/// What is done about a host that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is started again after a pause: for the n-th time in a row, of [`MAX_STARTS`].
    Start(Duration, u32),
    /// It is given up, and why.
    GiveUp(String),
}

/// How often a host was started again without becoming steady.
#[derive(Debug, Default)]
pub(super) struct Again(u32);

impl Again {
    /// It has ended after it ran so long, with an exit code or by a signal.
    pub(super) fn ended(&mut self, ran: Duration, code: Option<i32>) -> Then {
        if code == Some(BAD_ARGUMENTS) {
            return Then::GiveUp("its arguments cannot be, and would not be the next time".into());
        }
        if ran >= STEADY {
            self.0 = 0;
        }
        if self.0 >= MAX_STARTS {
            return Then::GiveUp(format!(
                "it was started again {MAX_STARTS} times, and never ran for {} s",
                STEADY.as_secs()
            ));
        }
        let pause = FIRST_PAUSE * 2_u32.pow(self.0);
        self.0 += 1;
        Then::Start(pause.min(LONGEST_PAUSE), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_keeps_ending_is_given_up() {
        let (mut again, short) = (Again::default(), Duration::from_secs(1));
        let pauses: Vec<u128> = (1..=MAX_STARTS)
            .map(|n| match again.ended(short, Some(1)) {
                Then::Start(pause, count) if count == n => pause.as_millis(),
                other @ (Then::Start(..) | Then::GiveUp(_)) => panic!("{n}: {other:?}"),
            })
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000]);
        assert!(matches!(again.ended(short, None), Then::GiveUp(_)));
        assert_eq!(
            again.ended(STEADY, None),
            Then::Start(FIRST_PAUSE, 1),
            "it was steady"
        );
    }

    #[test]
    fn bad_arguments_do_not_become_better() {
        let then = Again::default().ended(Duration::ZERO, Some(BAD_ARGUMENTS));
        assert!(matches!(then, Then::GiveUp(_)));
    }
}
