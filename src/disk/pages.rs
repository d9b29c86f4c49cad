//! Pages are read by a thread of their own.
//!
//! ```text
//! store    Merge a   Scan   Get b   Merge c   …                   goes on at once
//! pages              a look ──── 128 KiB read ──┐
//! told     a         b   c                      page             when it is read
//! ```
//!
//! A page of a move is a hundred times what a request reads, and may have to come from the device: a request behind it
//! would wait for all of that. So the store only takes a [`Look`] where the page is asked for, in the order of the
//! operations, and goes on. The page is told when it is read: later than what was asked after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::look::Look;
use super::patient::be_patient;
use super::read::Bad;
use super::tables::{failed, is_damage, panicked};
use crate::store::{Done, Page, StoreError};

/// What is to be read, and how the asker goes on.
type Job<T> = (Look, Page, T);

/// The thread that reads pages. Its end waits until all are told.
pub(super) struct Pages<T> {
    jobs: Option<Sender<Job<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Pages<T> {
    /// Starts the thread. Pages are handed to `deliver` there; `damaged` is told why one could not be read, if that is
    /// damage.
    pub(super) fn start(
        mut deliver: impl FnMut(Vec<(Done, T)>) + Send + 'static,
        damaged: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<Pages<T>> {
        let (jobs, asked) = channel::<Job<T>>();
        let read = move || {
            be_patient();
            for (look, page, then) in asked {
                let done = read(look, &page).unwrap_or_else(|why| {
                    let told = StoreError::Device(format!("damaged: {why}"));
                    damaged(why);
                    Done::Failed(told)
                });
                deliver(vec![(done, then)]);
            }
        };
        let thread = std::thread::Builder::new()
            .name("pages".into())
            .spawn(read)?;
        Ok(Pages {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands a page over. Given back if the thread has ended.
    pub(super) fn ask(&self, look: Look, page: Page, then: T) -> Result<(), T> {
        let Some(jobs) = &self.jobs else {
            return Err(then);
        };
        jobs.send((look, page, then)).map_err(|job| job.0.2)
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // What it had to tell is told, whichever way it ended.
            let _ = thread.join();
        }
    }
}

/// Reads a page and lets go of the look; or says what is damaged.
fn read(look: Look, page: &Page) -> Result<Done, String> {
    // A damaged table may end in a panic instead of an error.
    let read = catch_unwind(AssertUnwindSafe(|| look.scan(page)));
    match read {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Bad::Engine(error))) if !is_damage(&error) => Ok(Done::Failed(failed(&error))),
        Ok(Err(Bad::Engine(error))) => Err(error.to_string()),
        Ok(Err(Bad::Head)) => Err("a record cannot be read".into()),
        Ok(Err(Bad::Run)) => Err("the digest of a run cannot be read".into()),
        Err(panic) => Err(panicked(&panic)),
    }
}
