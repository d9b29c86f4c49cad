//! A ring in this process, a door before each of its hosts, and a client that compares bytes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::prelude::*;
use roundelay::actor::{Book, Clock, Input, open};
use roundelay::dht::Dht;
use roundelay::door::{Behind, Door, DoorSettings};
use roundelay::sim::RingPlan;
use roundelay::store::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Hosts on a thread of their own, each with its door on a port of its own.
pub(crate) struct Ring {
    pub(crate) doors: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ring {
    /// One host, as it comes.
    pub(crate) fn alone() -> Ring {
        Ring::start(1, DoorSettings::default())
    }

    pub(crate) fn start(hosts: u32, settings: DoorSettings) -> Ring {
        let (told, doors) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let doors = house(hosts, &settings).await;
                told.send(doors).unwrap();
                let _ = stopped.await;
            });
        });
        Ring {
            doors: doors.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn client(&self, host: usize) -> Client {
        Client::of(self.doors[host])
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic in there has been printed; here it must not become a second one.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Hosts that have found each other, and where their doors are.
async fn house(hosts: u32, settings: &DoorSettings) -> Vec<SocketAddr> {
    let plan = RingPlan::new(hosts, 7);
    let book = Rc::new(RefCell::new(Book::new()));
    let clock = Clock::system();
    let roster = Arc::new(plan.roster().unwrap());
    let opened: Vec<_> = plan
        .ids()
        .map(|id| {
            (
                id,
                open(plan.config(id), Box::new(MemoryStore::new()), clock, &book),
            )
        })
        .collect();
    let mut doors = Vec::new();
    for (id, (actor, shell)) in opened {
        actor.do_send(Input::Enter(Arc::clone(&roster)));
        let door = Door::new(
            Behind::of(id, shell, Rc::new(move || clock.now().wall)),
            settings.clone(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        doors.push((
            listener.local_addr().unwrap(),
            Dht::new(actor.recipient(), id),
        ));
        actix::spawn(door.listen(listener));
    }
    for (_, dht) in &doors {
        while dht.put("started", "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    doors[0].1.delete("started").await.unwrap();
    // A quorum has the delete; the last replica may still count the key.
    while doors[0].1.count().await.unwrap().keys != 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    doors.into_iter().map(|(door, _)| door).collect()
}

/// A client that compares what it reads with what it expects, byte for byte.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn of(door: SocketAddr) -> Client {
        let stream = TcpStream::connect(door).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(stream)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        self.0.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Reads just so many bytes as are expected, which must be these.
    pub(crate) fn expect(&mut self, expected: impl AsRef<[u8]>) -> &mut Client {
        let expected = expected.as_ref();
        let mut read = vec![0; expected.len()];
        let mut have = 0;
        while have < read.len() {
            match self.0.read(&mut read[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) => {
                    let so_far = read[..have].escape_ascii().to_string();
                    panic!("{error}; so far: {so_far}")
                }
            }
            let (seen, same) = (&read[..have], &expected[..have]);
            assert!(
                seen == same,
                "\n  read     {}\n  expected {}",
                seen.escape_ascii(),
                expected.escape_ascii()
            );
        }
        assert_eq!(
            have,
            expected.len(),
            "closed too early: {}",
            read[..have].escape_ascii()
        );
        self
    }

    /// Sends, and reads what is expected.
    pub(crate) fn ask(
        &mut self,
        bytes: impl AsRef<[u8]>,
        expected: impl AsRef<[u8]>,
    ) -> &mut Client {
        self.send(bytes).expect(expected)
    }

    /// A line up to its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                other => panic!("{other:?} after {}", line.escape_ascii()),
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// Nothing more comes: the other side has closed.
    pub(crate) fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is a way of closing, too.
        let _ = self.0.read_to_end(&mut rest);
        assert!(rest.is_empty(), "still said: {}", rest.escape_ascii());
    }

    pub(crate) fn no_more(&mut self) -> &mut Client {
        self.0.shutdown(Shutdown::Write).unwrap();
        self
    }
}

/// A command as an array of strings.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl Client {
    /// A line within a text.
    pub(crate) fn line_lf(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            assert_eq!(self.0.read(&mut byte).unwrap(), 1);
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }
}

impl Client {
    /// A line as bytes, quickly: the other side's answers come in a row.
    pub(crate) fn line_of(&mut self) -> Vec<u8> {
        let mut line = Vec::with_capacity(16);
        let mut seen = [0; 64];
        loop {
            let n = self.0.peek(&mut seen).unwrap();
            assert!(n > 0, "closed after {}", line.escape_ascii());
            let end = seen[..n].iter().position(|byte| *byte == b'\n');
            let take = end.map_or(n, |end| end + 1);
            let mut bytes = vec![0; take];
            self.0.read_exact(&mut bytes).unwrap();
            line.extend_from_slice(&bytes);
            if end.is_some() {
                return line;
            }
        }
    }
}
