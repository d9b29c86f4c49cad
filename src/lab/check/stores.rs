//! What do the stores really hold?
//!
//! A client's answer is a promise about disks. So the disks are looked at, past the hosts:
//!
//! ```text
//! put k1 -> stored w7          h2: w7   h3: w7   h5: w4      two of three: a quorum
//! after settling, all three    h2: w9   h3: w9   h5: w9
//! ```

use std::fmt::Write as _;

use crate::placement::HostId;
use crate::record::{Key, Summary};
use crate::roster::Roster;
use crate::sim::World;
use crate::store::{Done, Op};

/// What a host's store holds under a key, whether the host is up or not.
pub fn held(world: &mut World, host: HostId, key: &Key) -> Summary {
    if let Done::Versions(summary) = world.store(host).apply(Op::Versions(key.clone())) {
        summary
    } else {
        Summary::default() // A store that cannot be read holds nothing.
    }
}

/// Whether a quorum of stores of every group holds at least what was written: a value, or an expiry. A store
/// that the harness has destroyed since may have held it (`destroyed`).
///
/// # Errors
/// What the stores hold instead, in words.
pub fn on_a_quorum(
    world: &mut World,
    groups: &[Vec<HostId>],
    key: &Key,
    wrote: &Summary,
    destroyed: impl Fn(HostId) -> bool,
) -> Result<(), String> {
    for group in groups {
        let mut told = String::new();
        let mut have = 0;
        for host in group {
            let here = held(world, *host, key);
            have += usize::from(here.covers(wrote) || destroyed(*host));
            let _ = write!(told, " {host} {}", shown(&here));
        }
        if have < group.len() / 2 + 1 {
            let (wrote, of) = (shown(wrote), group.len());
            return Err(format!("{wrote} is on {have} of {of}:{told}"));
        }
    }
    Ok(())
}

fn shown(summary: &Summary) -> String {
    match (summary.value, summary.expiry) {
        (None, None) => "nothing".to_owned(),
        (Some(version), None) => version.to_string(),
        (value, Some(expiry)) => {
            let value = value.map_or("nothing".to_owned(), |version| version.to_string());
            format!(
                "{value} (expiry of {} set at {})",
                expiry.of, expiry.version
            )
        }
    }
}

/// Whether all replicas of a key hold the same versions.
///
/// # Errors
/// What they hold, in words.
pub fn agree(world: &mut World, roster: &Roster, key: &Key) -> Result<(), String> {
    let holders = roster.new().holders(key.id());
    let mut told = String::new();
    let mut all: Vec<Summary> = Vec::with_capacity(holders.len());
    for host in holders {
        let summary = held(world, host, key);
        let _ = write!(told, " {host} {}", shown(&summary));
        all.push(summary);
    }
    if all.windows(2).all(|two| two[0] == two[1]) {
        Ok(())
    } else {
        Err(format!("replicas differ:{told}"))
    }
}
