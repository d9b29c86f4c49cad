//! What is known of a client: the line that `CLIENT LIST` shows of it.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::resp::Proto;

/// A client, as others may see it.
#[derive(Debug)]
pub(super) struct About {
    pub(super) id: u64,
    pub(super) from: SocketAddr,
    pub(super) since: Instant,
    pub(super) name: String,
    pub(super) lib_name: String,
    pub(super) lib_ver: String,
    pub(super) proto: Proto,
    /// The last command it gave.
    pub(super) last: &'static str,
}

impl About {
    pub(super) fn new(id: u64, from: SocketAddr) -> About {
        About {
            id,
            from,
            since: Instant::now(),
            name: String::new(),
            lib_name: String::new(),
            lib_ver: String::new(),
            proto: Proto::default(),
            last: "NULL",
        }
    }

    /// In Redis's words.
    pub(super) fn line(&self) -> String {
        let age = self.since.elapsed().as_secs();
        format!(
            "id={} addr={} name={} age={age} db=0 cmd={} user=default resp={} lib-name={} lib-ver={}",
            self.id,
            self.from,
            self.name,
            self.last,
            self.proto.number(),
            self.lib_name,
            self.lib_ver
        )
    }
}
