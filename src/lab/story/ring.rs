//! Commands that make a ring and change who is in it.

use std::sync::Arc;
use std::time::Duration;

use crate::actor::Input;
use crate::find::Finder;
use crate::keyspace::Id;
use crate::message::{Options, Peer, Request};
use crate::node::HostConfig;
use crate::placement::{HostId, Member, Zone, random};
use crate::roster::{Change, RingId, Roster};
use crate::store::MemoryStore;

use super::args::{self, Args};
use super::plan::plan;
use super::{PATIENCE, Scene, Story};

impl Story {
    pub(super) fn ring_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "ring" => self.ring(args),
            "links" => self.links(args),
            "host" => {
                let first = args.need("HOST")?;
                if let Some(bytes) = args.parsed("store")? {
                    self.scene()?.plan.store_bytes = bytes;
                }
                self.scene()?.new_host(first)?;
                while let Some(next) = args.word() {
                    self.scene()?.new_host(next)?;
                }
                args.end()?;
                Ok(String::new())
            }
            "join" => self.join(args),
            "leave" => {
                let host = args.need("HOST")?;
                let host = self.scene()?.known("HOST", host)?;
                self.ask(args, host, Request::Leave, Options::default())
            }
            "change" => self.change(args),
            "replicas" => {
                let Some(text) = args.word() else {
                    let host = self.scene()?.asked(args)?;
                    args.end()?;
                    return self.scene()?.replicas(host);
                };
                let replicas = text
                    .parse()
                    .map_err(|error| format!("NUMBER is {text:?}: {error}"))?;
                let host = self.scene()?.asked(args)?;
                let changes = vec![Change::Replicas(replicas)];
                self.ask(args, host, Request::Change(changes), Options::default())
            }
            "rebalance" => {
                let host = self.scene()?.asked(args)?;
                self.ask(args, host, Request::Rebalance, Options::default())
            }
            _ => {
                let host = self.scene()?.asked(args)?;
                self.ask(args, host, Request::CancelMove, Options::default())
            }
        }
    }

    /// Commands about hosts that may stop, or are lost.
    pub(super) fn stop_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "drain" => {
                let host = args.need("HOST")?;
                let host = self.scene()?.known("HOST", host)?;
                self.ask(args, host, Request::Drain, Options::default())
            }
            "end-drain" => {
                let host = self.scene()?.asked(args)?;
                self.ask(args, host, Request::EndDrain, Options::default())
            }
            "accept-loss" => {
                let lost = self.scene()?.all_known("HOST", args.need("h2/h3")?)?;
                let host = self.scene()?.asked(args)?;
                self.ask(args, host, Request::AcceptLoss(lost), Options::default())
            }
            _ => {
                args.end()?;
                Ok(self.scene()?.safe_to_stop())
            }
        }
    }

    /// A new world with a settled ring.
    fn ring(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let hosts: Option<u64> = args.parsed("hosts")?;
        let ids = args.ids("ids")?;
        let zones = args.zones("zones")?.unwrap_or_default();
        let plan = plan(args)?;
        args.end()?;
        let count = match (&ids, hosts) {
            (Some(_), Some(_)) => return Err("hosts= and ids= exclude each other".to_owned()),
            (Some(ids), None) => ids.len() as u64,
            (None, count) => count.unwrap_or(3),
        };
        if !(1..=1000).contains(&count) {
            return Err(format!("hosts is {count}, but a story has 1 to 1000 hosts"));
        }
        let mut scene = Scene::new(plan);
        let all: Vec<HostId> = (1..=count).map(HostId).collect();
        let each = usize::from(scene.plan.tokens);
        let drawn = random(scene.plan.seed, each * all.len());
        let members = all.iter().enumerate().map(|(place, host)| {
            let tokens = match &ids {
                Some(ids) => vec![ids[place]],
                None => drawn[place * each..(place + 1) * each].to_vec(),
            };
            let zone = zones.get(place % zones.len().max(1)).cloned();
            let member = Member {
                zone,
                ..Member::new(tokens)
            };
            (*host, member)
        });
        let (ring, replicas) = (RingId(scene.plan.seed), scene.plan.replicas);
        let roster = Roster::settled(ring, members.collect(), replicas);
        let roster = Arc::new(roster.map_err(|error| error.to_string())?);
        for host in all {
            scene.add(host);
            scene.world.tell(host, Input::Enter(Arc::clone(&roster)));
        }
        self.begin(scene);
        Ok(String::new())
    }

    /// A new world with a ring by links alone.
    fn links(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let ids = args.ids("ids")?.unwrap_or_default();
        let mut plan = plan(args)?;
        args.end()?;
        if ids.is_empty() {
            return Err("ids= is missing: where shall the nodes stand?".to_owned());
        }
        plan.by_links = true;
        self.begin(Scene::new(plan));
        for (place, id) in ids.iter().enumerate() {
            let host = HostId(place as u64 + 1);
            let scene = self.scene()?;
            scene.add(host);
            if place == 0 {
                scene.world.tell(host, Input::LinkAlone(*id));
                scene.pass(super::AFTERMATH);
            } else {
                scene.link_join(host, *id, HostId(1))?;
                scene.await_node(host, *id);
            }
        }
        self.settled(PATIENCE)?;
        // Successor lists are passed on from node to node, once in a stabilisation.
        let turns = u32::try_from(ids.len().min(16)).unwrap_or(16);
        let scene = self.scene()?;
        scene.pass(scene.plan.find.stabilize_every * turns * 2);
        let _ = self.happened(false, None); // how it began is another story
        Ok(String::new())
    }

    /// The world is made; what it took to make it is not part of the story.
    fn begin(&mut self, mut scene: Scene) {
        scene.pass(super::AFTERMATH);
        self.scene = Some(scene);
        self.open.clear();
        self.streams.clear();
        let _ = self.happened(false, None);
    }

    fn join(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("HOST")?;
        let via = args
            .take("via")?
            .ok_or("via= is missing: which member lets it in?")?;
        let via = self.scene()?.known("via", via)?;
        let id = args.take("id")?.map(|text| args::parse_id("id", text));
        let mut ids = args.ids("ids")?.unwrap_or_default();
        ids.extend(id.transpose()?);
        let tokens: Option<u16> = args.parsed("tokens")?;
        let zone: Option<Zone> = args.parsed("zone")?;
        let weight: u32 = args.parsed("weight")?.unwrap_or(1);
        let replicas = args.parsed("replicas")?;
        let replaces = args.take("replaces")?;
        let replaces = replaces
            .map(|text| args::host("replaces", text))
            .transpose()?;
        let scene = self.scene()?;
        let host = args::host("HOST", name)?;
        if scene.plan.by_links {
            let later = args.take("as")?.is_some();
            args.end()?;
            let [id] = ids[..] else {
                return Err("id= is missing: by links alone a node joins at one id".to_owned());
            };
            scene.ensure(host);
            scene.link_join(host, id, via)?;
            if later {
                scene.pass(Duration::ZERO);
            } else {
                scene.await_node(host, id);
            }
            return Ok(String::new());
        }
        scene.ensure(host);
        let tokens = tokens.unwrap_or(scene.plan.tokens);
        let member = Member {
            zone,
            weight,
            ..Member::new(ids)
        };
        let request = Request::Join {
            via,
            replaces,
            replicas,
            member,
            tokens,
        };
        self.ask(args, host, request, Options::default())
    }

    fn change(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let removed = args.hosts("remove")?.unwrap_or_default();
        let joining = args.hosts("join")?.unwrap_or_default();
        let replicas: Option<u8> = args.parsed("replicas")?;
        let scene = self.scene()?;
        let host = scene.asked(args)?;
        let mut changes: Vec<Change> = removed.into_iter().map(Change::Remove).collect();
        for host in joining {
            scene.ensure(host);
            let seed = scene.plan.seed.wrapping_mul(1000) + host.0;
            let tokens = random(seed, usize::from(scene.plan.tokens));
            changes.push(Change::Join(host, Member::new(tokens)));
        }
        changes.extend(replicas.map(Change::Replicas));
        self.ask(args, host, Request::Change(changes), Options::default())
    }
}

impl Scene {
    /// A new host that is not in this world yet.
    fn new_host(&mut self, name: &str) -> Result<(), String> {
        let host = args::host("HOST", name)?;
        if self.hosts.contains_key(&host) {
            return Err(format!("HOST: {host} is in this world already"));
        }
        self.add(host);
        self.pass(super::AFTERMATH);
        Ok(())
    }

    fn ensure(&mut self, host: HostId) {
        if !self.hosts.contains_key(&host) {
            self.add(host);
            self.pass(super::AFTERMATH);
        }
    }

    fn add(&mut self, host: HostId) {
        let config = HostConfig {
            host,
            seed: self.plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ host.0,
            keep: self.plan.keep.clone(),
            find: Arc::clone(&self.find),
            detect: self.plan.detect.clone(),
        };
        let store = MemoryStore::with_limit(self.plan.store_bytes);
        self.world
            .add_host_on(config, self.plan.disk, Box::new(store));
        self.hosts.insert(host, true);
    }

    fn link_join(&mut self, host: HostId, id: Id, via: HostId) -> Result<(), String> {
        let node = self.world.host(via).and_then(|host| host.nodes().next());
        let via: Peer = node
            .map(Finder::me)
            .ok_or_else(|| format!("via: {via} is down or has no node"))?;
        self.world.tell(host, Input::LinkJoin { id, via });
        Ok(())
    }

    /// Lets time go on until a node is a member or has given up.
    fn await_node(&mut self, host: HostId, id: Id) {
        self.pass(super::AFTERMATH);
        let limit = self.world.now() + PATIENCE;
        self.world.run_while(limit, |world| {
            let node = world.host(host).and_then(|host| host.node(id));
            node.is_some_and(|node| !node.is_member() && !node.is_outside())
        });
        self.pass(super::AFTERMATH);
    }
}
