//! Who may come in? Whoever knows the password; and not too many guesses.
//!
//! Passwords are compared by their SHA-256, byte for byte whatever the first ones are, so the time it takes
//! tells nothing. Guesses are counted by address (of an IPv6 one the first half, which one machine may have
//! whole): so many wrong ones are answered at once, and each moment allows one more. Beyond that a password waits
//! before it is looked at, and then is let in if it is right: whoever knows it is late, not locked out by a neighbour
//! that does not.
//!
//! ```text
//! tries 2, again 10 s     0 s    wrong, wrong           answered at once: none is left
//!                         1 s    wrong  right  third    wait ── 11 s ──> WRONGPASS, OK; the third is not looked at
//! ```
//!
//! *Hold these true*: guessing stays limited: an address has at most `tries` passwords waiting, so in each `again` no
//! more than these and the one it is allowed are looked at. What is not looked at is answered the same whether it was
//! right or not. To let a right one in at once would limit nothing: the lack of an answer would tell a wrong one.

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

/// When a password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// Not before that moment; until [`Guesses::waited`] it counts among those that wait.
    Later(Instant),
    /// Too many of that address wait already.
    Never,
}

/// The wrong guesses of late.
#[derive(Debug)]
pub(super) struct Guesses {
    tries: u32,
    again: Duration,
    /// Each address with how many guesses count against it, at most `tries`, and when that was so.
    wrong: BTreeMap<IpAddr, (u32, Instant)>,
    /// How many passwords of an address wait.
    waiting: BTreeMap<IpAddr, u32>,
}

impl Guesses {
    pub(super) fn new(tries: u32, again: Duration) -> Guesses {
        Guesses {
            tries: tries.max(1),
            again: again.max(Duration::from_millis(1)),
            wrong: BTreeMap::new(),
            waiting: BTreeMap::new(),
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

    /// When the password is looked at that an address gives now.
    pub(super) fn turn(&mut self, from: IpAddr, now: Instant) -> Turn {
        let from = network(from);
        if self.count(from, now) < self.tries {
            return Turn::Now;
        }
        let waiting = self.waiting.entry(from).or_default();
        if *waiting >= self.tries {
            return Turn::Never;
        }
        *waiting += 1;
        Turn::Later(now + self.again)
    }

    /// One that waited does so no longer.
    pub(super) fn waited(&mut self, from: IpAddr) {
        let from = network(from);
        let left = self.waiting.remove(&from).unwrap_or(0).saturating_sub(1);
        if left > 0 {
            self.waiting.insert(from, left);
        }
    }

    /// It tried, and was wrong.
    pub(super) fn wrong(&mut self, from: IpAddr, now: Instant) {
        let from = network(from);
        let count = self.tries.min(self.count(from, now) + 1);
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
        let second = Duration::from_secs(1);
        let mut guesses = Guesses::new(3, second);
        let (one, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(guesses.turn(one, Instant::now()), Turn::Now);
            guesses.wrong(one, Instant::now());
        }
        let later = Turn::Later(Instant::now() + second);
        assert_eq!(guesses.turn(one, Instant::now()), later);
        assert_eq!(guesses.turn(other, Instant::now()), Turn::Now);
        tokio::time::advance(second).await;
        assert_eq!(guesses.turn(one, Instant::now()), Turn::Now);
        // However many were wrong: one is allowed again a second after the last.
        (0..9).for_each(|_| guesses.wrong(one, Instant::now()));
        assert_ne!(guesses.turn(one, Instant::now()), Turn::Now);
        tokio::time::advance(second).await;
        assert_eq!(guesses.turn(one, Instant::now()), Turn::Now);
        let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        (0..3).for_each(|_| guesses.wrong(a, Instant::now()));
        let turn = guesses.turn(b, Instant::now());
        assert_ne!(turn, Turn::Now, "one machine, many addresses");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_of_an_address_wait() {
        let mut guesses = Guesses::new(2, Duration::from_secs(1));
        let (now, from) = (Instant::now(), "10.0.0.1".parse().unwrap());
        (0..2).for_each(|_| guesses.wrong(from, now));
        let later = Turn::Later(now + Duration::from_secs(1));
        let mut turn = || guesses.turn(from, now);
        assert_eq!([turn(), turn(), turn()], [later, later, Turn::Never]);
        guesses.waited(from);
        assert_eq!(guesses.turn(from, now), later);
        (0..3).for_each(|_| guesses.waited(from));
        assert!(guesses.waiting.is_empty());
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
