//! The cases of the agreement model, and its rules left out.

use super::paxos::{Electorate, Leaving, NOT_NEXT, STUCK, TWO_ROSTERS, Vote};

const ONE: &str = "-A+D"; // A B C -> B C D
const OTHER: &str = "-B+D"; // A B C -> A C D
const TWO: &str = "-A-B+D+E"; // A B C -> C D E

fn vote(name: &'static str) -> Vote {
    Vote {
        name,
        wishes: [ONE, OTHER],
        first: 1,
        last: 1,
        ballots: 2,
        electorate: Electorate::Old,
        leaving: Leaving::Never,
        deaths: 0,
        forgets: false,
        ignores_accepted: false,
        keeps_votes: false,
    }
}

/// Two hosts are replaced, and the hosts agree on how that ends.
fn ending(name: &'static str) -> Vote {
    Vote {
        wishes: [TWO, TWO],
        first: 2,
        last: 2,
        ..vote(name)
    }
}

fn two_die(name: &'static str) -> Vote {
    Vote {
        deaths: 2,
        ballots: 1,
        leaving: Leaving::Served,
        ..ending(name)
    }
}

fn leaver(name: &'static str, leaving: Leaving) -> Vote {
    Vote {
        wishes: [TWO, TWO],
        last: 2,
        ballots: 1,
        leaving,
        ..vote(name)
    }
}

pub(crate) fn small() -> Vec<Vote> {
    vec![
        vote("agreement: a move, a ballot each"),
        ending("agreement: its end, a ballot each"),
        two_die("agreement: both joiners die"),
        leaver("agreement: leavers stop when served", Leaving::Served),
    ]
}

pub(crate) fn large() -> Vec<Vote> {
    vec![
        Vote {
            ballots: 4,
            ..vote("agreement: a move, two ballots each")
        },
        Vote {
            ballots: 4,
            ..ending("agreement: its end, two ballots each")
        },
        Vote {
            last: 2,
            ..vote("agreement: a move and its end, a ballot each")
        },
    ]
}

/// The rules left out, and what must break.
pub(crate) fn mutants() -> Vec<(Vote, u8)> {
    let early = leaver("leavers stop at once", Leaving::AtOnce);
    let both = Vote {
        electorate: Electorate::Both,
        ..two_die("joiners have a say")
    };
    let either = Vote {
        electorate: Electorate::Either,
        ..ending("either side may decide")
    };
    let forgets = Vote {
        forgets: true,
        ..vote("an acceptor forgets")
    };
    let ignores = Vote {
        ignores_accepted: true,
        ..vote("accepted rosters are ignored")
    };
    let stale = Vote {
        last: 2,
        keeps_votes: true,
        ..vote("votes outlive their version")
    };
    vec![
        (early, STUCK),
        (both, STUCK),
        (either, TWO_ROSTERS),
        (forgets, TWO_ROSTERS),
        (ignores, TWO_ROSTERS),
        (stale, NOT_NEXT),
    ]
}
