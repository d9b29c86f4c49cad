//! Which host listens where, in which of its lives?

use std::collections::BTreeMap;

use super::address::Address;
use crate::placement::HostId;

/// Addresses kept for one host: the one last heard of first.
pub(super) const MAX_ADDRESSES: usize = 4;

/// What is known of another host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The newest life it was seen in; 0 if only its address is known.
    pub(super) incarnation: u64,
    /// The newest connection of that life.
    pub(super) attempt: u64,
    pub(super) addresses: Vec<Address>,
    /// Where it listens in the life it has proven, as it said itself.
    lives: Option<(u64, Address)>,
}

/// What somebody's word about a host was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// It was not known at all.
    NewHost,
    /// It has begun a new life, where it was.
    NewLife,
    /// It has begun a new life elsewhere.
    NewLifeElsewhere,
    /// It listens elsewhere too.
    NewAddress,
    /// Nothing new.
    Nothing,
    /// That was in an earlier life.
    Outdated,
    /// There is no room for another host.
    Full,
}

/// The address book of hosts elsewhere.
#[derive(Default)]
pub(super) struct Directory {
    limit: usize,
    hosts: BTreeMap<HostId, Known>,
}

impl Directory {
    pub(super) fn new(limit: usize) -> Directory {
        let hosts = BTreeMap::new();
        Directory { limit, hosts }
    }

    pub(super) fn get(&self, host: HostId) -> Option<&Known> {
        self.hosts.get(&host)
    }

    pub(super) fn forget(&mut self, host: HostId) {
        self.hosts.remove(&host);
    }

    // region: learn
    /// Somebody says that a host listens there, in that life (0 if it does not know which).
    pub(super) fn learn(
        &mut self,
        host: HostId,
        address: Option<&Address>,
        incarnation: u64,
    ) -> Learned {
        let Some(known) = self.hosts.get_mut(&host) else {
            if self.hosts.len() >= self.limit {
                return Learned::Full;
            }
            let known = Known {
                incarnation,
                attempt: 0,
                addresses: address.cloned().into_iter().collect(),
                lives: None,
            };
            self.hosts.insert(host, known);
            return Learned::NewHost;
        };
        if incarnation != 0 && incarnation < known.incarnation {
            return Learned::Outdated;
        }
        // The first life that is seen of a host of which only the address was known is no news.
        let new_life = incarnation > known.incarnation && known.incarnation != 0;
        if incarnation > known.incarnation {
            known.incarnation = incarnation;
            known.attempt = 0;
        }
        let new_address = address.is_some_and(|address| known.put_first(address));
        match (new_life, new_address) {
            (true, true) => Learned::NewLifeElsewhere,
            (true, false) => Learned::NewLife,
            (false, true) => Learned::NewAddress,
            (false, false) => Learned::Nothing,
        }
    }
    // endregion: learn

    /// Whether a host that has proven itself listens elsewhere than it did in this very life: then it is two processes.
    pub(super) fn is_double(&self, host: HostId, incarnation: u64, listens: &Address) -> bool {
        let lives = self.hosts.get(&host).and_then(|known| known.lives.as_ref());
        lives.is_some_and(|(life, before)| *life == incarnation && before != listens)
    }

    /// A host that has proven itself listens there in that life.
    pub(super) fn lives(&mut self, host: HostId, incarnation: u64, listens: Address) {
        if let Some(known) = self.hosts.get_mut(&host) {
            known.lives = Some((incarnation, listens));
        }
    }

    /// A connection of that life, if it is the newest so far.
    pub(super) fn is_newest(&mut self, host: HostId, incarnation: u64, attempt: u64) -> bool {
        let Some(known) = self.hosts.get_mut(&host) else {
            return true;
        };
        let newer = (incarnation, attempt) > (known.incarnation, known.attempt);
        if newer {
            (known.incarnation, known.attempt) = (incarnation, attempt);
        }
        newer
    }
}

impl Known {
    /// Puts an address before the others. Whether it was not there already.
    fn put_first(&mut self, address: &Address) -> bool {
        let place = self.addresses.iter().position(|other| other == address);
        if let Some(place) = place {
            self.addresses[..=place].rotate_right(1);
        } else {
            self.addresses.insert(0, address.clone());
            self.addresses.truncate(MAX_ADDRESSES);
        }
        place.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: HostId = HostId(2);

    fn at(port: u16) -> Address {
        format!("10.0.0.7:{port}").parse().unwrap()
    }

    #[test]
    fn the_newest_life_counts_and_the_last_address_comes_first() {
        let mut book = Directory::new(10);
        assert_eq!(book.learn(H, Some(&at(1)), 0), Learned::NewHost);
        assert_eq!(book.learn(H, Some(&at(1)), 3), Learned::Nothing);
        assert_eq!(book.learn(H, Some(&at(2)), 2), Learned::Outdated);
        assert_eq!(book.learn(H, Some(&at(2)), 3), Learned::NewAddress);
        assert_eq!(book.learn(H, Some(&at(1)), 0), Learned::Nothing);
        assert_eq!(book.learn(H, None, 3), Learned::Nothing);
        assert_eq!(book.get(H).unwrap().addresses, [at(1), at(2)]);
        assert_eq!(book.learn(H, Some(&at(2)), 4), Learned::NewLife);
        assert_eq!(book.learn(H, Some(&at(3)), 5), Learned::NewLifeElsewhere);
        assert_eq!(book.get(H).unwrap().addresses, [at(3), at(2), at(1)]);
    }

    #[test]
    fn a_late_connection_does_not_replace_a_newer_one() {
        let mut book = Directory::new(10);
        book.learn(H, None, 3);
        assert!(book.is_newest(H, 3, 1));
        assert!(book.is_newest(H, 3, 5));
        assert!(!book.is_newest(H, 3, 4));
        assert!(!book.is_newest(H, 2, 9));
        assert_eq!(book.learn(H, None, 4), Learned::NewLife);
        assert!(book.is_newest(H, 4, 1));
    }

    #[test]
    fn one_life_in_two_places_is_two_processes() {
        let mut book = Directory::new(10);
        assert!(!book.is_double(H, 1, &at(1)), "nothing is known of it");
        book.learn(H, Some(&at(1)), 1);
        assert!(
            !book.is_double(H, 1, &at(2)),
            "somebody else said where it is"
        );
        book.lives(H, 1, at(1));
        assert!(!book.is_double(H, 1, &at(1)));
        assert!(book.is_double(H, 1, &at(2)));
        assert!(!book.is_double(H, 2, &at(2)), "it was started elsewhere");
        book.lives(H, 2, at(2));
        assert!(book.is_double(H, 2, &at(1)));
    }

    #[test]
    fn it_has_room_for_so_many() {
        let mut book = Directory::new(1);
        book.learn(H, Some(&at(1)), 1);
        assert_eq!(book.learn(HostId(3), Some(&at(2)), 1), Learned::Full);
        for port in 2..100 {
            book.learn(H, Some(&at(port)), 1);
        }
        assert_eq!(book.get(H).unwrap().addresses.len(), MAX_ADDRESSES);
        book.forget(H);
        assert_eq!(book.learn(HostId(3), Some(&at(2)), 1), Learned::NewHost);
    }
}
