//! How a ring stands, as one of its hosts tells in `DHT.STATUS`: what a person wants to know who waits.

use std::path::PathBuf;
use std::time::Duration;

use redis::{FromRedisValue, Value, cmd};

use super::node::Nodes;
use super::show::bytes;
use super::{Failed, Reach};

/// So long a host is waited for that is only looked at.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a host tells of the ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Standing {
    /// The roster it has.
    pub(in crate::cli) version: String,
    /// Whether keys are on their way.
    pub(in crate::cli) moving: bool,
    /// Who is in, or to be.
    pub(in crate::cli) hosts: Vec<String>,
    /// Those of them it takes for down.
    pub(in crate::cli) down: Vec<String>,
    /// Copies of a key, where there are so many hosts.
    pub(in crate::cli) replicas: usize,
    /// Spans that have fewer whole copies than they should.
    pub(in crate::cli) lacking: u64,
    /// How much of its own part in the move is done, as `3 of 8`.
    pub(in crate::cli) moved: String,
    /// The host it waits for.
    pub(in crate::cli) waiting_for: Option<String>,
    /// Seconds its part will still take, if that is known.
    pub(in crate::cli) seconds_left: Option<u64>,
}

impl Standing {
    /// As that host tells now.
    pub(in crate::cli) fn of(
        node: &str,
        password_file: Option<PathBuf>,
    ) -> Result<Standing, String> {
        let reach = Reach {
            node: vec![node.to_owned()],
            password_file,
            timeout: PATIENCE.as_secs(),
        };
        let nodes = Nodes::of(&reach).map_err(why)?;
        Standing::seen(&nodes)
    }

    /// As the first of these tells that answers.
    pub(super) fn seen(nodes: &Nodes) -> Result<Standing, String> {
        let status = nodes.ask(&cmd("DHT.STATUS")).map_err(why)?;
        Ok(Standing::read(&status))
    }

    /// What an answer says; what it does not say is left empty.
    pub(super) fn read(status: &Value) -> Standing {
        let field = |name: &str| {
            let mut fields = status.as_map_iter().into_iter().flatten();
            fields.find_map(|(named, value)| (bytes(named) == name.as_bytes()).then_some(value))
        };
        Standing {
            version: read(field("version")).unwrap_or_default(),
            moving: read::<String>(field("state")).is_some_and(|state| state == "moving"),
            hosts: read(field("hosts")).unwrap_or_default(),
            down: read(field("down")).unwrap_or_default(),
            replicas: read(field("replicas")).unwrap_or_default(),
            lacking: read(field("lacking")).unwrap_or_default(),
            moved: read(field("moved")).unwrap_or_default(),
            waiting_for: read(field("waiting_for")),
            seconds_left: read(field("seconds_left")),
        }
    }
}

fn why(failed: Failed) -> String {
    match failed {
        Failed::Not(why) | Failed::Arguments(why) => why,
    }
}

fn read<T: FromRedisValue>(value: Option<&Value>) -> Option<T> {
    let value = value.filter(|value| **value != Value::Nil)?;
    redis::from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_is_not_is_left_out() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let status = Value::Map(vec![
            (text("state"), text("moving")),
            (text("hosts"), Value::Array(vec![text("h1"), text("h2")])),
            (text("waiting_for"), text("h2")),
            (text("seconds_left"), Value::Nil),
            (text("lacking"), Value::Int(4)),
        ]);
        let expected = Standing {
            moving: true,
            hosts: vec!["h1".into(), "h2".into()],
            waiting_for: Some("h2".into()),
            lacking: 4,
            ..Standing::default()
        };
        assert_eq!(Standing::read(&status), expected);
    }
}
