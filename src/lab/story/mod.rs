//! What happens if …? Told by commands, and by what a ring did.
//!
//! ```text
//! ring hosts=3                 three hosts, settled
//! crash h3                     what happens to them
//! put cat meow at=h1           what a client asks of one
//! keys                         what is to be seen then
//! ---
//! h3 crashes
//! stored w1@h1
//! h1: keeps a hint for h3: cat
//! cat  9d989e8d  h1 w1@h1  h2 w1@h1  (h3 -)
//! ```
//!
//! A [`Story`] takes such commands one by one and drives a [`World`] in virtual time. A command that asks
//! something waits for the answer, and a few milliseconds more for what is still on its way. Output is
//! what happened meanwhile, line by line, then the outcome. [`USAGE`] lists all commands.
//!
//! Versions are shown by short names, numbered as they first appear: `w1@h1` was written through h1, `d2@h3`
//! is a delete through h3. `versions` shows their true order.
//!
//! *Hold these true*: the same story gives the same bytes; a mistake in a command is an error that names the
//! argument, and a request that fails is no mistake but an outcome (`failed: …`).
//!
//! Left out on purpose: reading the file. Who has the text of a story brings its commands here.

mod answer;
mod answer_ops;
mod args;
mod data;
mod faults;
mod names;
mod operate;
mod plan;
mod ring;
mod settle;
mod show;
mod stream;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::find::FindConfig;
use crate::lab::check::{Checker, Violation};
use crate::message::{Options, Request, Ticket};
use crate::placement::HostId;
use crate::sim::{Answer, Lines, World};

use args::Args;
use names::{Names, Show};
use plan::Plan;

pub use usage::USAGE;

/// One command: a name, and arguments with or without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// What is to be done.
    pub name: String,
    /// With what: `cat` is `(None, "cat")`, `at=h1` is `(Some("at"), "h1")`.
    pub args: Vec<(Option<String>, String)>,
    /// Marks in brackets: `[t]` shows the time of each line.
    pub tags: BTreeSet<String>,
}

/// A world with what the story knows of it.
struct Scene {
    world: World,
    /// Looks on from outside.
    checker: Checker,
    lines: Lines,
    plan: Plan,
    find: Arc<FindConfig>,
    /// Everyone who was ever in it, and whether they are up.
    hosts: BTreeMap<HostId, bool>,
    /// All lines so far, to compare whole runs.
    past: String,
}

/// A story under way.
#[derive(Default)]
pub struct Story {
    scene: Option<Scene>,
    names: Names,
    show: Show,
    /// Requests that nobody has waited for yet, by the name given with `as=`.
    open: BTreeMap<String, (HostId, Ticket, Request)>,
    /// What was exported, by the name given to `export`: kept from world to world.
    archives: BTreeMap<String, Vec<u8>>,
    /// Large values on their way, by the name given to `upload` or `open`.
    streams: stream::Streams,
    /// Whole runs, by the name given to `remember`.
    remembered: BTreeMap<String, String>,
}

/// How long a command waits at most, in virtual time.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long after an answer a command goes on to look.
const AFTERMATH: Duration = Duration::from_millis(10);

impl Story {
    /// A story that has not begun.
    #[must_use]
    pub fn new() -> Story {
        Story::default()
    }

    /// Carries out one command and tells what happened.
    ///
    /// # Errors
    /// In words: a mistake in the command. What it says was not done, or only up to there.
    pub fn run(&mut self, command: &Command) -> Result<String, String> {
        let name = command.name.as_str();
        let mut args = Args::new(command);
        let times = command.tags.contains("t");
        let explain = |problem| usage::explain(name, problem);
        if let Some(tag) = command.tags.iter().find(|tag| tag.as_str() != "t") {
            return Err(format!(
                "{name}: there is no tag [{tag}], only [t] for times"
            ));
        }
        let outcome = self.carry_out(name, &mut args);
        let told = self.happened(times, None);
        let told = told + &outcome.map_err(explain)?;
        match self.scene.as_mut().and_then(Scene::broken) {
            Some(violation) => Err(format!("{told}{violation}")),
            None => Ok(told),
        }
    }

    fn carry_out(&mut self, name: &str, args: &mut Args<'_>) -> Result<String, String> {
        match name {
            "ring" | "links" | "host" | "join" | "leave" | "change" | "replicas" | "rebalance"
            | "give-up" => self.ring_command(name, args),
            "drain" | "end-drain" | "accept-loss" | "safe-to-stop" => self.stop_command(name, args),
            "crash" | "restart" | "partition" | "cut" | "heal" | "network" | "drop" | "hold"
            | "clock" | "slow" | "slow-disk" | "run" | "settle" => self.fault_command(name, args),
            "put" | "get" | "del" | "has" | "ttl" | "expire" | "put-content" | "fetch" | "many"
            | "whereis" | "lookup" | "wait" => self.data_command(name, args),
            "tables" | "keys" | "status" | "links-of" | "versions" | "trace" | "check"
            | "remember" | "same" => self.show_command(name, args),
            "balance" | "count" | "purge" | "remove" | "cancel" | "configure" | "explain"
            | "export" | "import" | "damage" => self.operate_command(name, args),
            "upload" | "piece" | "end" | "abandon" | "open" => self.stream_command(name, args),
            other => Err(usage::unknown(other)),
        }
    }

    fn scene(&mut self) -> Result<&mut Scene, String> {
        self.scene
            .as_mut()
            .ok_or_else(|| "there is no world yet: begin with `ring` or `links`".to_owned())
    }

    /// What happened since the last time this was asked, as far as it is shown.
    fn happened(&mut self, times: bool, asked: Option<Ticket>) -> String {
        let Some(scene) = &mut self.scene else {
            return String::new();
        };
        let raw = scene.lines.take();
        scene.past.push_str(&raw);
        let asked = asked.map(|ticket| ticket.0);
        let mut told = String::new();
        for line in raw.lines() {
            if let Some(line) = names::tell(line, &self.show, times, asked) {
                told.push_str(&self.names.shorten(&line));
                told.push('\n');
            }
        }
        told
    }

    /// Asks a host and waits for what it says, unless `as=` puts that off.
    fn ask(
        &mut self,
        args: &mut Args<'_>,
        host: HostId,
        request: Request,
        options: Options,
    ) -> Result<String, String> {
        let later = args.take("as")?;
        args.end()?;
        if let Some(name) = later
            && self.open.contains_key(name)
        {
            return Err(format!(
                "as={name}: another request has that name and was not waited for"
            ));
        }
        let scene = self.scene()?;
        let ticket = scene.world.request(host, request.clone(), options);
        if let Some(name) = later {
            self.open.insert(name.to_owned(), (host, ticket, request));
            self.scene()?.pass(Duration::ZERO);
            return Ok(String::new());
        }
        self.await_answer(host, ticket, &request)
    }

    /// Lets time go on until there is an answer, and a little longer.
    fn await_answer(
        &mut self,
        host: HostId,
        ticket: Ticket,
        request: &Request,
    ) -> Result<String, String> {
        let scene = self.scene()?;
        let limit = scene.world.now() + PATIENCE;
        scene
            .world
            .run_while(limit, |world| world.answer(ticket).is_none());
        scene.pass(AFTERMATH);
        let answer = scene.world.take_answer(ticket);
        let told = self.happened(false, Some(ticket));
        let outcome = match answer {
            Some(Answer::Reply(reply)) => answer::reply(request, &reply),
            Some(Answer::Broken) => format!("broken: {host} is down, nobody will answer"),
            None => format!("no answer after {} s", PATIENCE.as_secs()),
        };
        Ok(told + &self.names.shorten(&outcome) + "\n")
    }
}

impl Scene {
    fn new(plan: Plan) -> Scene {
        let lines = Lines::default();
        let mut world = World::new(plan.seed, plan.network.clone());
        world.trace(Some(Box::new(lines.clone())));
        world.check_each_step(true);
        world.check_all_every(1);
        let checker = Checker::unnumbered();
        world.watch(Some(checker.watch()));
        Scene {
            world,
            checker,
            lines,
            find: Arc::new(plan.find.clone()),
            plan,
            hosts: BTreeMap::new(),
            past: String::new(),
        }
    }

    /// The first rule that a host or the ring has broken so far.
    fn broken(&mut self) -> Option<Violation> {
        self.checker.look(&mut self.world, |_| false);
        self.checker.first()
    }

    /// Lets so much time go by.
    fn pass(&mut self, time: Duration) {
        let until = self.world.now() + time;
        self.world.run_until(until);
    }

    /// A host that is in this world.
    fn known(&self, what: &str, text: &str) -> Result<HostId, String> {
        let host = args::host(what, text)?;
        if self.hosts.contains_key(&host) {
            return Ok(host);
        }
        Err(format!("{what}: there is no host {host} in this world"))
    }

    /// Some hosts that are in this world.
    fn all_known(&self, what: &str, text: &str) -> Result<Vec<HostId>, String> {
        args::list(text)
            .map(|name| self.known(what, name))
            .collect()
    }

    /// The host given with `at=`, or the first that is up.
    fn asked(&self, args: &mut Args<'_>) -> Result<HostId, String> {
        if let Some(text) = args.take("at")? {
            return self.known("at", text);
        }
        let first = self
            .hosts
            .iter()
            .find(|(_, up)| **up)
            .map(|(host, _)| *host);
        first.ok_or_else(|| "no host is up".to_owned())
    }
}
