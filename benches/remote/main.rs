//! What a link costs: two processes on loopback, beside a bare TCP connection between the same two.
//!
//! ```console
//! $ cargo bench --bench remote
//! ```
//!
//! (`-- --quick` for a look: a tenth of everything, one round.)
//!
//! The bench starts itself once more as the peer. Rounds of both sides alternate, and medians are printed: on
//! a machine that does other things as well, look at the ratio.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod bare;
mod measure;
mod side;

use std::io::BufRead;
use std::process::{Child, Command, ExitCode, Stdio};

use actix::System;
use roundelay::remote::Address;

use measure::Bench;

/// How often each thing is measured; an odd number has a middle.
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--peer-of") {
        let parent = args[at + 1].parse().expect("the address of the parent");
        System::new().block_on(side::peer(parent));
        return ExitCode::SUCCESS;
    }
    if !args.iter().any(|flag| flag == "--bench") {
        println!("remote: nothing measured; figures come from `cargo bench --bench remote`");
        return ExitCode::SUCCESS;
    }
    System::new().block_on(async {
        let mut bench = Bench::new().await;
        let quick = args.iter().any(|flag| flag == "--quick");
        bench.less = if quick { 10 } else { 1 };
        let rounds = if quick { 1 } else { ROUNDS };
        let mut child = Peer::start(&bench.address());
        bench.meets(&child.link, child.bare.clone()).await;
        table(&mut bench, child.child.id(), rounds).await;
        child.child.kill().expect("the peer runs");
        child.child.wait().expect("the peer ends");
    });
    ExitCode::SUCCESS
}

/// The other process.
struct Peer {
    child: Child,
    link: Address,
    bare: String,
}

impl Peer {
    fn start(parent: &Address) -> Peer {
        let me = std::env::current_exe().expect("a program knows where it is");
        let mut child = Command::new(me)
            .args(["--peer-of", parent.as_str()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program can start itself");
        let out = child.stdout.take().expect("it was piped");
        let mut lines = std::io::BufReader::new(out).lines();
        let mut line = || {
            lines
                .next()
                .expect("the peer says where it is")
                .expect("as text")
        };
        Peer {
            link: line().parse().expect("an address"),
            bare: line(),
            child,
        }
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

async fn table(bench: &mut Bench, child: u32, rounds: usize) {
    println!(
        "{:<44} {:>10} {:>10} {:>7}   to reach",
        "", "link", "bare TCP", "ratio"
    );
    let mut rates = Vec::new();
    for _ in 0..rounds {
        rates.push(bench.small_messages().await / 1e6);
    }
    println!(
        "{:<44} {:>10.2} {:>10} {:>7}   2.00",
        "small messages, million/s",
        median(rates),
        "",
        ""
    );
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(bench.ping_pong().await * 1e6);
        bare.push(bench.bare_ping_pong().await * 1e6);
    }
    let (ours, bare) = (median(ours), median(bare));
    let what = "there and back, microseconds";
    println!(
        "{what:<44} {ours:>10.1} {bare:>10.1} {:>7.2}   1.30 at most",
        ours / bare
    );
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(bench.large_values().await / 1e6);
        bare.push(bench.bare_large().await / 1e6);
    }
    let (ours, bare) = (median(ours), median(bare));
    let what = "values of 1 MiB, MB/s";
    println!(
        "{what:<44} {ours:>10.0} {bare:>10.0} {:>7.2}   0.70, or 800 MB/s",
        ours / bare
    );
    let grown = bench.stopped_receiver(child).await;
    println!(
        "{:<44} {grown:>10.1} {:>10} {:>7}   16 at most",
        "receiver stopped, MiB more at the sender", "", ""
    );
}
