//! Who is in the ring: the roster, and what is known of each host besides.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, syntax};
use super::words::{count_or_nil, map, or_nil, text, texts};
use super::{Answer, Plan, unexpected};
use crate::message::{Options, Outcome, PerHost, Request, Status, Stored};
use crate::placement::HostId;
use crate::record::WallMs;
use crate::roster::{Phase, Roster};

/// The roster, and what this host knows besides of those who are in it; or what each of them says.
pub(super) fn who_is_in(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let status = match args.option().as_deref() {
        None => Request::Status,
        Some("LOAD") => Request::StatusOfAll,
        Some(_) => return Err(syntax()),
    };
    args.end()?;
    let (me, address) = (cx.door.host, Rc::clone(&cx.door.address));
    let told = move |answers: Vec<Answer>, _: WallMs| {
        let mut answers = answers.into_iter();
        let roster = match answers.next() {
            Some(Ok(Outcome::Roster(Some(roster)))) => roster,
            Some(Ok(Outcome::Roster(None))) | None => {
                return Value::error("LOADING this host is in no ring with a roster");
            }
            Some(Ok(other)) => return unexpected(&other),
            Some(Err(told)) => return told,
        };
        let known = match answers.next() {
            Some(Ok(Outcome::Status(status))) => Known::here(*status),
            Some(Ok(Outcome::StatusOfAll(all))) => Known::all(me, all),
            Some(Ok(other)) => return unexpected(&other),
            Some(Err(told)) => return told,
            None => Known::default(),
        };
        ring_of(&roster, &known, &*address)
    };
    let both = vec![Request::Roster, status];
    Ok(Plan::Many(both, Options::default(), Box::new(told)))
}

/// What is known of hosts that does not stand in the roster.
#[derive(Default)]
struct Known {
    /// Who is taken for down.
    down: Vec<HostId>,
    /// What each stores, if each was asked; nothing of one that did not say.
    stored: Option<BTreeMap<HostId, Stored>>,
}

impl Known {
    /// By one host.
    fn here(status: Status) -> Known {
        let (down, stored) = (status.down, None);
        Known { down, stored }
    }

    /// By all: who is down, as the one that was asked takes it; what is stored, as each says.
    fn all(me: HostId, all: PerHost<Status>) -> Known {
        let mut known = Known::default();
        let mut stored = BTreeMap::new();
        for (host, status) in all {
            let Ok(status) = status else { continue };
            stored.extend(status.stored.map(|stored| (host, stored)));
            if host == me {
                known.down = status.down;
            }
        }
        known.stored = Some(stored);
        known
    }

    /// The columns of a host, if everybody was asked.
    fn load(&self, host: HostId) -> Vec<(Value, Value)> {
        let Some(all) = &self.stored else {
            return Vec::new();
        };
        let stored = all.get(&host);
        let columns = [
            ("keys", stored.map(|stored| stored.keys)),
            ("bytes", stored.map(|stored| stored.bytes)),
            ("max_bytes", stored.and_then(|stored| stored.limit)),
        ];
        let named = columns.map(|(name, count)| (Value::bulk(name), count_or_nil(count)));
        named.into()
    }
}

fn ring_of(roster: &Roster, known: &Known, address: &dyn Fn(HostId) -> Option<String>) -> Value {
    let state = match roster.phase {
        Phase::Settled(_) => "settled",
        Phase::Moving { .. } => "moving",
    };
    let placement = &roster.new().placement;
    let hosts = placement.members().iter().map(|(host, member)| {
        let state = match (roster.old().has(*host), roster.notes.drain == Some(*host)) {
            (false, _) => "joining",
            (true, true) => "may stop",
            (true, false) => "in",
        };
        let is_down = known.down.contains(host);
        let share = format!("{:.2}%", 100.0 * placement.share(*host));
        let columns = [
            ("host", text(host)),
            ("address", or_nil(address(*host))),
            ("state", text(state)),
            ("seems", text(if is_down { "down" } else { "up" })),
            ("zone", or_nil(member.zone.as_ref())),
            ("weight", Value::count(member.weight)),
            ("tokens", Value::count(member.tokens.len())),
            ("share", text(share)),
        ];
        let named = columns.map(|(name, value)| (Value::bulk(name), value));
        Value::Map(named.into_iter().chain(known.load(*host)).collect())
    });
    let going = roster
        .old()
        .placement
        .hosts()
        .filter(|host| !roster.new().has(*host));
    map([
        ("ring", text(format!("{:x}", roster.ring.0))),
        ("version", text(roster.version)),
        ("state", text(state)),
        ("replicas", Value::count(roster.new().replicas)),
        ("hosts", Value::Array(hosts.collect())),
        ("going", texts(going)),
        ("losses", texts(&roster.notes.losses)),
    ])
}
