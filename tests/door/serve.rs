//! The program `roundelay` as a host: how it is told what to do, and what it says when it cannot.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundelay"));
    command.args(words).stdin(Stdio::null());
    command
}

/// Its exit code, its output, and what it complained of.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// Ports one after the other that nobody has now: below those that clients are given, of which other tests take ten thousand.
fn free_ports(n: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..1000)
        .find_map(|_| {
            // Of a place of its own in each process that tests.
            let place = std::process::id()
                .wrapping_mul(97)
                .wrapping_add(NEXT.fetch_add(n.into(), Ordering::Relaxed));
            let first = 10_000 + u16::try_from(place % 20_000).ok()?;
            let all = (first..first + n).map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
            all.collect::<Option<Vec<_>>>().map(|_| first)
        })
        .unwrap()
}

/// A process that is killed when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(words: &[&str]) -> Running {
        let mut command = program(words);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running(child.unwrap())
    }

    fn signal(&self, pid: u32, signal: &str) {
        let kill = format!("kill -{signal} {pid}");
        let done = Command::new("sh").args(["-c", &kill]).status();
        assert!(done.unwrap().success());
    }

    /// Lines it says, up to the first with that in it.
    fn said(&mut self, part: &str, to_stderr: bool) -> String {
        let mut all = String::new();
        let (out, err) = (self.0.stdout.as_mut(), self.0.stderr.as_mut());
        let mut lines: Box<dyn BufRead> = match to_stderr {
            false => Box::new(BufReader::new(out.unwrap())),
            true => Box::new(BufReader::new(err.unwrap())),
        };
        while !all.contains(part) {
            let read = lines.read_line(&mut all).unwrap();
            assert!(read > 0, "it ended, and never said {part:?}: {all}");
        }
        all
    }
}

#[test]
fn settings_that_were_printed_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("printed.toml");
    let mut command = program(&[
        "serve",
        "--print-config",
        "--listen",
        "127.0.0.1:7200",
        "--join",
        "a:1,b:2",
        "--zone",
        "north.1",
        "--leave-on-exit",
        "--data-dir",
        "with \"quotes\" and ä",
    ]);
    let (code, printed, _) = run(command.env("ROUNDELAY_TOKENS", "9"));
    assert_eq!(code, 0);
    assert!(
        printed.contains("tokens = \"9\"  # ROUNDELAY_TOKENS\n"),
        "{printed}"
    );
    std::fs::write(&file, &printed).unwrap();
    let words = [
        "serve",
        "--print-config",
        "--config",
        file.to_str().unwrap(),
    ];
    let (code, again, _) = run(&mut program(&words));
    assert_eq!(code, 0);
    let settings = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .map(|line| line.split("  #").next().unwrap().to_owned());
        lines.collect()
    };
    assert_eq!(settings(&again), settings(&printed));
    assert_eq!(settings(&again).len(), 25, "{again}");
}

#[test]
fn bad_settings_end_with_2_and_say_where_they_come_from() {
    for (words, why) in [
        (&["--listen", "nonsense"][..], "--listen nonsense"),
        (&["--tokens", "0"], "tokens must be 1 to"),
        (&["--fsync", "always"], "--data-dir DIR"),
        (&["--config", "/none/at/all"], "/none/at/all"),
        (&["--listen", "0.0.0.0:7"], "--advertise"),
        (&["--listen", "10.1.1.1:7"], "--secret-file"),
        (&["--join", ","], "it names nobody"),
        (&["--join", ""], "it names nobody"),
        (&["--data-dir", ""], "data-dir is empty"),
    ] {
        let (code, _, told) = run(&mut program(&[&["serve"], words].concat()));
        assert!(code == 2 && told.contains(why), "{words:?}: {code}, {told}");
    }
    for (name, text, why) in [
        ("ROUNDELAY_FSYNC", "sometimes", "ROUNDELAY_FSYNC sometimes"),
        ("ROUNDELAY_JOIN", "", "it names nobody"),
        ("ROUNDELAY_FSYNK", "always", "no setting ROUNDELAY_FSYNK"),
        ("ROUNDELAY_CONFIG", "/none/at/all", "/none/at/all"),
    ] {
        let (code, _, told) = run(program(&["serve"]).env(name, text));
        assert!(code == 2 && told.contains(why), "{name}: {code}, {told}");
    }
}

/// Its output goes to a file that takes nothing; or to somebody who has gone.
#[test]
fn who_cannot_print_says_so_and_a_closed_pipe_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("cluster");
    let port = free_ports(1).to_string();
    let cluster = [
        "cluster", "--nodes", "1", "--memory", "--port", &port, "--dir",
    ];
    let cluster = [&cluster[..], &[dir.to_str().unwrap()]].concat();
    let printed = [&cluster[..], &["--print"]].concat();
    for words in [&["serve", "--print-config"][..], &printed, &cluster] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = program(words).stdout(full).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && told.contains("cannot print: "),
            "{words:?}: {told}"
        );
    }
    for words in [&["serve", "--print-config"][..], &printed] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(words)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output();
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && told.is_empty(), "{told}");
    }
}

#[test]
fn a_host_with_another_secret_says_why_it_is_in_no_ring() {
    let dir = tempfile::tempdir().unwrap();
    let secret = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, name).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (right, wrong) = (secret("right"), secret("wrong"));
    let port = free_ports(2);
    let name = |n: u16| format!("127.0.0.1:{}", port + n);
    let serve = |n: u16, file: &str| {
        Running::start(&[
            "serve",
            "--listen",
            &name(n),
            "--join",
            &name(0),
            "--secret-file",
            file,
        ])
    };
    let mut one = serve(0, &right);
    one.said("is in a ring of 1", false);
    let mut other = serve(1, &wrong);
    let why = other.said("is in no ring yet", true);
    let expected = format!("{}: refused: the secrets differ", name(0));
    assert!(why.contains(&expected), "{why}");
}

#[test]
fn a_data_directory_that_is_in_use_twice_is_told_at_both_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let (first, copy) = (dir.path().join("first"), dir.path().join("copy"));
    let (first, copy) = (first.to_str().unwrap(), copy.to_str().unwrap());
    let port = free_ports(2);
    let name = |n: u16| format!("127.0.0.1:{}", port + n);
    let serve = |n: u16, data: &str| {
        let (at, join) = (name(n), [name(0), name(1)].join(","));
        let words = [
            "serve",
            "--listen",
            &at,
            "--join",
            &join,
            "--data-dir",
            data,
        ];
        Running::start(&words)
    };
    let mut one = serve(0, first);
    let said = one.said("is in a ring of 1", false);
    one.signal(one.0.id(), "TERM");
    assert_eq!(one.0.wait().unwrap().code(), Some(0));
    let done = Command::new("cp").args(["-r", first, copy]).status();
    assert!(done.unwrap().success());
    let (mut one, mut two) = (serve(0, first), serve(1, copy));
    let host = said
        .split_whitespace()
        .find(|word| word.len() > 6 && word.starts_with('h') && *word != "host");
    let host = host.unwrap();
    for (process, other) in [(&mut one, name(1)), (&mut two, name(0))] {
        let told = process.said("in use twice", true);
        let what = format!("another process at {other} is {host}, as this one is");
        assert!(told.contains(&what), "{told}");
    }
}

/// Flags for a host with a certificate of its own making, whose files lie there.
fn certified(dir: &std::path::Path) -> Vec<String> {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["roundelay".to_owned()]).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let texts = [
        ("cert", pem.clone()),
        ("key", key.serialize_pem()),
        ("ca", pem),
    ];
    let flags = texts.map(|(name, text)| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        [format!("--tls-{name}"), path.to_str().unwrap().to_owned()]
    });
    flags.concat()
}

#[test]
fn tls_on_one_side_only_is_said_on_either() {
    let dir = tempfile::tempdir().unwrap();
    let tls = certified(dir.path());
    let port = free_ports(4);
    let name = |n: u16| format!("127.0.0.1:{}", port + n);
    let serve = |n: u16, join: u16, tls: &[String]| {
        let (at, join) = (name(n), name(join));
        let words = ["serve", "--listen", &at, "--join", &join];
        let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
        Running::start(&[&words[..], &tls].concat())
    };
    let (mut plain, mut sealed) = (serve(0, 0, &[]), serve(1, 1, &tls));
    plain.said("is in a ring of 1", false);
    sealed.said("is in a ring of 1", false);
    let (mut one, mut other) = (serve(2, 1, &[]), serve(3, 0, &tls));
    one.said("it speaks TLS, and this host does not", true);
    other.said("TLS: the other side does not speak it", true);
}

#[test]
fn what_people_should_know_of_a_directory_is_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
    let port = free_ports(1);
    let at = format!("127.0.0.1:{port}");
    let words = [
        "serve",
        "--listen",
        &at,
        "--data-dir",
        dir.to_str().unwrap(),
    ];
    let mut host = Running::start(&[&words[..], &["--zone", "north"]].concat());
    let first = host.said("is in a ring of 1", false);
    assert!(first.contains(&format!("listens on {at}\n")), "{first}");
    drop(host);
    let more = ["--tokens", "5", "--zone", "north"];
    let mut host = Running::start(&[&words[..], &more].concat());
    let log = host.said("--tokens 5 has no effect: the ring goes by 16", true);
    assert!(
        !log.contains("--zone") && !log.contains("--weight"),
        "{log}"
    );
    drop(host);
    let (code, _, told) = run(&mut program(&[&words[..], &["--cluster", "x"]].concat()));
    assert!(
        code == 1 && told.contains("a host of the cluster roundelay, and this one is of x"),
        "{told}"
    );
    std::fs::write(dir.join("host"), "torn").unwrap();
    let mut host = Running::start(&words);
    host.said("the data directory was damaged", true);
    let (code, _, told) = run(&mut program(&["serve", "--listen", &at]));
    let why = "some process listens there already: choose another --listen";
    assert!(code == 1 && told.contains(why), "{told}");
}

#[test]
fn a_cluster_says_who_has_ended_and_ends_with_all_its_processes() {
    let port = free_ports(3).to_string();
    let words = [
        "cluster", "--nodes", "3", "--memory", "--port", &port, "--dir",
    ];
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("cluster");
    let words = [&words[..], &[dir.to_str().unwrap()]].concat();
    let (code, commands, _) = run(&mut program(&[&words[..], &["--print"]].concat()));
    assert!(code == 0 && !dir.exists(), "printing starts nothing");
    let begins = format!("roundelay serve --listen 127.0.0.1:{port} --join ");
    assert!(
        commands.lines().count() == 3 && commands.starts_with(&begins),
        "{commands}"
    );
    let mut cluster = Running::start(&words);
    let said = cluster.said("to end: Ctrl-C", false);
    let pids = pids(&said);
    assert_eq!(pids.len(), 3, "{said}");
    let stands = cluster.said("roundelay ring", false);
    let lines = [
        "the ring stands: 3 hosts, roster v".to_owned(),
        format!("try: redis-cli -p {port} set cat meow\n"),
        format!("try: roundelay ring --node 127.0.0.1:{port}\n"),
    ];
    assert!(lines.iter().all(|line| stands.contains(line)), "{stands}");
    cluster.signal(pids[2], "KILL");
    let ended = cluster.said("start it again: ", true);
    let who = format!(
        "process {} has ended (signal: 9 (SIGKILL)): 127.0.0.1:",
        pids[2]
    );
    assert!(ended.contains(&who), "{ended}");
    assert!(
        ended.contains("node-3.log\n  the log ends: ")
            && ended.contains("roundelay serve --listen"),
        "{ended}"
    );
    cluster.signal(cluster.0.id(), "TERM");
    assert_eq!(cluster.0.wait().unwrap().code(), Some(0));
    for pid in pids {
        assert!(!runs(pid), "process {pid} is left behind");
    }
}

#[test]
fn a_cluster_starts_a_host_again_that_has_ended() {
    let port = free_ports(2).to_string();
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("cluster");
    let logs = logs.to_str().unwrap();
    let words = [
        "cluster",
        "--nodes",
        "2",
        "--port",
        &port,
        "--restart",
        "--dir",
        logs,
    ];
    let mut cluster = Running::start(&words);
    let first = pids(&cluster.said("to end: Ctrl-C", false));
    cluster.said("roundelay ring", false);
    cluster.signal(first[1], "KILL");
    let ended = cluster.said("in a row)", true);
    assert!(
        ended.contains("is started again in 500 ms (1 of 5 in a row)"),
        "{ended}"
    );
    let again = cluster.said("started again: ", false);
    let again = pids(&again.replace("started again: ", ""));
    assert!(
        again.len() == 1 && again != first[1..],
        "{again:?} {first:?}"
    );
    cluster.signal(cluster.0.id(), "INT");
    assert_eq!(cluster.0.wait().unwrap().code(), Some(0));
    for pid in first.into_iter().chain(again) {
        assert!(!runs(pid), "process {pid} is left behind");
    }
}

#[test]
fn a_cluster_gives_up_a_host_that_cannot_begin_and_takes_nobody_else_for_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("cluster");
    let port = free_ports(1).to_string();
    let words = [
        "cluster",
        "--nodes",
        "1",
        "--memory",
        "--port",
        &port,
        "--restart",
        "--dir",
    ];
    let words = [&words[..], &[logs.to_str().unwrap(), "--", "--tokens", "0"]].concat();
    let (code, _, told) = run(&mut program(&words));
    let why = [
        "tokens must be 1 to",
        "it is given up: its arguments cannot be",
        "all hosts have ended",
    ];
    assert!(
        code == 1 && why.iter().all(|why| told.contains(why)),
        "{told}"
    );
    let mut host = Running::start(&["serve", "--listen", "127.0.0.1:0"]);
    let said = host.said("is in a ring of 1", false);
    let address = said.split(" listens on ").nth(1).unwrap();
    let port = address.lines().next().unwrap().rsplit(':').next().unwrap();
    let words = [
        "cluster", "--nodes", "1", "--memory", "--port", port, "--dir",
    ];
    let words = [&words[..], &[logs.to_str().unwrap()]].concat();
    let (code, out, told) = run(&mut program(&words));
    assert!(
        code == 1 && told.contains("some process listens there already"),
        "{told}"
    );
    assert!(!out.contains("the ring stands"), "{out}");
}

/// The processes that a cluster says it has started.
fn pids(said: &str) -> Vec<u32> {
    let lines = said
        .lines()
        .filter_map(|line| line.strip_prefix("process "));
    lines
        .filter_map(|line| line.split(':').next()?.parse().ok())
        .collect()
}

/// Whether a process runs: one that has ended may stay in the list until somebody looks.
fn runs(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}

#[test]
fn a_cluster_that_is_killed_leaves_no_host_behind_and_none_waits_for_the_others() {
    let port = free_ports(3).to_string();
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("cluster");
    let mut cluster = Running::start(&[
        "cluster",
        "--nodes",
        "3",
        "--port",
        &port,
        "--dir",
        logs.to_str().unwrap(),
        "--",
        "--farewell",
        "3000s",
    ]);
    let pids = pids(&cluster.said("to end: Ctrl-C", false));
    assert_eq!(pids.len(), 3);
    let log = |n: usize| std::fs::read_to_string(logs.join(format!("node-{n}.log"))).unwrap();
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        for _ in 0..2400 {
            if is() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{what}:\n{}\n{}\n{}", log(1), log(2), log(3));
    };
    wait("not all are in", &|| {
        (1..=3).all(|n| log(n).contains("is in a ring of "))
    });
    cluster.signal(cluster.0.id(), "KILL");
    cluster.0.wait().unwrap();
    // Nobody agrees that the last two go, and none of them waits for fifty minutes.
    wait("some run on", &|| !pids.iter().any(|pid| runs(*pid)));
    let together = "others of the ring are ending, too";
    assert!((1..=3).any(|n| log(n).contains(together)), "{}", log(1));
}
