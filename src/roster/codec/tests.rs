//! What was written is read back; what is not a roster is refused, with the reason.

use proptest::prelude::*;

use super::*;
use crate::placement::{Member, PlacementError, Zone};
use crate::roster::Change;

fn member() -> impl Strategy<Value = (HostId, Member)> {
    let zone = prop::option::of("[a-z]{1,5}".prop_map(|name| Zone::new(&name).unwrap()));
    let tokens = prop::collection::btree_set(any::<[u8; 20]>().prop_map(Id::from_bytes), 1..5);
    (any::<u64>(), zone, 1u32..9, tokens).prop_map(|(host, zone, weight, tokens)| {
        (
            HostId(host),
            Member {
                zone,
                weight,
                tokens: tokens.into_iter().collect(),
            },
        )
    })
}

prop_compose! {
    fn roster()(
        members in prop::collection::btree_map(any::<u64>(), member(), 1..6),
        ring in any::<u64>(), version in 1..MAX_ROSTER_VERSION, by in any::<u64>(), replicas in 1..=MAX_REPLICAS,
        joiner in prop::option::of(member()), gone in any::<prop::sample::Index>(), r in 1..=MAX_REPLICAS,
    ) -> Roster {
        let members: Members = members.into_values().collect();
        let leaver = *members.keys().nth(gone.index(members.len())).unwrap();
        let settled = Roster::settled(RingId(ring), members, replicas).unwrap();
        let settled = Roster { version: RosterVersion(version), by: HostId(by), ..settled };
        let Some((host, member)) = joiner else { return settled };
        let changes = [Change::Join(host, member), Change::Remove(leaver), Change::Replicas(r)];
        let before = Roster { version: RosterVersion(version - 1), ..settled.clone() };
        before.moved(HostId(by), &changes).unwrap_or(settled)
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(roster in roster()) {
        let bytes = roster.encode();
        let read = Roster::decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&roster));
        prop_assert_eq!(read.unwrap().encode(), bytes, "equal rosters have equal bytes");
    }

    #[test]
    fn damaged_bytes_are_an_error_or_a_sound_roster(
        roster in roster(), at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = roster.encode().to_vec();
        let cut = cut.index(bytes.len());
        let place = at.index(bytes.len());
        let _ = Roster::decode(&bytes[..cut]);
        bytes[place] ^= flip;
        if let Ok(read) = Roster::decode(&bytes) {
            prop_assert_eq!(Roster::decode(&read.encode()), Ok(read));
        }
    }

    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Roster::decode(&bytes);
    }
}

fn written(change: impl FnOnce(&mut RosterPb)) -> Result<Roster, RosterCodecError> {
    let member = Member::new([Id::from_u64(7)]);
    let members = write_members([(&HostId(1), &member)]);
    let mut roster = RosterPb {
        ring: 1,
        version: 2,
        by: 1,
        replicas: 3,
        members,
        new: None,
        ..RosterPb::default()
    };
    change(&mut roster);
    Roster::decode(&roster.encode_to_vec())
}

#[test]
fn everything_is_checked() {
    use RosterCodecError as E;
    let at_seven = Member::new([Id::from_u64(7)]);
    let delta = |gone, come| {
        Some(DeltaPb {
            replicas: 1,
            gone,
            come,
        })
    };
    assert!(written(|_| ()).is_ok());
    assert_eq!(written(|r| r.version = 0), Err(E::Version(0)));
    assert_eq!(written(|r| r.replicas = 0), Err(E::Replicas(0)));
    assert_eq!(written(|r| r.replicas = 257), Err(E::Replicas(257)));
    assert_eq!(written(|r| r.members = Bytes::new()), Err(E::NoHosts));
    assert_eq!(
        written(|r| r.new = delta(vec![1], Bytes::new())),
        Err(E::NoHosts)
    );
    assert_eq!(
        written(|r| r.new = delta(vec![2], Bytes::new())),
        Err(E::Unknown(HostId(2)))
    );
    let twice = write_members([(&HostId(1), &at_seven), (&HostId(1), &at_seven)]);
    assert_eq!(
        written(|r| r.members = twice),
        Err(PlacementError::ListedTwice(HostId(1)).into())
    );
    let clash = write_members([(&HostId(1), &at_seven), (&HostId(2), &at_seven)]);
    assert!(matches!(
        written(|r| r.members = clash),
        Err(E::Placement(_))
    ));
    let light = write_members([(&HostId(1), &at_seven.weighing(0))]);
    assert!(matches!(
        written(|r| r.members = light),
        Err(E::Placement(_))
    ));
    assert_eq!(
        Roster::decode(&vec![0; MAX_ROSTER_BYTES + 1]),
        Err(E::TooLarge(MAX_ROSTER_BYTES + 1))
    );
}

#[test]
fn tokens_and_zones_are_checked() {
    use RosterCodecError as E;
    let one = |tokens: usize, zone: Option<&str>| {
        let zone = zone.map(str::to_owned);
        let host = MemberPb {
            host: 1,
            zone,
            weight: 1,
            tokens: vec![0; tokens].into(),
        };
        written(|r| r.members = host.encode_length_delimited_to_vec().into())
    };
    assert_eq!(one(0, None), Err(E::Tokens(HostId(1), 0)));
    assert_eq!(one(21, None), Err(E::Tokens(HostId(1), 21)));
    let many = (MAX_TOKENS + 1) * Id::BYTES;
    assert_eq!(one(many, None), Err(E::Tokens(HostId(1), many)));
    assert!(matches!(one(20, Some("a b")), Err(E::Zone(HostId(1), _))));
    assert!(one(20, Some("ab")).is_ok());
}

#[test]
fn a_roster_of_ten_thousand_hosts_fits() {
    let host = |n: u64| {
        (
            HostId(n),
            Member::new((0..16).map(|i| Id::of(format!("{n}#{i}").as_bytes()))),
        )
    };
    let roster = Roster::settled(RingId(1), (1..=10_000).map(host).collect(), 3).unwrap();
    let bytes = roster.encode();
    assert!(bytes.len() < MAX_ROSTER_BYTES / 2, "{} bytes", bytes.len());
    assert_eq!(Roster::decode(&bytes), Ok(roster));
}
