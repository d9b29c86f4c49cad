//! Whom does h1 ask, of itself, h2 and h3?

use super::*;
use crate::keep::wanted::{H2, H3, One};
use crate::message::Refusal;
use crate::message::{Consistency, KeyOp, Options};
use crate::record::{Mark, Summary};

const H1: HostId = HostId(1);

/// How many others are asked when a key is read, as two of three must answer.
fn others_asked(one: &mut One, options: Options) -> usize {
    one.asks_so("cat", KeyOp::Get, options);
    let sent = one.sent();
    let asks = |(_, message): &(HostId, KeepMessage)| matches!(message, KeepMessage::Ask { .. });
    assert!(sent.iter().all(asks), "{sent:?}");
    sent.len()
}

#[test]
fn every_sixteenth_question_goes_to_all() {
    let mut one = One::of_three();
    let asked: Vec<usize> = (1..=32)
        .map(|_| others_asked(&mut one, Options::default()))
        .collect();
    for (n, asked) in (1..=32).zip(asked) {
        assert_eq!(asked, if n % 16 == 0 { 2 } else { 1 }, "question {n}");
    }
}

#[test]
fn a_request_that_could_not_be_asked_again_asks_all_at_once() {
    let mut one = One::of_three();
    let retry = one.keeper.config.retry;
    let asked = |one: &mut One, deadline| {
        let deadline = Some(deadline);
        let options = Options {
            deadline,
            ..Options::default()
        };
        others_asked(one, options)
    };
    assert_eq!(asked(&mut one, 2 * retry), 1);
    assert_eq!(asked(&mut one, 2 * retry - Duration::from_millis(1)), 2);
}

#[test]
fn an_own_store_that_is_slow_is_not_asked_first() {
    let mut one = One::of_three();
    let ms = Duration::from_millis;
    for (host, took) in [(H1, 1), (H2, 2), (H3, 3)] {
        one.keeper.ops.speeds.took(Time::ZERO, host, ms(took));
    }
    assert_eq!(others_asked(&mut one, Options::default()), 1);
    // Ten milliseconds are nobody's fault: only what lasts longer, and four times as long as with others.
    one.keeper.ops.speeds.took(Time::ZERO, H1, ms(60));
    assert_eq!(others_asked(&mut one, Options::default()), 1);
    one.keeper.ops.speeds.took(Time::ZERO, H1, ms(60));
    assert_eq!(others_asked(&mut one, Options::default()), 2);
    let mut one = One::of_three();
    one.keeper.health.unwell = true;
    assert_eq!(others_asked(&mut one, Options::default()), 2);
}

/// h2 lives by an earlier roster.
fn refuse(one: &mut One, (req, at): (ReqId, RosterVersion)) {
    let answer = KeepMessage::Answer {
        req,
        at,
        mark: Mark::NONE,
        result: Err(Refusal::Behind(RosterVersion::NONE)),
    };
    one.hears(H2, answer);
}

/// Which questions were put to h2.
fn asked_of_h2(sent: &[(HostId, KeepMessage)]) -> Vec<(ReqId, RosterVersion)> {
    let mut asked = Vec::new();
    for (to, message) in sent {
        if let (H2, KeepMessage::Ask { req, at, .. }) = (*to, message) {
            asked.push((*req, *at));
        }
    }
    asked
}

fn rosters(sent: &[(HostId, KeepMessage)]) -> usize {
    let is_roster = |message: &KeepMessage| matches!(message, KeepMessage::RosterIs(_));
    let sent = sent.iter().filter(|(_, message)| is_roster(message));
    sent.count()
}

#[test]
fn one_who_has_slept_is_sent_the_roster_once_and_each_question_it_refused_once() {
    let mut one = One::of_three();
    for key in ["cat", "dog", "eel"] {
        let consistency = Some(Consistency::All);
        let options = Options {
            consistency,
            ..Options::default()
        };
        one.asks_so(key, KeyOp::Get, options);
    }
    let asked = asked_of_h2(&one.sent());
    assert_eq!(asked.len(), 3);
    // The network brings every refusal twice.
    for question in asked.iter().chain(&asked) {
        refuse(&mut one, *question);
    }
    let sent = one.sent();
    assert_eq!((rosters(&sent), sent.len()), (1, 1), "{sent:?}");
    let version = asked[0].1;
    let have = || KeepMessage::RosterHave { version };
    one.hears(H2, have());
    let sent = one.sent();
    assert_eq!(
        (asked_of_h2(&sent), sent.len()),
        (asked.clone(), 3),
        "{sent:?}"
    );
    one.hears(H2, have());
    assert_eq!(one.sent(), Vec::new(), "it was asked already");
    // A refusal that comes late, from before: it is told again, and that one question is asked again.
    refuse(&mut one, asked[1]);
    assert_eq!(rosters(&one.sent()), 1);
    one.hears(H2, have());
    assert_eq!(one.sent().len(), 1);
}

#[test]
fn what_was_lost_with_a_link_is_asked_again_once_and_a_write_may_be_stored_then() {
    let mut one = One::of_three();
    let consistency = Some(Consistency::All);
    let options = Options {
        consistency,
        ..Options::default()
    };
    one.asks_so("cat", KeyOp::Get, options);
    let asked = asked_of_h2(&one.sent());
    for again in [&asked[..], &[]] {
        one.call(|keeper, cx| keeper.host_down(cx, H2));
        one.call(|keeper, cx| keeper.host_up(cx, H2));
        assert_eq!(asked_of_h2(&one.sent()), again, "once in a while");
    }
    let mut one = One::of_three();
    one.asks_so(
        "cat",
        KeyOp::Put(crate::record::Body::new("1"), None),
        Options::default(),
    );
    let (req, at) = asked_of_h2(&one.sent())[0];
    let result = Ok(crate::message::Answered::Versions(Summary::default()));
    let mark = Mark::NONE;
    one.hears(
        H2,
        KeepMessage::Answer {
            req,
            at,
            mark,
            result,
        },
    );
    one.sent();
    one.call(|keeper, cx| keeper.host_down(cx, H2));
    one.call(|keeper, cx| keeper.host_up(cx, H2));
    let written = one.sent();
    let to_h2 = |(to, message): &(HostId, KeepMessage)| {
        *to == H2 && matches!(message, KeepMessage::Write { .. })
    };
    assert_eq!(written.iter().filter(|sent| to_h2(sent)).count(), 1);
    let open = one.keeper.open.get(&req).unwrap();
    assert!(matches!(open.phase, Phase::Write { unsure: true, .. }));
}
