//! Told to end in the midst of its play, the program leaves nothing behind either.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

/// Ended by Ctrl-C, as a shell says it.
const INTERRUPTED: i32 = 130;

/// The processes that run.
static PROCESSES: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A process has begun.
pub(crate) fn begun(pid: u32) {
    let mut all = PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(pid);
}

/// One has ended: its number may be another's from now on.
pub(crate) fn ended(pid: u32) {
    let mut all = PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|other| *other != pid);
}

/// From now on SIGINT and SIGTERM end the processes, and remove the directory, before they end this program.
pub(crate) fn when_told_to_end(dir: &Path) {
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without a runtime the signals end it as they always do.
        if let Ok(runtime) = runtime {
            runtime.block_on(end(dir));
        }
    });
}

async fn end(dir: PathBuf) {
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // Held to the end: none begins any more.
    let all = PROCESSES.lock().unwrap_or_else(PoisonError::into_inner);
    for pid in all.iter() {
        // Std can only kill its own children by their handles, and those are in the midst of the play.
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -KILL {pid}")])
            .status();
    }
    // What is killed closes its files a moment later.
    while dir.exists() && std::fs::remove_dir_all(&dir).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::process::exit(INTERRUPTED);
}
