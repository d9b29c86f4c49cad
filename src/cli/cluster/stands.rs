//! When do the hosts of a cluster stand as one ring?

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::super::client::Standing;
use super::ClusterArgs;

/// How often they are asked.
const ASK: Duration = Duration::from_millis(300);

/// If the ring does not stand after so long, it is said why, once.
const LONG: Duration = Duration::from_secs(30);

/// Says once that the ring stands, and what may be done with it. Asking waits for answers, so it has a thread of its own,
/// which ends with the process if the ring never stands.
pub(super) fn say_when(args: &ClusterArgs) {
    let (hosts, password) = (args.addresses(), args.password_file());
    let logs: Vec<PathBuf> = (0..hosts.len()).map(|n| args.log(n)).collect();
    thread::spawn(move || {
        let (mut late, began) = (false, Instant::now());
        loop {
            match listening(&logs).and_then(|()| looked(&hosts, password.as_ref())) {
                // Whoever does not read this reads no errors of it either.
                Ok(ring) => {
                    return drop(super::super::print(
                        told(&hosts, &password, &ring).as_bytes(),
                    ));
                }
                Err(why) if !late && began.elapsed() >= LONG => {
                    late = true;
                    let seconds = LONG.as_secs();
                    eprintln!("the ring does not stand after {seconds} s: {why}");
                }
                Err(_) => {}
            }
            thread::sleep(ASK);
        }
    });
}

/// Whether each of our processes serves its port, as its log says: on a port that was taken somebody else would answer.
fn listening(logs: &[PathBuf]) -> Result<(), String> {
    let silent = logs.iter().find(|log| {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        !said.contains(" listens on ")
    });
    match silent {
        Some(log) => Err(format!("a host does not listen: see {}", log.display())),
        None => Ok(()),
    }
}

/// How the ring is as each of them sees it, if all are in one settled roster; else what is lacking.
fn looked(hosts: &[String], password: Option<&PathBuf>) -> Result<Standing, String> {
    let mut seen: Option<Standing> = None;
    for host in hosts {
        let now = Standing::of(host, password.cloned())?;
        if now.moving {
            return Err(format!("{host}: keys are still on their way"));
        }
        if now.hosts.len() < hosts.len() {
            return Err(format!(
                "{host} sees {} of {} hosts",
                now.hosts.len(),
                hosts.len()
            ));
        }
        if seen
            .as_ref()
            .is_some_and(|seen| seen.version != now.version)
        {
            return Err(format!("{host} has another roster than the others"));
        }
        seen = Some(now);
    }
    seen.ok_or_else(|| "there are no hosts".to_owned())
}

/// What is said of it: lines that can be copied.
fn told(hosts: &[String], password: &Option<PathBuf>, ring: &Standing) -> String {
    let first = hosts.first().map_or("", String::as_str);
    let port = first.rsplit(':').next().unwrap_or_default();
    let (redis, ours) = match password {
        None => (String::new(), String::new()),
        Some(file) => {
            let file = file.display();
            (
                format!(" -a \"$(cat {file})\""),
                format!(" --password-file {file}"),
            )
        }
    };
    let (n, version, copies) = (ring.hosts.len(), &ring.version, ring.replicas);
    format!(
        "the ring stands: {n} {}, roster {version}, {} of each key\n\
         try: redis-cli -p {port}{redis} set cat meow\n\
         try: roundelay ring --node {first}{ours}\n",
        if n == 1 { "host" } else { "hosts" },
        match copies.min(n) {
            1 => "1 copy".to_owned(),
            copies => format!("{copies} copies"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_can_be_copied() {
        let ring = Standing {
            version: "v2".into(),
            hosts: vec!["h1".into(), "h2".into()],
            replicas: 3,
            ..Standing::default()
        };
        let hosts = ["127.0.0.1:7000".to_owned(), "127.0.0.1:7001".to_owned()];
        assert_eq!(
            told(&hosts, &None, &ring),
            "the ring stands: 2 hosts, roster v2, 2 copies of each key\n\
             try: redis-cli -p 7000 set cat meow\ntry: roundelay ring --node 127.0.0.1:7000\n"
        );
        let with = told(&hosts, &Some("secret".into()), &ring);
        assert!(with.contains("-p 7000 -a \"$(cat secret)\" set"), "{with}");
        assert!(with.ends_with("7000 --password-file secret\n"), "{with}");
    }
}
