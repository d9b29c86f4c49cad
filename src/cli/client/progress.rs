//! What somebody sees who waits for a change of the ring: how far it is, in one line that is gone when it is done.
//!
//! ```text
//! ⠙ 12s v7 moving, waits for h3, which is down, about 40 s left, 5 of 12 pieces are here, 31 spans lack a copy
//! ```
//!
//! It goes to stderr, and only if that is a terminal: a program that reads us sees the answer alone.

use std::fmt::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use redis::{Cmd, Value};

use super::node::Nodes;
use super::standing::Standing;
use super::{Failed, Reach};

/// What is answered within this time needs no line.
const SOON: Duration = Duration::from_millis(700);

/// How often the ring is asked how far it is.
const ASK: Duration = Duration::from_millis(500);

/// How often the line moves, so that it is seen to be alive.
const TICK: Duration = Duration::from_millis(120);

/// Asks, and waits for the answer as long as it takes; meanwhile a line says how far the ring is.
pub(super) fn waited(reach: &Reach, quiet: bool, command: &Cmd) -> Result<Value, Failed> {
    let nodes = Nodes::of(reach)?.patient();
    let target = ProgressDrawTarget::stderr();
    if quiet || target.is_hidden() {
        return nodes.ask(command);
    }
    let looks = Nodes::of(reach)?;
    thread::scope(|scope| {
        let (done, ended) = mpsc::channel::<()>();
        scope.spawn(move || show(target, &looks, &ended));
        let answer = nodes.ask(command);
        drop(done);
        answer
    })
}

/// Shows the line until the other end of the channel is gone.
fn show(target: ProgressDrawTarget, nodes: &Nodes, ended: &mpsc::Receiver<()>) {
    let goes_on = |pause| ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
    if !goes_on(SOON) {
        return;
    }
    let line = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        line.set_style(style);
    }
    line.enable_steady_tick(TICK);
    loop {
        // Another host may answer the next time; whoever waits for the answer is told what is wrong.
        let said = match Standing::seen(nodes) {
            Ok(standing) => text(&standing),
            Err(_) => "the host does not say how far it is".to_owned(),
        };
        line.set_message(said);
        if !goes_on(ASK) {
            break;
        }
    }
    line.finish_and_clear();
}

/// How far it is, in a line: whom it waits for first, since a narrow terminal cuts the end off.
fn text(standing: &Standing) -> String {
    let version = &standing.version;
    let mut text = match standing.moving {
        true => format!("{version} moving"),
        false => format!("{version} settled"),
    };
    let mut down = standing.down.clone();
    if let Some(host) = &standing.waiting_for {
        let _ = write!(text, ", waits for {host}");
        if down.contains(host) {
            text += ", which is down";
            down.retain(|other| other != host);
        }
    }
    match down.as_slice() {
        [] => {}
        [host] => {
            let _ = write!(text, ", {host} is down");
        }
        hosts => {
            let _ = write!(text, ", {} are down", hosts.join(" "));
        }
    }
    if let Some(seconds) = standing.seconds_left {
        let _ = write!(text, ", about {seconds} s left");
    }
    if standing.moving && !standing.moved.is_empty() {
        let _ = write!(text, ", {} pieces are here", standing.moved);
    }
    match standing.lacking {
        0 => {}
        1 => text += ", 1 span lacks a copy",
        n => {
            let _ = write!(text, ", {n} spans lack a copy");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_waited_for() {
        let settled = Standing {
            version: "v8".into(),
            ..Standing::default()
        };
        assert_eq!(text(&settled), "v8 settled");
        let moving = Standing {
            moving: true,
            moved: "5 of 12".into(),
            lacking: 31,
            waiting_for: Some("h3".into()),
            down: vec!["h3".into(), "h4".into()],
            seconds_left: Some(40),
            ..settled
        };
        assert_eq!(
            text(&moving),
            "v8 moving, waits for h3, which is down, h4 is down, about 40 s left, 5 of 12 pieces are here, 31 spans lack a copy"
        );
    }
}
