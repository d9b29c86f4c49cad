//! A value of 256 MiB goes through three hosts with data directories, and none of them, nor the program that puts, gets,
//! exports and imports it, ever holds more than a small part of it.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::host::{Hosts, wait_for};

/// The value is written and read in so many blocks of 64 KiB: 256 MiB.
const BLOCKS: u64 = 4096;

/// So much more than in idleness each process may have used at its worst, five eighths of the value: 16 MiB of cache, 24 MiB of
/// the engine's tables in memory and what flushing them takes, pieces on their way, and what the allocator keeps, which is most.
const BOUND: u64 = 160 * 1024 * 1024;

/// The most memory a process has used so far, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

/// Block `n` of the value: no two are alike, and none can be made shorter.
fn block(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..8 * 1024).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().collect()
}

fn program(hosts: &Hosts, words: &[&str]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_roundelay"));
    program.args(words);
    program.args(["--node", &hosts.seats[0].address, "--timeout", "120"]);
    program.stdin(Stdio::piped()).stdout(Stdio::piped());
    program.stderr(Stdio::inherit()).spawn().unwrap()
}

fn put(hosts: &Hosts) {
    let path = hosts.dir.path().join("value");
    let mut file = std::fs::File::create(&path).unwrap();
    (0..BLOCKS).for_each(|n| file.write_all(&block(n)).unwrap());
    drop(file);
    // A disk that is busy with other tests may be too slow for two of three to confirm in time: then it is told that
    // the outcome is unknown, and put again.
    wait_for("the value to be stored", || {
        let mut put = program(hosts, &["put", "large", "--file", path.to_str().unwrap()]);
        let mut version = String::new();
        let mut said = put.stdout.take().unwrap();
        said.read_to_string(&mut version).unwrap();
        (put.wait().unwrap().success() && version.contains('@')).then_some(())
    });
    std::fs::remove_file(&path).unwrap();
}

fn get(hosts: &Hosts) {
    let mut get = program(hosts, &["get", "large"]);
    let mut got = BufReader::new(get.stdout.take().unwrap());
    for n in 0..BLOCKS {
        let mut here = vec![0; 65_536];
        got.read_exact(&mut here).unwrap();
        assert!(
            here == block(n),
            "block {n} of {BLOCKS} came back as another"
        );
        // Before its last bytes are read it cannot have ended.
        if n == BLOCKS - 32 {
            let client = peak(get.id());
            assert!(client < BOUND, "the client used {client} bytes");
        }
    }
    assert_eq!(got.read(&mut [0]).unwrap(), 0, "no more than was put");
    assert!(get.wait().unwrap().success());
}

/// Twice in one answer.
fn get_several(hosts: &Hosts) {
    let mut stream = TcpStream::connect(&hosts.seats[0].address).unwrap();
    stream.write_all(b"MGET large none large\r\n").unwrap();
    let mut got = BufReader::new(stream);
    let mut read = |len: usize| {
        let mut here = vec![0; len];
        got.read_exact(&mut here).unwrap();
        here
    };
    let head = format!("${}\r\n", BLOCKS * 65_536);
    for before in ["*3\r\n", "$-1\r\n"] {
        assert_eq!(read(before.len()), before.as_bytes());
        assert_eq!(read(head.len()), head.as_bytes());
        // Some of them are looked at: all would take longer than all else here.
        for n in 0..BLOCKS {
            let here = read(65_536);
            assert!(n % 64 > 0 || here == block(n), "block {n}");
        }
        assert_eq!(read(2), b"\r\n");
    }
}

/// Out by one pipe and in again by another.
fn export_and_import(hosts: &Hosts) {
    // As with a put, the outcome may be unknown where a disk is busy.
    wait_for("what is exported to be imported", || {
        let mut export = program(hosts, &["export"]);
        let mut import = program(hosts, &["import", "-", "--overwrite"]);
        let mut out = export.stdout.take().unwrap().take(BLOCKS * 65_536);
        let mut into = import.stdin.take().unwrap();
        std::io::copy(&mut out, &mut into).unwrap();
        for (what, process) in [("export", &export), ("import", &import)] {
            let client = peak(process.id());
            assert!(client < BOUND, "the {what} used {client} bytes");
        }
        std::io::copy(&mut out.into_inner(), &mut into).unwrap();
        drop(into);
        assert!(export.wait().unwrap().success());
        import.wait().unwrap().success().then_some(())
    });
}

#[test]
fn a_value_of_256_mib_is_put_got_exported_and_imported_and_no_process_holds_much_of_it() {
    let hosts = Hosts::start(3, &["--cache", "16MiB"]);
    let peaks = |what: &str| -> Vec<u64> {
        let peaks: Vec<u64> = hosts.all().map(|host| peak(hosts.pid(host))).collect();
        let mib: Vec<u64> = peaks.iter().map(|peak| peak >> 20).collect();
        println!("{what}: at most {mib:?} MiB in each process");
        peaks
    };
    let idle = peaks("idle");
    put(&hosts);
    let put = peaks("put");
    get(&hosts);
    get_several(&hosts);
    peaks("got several");
    export_and_import(&hosts);
    let got = peaks("exported and imported");
    for (host, (idle, (put, got))) in idle.iter().zip(put.iter().zip(&got)).enumerate() {
        let more = put.max(got) - idle;
        assert!(
            more < BOUND,
            "h{host} used {} MiB more than in idleness",
            more >> 20
        );
    }
}
