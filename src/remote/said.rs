//! How does a log say once what happens ten thousand times?

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::error::LinkError;

/// Strangers and their faults remembered at once. Beyond: all are forgotten, and may be said again.
const MAX_SAID: usize = 1024;

/// The same fault of the same stranger is said again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What was said about whom.
#[derive(Default)]
pub(super) struct Said {
    said: BTreeMap<(IpAddr, String), (Instant, u64)>,
    total: u64,
}

impl Said {
    /// How many connections came to nothing so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// A connection from there came to nothing: one line for the first, and for those after a while.
    pub(super) fn refused(&mut self, from: IpAddr, why: &LinkError) {
        self.total += 1;
        let what = kind(why);
        let now = Instant::now();
        if self.said.len() >= MAX_SAID && !self.said.contains_key(&(from, what.clone())) {
            self.said.clear();
        }
        match self.said.get_mut(&(from, what.clone())) {
            Some((last, more)) if now - *last < AGAIN_AFTER => *more += 1,
            Some((last, more)) => {
                log::warn!("connection from {from}: {why} (and {more} more like it before)");
                (*last, *more) = (now, 0);
            }
            None => {
                log::warn!("connection from {from}: {why}");
                self.said.insert((from, what), (now, 0));
            }
        }
    }
}

/// What sort of fault it is: without what differs from one to the next.
fn kind(why: &LinkError) -> String {
    match why {
        LinkError::NotAHello(_) => "not a hello".to_owned(),
        LinkError::BadHello(_) => "bad hello".to_owned(),
        LinkError::Tls(_) => "tls".to_owned(),
        LinkError::Refuse { reason, .. } => format!("refuse {reason:?}"),
        other @ (LinkError::Io(_)
        | LinkError::Closed
        | LinkError::Goodbye
        | LinkError::Silent(_)
        | LinkError::DialTimeout(_)
        | LinkError::HandshakeTimeout(_)
        | LinkError::NoAddress
        | LinkError::NoName
        | LinkError::Protocol(_)
        | LinkError::LongHello(_)
        | LinkError::Refused(_)
        | LinkError::SomebodyElse { .. }
        | LinkError::Crowded
        | LinkError::Unproven
        | LinkError::Wire(_)
        | LinkError::Part(_)
        | LinkError::Stray { .. }
        | LinkError::Replaced
        | LinkError::Restarted
        | LinkError::Outdated
        | LinkError::HostEnded
        | LinkError::Forgotten
        | LinkError::Stopped) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_counted() {
        let mut said = Said::default();
        for n in 0..5_000u32 {
            said.refused(IpAddr::from(n.to_be_bytes()), &LinkError::Closed);
        }
        assert!(said.said.len() <= MAX_SAID);
        let noise = (0..100u8).map(|n| LinkError::NotAHello([n; 4]));
        noise.for_each(|why| said.refused(IpAddr::from([1, 2, 3, 4]), &why));
        let hundred = said.said.values().filter(|(_, more)| *more == 99).count();
        assert_eq!((hundred, said.total()), (1, 5_100));
    }
}
