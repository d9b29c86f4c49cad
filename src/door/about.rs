//! What is known of a client: the line that `CLIENT LIST` shows of it.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::resp::Proto;

/// A client, as others may see it.
#[derive(Debug)]
pub(super) struct About {
    pub(super) id: u64,
    pub(super) from: SocketAddr,
    /// The address it came to, if that is known.
    pub(super) to: Option<SocketAddr>,
    pub(super) since: Instant,
    /// When it sent something last.
    pub(super) heard: Instant,
    /// Bytes of its commands and answers that are in memory.
    pub(super) held: usize,
    pub(super) name: String,
    pub(super) lib_name: String,
    pub(super) lib_ver: String,
    pub(super) proto: Proto,
    /// The last command it gave.
    pub(super) last: &'static str,
}

impl About {
    pub(super) fn new(id: u64, from: SocketAddr, to: Option<SocketAddr>) -> About {
        let now = Instant::now();
        About {
            id,
            from,
            to,
            since: now,
            heard: now,
            held: 0,
            name: String::new(),
            lib_name: String::new(),
            lib_ver: String::new(),
            proto: Proto::default(),
            last: "NULL",
        }
    }

    /// In Redis's words and order: libraries read all of them. What there is not here, or is not counted, is 0; `redir` and
    /// `multi` are -1 for none.
    pub(super) fn line(&self) -> String {
        let (age, idle) = (self.since.elapsed(), self.heard.elapsed());
        let to = self.to.map(|to| to.to_string()).unwrap_or_default();
        format!(
            "id={} addr={} laddr={to} fd=0 name={} age={} idle={} flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 \
             qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem={} events=r cmd={} user=default \
             redir=-1 resp={} lib-name={} lib-ver={}",
            self.id,
            self.from,
            self.name,
            age.as_secs(),
            idle.as_secs(),
            self.held,
            self.last,
            self.proto.number(),
            self.lib_name,
            self.lib_ver
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What redis-server 7.0 answers to `CLIENT INFO`, by names; of 7.2 the last two.
    const REDIS: &str = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver";

    #[test]
    fn a_client_has_the_fields_that_redis_has_in_its_order() {
        let from = SocketAddr::from(([10, 0, 0, 1], 7));
        let line = About::new(3, from, None).line();
        let names: Vec<&str> = line
            .split(' ')
            .map(|field| field.split_once('=').unwrap().0)
            .collect();
        assert_eq!(names.join(" "), REDIS);
        let to = SocketAddr::from(([10, 0, 0, 2], 6379));
        let line = About::new(3, from, Some(to)).line();
        assert!(
            line.starts_with(
                "id=3 addr=10.0.0.1:7 laddr=10.0.0.2:6379 fd=0 name= age=0 idle=0 flags=N "
            ),
            "{line}"
        );
    }
}
