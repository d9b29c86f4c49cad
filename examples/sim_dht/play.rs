//! The ring on its stage, with the keys that were put into it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use roundelay::actor::Input;
use roundelay::dht::Dht;
use roundelay::find::FindConfig;
use roundelay::keep::KeepConfig;
use roundelay::message::{KeyOp, Outcome, Reply};
use roundelay::placement::{HostId, Member, Placement, random};
use roundelay::record::Key;
use roundelay::roster::{RingId, Roster};
use roundelay::sim::{DiskConfig, NetworkConfig, RingPlan, Stage, Traffic};
use roundelay::store::MemoryStore;

use crate::options::{Options, Sight};
use crate::show::Screen;

/// Rings of more hosts start settled, all at once: growing one by one is for watching.
pub(crate) const GROW_UP_TO: u32 = 64;

/// Above so many hosts messages are passed on without being encoded.
pub(crate) const ENCODE_UP_TO: u32 = 256;

/// So many keys travel in one request.
const BATCH: usize = 500;

/// So many hosts are asked at the same time.
const AT_ONCE: usize = 500;

/// What became of each key of a batch.
type Results = Vec<Reply>;

/// A ring, its hosts and its keys.
pub(crate) struct Play {
    pub(crate) stage: Stage,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) keys: Vec<(Key, Bytes)>,
    plan: RingPlan,
    asked: RefCell<usize>,
    pub(crate) chance: ChaCha8Rng,
}

/// What a round of gets came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Keys whose value came back as it was put.
    pub(crate) right: usize,
    /// Keys without a value.
    pub(crate) absent: usize,
    /// Requests that failed.
    pub(crate) failed: usize,
    /// What the first of them said.
    pub(crate) why: Option<String>,
    /// Requests whose host held no copy itself, so that all of it went to others.
    pub(crate) forwarded: usize,
}

fn words(result: &Reply) -> String {
    match result {
        Ok(outcome) => outcome.to_string(),
        Err(failure) => failure.to_string(),
    }
}

/// The settings of a ring that the options ask for.
pub(crate) fn plan(options: &Options, sight: Sight) -> Result<RingPlan> {
    Ok(RingPlan {
        hosts: options.nodes,
        tokens: u16::try_from(options.tokens)?,
        replicas: u8::try_from(options.replicas)?,
        seed: options.seed,
        keep: KeepConfig::default(),
        find: Arc::new(FindConfig {
            routes: sight.routes(),
            ..FindConfig::default()
        }),
        detect: None,
        disk: DiskConfig::default(),
    })
}

/// A bar on stderr; only where somebody watches, and only if there is something to wait for.
pub(crate) fn bar(what: &'static str, steps: usize, long: bool) -> ProgressBar {
    if !long {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps as u64)
        .with_style(style)
        .with_message(what)
}

impl Play {
    /// The first host, alone; or for large rings all of them, settled.
    pub(crate) async fn begin(options: &Options, keys: Vec<(Key, Bytes)>) -> Result<Play> {
        let plan = plan(options, options.routes)?;
        let network = NetworkConfig {
            encode: options.nodes <= ENCODE_UP_TO,
            ..NetworkConfig::default()
        };
        let mut stage = Stage::new(plan.seed, network);
        if options.trace {
            stage.trace(Some(Box::new(Screen)));
        }
        let hosts = if options.nodes > GROW_UP_TO {
            stage.settle(&plan)?;
            plan.ids().collect()
        } else {
            let first = HostId(1);
            stage.add_host(plan.config(first), Box::new(MemoryStore::new()));
            let member = Member::new(random(plan.seed, usize::from(plan.tokens)));
            let roster = Roster::found(RingId(plan.seed), first, member, plan.replicas)?;
            stage.tell(first, Input::Enter(Arc::new(roster)));
            vec![first]
        };
        let chance = ChaCha8Rng::seed_from_u64(plan.seed);
        let play = Play {
            stage,
            hosts,
            keys,
            plan,
            asked: RefCell::new(0),
            chance,
        };
        play.wait(100).await;
        Ok(play)
    }

    /// Lets so many virtual milliseconds pass.
    pub(crate) async fn wait(&self, ms: u64) {
        self.stage
            .run_until(self.stage.now() + Duration::from_millis(ms))
            .await;
    }

    /// One more host joins by way of the first; returns it.
    pub(crate) async fn join(&mut self) -> Result<HostId> {
        let newest = self.hosts.iter().max().map_or(0, |host| host.0);
        let host = HostId(newest + 1);
        let via = *self.hosts.first().context("nobody is left to join")?;
        self.stage
            .add_host(self.plan.config(host), Box::new(MemoryStore::new()));
        let member = Member::new([]);
        self.stage
            .dht(host)
            .join(via, member, self.plan.tokens)
            .await?;
        self.hosts.push(host);
        Ok(host)
    }

    /// A host leaves in order, and its process ends.
    pub(crate) async fn leave(&mut self, host: HostId) -> Result<()> {
        self.stage.dht(host).leave().await?;
        self.end(host);
        Ok(())
    }

    /// A host's process ends.
    pub(crate) fn end(&mut self, host: HostId) {
        self.stage.crash(host);
        self.hosts.retain(|other| *other != host);
    }

    /// The hosts take turns in being asked.
    pub(crate) fn next_host(&self) -> HostId {
        let mut asked = self.asked.borrow_mut();
        *asked += 1;
        self.hosts[*asked % self.hosts.len()]
    }

    /// A handle on whoever's turn it is.
    pub(crate) fn dht(&self) -> Dht {
        self.stage.dht(self.next_host())
    }

    /// A host of those that live, drawn by the seed.
    pub(crate) fn draw_host(&mut self) -> HostId {
        let n = self.hosts.len() as u64;
        self.hosts[usize::try_from(self.chance.next_u64() % n).unwrap_or(0)]
    }

    /// Puts every key, each by the next host.
    pub(crate) async fn put_all(&self) -> Result<()> {
        let put = |value: &Bytes| KeyOp::from(value.clone());
        for (batch, (_, results)) in self.batches().zip(self.ask_all("storing", put).await?) {
            for (result, (key, _)) in results.iter().zip(batch) {
                let stored = matches!(result, Ok(Outcome::Stored(_)));
                ensure!(stored, "put of {key}: {}", words(result));
            }
        }
        Ok(())
    }

    /// Gets every key, each by the next host, and compares.
    pub(crate) async fn get_all(&self) -> Result<Round> {
        let mut round = Round::default();
        let placement = self.placement()?;
        let answers = self.ask_all("reading", |_| KeyOp::Get).await?;
        for (batch, (asked, results)) in self.batches().zip(answers) {
            for (result, (key, value)) in results.iter().zip(batch) {
                match result {
                    Ok(Outcome::Value(Some(found))) if found.body.to_bytes() == *value => {
                        round.right += 1;
                    }
                    Ok(Outcome::Value(None)) => round.absent += 1,
                    other => {
                        round.failed += 1;
                        round
                            .why
                            .get_or_insert_with(|| format!("{key}: {}", words(other)));
                    }
                }
                let holders = placement.replicas(key.id(), usize::from(self.plan.replicas));
                round.forwarded += usize::from(!holders.contains(&asked));
            }
        }
        Ok(round)
    }

    fn batches(&self) -> impl Iterator<Item = &[(Key, Bytes)]> {
        self.keys.chunks(self.batch())
    }

    /// Asks the same of every key, each batch by the next host: one after the other where there are
    /// few; so many hosts at once where there are many. Returns who was asked and what came of it.
    async fn ask_all(
        &self,
        what: &'static str,
        op: impl Fn(&Bytes) -> KeyOp,
    ) -> Result<Vec<(HostId, Results)>> {
        let bar = bar(what, self.keys.len(), self.is_long());
        let at_once = if self.is_long() { AT_ONCE } else { 1 };
        let batches: Vec<_> = self.batches().collect();
        let mut answers = Vec::with_capacity(batches.len());
        for some in batches.chunks(at_once) {
            let asked = some.iter().map(|batch| {
                let dht = self.dht();
                let ops = batch
                    .iter()
                    .map(|(key, value)| (key.clone(), op(value)))
                    .collect();
                let host = dht.host();
                (host, actix::spawn(async move { dht.many(ops).await }))
            });
            for (host, answer) in asked.collect::<Vec<_>>() {
                answers.push((host, answer.await??));
                bar.inc(self.batch() as u64);
            }
        }
        bar.finish_and_clear();
        Ok(answers)
    }

    /// One key a request where there are few, so that all hosts are asked alike.
    fn batch(&self) -> usize {
        if self.is_long() { BATCH } else { 1 }
    }

    /// Whether it takes long enough for a bar.
    pub(crate) fn is_long(&self) -> bool {
        self.keys.len() > 2_000 || self.hosts.len() > 200
    }

    /// The roster a living host has adopted.
    pub(crate) fn roster(&self) -> Result<Arc<Roster>> {
        let first = *self.hosts.first().context("no host is left")?;
        let roster = self
            .stage
            .with_host(first, |host| host.roster().cloned())
            .flatten();
        roster.with_context(|| format!("{first} is in no ring"))
    }

    /// Who holds what, by that roster.
    pub(crate) fn placement(&self) -> Result<Placement> {
        Ok(self.roster()?.new().placement.clone())
    }

    /// How many living hosts hold each key, of those that should; in the order of the keys.
    pub(crate) fn copies(&self) -> Result<Vec<usize>> {
        let roster = self.roster()?;
        let alive = |host: &HostId| self.stage.is_up(*host);
        let held = |key: &Key| {
            let holders = roster.new().holders(key.id());
            let live = holders.into_iter().filter(alive);
            live.filter(|host| self.stage.holds(*host, key)).count()
        };
        Ok(self.keys.iter().map(|(key, _)| held(key)).collect())
    }

    /// Takes dead hosts out of the roster and waits until every key has all its copies again. Returns
    /// the virtual seconds that took.
    pub(crate) async fn restore(&self, dead: &[HostId]) -> Result<f64> {
        let begun = self.stage.now();
        self.dht().remove(dead).await?;
        let r = self.roster()?.new().r();
        for _ in 0..600 {
            if self.copies()?.iter().all(|copies| *copies >= r) {
                return Ok((self.stage.now() - begun).as_secs_f64());
            }
            self.wait(100).await;
        }
        anyhow::bail!("after a minute some keys still have fewer than {r} copies")
    }

    /// What all hosts said and heard so far.
    pub(crate) fn traffic(&self) -> Vec<Traffic> {
        self.hosts
            .iter()
            .map(|host| self.stage.traffic(*host))
            .collect()
    }
}
