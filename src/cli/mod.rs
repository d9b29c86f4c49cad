//! How is the program told what to do?
//!
//! ```text
//! roundelay story tests/stories/data/key_put_get_delete      plays it, and prints what happened
//! roundelay story --no-output …                              prints its commands only, to predict
//! roundelay serve --data-dir /var/lib/roundelay              a host, until it is told to end
//! roundelay cluster --nodes 5                                so many on this machine, to try things out
//! roundelay commands                                         the language of stories
//! roundelay put cat meow --node host:50140                   asks a host; so do get, del, status …
//! roundelay sim sweep --seeds 100                            lives of rings from seeds, judged
//! roundelay sim replay 17 --trace                            one of them again, line by line
//! ```
//!
//! What a command says goes to stdout, logging and errors to stderr. Bad arguments and a story that cannot
//! be played end with exit code 2; a seed that breaks a rule with 1. A host that was told to end ends with 0, by
//! a second signal with 130.

mod client;
mod cluster;
mod serve;
mod sim;
mod story;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// A ring of actors, as a lesson, a laboratory and a store.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Play stories in virtual time and print their commands with what happened
    Story {
        /// Story files, such as tests/stories/data/key_put_get_delete
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the commands only: predict, then play
        #[arg(long)]
        no_output: bool,
    },
    /// List the commands of stories
    Commands,
    /// Live through rings drawn from seeds, in virtual time, and check every rule
    #[command(subcommand)]
    Sim(sim::Sim),
    #[command(flatten)]
    Keys(client::Keys),
    #[command(flatten)]
    Look(client::Look),
    #[command(flatten)]
    Rule(client::Rule),
    /// Run a host: founds a ring, or joins one
    Serve(Box<serve::ServeArgs>),
    /// Run several hosts on this machine
    Cluster(cluster::ClusterArgs),
}

/// `-1` is a number wherever it stands: a value that may be stored, or one that an argument refuses in its own words.
fn numbers_are_no_flags(command: clap::Command) -> clap::Command {
    let command = command.allow_negative_numbers(true);
    command.mut_subcommands(numbers_are_no_flags)
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let matches = numbers_are_no_flags(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches);
    let command = arguments.unwrap_or_else(|error| error.exit()).command;
    let quiet = match &command {
        // What people should know of a host that runs.
        What::Serve(_) => "warn,roundelay::server=info",
        What::Story { .. } | What::Commands | What::Cluster(_) | What::Sim(_) => "error",
        What::Keys(_) | What::Look(_) | What::Rule(_) => "error",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(quiet)).init();
    let told = match command {
        What::Story { files, no_output } => story::play_all(&files, no_output),
        What::Commands => Ok(story::commands()),
        What::Sim(what) => {
            return sim::run(&what).unwrap_or_else(|error| {
                eprintln!("roundelay: {error:#}");
                ExitCode::from(2)
            });
        }
        What::Keys(command) => return client::end(command.run()),
        What::Look(command) => return client::end(command.run()),
        What::Rule(command) => return client::end(command.run()),
        What::Serve(args) => return serve::run(&args),
        What::Cluster(args) => return cluster::run(&args),
    };
    let text = match told {
        Ok(text) => text,
        Err(error) => {
            eprintln!("roundelay: {error:#}");
            return ExitCode::from(2);
        }
    };
    printed(&text)
}

/// Prints, and nothing else is to be done.
fn printed(text: &str) -> ExitCode {
    match print(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roundelay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints bytes. Whoever reads from a pipe may stop early; that is no failure of ours.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot print: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
