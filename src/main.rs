//! The program `roundelay`: what it is told on its command line, it does. See `cli`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
