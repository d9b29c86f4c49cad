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
use crate::record::{Key, Summary, Version};
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

/// Whether enough stores of every group hold at least that version (of the value or, `cell`, of its expiry):
/// a quorum, or all.
///
/// # Errors
/// What the stores hold instead, in words.
pub fn on_a_quorum(
    world: &mut World,
    roster: &Roster,
    key: &Key,
    version: Version,
    cell: bool,
) -> Result<(), String> {
    for group in roster.groups(key.id()).groups {
        let mut told = String::new();
        let mut have = 0;
        for host in &group {
            let summary = held(world, *host, key);
            let here = if cell {
                summary
                    .expiry
                    .map(|expiry| expiry.version)
                    .max(summary.value)
            } else {
                summary.value
            };
            have += usize::from(here >= Some(version));
            let shown = here.map_or("nothing".to_owned(), |version| version.to_string());
            let _ = write!(told, " {host} {shown}");
        }
        if have < group.len() / 2 + 1 {
            let at = roster.version;
            return Err(format!(
                "{version} is on {have} of {}, {at}:{told}",
                group.len()
            ));
        }
    }
    Ok(())
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
        let shown = summary
            .greatest()
            .map_or("nothing".to_owned(), |version| version.to_string());
        let _ = write!(told, " {host} {shown}");
        all.push(summary);
    }
    if all.windows(2).all(|two| two[0] == two[1]) {
        Ok(())
    } else {
        Err(format!("replicas differ:{told}"))
    }
}
