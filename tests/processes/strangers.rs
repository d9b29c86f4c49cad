//! What knocks at the port of a real host and is neither client nor host. In each case the process lives, others are
//! served meanwhile, memory stays bounded, and the log does not grow with their number.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::host::Hosts;
use crate::load::{Load, check};

/// How a host begins what it says to a host.
const HOST: &[u8] = &roundelay::remote::MAGIC;

/// Memory may grow by so much while clients go on, whatever strangers do.
const MOST_MIB: u64 = 100;

/// The log may grow by so many lines: one for each way of not being a host, now and then.
const MOST_LINES: usize = 40;

struct Port<'a> {
    hosts: &'a Hosts,
    load: &'a Load,
}

impl Port<'_> {
    fn knock(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.hosts.seats[0].address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        stream
    }

    /// Says this, and waits until it is told to go.
    fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.knock();
        // It may be closed before all was said, and by a reset.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Others are served.
    fn serves(&self, after: &str) {
        println!("{after}: {} MiB", self.mib());
        self.load.goes_on(30);
    }

    fn resets(&self, count: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            for n in 0..count {
                let stream = tokio::net::TcpStream::connect(&self.hosts.seats[0].address);
                let stream = stream.await.unwrap();
                let half = [&b"*3"[..], &HOST[..3], b""][n % 3];
                stream.try_write(half).unwrap();
                stream.set_zero_linger().unwrap();
            }
        });
    }

    /// Asks for a large value again and again, and never reads it.
    fn asks_and_never_reads(&self) -> TcpStream {
        let mut stream = self.knock();
        let value = vec![b'v'; 1_000_000];
        let set = format!("*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n${}\r\n", value.len());
        stream
            .write_all(&[set.as_bytes(), &value, b"\r\n"].concat())
            .unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
        let gets = "GET large\r\n".repeat(1000);
        let took = (0..1000).take_while(|_| stream.write_all(gets.as_bytes()).is_ok());
        assert!(took.count() < 1000, "a million of them were taken");
        stream
    }

    fn mib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.hosts.pid(0));
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() / 1024
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one stranger after the other")]
fn whoever_knocks_at_the_port_of_a_host_costs_nobody_else_anything() {
    let (hosts, history) = (Hosts::start(3, &[]), Arc::new(History::new()));
    let load = Load::start(&history, 2, &hosts.urls([0, 1]));
    // What its store keeps in memory grows to its limit meanwhile, too: so a while of load stands before.
    load.goes_on(500);
    let port = Port {
        hosts: &hosts,
        load: &load,
    };
    let (mib, lines) = (port.mib(), hosts.said(0).lines().count());

    port.resets(10_000);
    port.serves("10,000 resets");
    let silent: Vec<TcpStream> = (0..300).map(|_| port.knock()).collect();
    port.serves("300 that say nothing");
    for _ in 0..50 {
        let alert = port.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc");
        assert_eq!(alert.first(), Some(&0x15), "an alert, as TLS says no");
        port.say(&[0xff; 4000]);
        port.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        port.say(b"*1\r\n$4294967296\r\n");
    }
    port.serves("TLS, noise, HTTP, four GiB announced");
    let mut half = Vec::new();
    for begun in [
        &b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$500000000\r\nhalf"[..],
        HOST,
    ] {
        for _ in 0..100 {
            let mut stream = port.knock();
            stream.write_all(begun).unwrap();
            half.push(stream);
        }
    }
    port.serves("two hundred halves of something");
    // A hello that never ends: closed after a while, whether it dribbles or stops.
    let hello = [HOST, &[roundelay::remote::PROTOCOL, 0xff, 0xff]].concat();
    assert_eq!(port.say(&hello), b"");
    let mut dribbles = port.knock();
    let bytes = hello.iter().chain(&[0; 100]);
    let taken = bytes.take_while(|byte| {
        std::thread::sleep(Duration::from_millis(200));
        dribbles.write_all(&[**byte]).is_ok()
    });
    assert!(taken.count() < 100);
    port.serves("a hello at five bytes a second");
    let deaf = port.asks_and_never_reads();
    port.serves("a client that does not read");
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..5000u32 {
        let len = usize::try_from(n % 1400).unwrap();
        noise
            .send_to(&vec![7; len], &hosts.seats[0].address)
            .unwrap();
    }
    port.serves("5,000 packets that nobody sealed");

    let (mib_now, said) = (port.mib(), hosts.said(0));
    assert!(mib_now < mib + MOST_MIB, "{mib} MiB, and {mib_now} now");
    let more = said.lines().count() - lines;
    assert!(more < MOST_LINES, "{more} lines more:\n{said}");
    for host in hosts.all() {
        assert_eq!(hosts.down(host), Some(0), "h{host}");
    }
    drop((silent, half, deaf));
    check(&history, vec![load], &hosts, &[0, 1, 2]);
}
