//! Many requests to one host in one message: each is answered with its number, and if the host ends
//! before, that is told too.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::collections::BTreeMap;

use roundelay::actor::{Asks, Told};
use roundelay::message::{KeyOp, Options, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, Time};
use roundelay::sim::{NetworkConfig, RingPlan, Stage, paused};
use tokio::sync::mpsc;

fn request(number: u64, key: &'static str, op: KeyOp) -> (u64, Request, Options) {
    let key = Key::new(key).unwrap();
    (number, Request::One(key, op), Options::default())
}

fn put(value: &'static str) -> KeyOp {
    bytes::Bytes::from_static(value.as_bytes()).into()
}

#[test]
fn many_requests_in_one_message_are_answered_by_number() {
    paused().block_on(async {
        let stage = Stage::ring(&RingPlan::new(3, 1), NetworkConfig::default()).unwrap();
        stage.run_until(Time::from_ms(2_000)).await;
        let (line, mut told) = mpsc::unbounded_channel();
        let asks = vec![
            request(7, "cat", put("meow")),
            request(8, "cow", KeyOp::Get),
            request(9, "dog", put("woof")),
        ];
        let host = HostId(2);
        stage.door_for_many().do_send(Asks { host, asks, line });
        let mut answers = BTreeMap::new();
        while let Some(Told { number, reply }) = told.recv().await {
            answers.insert(number, reply.unwrap().unwrap());
        }
        assert_eq!(answers.keys().copied().collect::<Vec<u64>>(), [7, 8, 9]);
        assert!(matches!(answers[&7], Outcome::Stored(_)));
        assert_eq!(answers[&8], Outcome::Value(None));
        assert!(matches!(answers[&9], Outcome::Stored(_)));
        stage.stop();
    });
}

#[test]
fn a_host_that_is_gone_is_told_for_each_request() {
    paused().block_on(async {
        let mut stage = Stage::ring(&RingPlan::new(3, 1), NetworkConfig::default()).unwrap();
        stage.crash(HostId(2));
        let (line, mut told) = mpsc::unbounded_channel();
        let asks = vec![
            request(0, "cat", put("meow")),
            request(1, "cat", KeyOp::Get),
        ];
        let host = HostId(2);
        stage.door_for_many().do_send(Asks { host, asks, line });
        for number in [0, 1] {
            let answer = told.recv().await.unwrap();
            assert_eq!((answer.number, answer.reply), (number, None));
        }
        assert!(told.recv().await.is_none());
        stage.stop();
    });
}
