//! The stories of chapter 10: detectors alone, that send each other packets.
//!
//! ```text
//!   hosts N             they start, one a little after the other, and 10 s pass; it is 0.0 s then
//!   crash H | start H   a process ends; it begins its next life
//!   freeze H | wake H   it does nothing, and what arrives waits; it goes on
//!   cut H H | heal      nothing passes between two
//!   about H             of the packets are shown: those that are lost on their way to it or from it, those by
//!                       which others ask about it, and those that say something new about it
//!   run SECONDS | sees
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use goldenscript::{Command, Context, Runner};
use roundelay::detect::{DetectConfig, Detector, Signal, tell};
use roundelay::placement::HostId;
use roundelay::record::Time;

use crate::stories::{Failure, stories, words};

/// How long a packet travels.
const DELAY: Duration = Duration::from_millis(5);

/// Each starts so long after the one before: they probe at different moments.
const APART: Duration = Duration::from_millis(230);

/// How long they have known each other when a story begins.
const BEFORE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Alive {
    now: Time,
    hosts: BTreeMap<HostId, Detector>,
    starts: BTreeMap<HostId, u32>,
    frozen: BTreeSet<HostId>,
    cuts: Vec<(HostId, HostId)>,
    packets: BTreeMap<(Time, u64), (HostId, HostId, Bytes)>,
    sent: u64,
    about: Option<HostId>,
    /// What each has been told already.
    heard: BTreeSet<(HostId, String)>,
    /// What was shown since time went on last: each line once.
    shown: BTreeSet<String>,
    told: String,
}

impl Alive {
    fn start(&mut self, me: HostId) {
        let start = self.starts.entry(me).or_default();
        *start += 1;
        let config = DetectConfig::new(NonZeroU32::new(5).unwrap());
        let mut detector = Detector::new(me, *start, &config, me.0 * 100 + u64::from(*start));
        let peers: Vec<HostId> = self.starts.keys().copied().collect();
        let signals = detector.join(self.now, peers);
        self.hosts.insert(me, detector);
        self.carry_out(me, signals);
    }

    fn carry_out(&mut self, from: HostId, signals: Vec<Signal>) {
        for signal in signals {
            match signal {
                Signal::Send { to, bytes } => {
                    self.sent += 1;
                    let at = (self.now + DELAY, self.sent);
                    self.packets.insert(at, (from, to, bytes));
                }
                Signal::Up(host) => self.line(&format!("{from} sees {host} alive")),
                Signal::Down(host) => self.line(&format!("{from} takes {host} for dead")),
            }
        }
    }

    fn line(&mut self, text: &str) {
        let Some(since) = self.now.as_ms().checked_sub(10_000) else {
            return;
        };
        let (seconds, tenth) = (since / 1000, since % 1000 / 100);
        writeln!(self.told, "{seconds:2}.{tenth}  {text}").unwrap();
    }

    /// A packet arrives, or is lost.
    fn arrive(&mut self, from: HostId, to: HostId, bytes: &Bytes) {
        let cut = self.cuts.contains(&(from, to)) || self.cuts.contains(&(to, from));
        let there = self.hosts.contains_key(&to) && !cut;
        self.show(from, to, bytes, there);
        if there {
            let detector = self.hosts.get_mut(&to).unwrap();
            let signals = detector.receive(self.now, bytes);
            self.carry_out(to, signals);
        }
    }

    fn show(&mut self, from: HostId, to: HostId, bytes: &Bytes, there: bool) {
        let text = tell(bytes).expect("detectors write what can be read");
        let Some(about) = self.about.map(|host| host.to_string()) else {
            return;
        };
        let mut parts = text.split("; ");
        let what = parts.next().unwrap_or_default();
        let mut news: Vec<&str> = parts.filter(|part| part.starts_with(&about)).collect();
        news.retain(|part| there && self.heard.insert((to, (*part).to_owned())));
        let usual = ["ping", "ack", "gossip", "there are"].contains(&what);
        let own = from.to_string() == about || to.to_string() == about;
        let worth = what.contains(&about) || (own && !(there && usual));
        if worth || !news.is_empty() {
            let arrow = if there { "->" } else { "-x" };
            let said: Vec<&str> = std::iter::once(what).chain(news).collect();
            let line = format!("{from} {arrow} {to}  {}", said.join("; "));
            if self.shown.insert(line.clone()) {
                self.line(&line);
            }
        }
    }

    fn run_until(&mut self, until: Time) {
        loop {
            let packet = self
                .packets
                .iter()
                .find(|(_, (_, to, _))| !self.frozen.contains(to));
            let packet = packet.map(|((due, number), _)| (*due, *number));
            let hosts = self
                .hosts
                .iter()
                .filter(|(me, _)| !self.frozen.contains(me));
            let wake = hosts
                .filter_map(|(me, one)| Some((one.next_wake()?, *me)))
                .min();
            let next = packet.map(|(due, _)| due).into_iter();
            let next = next.chain(wake.map(|(due, _)| due)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            match packet.filter(|(due, _)| *due == next) {
                Some(packet) => {
                    let (from, to, bytes) = self.packets.remove(&packet).unwrap();
                    self.arrive(from, to, &bytes);
                }
                None => {
                    let (_, me) = wake.unwrap();
                    let signals = self.hosts.get_mut(&me).unwrap().wake(self.now);
                    self.carry_out(me, signals);
                }
            }
        }
        self.now = until;
    }

    fn sees(&mut self) {
        for (me, detector) in &self.hosts {
            let up: Vec<String> = detector.up().map(|host| host.to_string()).collect();
            writeln!(self.told, "{me} sees {}", up.join(" ")).unwrap();
        }
    }
}

fn host(word: &str) -> Result<HostId, Failure> {
    let number = word.strip_prefix('h').ok_or("a host is h1, h2 …")?;
    Ok(HostId(number.parse()?))
}

impl Runner for Alive {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        match (command.name.as_str(), &words(command)?[..]) {
            ("hosts", [count]) => {
                *self = Alive::default();
                for number in 1..=count.parse()? {
                    self.start(HostId(number));
                    self.run_until(self.now + APART);
                }
                self.run_until(Time::ZERO + BEFORE);
                self.told.clear();
            }
            ("crash", [name]) => drop(self.hosts.remove(&host(name)?)),
            ("start", [name]) => self.start(host(name)?),
            ("freeze", [name]) => drop(self.frozen.insert(host(name)?)),
            ("wake", [name]) => drop(self.frozen.remove(&host(name)?)),
            ("cut", [some, other]) => self.cuts.push((host(some)?, host(other)?)),
            ("heal", []) => self.cuts.clear(),
            ("about", [name]) => self.about = Some(host(name)?),
            ("run", [seconds]) => {
                let until = self.now + Duration::from_secs(seconds.parse()?);
                self.shown.clear();
                self.run_until(until);
            }
            ("sees", []) => self.sees(),
            (name, _) => return Err(format!("`{name}` is no command of detectors").into()),
        }
        Ok(std::mem::take(&mut self.told))
    }
}

#[test]
fn stories_of_detectors_are_true() {
    for path in stories("alive") {
        goldenscript::run(&mut Alive::default(), path).unwrap();
    }
}
