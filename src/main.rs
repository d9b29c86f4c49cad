//! The program `roundelay`: what it is told on its command line, it does. See `cli`.

mod cli;

/// A message is a handful of small pieces of memory that live for some microseconds, and of the buffers they came in. Who
/// embeds a host chooses an allocator for the whole program; this is the choice of ours.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
