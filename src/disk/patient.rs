//! Threads that give way to others.
//!
//! What the engine does in the background, and reading pages of a move, takes a processor for long. A request needs one for a
//! moment, many times, in one thread after the other: each time it would wait until the others have had their turn. So
//! these threads ask the system to be served after the rest, which costs them nothing while a processor is free.

/// How much later, in the system's terms: such a thread gets a tenth of what one of the usual kind gets.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// From now on the calling thread, and those it starts, give way to others.
pub(super) fn be_patient() {
    // Elsewhere it would be the whole process. Where the system refuses, the thread goes on as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}
