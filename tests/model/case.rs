//! What a run of the model is about: its requests, its moves, and which rule it leaves out.

use roundelay::placement::HostId;
use roundelay::record::{Stamp, Version};

use super::places::View;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Delete,
    /// Sets the time to live of the value it finds; its deadline passes at once.
    Expire,
    /// Without `history` a get may be asked again and again, so one of them stands for any number, one
    /// after the other.
    Get,
}

/// The rules that can be left out, one by one. All false is the design.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Rules {
    /// A source gives its snapshot before it has adopted the Moving roster.
    pub(crate) unsealed: bool,
    /// One source is enough.
    pub(crate) one_source: bool,
    /// Replicas that stay do not merge.
    pub(crate) staying_rest: bool,
    /// One complete replica of New is enough to settle.
    pub(crate) settles_early: bool,
    /// A replica that was complete for a move that was given up is so for the next.
    pub(crate) keeps_complete: bool,
    /// While moving, a quorum of Old is enough.
    pub(crate) old_only: bool,
    /// Answers and acknowledgements of different roster versions add up.
    pub(crate) adds_acks: bool,
    /// A get answers before its write-back.
    pub(crate) late_write_back: bool,
    /// A get writes back the value, not its expiry.
    pub(crate) value_only_back: bool,
    /// A host may forget the roster it had adopted.
    pub(crate) forgets_roster: bool,
    /// A store that was lost comes back empty under its old name.
    pub(crate) refills_in_place: bool,
    /// What lay in the store of a host that was away is visible before a source confirms it.
    pub(crate) ghost: bool,
    /// A put does not ask before it stamps.
    pub(crate) no_query: bool,
    /// A put that meets a newer roster asks and stamps again.
    pub(crate) stamps_again: bool,
    /// The second life of a host uses the start number of the first.
    pub(crate) same_start: bool,
    /// An expiry hides whatever value it lies beside.
    pub(crate) unbound: bool,
    /// An expiry is a new version of the value.
    pub(crate) rewrite: bool,
    /// An expiry asks one replica, not a quorum.
    pub(crate) expires_blindly: bool,
    /// A move brings values without their expiries.
    pub(crate) moves_values_only: bool,
    /// A replica drops a value when it expires by the replica's clock.
    pub(crate) drops_expired: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ops: Vec<Kind>,
    /// Begin with the first put done: A and C hold it, B missed it.
    pub(crate) written: bool,
    /// The moves that may be made, as `"+D-A"`: D joins, A is removed.
    pub(crate) moves: Vec<&'static str>,
    /// How many roster versions there may be.
    pub(crate) versions: usize,
    pub(crate) give_up: bool,
    /// How many stores may be lost for good.
    pub(crate) losses: u8,
    /// Remember which request was done before which, and look for an order that explains the answers.
    pub(crate) history: bool,
    pub(crate) rules: Rules,
}

impl Case {
    /// No move, no loss, the design.
    pub(crate) fn settled(name: &'static str, ops: &[Kind]) -> Case {
        Case {
            name,
            ops: ops.to_vec(),
            written: false,
            moves: vec![],
            versions: 1,
            give_up: false,
            losses: 0,
            history: false,
            rules: Rules::default(),
        }
    }

    /// One move that cannot be given up.
    pub(crate) fn moving(name: &'static str, ops: &[Kind], wish: &'static str) -> Case {
        Case {
            moves: vec![wish],
            versions: 3,
            ..Case::settled(name, ops)
        }
    }

    pub(crate) fn or_given_up(self) -> Case {
        Case {
            give_up: true,
            ..self
        }
    }

    pub(crate) fn one_loss(self) -> Case {
        Case { losses: 1, ..self }
    }

    pub(crate) fn by_history(self) -> Case {
        Case {
            history: true,
            ..self
        }
    }

    pub(crate) fn written(self) -> Case {
        Case {
            written: true,
            ..self
        }
    }

    pub(crate) fn with(mut self, rule: impl FnOnce(&mut Rules)) -> Case {
        rule(&mut self.rules);
        self
    }

    /// Clocks needed: each write lies one above what it saw.
    pub(crate) fn clocks(&self) -> u8 {
        let writes = self.ops.iter().filter(|kind| **kind != Kind::Get).count();
        u8::try_from(writes + usize::from(self.rules.stamps_again || self.rules.ghost)).unwrap()
    }

    /// What the coordinator of an operation stamps. All writes come from one host, the nth in its nth
    /// life, as if it had crashed in between: the start number alone tells them apart.
    pub(crate) fn version(&self, op: usize, clock: u8, start: u32) -> Version {
        let life = if self.rules.same_start {
            1
        } else {
            u32::try_from(op).unwrap() + 1
        };
        Version {
            stamp: Stamp(u64::from(clock)),
            delete: self.ops[op] == Kind::Delete,
            host: HostId(1),
            start: if start == 0 { life } else { start },
        }
    }

    /// One put alone hears nothing when it asks, so it need not ask: it may begin at any version, which is
    /// more than the protocol allows and saves states.
    pub(crate) fn sole_writer(&self) -> bool {
        let writes = self.ops.iter().filter(|kind| **kind != Kind::Get).count();
        writes == 1 && !self.rules.ghost
    }

    /// Whether an answer from these hosts is enough.
    pub(crate) fn quorum(&self, view: &View, hosts: u8) -> bool {
        if self.rules.old_only {
            view.quorum_of_old(hosts)
        } else {
            view.quorum(hosts)
        }
    }
}
