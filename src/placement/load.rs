//! How much of the circle each host owns, beside how much it should.

use std::collections::BTreeMap;

use super::{HostId, Member, Placement};

/// The whole circle in the unit in which loads are counted, 2^64ths of it: sums are exact, so they do
/// not depend on their order or on the machine.
pub(super) const CIRCLE: u128 = 1 << 64;

impl Placement {
    /// The share of the circle each host owns; together 1, unless the ring is empty.
    pub fn shares(&self) -> BTreeMap<HostId, f64> {
        self.hosts()
            .zip(self.loads())
            .map(|(host, load)| (host, fraction(load)))
            .collect()
    }

    /// The share of the circle this host owns, 0 to 1.
    pub fn share(&self, host: HostId) -> f64 {
        self.spans(host)
            .fold(0.0, |sum, span| sum + span.fraction())
    }

    /// How much more than its due the most loaded host owns, where a host's due goes by its weight:
    /// 1 is perfectly even, 1.10 is the bound that [`even`](super::even) keeps. Hosts without tokens do not
    /// count, and a ring without any is even.
    pub fn max_over_mean(&self) -> f64 {
        let hosts = weighed(self);
        let weights: u128 = hosts.iter().map(|host| host.weight).sum();
        let most = hosts.iter().map(Weighed::level).max();
        most.map_or(1.0, |most| most as f64 / ((CIRCLE << 32) / weights) as f64)
    }
}

/// A host with what it owns and what it weighs.
pub(super) struct Weighed {
    /// The host.
    pub(super) host: HostId,
    /// What it owns, in 2^64ths of the circle.
    pub(super) load: u128,
    /// Its weight.
    pub(super) weight: u128,
}

impl Weighed {
    /// Its load by weight, with 32 bits for the fraction: by this hosts are compared.
    pub(super) fn level(&self) -> u128 {
        (self.load << 32) / self.weight
    }
}

/// All hosts that have tokens with what they own, in order of their ids.
pub(super) fn weighed(placement: &Placement) -> Vec<Weighed> {
    let loads = placement.loads();
    let weigh = |((host, member), load): ((&HostId, &Member), u128)| Weighed {
        host: *host,
        load,
        weight: u128::from(member.weight),
    };
    let all = placement.members().iter().zip(loads);
    all.filter(|((_, member), _)| !member.tokens.is_empty())
        .map(weigh)
        .collect()
}

fn fraction(load: u128) -> f64 {
    load as f64 / CIRCLE as f64
}
