//! What the log says, kept for each test by itself.

use std::cell::RefCell;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Keeper;

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info && metadata.target().starts_with("roundelay::remote")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            SAID.with_borrow_mut(|said| said.push(line));
        }
    }

    fn flush(&self) {}
}

/// From now on what is said on this thread is kept.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
    SAID.with_borrow_mut(Vec::clear);
}

/// All lines so far that contain this.
pub(crate) fn lines(part: &str) -> Vec<String> {
    SAID.with_borrow(|said| {
        let found = said.iter().filter(|line| line.contains(part));
        found.cloned().collect()
    })
}

/// The one line that contains this.
#[track_caller]
pub(crate) fn once(part: &str) -> String {
    let mut found = lines(part);
    assert_eq!(found.len(), 1, "{part:?} in {:#?}", lines(""));
    found.remove(0)
}
