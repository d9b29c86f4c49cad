//! Which rule was broken, and by what?

use std::fmt;

use crate::record::{Key, Time};

/// The rules a run is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A version belongs to one write, and a write has one version; nothing else makes versions.
    OneVersionOneWrite,
    /// What failed saying that nothing was stored was stored nowhere.
    NothingMeansNothing,
    /// A write that began after another operation had ended is newer than what that one wrote or saw.
    StampedAbove,
    /// What operations saw is what one register would have shown.
    OneRegister,
    /// What was acknowledged is not gone.
    NothingLost,
    /// A deleted key stays deleted.
    NoResurrection,
    /// A value is absent from its deadline on and not before, by the clock of the host that was asked.
    TimeToLive,
    /// An acknowledged write is on a quorum of stores of one roster version.
    OnAQuorum,
    /// After faults end, replicas hold the same.
    ReplicasAgree,
    /// A version of the roster is one roster.
    OneRoster,
    /// A version of the roster follows its predecessor: a move begins, or ends one way or the other.
    OneAfterTheOther,
    /// Whoever votes remembers what it promised and accepted.
    VotesRemembered,
    /// A stamp lies within what its host reserved on disk in that life, above those of earlier lives.
    StampsReserved,
    /// A host stores nothing of a span that its roster does not give it.
    OwnSpans,
    /// A floor rises only once every replica has the fence on its disk.
    FencedBelowFloors,
    /// A copy goes only once everyone has it who holds its span now.
    ReplacedBeforeDropped,
    /// After faults end, all agree, each id has one owner, and every `next.prev` is itself.
    RingSettles,
    /// Whoever could reach its quorums is served, and after faults end everyone is.
    Serves,
    /// No host breaks its own rules.
    HostsHold,
}

impl Rule {
    /// The rule in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Rule::OneVersionOneWrite => {
                "a version belongs to one write, and a write has one version"
            }
            Rule::NothingMeansNothing => {
                "what failed saying that nothing was stored is stored nowhere"
            }
            Rule::StampedAbove => {
                "a write that began after another operation had ended is newer than what that one saw"
            }
            Rule::OneRegister => "no get is older than what was read before it began",
            Rule::NothingLost => "what was acknowledged is not gone",
            Rule::NoResurrection => "a deleted key stays deleted",
            Rule::TimeToLive => {
                "a value lives until its deadline, by the clock of the host that was asked"
            }
            Rule::OnAQuorum => {
                "an acknowledged write is on a quorum of stores of one roster version"
            }
            Rule::ReplicasAgree => "after faults end, replicas come to hold the same",
            Rule::OneRoster => "a version of the roster is one roster",
            Rule::OneAfterTheOther => "a version of the roster follows its predecessor",
            Rule::VotesRemembered => "whoever votes remembers what it promised and accepted",
            Rule::StampsReserved => {
                "a stamp lies within what its host reserved in that life, above those of earlier lives"
            }
            Rule::OwnSpans => "a host stores nothing of a span that its roster does not give it",
            Rule::FencedBelowFloors => {
                "a floor rises only once every replica has the fence on its disk"
            }
            Rule::ReplacedBeforeDropped => {
                "a copy goes only once everyone has it who holds its span now"
            }
            Rule::RingSettles => {
                "after faults end, all agree, each id has one owner, and every next.prev is itself"
            }
            Rule::Serves => "whoever can reach its quorums is served",
            Rule::HostsHold => "every host keeps its own rules",
        }
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// When it showed.
    pub at: Time,
    /// On which key, if on one.
    pub key: Option<Key>,
    /// What happened, in words.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broken: {}", self.rule.words())?;
        write!(f, "at {} s", self.at)?;
        if let Some(key) = &self.key {
            write!(f, ", key {key}")?;
        }
        write!(f, ": {}", self.words)
    }
}
