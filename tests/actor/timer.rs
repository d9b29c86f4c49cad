//! The one timer of a host.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use roundelay::actor::{Clock, Input, Local, Surroundings};
use roundelay::placement::HostId;
use roundelay::record::{Time, WallMs};
use roundelay::sim::paused;
use roundelay::store::MemoryStore;

/// Notes when it is woken.
struct Sleeper(Clock, Rc<RefCell<Vec<u64>>>);

impl Actor for Sleeper {
    type Context = Context<Sleeper>;
}

impl Handler<Input> for Sleeper {
    type Result = ();

    fn handle(&mut self, input: Input, _: &mut Context<Sleeper>) {
        if matches!(input, Input::Wake) {
            self.1.borrow_mut().push(self.0.now().at.as_ms());
        }
    }
}

#[test]
fn a_host_is_woken_once_and_when_it_wanted_last() {
    paused().block_on(async {
        let (clock, woken) = (Clock::beginning(WallMs(0)), Rc::default());
        let actor = Sleeper(clock, Rc::clone(&woken)).start();
        let mut local = Local::new(HostId(1), clock, Box::new(MemoryStore::new()));
        local.born(actor.downgrade().recipient());
        let after = |ms| Some(Time::ZERO + Duration::from_millis(ms));
        let sleep = |ms| actix::clock::sleep(Duration::from_millis(ms));
        local.settled(after(100));
        local.settled(after(300));
        sleep(200).await;
        assert_eq!(*woken.borrow(), [0u64; 0], "later than was first said");
        local.settled(after(250));
        sleep(200).await;
        assert_eq!(*woken.borrow(), [250], "sooner");
        local.settled(after(500));
        local.settled(None);
        sleep(200).await;
        assert_eq!(*woken.borrow(), [250], "not at all");
        local.settled(after(700));
        sleep(200).await;
        assert_eq!(*woken.borrow(), [250, 700], "again");
    });
}
