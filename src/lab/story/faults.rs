//! Commands that break things, mend them, and let time go by.

use std::time::Duration;

use crate::placement::HostId;
use crate::sim::{Fate, NetworkConfig, Rule};
use crate::store::MemoryStore;

use super::args::{self, Args};
use super::{PATIENCE, Scene, Story};

impl Story {
    pub(super) fn fault_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "crash" => self.crash(args),
            "restart" => self.restart(args),
            "partition" => self.scene()?.partition(args),
            "cut" => self.scene()?.cut(args),
            "heal" => {
                args.end()?;
                let scene = self.scene()?;
                scene.world.heal();
                scene.world.clear_rules();
                Ok(String::new())
            }
            "network" => {
                let mut config = self.scene()?.world.network().clone();
                network(&mut config, args)?;
                args.end()?;
                *self.scene()?.world.network() = config;
                Ok(String::new())
            }
            "drop" | "hold" => self.scene()?.rule(name == "hold", args),
            "clock" => self.scene()?.clock(args),
            "slow" => {
                let host = args.need("HOST")?;
                let by = args.time("by")?.ok_or("by= is missing")?;
                args.end()?;
                let scene = self.scene()?;
                let host = scene.known("HOST", host)?;
                scene.world.slow_host(host, millis(by));
                Ok(String::new())
            }
            "slow-disk" => self.scene()?.slow_disk(args),
            "run" => {
                let time = args::duration("TIME", args.need("TIME")?)?;
                args.end()?;
                self.scene()?.pass(time);
                Ok(String::new())
            }
            _ => {
                let limit = args.time("limit")?.unwrap_or(PATIENCE);
                args.end()?;
                self.settled(limit)
            }
        }
    }

    fn crash(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let mut told = String::new();
        let mut next = Some(args.need("HOST")?);
        while let Some(name) = next {
            let scene = self.scene()?;
            let host = scene.known("HOST", name)?;
            if !scene.hosts[&host] {
                return Err(format!("HOST: {host} is down already"));
            }
            scene.world.crash(host);
            scene.hosts.insert(host, false);
            told += &self.happened(false, None);
            next = args.word();
        }
        args.end()?;
        Ok(told)
    }

    fn restart(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let lose = args.one_of("lose", &[("all", true)])?.unwrap_or(false);
        let mut next = Some(args.need("HOST")?);
        while let Some(name) = next {
            let scene = self.scene()?;
            let host = scene.known("HOST", name)?;
            if scene.hosts[&host] {
                return Err(format!("HOST: {host} is up: crash it first"));
            }
            if lose {
                scene
                    .world
                    .replace_store(host, Box::new(MemoryStore::new()));
            }
            scene.world.restart(host);
            scene.hosts.insert(host, true);
            next = args.word();
        }
        args.end()?;
        self.scene()?.pass(super::AFTERMATH);
        Ok(String::new())
    }
}

impl Scene {
    fn partition(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let some = self.all_known("the first side", args.need("h1/h2")?)?;
        let others: Vec<HostId> = match args.word() {
            Some(text) => self.all_known("the second side", text)?,
            None => {
                let all = self.hosts.keys().copied();
                all.filter(|host| !some.contains(host)).collect()
            }
        };
        args.end()?;
        disjoint(&some, &others)?;
        self.world.cut(&some, &others);
        Ok(String::new())
    }

    fn cut(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let from = self.all_known("from", args.need("h1/h2")?)?;
        let to = self.all_known("to", args.need("h3/h4")?)?;
        args.end()?;
        disjoint(&from, &to)?;
        self.world.cut_one_way(&from, &to);
        Ok(String::new())
    }

    fn rule(&mut self, hold: bool, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("MESSAGE")?;
        let name = if name == "any" { "" } else { name };
        let from = args
            .take("from")?
            .map(|text| self.known("from", text))
            .transpose()?;
        let to = args
            .take("to")?
            .map(|text| self.known("to", text))
            .transpose()?;
        let times = args.parsed("times")?.unwrap_or(1);
        let fate = if hold {
            Fate::Hold(millis(args.time("by")?.ok_or("by= is missing: how long?")?))
        } else {
            Fate::Drop
        };
        args.end()?;
        self.world.add_rule(Rule {
            name: name.to_owned(),
            from,
            to,
            fate,
            times,
        });
        Ok(String::new())
    }

    fn slow_disk(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let host = self.known("HOST", args.need("HOST")?)?;
        let by = args.time("by")?.ok_or("by= is missing")?;
        args.end()?;
        self.world.slow_disk(host, millis(by));
        Ok(String::new())
    }

    fn clock(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let host = self.known("HOST", args.need("HOST")?)?;
        let (ahead, behind) = (args.time("ahead")?, args.time("behind")?);
        args.end()?;
        let signed = |time: Duration| i64::try_from(millis(time)).unwrap_or(i64::MAX);
        let ms = match (ahead, behind) {
            (Some(ahead), None) => signed(ahead),
            (None, Some(behind)) => -signed(behind),
            _ => return Err("either ahead= or behind= is needed".to_owned()),
        };
        self.world.set_clock(host, ms);
        Ok(String::new())
    }
}

fn disjoint(some: &[HostId], others: &[HostId]) -> Result<(), String> {
    match some.iter().find(|host| others.contains(host)) {
        Some(host) => Err(format!("{host} stands on both sides")),
        None if some.is_empty() || others.is_empty() => Err("a side is empty".to_owned()),
        None => Ok(()),
    }
}

/// Takes the settings of a network.
pub(super) fn network(config: &mut NetworkConfig, args: &mut Args<'_>) -> Result<(), String> {
    if let Some(text) = args.take("delay")? {
        let bad = || format!("delay is {text:?}, but must be milliseconds such as 5 or 1-20");
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        config.min_ms = min.parse().map_err(|_| bad())?;
        config.max_ms = max.parse().map_err(|_| bad())?;
        if config.max_ms < config.min_ms || config.max_ms > 60_000 {
            return Err(bad());
        }
    }
    for (key, place) in [
        ("loss", &mut config.loss),
        ("duplicate", &mut config.duplicate),
        ("late", &mut config.late),
    ] {
        let value = args.parsed(key)?.unwrap_or(*place);
        if value > 1000 {
            return Err(format!(
                "{key} is {value}, but there are 1000 in a thousand"
            ));
        }
        *place = value;
    }
    if let Some(by) = args.time("late-by")? {
        config.late_ms = millis(by);
    }
    match args.take("link-down")? {
        Some("never") => config.link_down_ms = None,
        Some(text) => config.link_down_ms = Some(millis(args::duration("link-down", text)?)),
        None => {}
    }
    Ok(())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
