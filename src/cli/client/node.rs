//! Which host is asked? The first of those named that answers.

use std::time::Duration;

use redis::{
    Client, Cmd, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisError, Value,
};

use super::stream::{Said, Wire};
use super::{Failed, Reach};

/// Hosts, in the order they are tried.
pub(super) struct Nodes {
    nodes: Vec<(String, ConnectionInfo)>,
    /// So long a connection, and an answer, are waited for.
    patience: Duration,
    /// Answers are waited for as long as they take.
    patient: bool,
}

impl Nodes {
    pub(super) fn of(reach: &Reach) -> Result<Nodes, Failed> {
        let mut settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(file) = &reach.password_file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failed::Arguments(format!(
                    "cannot read the password file {}: {error}",
                    file.display()
                ))
            })?;
            settings = settings.set_password(text.trim_end_matches(['\r', '\n']));
        }
        let mut nodes = Vec::new();
        for node in &reach.node {
            let info = address(node)
                .into_connection_info()
                .map_err(|error| Failed::Arguments(format!("--node {node}: {error}")))?;
            nodes.push((node.clone(), info.set_redis_settings(settings.clone())));
        }
        if let Some((node, _)) = nodes.iter().find(|(node, _)| split(node).is_none()) {
            let why =
                format!("--node {node}: a host and a port are wanted, such as localhost:50140");
            return Err(Failed::Arguments(why));
        }
        let patience = reach.patience();
        Ok(Nodes {
            nodes,
            patience,
            patient: false,
        })
    }

    /// The same hosts, whose answers may take as long as they do.
    pub(super) fn patient(self) -> Nodes {
        Nodes {
            patient: true,
            ..self
        }
    }

    /// A connection of our own to the first host that can be reached and is in a ring.
    pub(super) fn open(&self) -> Result<Wire, Failed> {
        let mut whys = Vec::new();
        for (node, info) in &self.nodes {
            let password = info.redis_settings().password();
            let mut wire = match Wire::open(node, password, self.patience) {
                Ok(wire) => wire,
                Err(Failed::Not(why) | Failed::Arguments(why)) => {
                    whys.push(why);
                    continue;
                }
            };
            // Whether it is in a ring must be known before a value is on its way that can be read but once.
            wire.send(&[b"DHT.WHEREIS", b"?"], None, &[])?;
            match wire.said() {
                Err(Failed::Not(why)) if why.contains("LOADING") => whys.push(why),
                Err(failed) => return Err(failed),
                Ok(Said::Several(hosts)) => {
                    for _ in 0..hosts {
                        wire.text()?;
                    }
                    return Ok(wire);
                }
                Ok(Said::Nothing | Said::Text(_) | Said::Bulk(_)) => return Ok(wire),
            }
        }
        Err(Failed::Not(whys.join("\nroundelay: ")))
    }

    /// Asks the first host that answers.
    pub(super) fn ask(&self, command: &Cmd) -> Result<Value, Failed> {
        let mut whys = Vec::new();
        for (node, info) in &self.nodes {
            match self.ask_one(info, command) {
                Ok(Value::ServerError(error)) => {
                    let details = error.details().unwrap_or_default();
                    let why = advised(&format!("{} {details}", error.code()));
                    return Err(Failed::Not(format!("{node}: {why}")));
                }
                Ok(answer) => return Ok(answer),
                Err(Trouble::Before(error)) => whys.push(format!("{node}: {}", worded(&error))),
                Err(Trouble::After(error)) => {
                    return Err(Failed::Not(format!("{node}: {}", worded(&error))));
                }
            }
        }
        Err(Failed::Not(whys.join("\nroundelay: ")))
    }

    fn ask_one(&self, info: &ConnectionInfo, command: &Cmd) -> Result<Value, Trouble> {
        let mut connection = self.connect(info).map_err(Trouble::Before)?;
        command
            .query(&mut connection)
            .map_err(|error| match error.code() {
                // It was refused before anything was done, and another host may be able to.
                Some("LOADING") => Trouble::Before(error),
                _ => Trouble::After(error),
            })
    }

    fn connect(&self, info: &ConnectionInfo) -> Result<Connection, RedisError> {
        let client = Client::open(info.clone())?;
        let connection = client.get_connection_with_timeout(self.patience)?;
        let wait = (!self.patient).then_some(self.patience);
        connection.set_read_timeout(wait)?;
        connection.set_write_timeout(Some(self.patience))?;
        Ok(connection)
    }
}

/// Whether the next host may be asked instead.
enum Trouble {
    /// Nothing was asked of this one.
    Before(RedisError),
    /// It may have done it.
    After(RedisError),
}

fn split(node: &str) -> Option<(&str, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Some((host, port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
}

fn address(node: &str) -> ConnectionAddr {
    let (host, port) = split(node).unwrap_or_default();
    ConnectionAddr::Tcp(host.to_owned(), port)
}

/// What is said of a server that speaks another language.
pub(super) const NO_ANSWER: &str =
    "what answers there is no host of Roundelay: it speaks something else, such as HTTP";

/// What is said of a host that wants to know who asks.
const WANTS_A_PASSWORD: &str =
    "NOAUTH it wants a password: say in which file it is (--password-file FILE)";

/// What a host said, and what to do about it.
pub(super) fn advised(said: &str) -> String {
    if said.starts_with("NOAUTH ") {
        WANTS_A_PASSWORD.to_owned()
    } else if said.starts_with("WRONGPASS ") {
        "WRONGPASS it has another password: look into the file named by --password-file".to_owned()
    } else if said.contains("unknown command") {
        format!("{said}: no host of Roundelay, but some other server that speaks as Redis does?")
    } else {
        said.to_owned()
    }
}

/// What went wrong, in the host's own words where it said any.
fn worded(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        _ if error.kind() == ErrorKind::Parse => NO_ANSWER.to_owned(),
        (Some(code), detail) => advised(&format!("{code} {}", detail.unwrap_or_default())),
        _ if error.is_timeout() => {
            "no answer in time: a write may be stored or not, read the key to learn".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_a_host_and_a_port() {
        assert_eq!(split("localhost:50140"), Some(("localhost", 50140)));
        assert_eq!(split("[::1]:1"), Some(("::1", 1)));
        for bad in ["localhost", ":1", "a:x", "a:70000", ""] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
