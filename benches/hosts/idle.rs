//! The memory of hosts that have nothing to do.

use std::time::Duration;

use crate::host::Hosts;
use crate::{resident_mb, verdict};

/// To reach, in MB.
const MOST_MB: f64 = 25.0;

/// Three hosts in one ring, empty, some seconds after they found each other.
pub(crate) fn measure() {
    let hosts = Hosts::start(3, &[]);
    hosts.wait_until_agreed(&[0, 1, 2], 3);
    std::thread::sleep(Duration::from_secs(10));
    let sizes: Vec<f64> = hosts
        .all()
        .map(|host| resident_mb(hosts.pid(host)))
        .collect();
    let most = sizes.iter().copied().fold(0.0, f64::max);
    println!("idle: three hosts with data directories, resident MB: {sizes:.1?}");
    println!(
        "  the largest {most:.1} MB, at most {MOST_MB}: {}",
        verdict(most <= MOST_MB)
    );
}
