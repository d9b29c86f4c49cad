//! Runs the commands of a transcript, by the programs that `cargo test` has already built.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Longer than any transcript should take, even unoptimised on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// What the command prints, both streams in their order; or why it cannot be run here.
pub(crate) fn run(command: &str) -> Result<String, String> {
    let command = runnable(command)?;
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .output();
        done.send(output).unwrap_or_default();
    });
    let output = result
        .recv_timeout(LIMIT)
        .map_err(|_| format!("is still running after {} s", LIMIT.as_secs()))?
        .map_err(|error| format!("cannot be started: {error}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        text.push_str(&match output.status.code() {
            Some(code) => format!("(exit code {code})\n"),
            None => "(killed by a signal)\n".to_owned(),
        });
    }
    Ok(text)
}

/// The command with `cargo run --example X --` or `roundelay` replaced by the built program.
fn runnable(command: &str) -> Result<String, String> {
    let (program, rest) = if let Some(arguments) = command.strip_prefix("cargo run ") {
        let (options, rest) = arguments.split_once(" -- ").unwrap_or((arguments, ""));
        match example_of(options).ok_or("only `cargo run --example NAME` is understood")? {
            Some(example) => (built(&example)?, rest),
            None => (roundelay()?, rest),
        }
    } else if command == "roundelay" || command.starts_with("roundelay ") {
        (roundelay()?, &command["roundelay".len()..])
    } else {
        return Err(
            "is neither `cargo run …` nor `roundelay …`; take another kind of block".into(),
        );
    };
    Ok(format!("'{}' {rest}", program.display()))
}

/// The NAME of `--example NAME`, none for the program itself; options of the build do not matter.
fn example_of(options: &str) -> Option<Option<String>> {
    let mut words = options.split_whitespace();
    let mut example = None;
    while let Some(word) = words.next() {
        match word {
            "--example" => example = Some(words.next()?.to_owned()),
            "-q" | "--quiet" | "-r" | "--release" | "--no-default-features" => {}
            _ => return None,
        }
    }
    Some(example)
}

fn built(example: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let debug = own.parent().and_then(Path::parent);
    let program = debug
        .ok_or("no target directory")?
        .join("examples")
        .join(example);
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("needs `cargo build --example {example}` first"))
    }
}

fn roundelay() -> Result<PathBuf, String> {
    let program = option_env!("CARGO_BIN_EXE_roundelay");
    program
        .map(PathBuf::from)
        .ok_or_else(|| "there is no program `roundelay` yet".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_shows_its_error_and_its_exit_code() {
        let printed = run("cargo run -q --example ring -- 0 10").unwrap();
        assert!(printed.starts_with("error: invalid value '0'"), "{printed}");
        assert!(printed.ends_with("\n(exit code 2)\n"), "{printed}");
    }

    #[test]
    fn options_of_the_build_are_left_out() {
        let plain = runnable("cargo run --example ring -- 5 'a b' | head -1").unwrap();
        assert!(
            plain.ends_with("examples/ring' 5 'a b' | head -1"),
            "{plain}"
        );
        let release = runnable("cargo run -q --release --example ring -- 5 'a b' | head -1");
        assert_eq!(release.unwrap(), plain);
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        for command in [
            "cargo test",
            "ls",
            "cargo run --example no_such_example",
            "cargo run --bogus --example ring",
            "cargo run --example",
        ] {
            assert!(run(command).is_err(), "{command}");
        }
    }
}
