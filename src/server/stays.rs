//! What was said at the start, and is not so: a ring keeps what it knows of a host.
//!
//! ```text
//! roundelay serve --data-dir d --tokens 4       h1 comes in with 4 tokens
//! roundelay serve --data-dir d --tokens 16      h1 has 4: the roster says so, and only the ring changes that
//! ```
//!
//! *Hold this true*: nothing is changed here; whoever gave the setting is told.

use super::settings::Settings;
use super::start::Server;
use crate::placement::HostId;
use crate::roster::Roster;

/// A setting that has no effect, since the ring knows another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// The setting.
    pub name: &'static str,
    /// Which value stays in force, and how to change it.
    pub why: String,
}

impl Server {
    /// Which settings have no effect, since the ring that this host comes from knows other values. Defaults that
    /// nobody gave may be among them.
    #[must_use]
    pub fn stays(&self) -> Vec<Stays> {
        let roster = self.shell.borrow().host().roster().cloned();
        let stays = roster.map(|roster| stays(&roster, self.dht.host(), &self.settings));
        stays.unwrap_or_default()
    }
}

fn stays(roster: &Roster, me: HostId, settings: &Settings) -> Vec<Stays> {
    let now = roster.new();
    // Who is not in it any more comes in with what it is told.
    let Some(member) = now.placement.member(me) else {
        return Vec::new();
    };
    let zone = |zone: &Option<_>| zone.as_ref().map_or("none".into(), ToString::to_string);
    let anew = "let it leave (roundelay leave) and start it again with this setting";
    let member_of = |what: &str| format!("tell the ring (roundelay member {me} {what})");
    let mut all = Vec::new();
    let mut other = |name, wanted: String, has: String, how: &str| {
        if wanted != has {
            let why = format!(
                "--{name} {wanted} has no effect: the ring goes by {has}; to change it, {how}"
            );
            all.push(Stays { name, why });
        }
    };
    let (wanted, has) = (settings.tokens.to_string(), member.tokens.len().to_string());
    other("tokens", wanted, has, anew);
    let (wanted, has) = (settings.weight.to_string(), member.weight.to_string());
    let how = member_of(&format!("--weight {wanted}"));
    other("weight", wanted, has, &how);
    let how = match &settings.zone {
        Some(zone) => member_of(&format!("--zone {zone}")),
        None => member_of("--no-zone"),
    };
    other("zone", zone(&settings.zone), zone(&member.zone), &how);
    if let Some(wanted) = settings.replicas {
        let how = format!("tell the ring (roundelay replicas {wanted})");
        other(
            "replicas",
            wanted.to_string(),
            now.replicas.to_string(),
            &how,
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Id;
    use crate::placement::{Member, Zone};
    use crate::roster::RingId;

    #[test]
    fn what_the_ring_knows_stays_in_force_and_the_way_to_change_it_is_said() {
        let me = HostId(1);
        let member = Member::new([Id::ZERO]).in_zone(Zone::new("north").unwrap());
        let roster = Roster::found(RingId(7), me, member, 3).unwrap();
        let mut settings = Settings {
            tokens: 1,
            zone: Some(Zone::new("north").unwrap()),
            ..Settings::default()
        };
        assert_eq!(stays(&roster, me, &settings), []);
        settings.tokens = 16;
        settings.weight = 2;
        settings.zone = None;
        settings.replicas = Some(2);
        let all = stays(&roster, me, &settings);
        let names: Vec<&str> = all.iter().map(|stays| stays.name).collect();
        assert_eq!(names, ["tokens", "weight", "zone", "replicas"]);
        assert!(
            all[0]
                .why
                .contains("the ring goes by 1; to change it, let it leave")
        );
        assert!(
            all[2]
                .why
                .contains("--zone none has no effect: the ring goes by north")
        );
        assert!(all[1].why.contains("(roundelay member h1 --weight 2)"));
        assert!(all[2].why.contains("(roundelay member h1 --no-zone)"));
        assert!(all[3].why.contains("roundelay replicas 2"));
        assert_eq!(stays(&roster, HostId(2), &settings), []);
    }
}
