//! Stage two: a DHT of actors in one process. It grows, is used, loses hosts and loses no data.
//!
//! ```console
//! $ cargo run --example sim_dht
//! $ cargo run --example sim_dht -- --nodes 20 --kill 5
//! $ cargo run --release --example sim_dht -- --nodes 10000 --keys 100000 --kill 1000 --at-once
//! ```
//!
//! All of it happens in virtual time, under tokio's paused clock: the same seed gives the same output.

#[macro_use]
mod show;
mod options;
mod play;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use roundelay::actor::Input;
use roundelay::placement::HostId;
use roundelay::record::{Key, Time};
use roundelay::sim::{NetworkConfig, Stage, Traffic, paused};
use roundelay::store::MemoryStore;

use options::{Options, Sight};
use play::{Play, Round};

const SNARK: &str = include_str!("snark.txt");

fn main() -> ExitCode {
    env_logger::init();
    let options = Options::parse();
    let keys = match options.check().and_then(|()| keys(&options)) {
        Ok(keys) => keys,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match paused().block_on(story(&options, keys)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `line 1`, `line 2` … and the lines themselves, from the beginning again if there are too few.
fn keys(options: &Options) -> Result<Vec<(Key, Bytes)>, String> {
    let text = match &options.text {
        None => SNARK.to_owned(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            format!(
                "--text {}: {error}; name a readable text file",
                path.display()
            )
        })?,
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return Err("the text has no line that is not empty; name another one".into());
    }
    let count = options.keys.map_or(lines.len(), |keys| {
        usize::try_from(keys).unwrap_or(usize::MAX)
    });
    let size = usize::try_from(options.value_size).unwrap_or(0);
    let pairs = lines
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(i, line)| {
            let key = Key::new(format!("line {}", i + 1)).map_err(|error| error.to_string())?;
            let mut value = line.as_bytes().to_vec();
            value.resize(value.len().max(size), b' ');
            Ok((key, Bytes::from(value)))
        });
    pairs.collect()
}

async fn story(options: &Options, keys: Vec<(Key, Bytes)>) -> Result<()> {
    let mut play = grow(options, keys).await?;
    store(&play).await?;
    if options.nodes <= play::GROW_UP_TO {
        look_up(options, &play).await?;
        join_and_leave(&mut play).await?;
    }
    match options.kill {
        Some(kill) if options.at_once => kill_at_once(&mut play, kill).await?,
        Some(kill) => kill_in_turn(&mut play, kill).await?,
        None => crash_some(&mut play).await?,
    }
    let messages = play.stage.delivered();
    tell!(
        "\n{messages} messages in {} virtual seconds, seed {}",
        play.stage.now(),
        options.seed
    );
    play.stage.stop();
    Ok(())
}

async fn grow(options: &Options, keys: Vec<(Key, Bytes)>) -> Result<Play> {
    let many = options.nodes > play::GROW_UP_TO;
    show::title(if many {
        "A ring, settled"
    } else {
        "A ring grows"
    });
    let mut play = Play::begin(options, keys).await?;
    if many {
        tell!(
            "{} hosts with {} tokens each",
            options.nodes,
            options.tokens
        );
        tell!(
            "(rings of more than {} hosts start settled)",
            play::GROW_UP_TO
        );
        if options.nodes > play::ENCODE_UP_TO {
            tell!(
                "(with more than {} hosts messages are not encoded)",
                play::ENCODE_UP_TO
            );
        }
        return Ok(play);
    }
    tell!("h1 founds a ring, alone");
    while play.hosts.len() < usize::try_from(options.nodes)? {
        let host = play.join().await?;
        let roster = play.roster()?;
        tell!(
            "{host} joins: {} settled after {} s",
            roster.version,
            play.stage.now()
        );
    }
    tell!();
    show::ring(&play)?;
    Ok(play)
}

async fn store(play: &Play) -> Result<()> {
    let roster = play.roster()?;
    let (n, r) = (play.keys.len(), roster.new().r());
    show::title(format!(
        "{n} lines are stored, {r} copies of each, {} to agree",
        roster.new().quorum()
    ));
    let before = play.traffic();
    let begun = play.stage.delivered();
    play.put_all().await?;
    show::hosts(play, &before)?;
    let each = (play.stage.delivered() - begun) as f64 / n as f64;
    tell!("\n{each:.1} messages for each put");
    Ok(())
}

/// The same lookup in the same ring, by hosts that see less and by hosts that see more.
async fn look_up(options: &Options, play: &Play) -> Result<()> {
    let (key, _) = &play.keys[play.keys.len() / 2];
    let roster = play.roster()?;
    let asker = play.hosts[0];
    show::title(format!(
        "{asker} looks up who owns \"{key}\", which lies at {}",
        key.id().short()
    ));
    for sight in Sight::EACH {
        let plan = play::plan(options, sight)?;
        let mut stage = Stage::new(options.seed, NetworkConfig::default());
        for host in roster.hosts() {
            stage.add_host(plan.config(host), Box::new(MemoryStore::new()));
            stage.tell(host, Input::Enter(roster.clone()));
        }
        // By fingers takes a while to be as short as it can be: they are looked up one by one.
        stage.run_until(Time::from_ms(60_000)).await;
        show::route(sight.words(), &stage.dht(asker).lookup(key.id()).await?);
        stage.stop();
    }
    Ok(())
}

async fn join_and_leave(play: &mut Play) -> Result<()> {
    show::title("Every line is read, a host joins, and every line is read again");
    let (round, spent) = read(play).await?;
    say("before", play, &round, &spent);
    let host = play.join().await?;
    let (round, spent) = read(play).await?;
    say(&format!("with {host}"), play, &round, &spent);
    tell!();
    let fresh = vec![Traffic::default(); play.hosts.len()];
    show::hosts(play, &fresh)?;

    let leaver = play.draw_host();
    show::title(format!("{leaver} leaves"));
    play.leave(leaver).await?;
    let (round, spent) = read(play).await?;
    say(&format!("without {leaver}"), play, &round, &spent);
    Ok(())
}

/// Reads every key; returns what came of it and what each host said for it.
async fn read(play: &Play) -> Result<(Round, Vec<Traffic>)> {
    let before = play.traffic();
    let round = play.get_all().await?;
    ensure!(round.right == play.keys.len(), "keys were lost: {round:?}");
    let spent = play
        .traffic()
        .into_iter()
        .zip(before)
        .map(|(now, before)| Traffic {
            sent: now.sent - before.sent,
            received: now.received - before.received,
            bytes_sent: now.bytes_sent - before.bytes_sent,
            bytes_received: now.bytes_received - before.bytes_received,
        });
    Ok((round, spent.collect()))
}

fn say(when: &str, play: &Play, round: &Round, spent: &[Traffic]) {
    let n = play.keys.len();
    let hosts = spent.len().max(1) as u64;
    let bytes: u64 = spent.iter().map(|traffic| traffic.bytes_sent).sum();
    tell!(
        "{when:>12}: {} of {n} lines as they were; {:.0}% of the requests went to a host without a copy; \
         {} bytes per host",
        round.right,
        100.0 * round.forwarded as f64 / n as f64,
        bytes / hosts,
    );
}

/// As many as may go at once without a loss, two at most.
async fn crash_some(play: &mut Play) -> Result<()> {
    let roster = play.roster()?;
    let spare = (roster.new().r() - 1) / 2;
    let count = spare.min((play.hosts.len() - 1) / 2).min(2);
    if count == 0 {
        show::title("Nobody crashes");
        tell!(
            "hosts: {}, copies: {}; nobody can be spared",
            play.hosts.len(),
            roster.new().r()
        );
        return Ok(());
    }
    let dead: Vec<HostId> = (0..count).map(|_| crash_one(play)).collect();
    let names = dead
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ");
    show::title(format!("{names} crash at once"));
    let round = play.get_all().await?;
    tell!(
        "at once: {} of {} lines are there",
        round.right,
        play.keys.len()
    );
    ensure!(round.right == play.keys.len(), "keys were lost: {round:?}");
    let seconds = play.restore(&dead).await?;
    let round = play.get_all().await?;
    let r = play.roster()?.new().r();
    tell!("{seconds:.1} s later: all {r} copies of every line are back");
    tell!(
        "and then: {} of {} lines are there\n",
        round.right,
        play.keys.len()
    );
    ensure!(round.right == play.keys.len(), "keys were lost: {round:?}");
    show::ring(play)?;
    tell!();
    show::hosts(play, &vec![Traffic::default(); play.hosts.len()])
}

fn crash_one(play: &mut Play) -> HostId {
    let host = play.draw_host();
    play.end(host);
    host
}

async fn kill_in_turn(play: &mut Play, kill: u32) -> Result<()> {
    show::title(format!("{kill} hosts crash, one after the other"));
    let bar = play::bar("killing", usize::try_from(kill)?, kill > 20);
    for _ in 0..kill {
        let host = crash_one(play);
        let seconds = play
            .restore(&[host])
            .await
            .with_context(|| format!("after {host} crashed"))?;
        bar.inc(1);
        if bar.is_hidden() {
            let r = play.roster()?.new().r();
            tell!("{host} crashes; after {seconds:.1} s every line has {r} copies again");
        }
    }
    bar.finish_and_clear();
    let round = play.get_all().await?;
    tell!("{} of {} lines are there", round.right, play.keys.len());
    ensure!(round.right == play.keys.len(), "keys were lost: {round:?}");
    Ok(())
}

async fn kill_at_once(play: &mut Play, kill: u32) -> Result<()> {
    show::title(format!(
        "{kill} of {} hosts crash, all at once",
        play.hosts.len()
    ));
    let p = f64::from(kill) / play.hosts.len() as f64;
    for _ in 0..kill {
        crash_one(play);
    }
    let roster = play.roster()?;
    let (r, quorum) = (roster.new().r(), roster.new().quorum());
    let copies = play.copies()?;
    let lost = copies.iter().filter(|copies| **copies == 0).count();
    let refused = copies.iter().filter(|copies| **copies < quorum).count();
    let n = play.keys.len();
    let share = (p * 1000.0).round() / 1000.0;
    let expected = n as f64 * p.powi(i32::try_from(r)?);
    tell!("keys without a copy: {lost} of {n}; expected p^R = {share}^{r}: {expected:.1}");
    tell!("keys without a quorum of {quorum}, which wait for their hosts: {refused}");
    let round = play.get_all().await?;
    tell!(
        "read: {} as they were, {} refused, {} absent",
        round.right,
        round.failed,
        round.absent
    );
    ensure!(
        round.absent == 0,
        "a key that was stored was said to be absent"
    );
    Ok(())
}
