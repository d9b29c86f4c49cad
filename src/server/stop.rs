//! How a server ends in order.
//!
//! ```text
//! leave or drain     the others take over what it held, or say that it may stop; but if others go down meanwhile,
//!                    all are ending, and waiting is of no use; and who is the last to leave keeps all there is
//! links              what waits is sent, goodbye is said
//! host               its actors end
//! store              what was asked is done and synced; the directory says that it was closed
//! ```

use std::time::Duration;

use super::shelf::Shelf;
use super::start::Server;
use crate::dht::{Dht, DhtError};
use crate::message::{Outcome, Request};
use crate::placement::HostId;

/// How often it says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// A grant that was refused is asked for again after this long.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// If others go, too, while it asks, it waits so much longer: they are all told to end, and nobody will agree.
const TOGETHER: Duration = Duration::from_secs(3);

/// What waits for others is given so long to be sent.
const LINKS: Duration = Duration::from_secs(1);

/// What its tasks have started, and what that has, ends after so many turns of the others.
const LETTING_GO: u32 = 3;

/// How a server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The others have taken over, or agreed that it stops.
    Agreed,
    /// It was alone: nobody could take over.
    Alone,
    /// It stopped all the same: why nobody agreed.
    Unasked(String),
}

impl Server {
    /// Hands over, then ends. `say` is told how far it is, in words.
    pub async fn stop(mut self, say: &mut dyn FnMut(String)) -> Farewell {
        let farewell = self.hand_over(say).await;
        self.close().await;
        farewell
    }

    async fn hand_over(&self, say: &mut dyn FnMut(String)) -> Farewell {
        if self.is_alone() {
            return Farewell::Alone;
        }
        let me = self.dht.host();
        let leave = self.settings.leave_on_exit;
        say(if leave {
            format!("{me} leaves the ring: the others take over what it holds")
        } else {
            format!("{me} asks the others whether it may stop")
        });
        let begin = tokio::time::Instant::now();
        let before = self.down();
        let mut together: Option<tokio::time::Instant> = None;
        let mut asked = Box::pin(ask(self.dht.clone(), leave));
        let mut last = String::new();
        loop {
            match tokio::time::timeout(SAY_EVERY, &mut asked).await {
                Ok(why) if why.is_none() => return Farewell::Agreed,
                _ if self.hosts() == [me] => {
                    say(self.last_words());
                    return Farewell::Alone;
                }
                Ok(why) if begin.elapsed() >= self.settings.farewell => {
                    return Farewell::Unasked(why.unwrap_or_default());
                }
                _ if together.is_some_and(|since| since.elapsed() >= TOGETHER) => {
                    return Farewell::Unasked(self.in_vain(leave));
                }
                Ok(why) => {
                    let line = format!("not yet: {}", why.unwrap_or_default());
                    // The same again says nothing new.
                    if line != last {
                        say(line.clone());
                        last = line;
                    }
                    tokio::time::sleep(ASK_AGAIN).await;
                    asked = Box::pin(ask(self.dht.clone(), leave));
                }
                Err(_) if begin.elapsed() >= self.settings.farewell => {
                    return Farewell::Unasked("nobody agreed in time".into());
                }
                Err(_) => say(self.progress().await),
            }
            together = match self.is_vain(leave, &before) {
                true => Some(together.unwrap_or_else(tokio::time::Instant::now)),
                false => together.filter(|_| !leave),
            };
        }
    }

    /// Whether it waits in vain: who leaves hands over what it has, and that is worth waiting for as long as somebody is
    /// there; who only stops is told by others that go, too, that all are told to end. `before`: who was down then.
    fn is_vain(&self, leave: bool, before: &[HostId]) -> bool {
        let (hosts, down) = (self.hosts(), self.down());
        match leave {
            true => hosts.contains(&self.dht.host()) && down.len() + 1 >= hosts.len(),
            false => down.iter().any(|host| !before.contains(host)),
        }
    }

    fn last_words(&self) -> String {
        let (me, keeps) = (self.dht.host(), self.keeps());
        format!("all others have left: {me} is the last host of the ring, {keeps}")
    }

    fn in_vain(&self, leave: bool) -> String {
        match leave {
            true => format!("no other host is left to take over, {}", self.keeps()),
            false => "others of the ring are ending, too".into(),
        }
    }

    /// The hosts of its ring, as far as it knows.
    fn hosts(&self) -> Vec<HostId> {
        let shell = self.shell.borrow();
        let roster = shell.host().roster();
        roster.map(|roster| roster.hosts()).unwrap_or_default()
    }

    /// Whether nobody is there who could take over.
    fn is_alone(&self) -> bool {
        let hosts = self.hosts();
        !hosts.contains(&self.dht.host()) || hosts.len() < 2
    }

    /// What becomes of what it holds if nobody takes it over.
    const fn keeps(&self) -> &'static str {
        match self.is_durable() {
            true => {
                "and what it holds stays in its data directory: start it again, and all is there"
            }
            false => "and what it holds was in memory, and goes with it",
        }
    }

    /// Hosts of the ring that are taken for down.
    fn down(&self) -> Vec<HostId> {
        let shell = self.shell.borrow();
        let host = shell.host();
        let me = self.dht.host();
        let hosts = host.roster().map(|roster| roster.hosts());
        let mut hosts = hosts.unwrap_or_default();
        hosts.retain(|other| *other != me);
        hosts.retain(|other| host.takes_for_down(*other));
        hosts
    }

    async fn progress(&self) -> String {
        match self.dht.status().await {
            Ok(status) => format!("still waiting: {}", Outcome::Status(Box::new(status))),
            Err(error) => format!("still waiting: {error}"),
        }
    }

    /// Ends without asking anybody; nothing acknowledged is lost.
    pub async fn close(&mut self) {
        self.links.close(LINKS).await;
        self.shell.borrow_mut().end();
        let shelf = self.shelf.borrow_mut().take();
        let home = self.home.take();
        if let Some(worker) = shelf.and_then(Shelf::into_worker) {
            // Its thread may wait for its results to be taken: not on this one.
            let store = tokio::task::spawn_blocking(move || worker.end()).await;
            if let (Ok(Some(store)), Some(home)) = (store, home)
                && let Err(error) = home.close(store)
            {
                log::warn!("the data directory could not be closed in order: {error}");
            }
        }
        for task in self.tasks.drain(..) {
            task.abort();
            // Only when it is gone has it let go of the port.
            let _ = task.await;
        }
        for _ in 0..LETTING_GO {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        // Busy only if a panic within it brought us here; then nobody is told any more.
        if let Ok(mut shell) = self.shell.try_borrow_mut() {
            shell.end();
        }
    }
}

/// Asks to leave, or to stop; why not, if not.
async fn ask(dht: Dht, leave: bool) -> Option<String> {
    let asked = if leave {
        dht.leave().await.map(drop)
    } else {
        dht.ask(Request::Drain).await.map(drop)
    };
    asked.err().map(|error: DhtError| error.to_string())
}
