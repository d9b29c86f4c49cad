//! Who may come in? Whoever knows the password; and not too many guesses.
//!
//! Passwords are compared by their SHA-256, byte for byte whatever the first ones are, so the time it takes
//! tells nothing. Guesses are counted by address (of an IPv6 one the first half, which one machine may have
//! whole): so many at once, then one each so often.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// The guesses of so many addresses are remembered; beyond that, the one whose last is longest ago is forgotten.
const MAX_ADDRESSES: usize = 4_096;

/// A password, as its hash: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password([u8; 32]);

impl Password {
    /// The password of these bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Password {
        Password(Sha256::digest(secret).into())
    }

    /// Whether a guess is right; takes the same time whichever bytes differ.
    #[must_use]
    pub fn is(&self, guess: &[u8]) -> bool {
        let guess: [u8; 32] = Sha256::digest(guess).into();
        self.0.ct_eq(&guess).into()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The wrong guesses of late.
#[derive(Debug)]
pub(super) struct Guesses {
    tries: u32,
    again: Duration,
    /// Each address with how many guesses count against it, and when that was so.
    wrong: BTreeMap<IpAddr, (u32, Instant)>,
}

impl Guesses {
    pub(super) fn new(tries: u32, again: Duration) -> Guesses {
        Guesses {
            tries: tries.max(1),
            again: again.max(Duration::from_millis(1)),
            wrong: BTreeMap::new(),
        }
    }

    /// How many guesses count against an address now: one less for each `again` that has passed.
    fn count(&self, from: IpAddr, now: Instant) -> u32 {
        let Some((count, at)) = self.wrong.get(&from) else {
            return 0;
        };
        let passed = now.duration_since(*at).as_millis() / self.again.as_millis();
        count.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Whether an address may try.
    pub(super) fn may_try(&self, from: IpAddr, now: Instant) -> bool {
        self.count(network(from), now) < self.tries
    }

    /// It tried, and was wrong.
    pub(super) fn wrong(&mut self, from: IpAddr, now: Instant) {
        let from = network(from);
        let count = self.count(from, now) + 1;
        if self.wrong.len() >= MAX_ADDRESSES && !self.wrong.contains_key(&from) {
            let oldest = self.wrong.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.wrong.remove(&oldest);
            }
        }
        self.wrong.insert(from, (count, now));
    }
}

/// Whose guess it counts as.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let first_half = address.to_bits() >> 64 << 64;
            IpAddr::V6(first_half.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_right_and_it_is_not_printed() {
        let password = Password::new(b"open sesame");
        assert!(password.is(b"open sesame"));
        for guess in [&b""[..], b"open sesam", b"open sesame ", b"Open sesame"] {
            assert!(!password.is(guess));
        }
        assert_eq!(format!("{password:?}"), "Password(…)");
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_are_rationed_by_address() {
        let mut guesses = Guesses::new(3, Duration::from_secs(1));
        let (one, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..3 {
            assert!(guesses.may_try(one, Instant::now()));
            guesses.wrong(one, Instant::now());
        }
        assert!(!guesses.may_try(one, Instant::now()));
        assert!(guesses.may_try(other, Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(guesses.may_try(one, Instant::now()));
        guesses.wrong(one, Instant::now());
        assert!(!guesses.may_try(one, Instant::now()));
        let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        (0..3).for_each(|_| guesses.wrong(a, Instant::now()));
        assert!(
            !guesses.may_try(b, Instant::now()),
            "one machine, many addresses"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_do_not_pile_up() {
        let mut guesses = Guesses::new(1, Duration::from_secs(1));
        for n in 0..10_000_u32 {
            guesses.wrong(IpAddr::V4(n.into()), Instant::now());
        }
        assert_eq!(guesses.wrong.len(), MAX_ADDRESSES);
    }
}
