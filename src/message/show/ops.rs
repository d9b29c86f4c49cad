//! What is asked and told about operating a ring, read aloud.
//!
//! ```text
//! h1: 2 spans, pulled 3, pushed 1; h2: silent                            every host, with what it said
//! h2 owns it; h2 present 12.0/h1.1; h3 silent; 12.0/h1.1, which wins     one key, and why it reads so
//! ```

use std::fmt;

use crate::message::{
    Balanced, Chore, CopyState, Differs, Explained, Imported, PerHost, Purged, Replica, Report,
    Status, Tuning, Verdict,
};
use crate::placement::HostId;
use crate::record::Summary;

/// What each host said, as `h1: this; h2: that`.
pub(super) struct Each<'a, T>(pub(super) &'a PerHost<T>);

impl<T: fmt::Display> fmt::Display for Each<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (host, said)) in self.0.iter().enumerate() {
            let between = if i == 0 { "" } else { "; " };
            match said {
                Ok(said) => write!(f, "{between}{host}: {said}")?,
                Err(why) => write!(f, "{between}{host}: {why}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.moving { "moving" } else { "settled" };
        let (version, hosts) = (self.version, self.hosts.len());
        write!(f, "{version} {state}, {hosts} hosts")
    }
}

/// Copies, as `h1 present …; h2 silent`.
pub(super) struct Copies<'a>(pub(super) &'a [Replica]);

impl fmt::Display for Copies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, replica) in self.0.iter().enumerate() {
            write!(f, "{}{replica}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// The versions of a copy, after a space.
fn versions(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    if let Some(version) = summary.value {
        write!(f, " {version}")?;
    }
    match summary.expiry {
        Some(cell) if Some(cell.of) == summary.value => {
            write!(f, ", expiry set at {}", cell.version)
        }
        Some(_) | None => Ok(()),
    }
}

impl fmt::Display for CopyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CopyState::Present => "present",
            CopyState::Stale => "stale",
            CopyState::Missing => "missing",
            CopyState::Nothing => "nothing",
            CopyState::Silent => "silent",
        })
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.state)?;
        versions(f, &self.summary)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Value(version) => write!(f, "{version}, which wins"),
            Verdict::Deleted(version) => write!(f, "none: it was deleted at {version}"),
            Verdict::Expired(version, at) => {
                write!(f, "none: the time of {version} ran out at {} ms", at.0)
            }
            Verdict::Never => write!(f, "none: nobody who answered has ever had it"),
            Verdict::NoQuorum => write!(f, "nothing: too few answered"),
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} owns it; {}; {}",
            self.owner,
            Copies(&self.replicas),
            self.verdict
        )
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Differs::Version(version) => write!(f, "lives by roster {version}"),
            Differs::Roster => write!(f, "has another roster of this version"),
            Differs::Routes => write!(f, "takes other hosts for down"),
        }
    }
}

impl fmt::Display for Chore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chore::Status => write!(f, "status"),
            Chore::Balance => write!(f, "balance"),
            Chore::Purge => write!(f, "purge"),
            Chore::Configure(tuning) => write!(f, "configure{tuning}"),
            Chore::Count => write!(f, "count"),
            Chore::Hints(id) => write!(f, "hints of {}", id.short()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Going(done, of) => write!(f, "going, {done} of {of}"),
            Report::Status(status) => write!(f, "status at {}", status.version),
            Report::Balanced(balanced) => write!(f, "{balanced}"),
            Report::Purged(purged) => write!(f, "{purged}"),
            Report::Tuned(tuning) => write!(f, "has{tuning}"),
            Report::Counted(keys) => write!(f, "{keys} keys"),
            Report::Hints(hints) => write!(f, "{} hints", hints.len()),
            Report::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.move_bytes_per_s {
            Some(0) => write!(f, " moves at any pace"),
            Some(rate) => write!(f, " moves at {rate} bytes/s"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.spans == 1 { "span" } else { "spans" };
        let (spans, pulled, pushed) = (self.spans, self.pulled, self.pushed);
        write!(f, "{spans} {unit}, pulled {pulled}, pushed {pushed}")?;
        if self.differing > 0 {
            write!(f, ", {} still differing", self.differing)?;
        }
        named(f, ", unreachable", &self.unreachable)
    }
}

impl fmt::Display for Purged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropped {}", self.dropped)?;
        for (why, records) in &self.kept {
            write!(f, ", kept {records} ({why})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (written, present) = (self.written, self.present);
        write!(f, "imported {written}, there already {present}")?;
        if self.expired > 0 {
            write!(f, ", expired {}", self.expired)?;
        }
        Ok(())
    }
}

fn named(f: &mut fmt::Formatter<'_>, what: &str, hosts: &[HostId]) -> fmt::Result {
    if hosts.is_empty() {
        return Ok(());
    }
    f.write_str(what)?;
    hosts.iter().try_for_each(|host| write!(f, " {host}"))
}
