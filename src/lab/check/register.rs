//! Is what the clients of one key saw the history of one register?
//!
//! In general that question takes time that grows without bound: every order of overlapping operations may
//! have to be tried. Here each write has a version, versions are totally ordered, and the greater one wins
//! everywhere. So there is only one order to be looked at: by version, each write before those who read it.
//!
//! ```text
//!   put w5 ├─────────┤                        by version    w5   get→5   w7   get→7
//!   put w7      ├───────────┤                 by the clock  fits: no operation ended before one
//!   get→5         ├──┤                                      that stands left of it began
//!   get→7            ├────┤
//!   get→5                    ├──┤             does not fit: it began after get→7 had ended
//! ```
//!
//! A get of *nothing* names no version. It may stand at the beginning, behind any delete, or behind a value
//! whose time was up by the clock of the host that was asked; the leftmost such place where it fits is
//! taken, because whatever fits further right fits there, too.
//!
//! A write whose outcome is unknown ends never; so it may stand wherever its version puts it, or, if nobody
//! has seen it, nowhere.
//!
//! *Hold this true*: the time taken is that of sorting, N log N, plus for each get of nothing the deletes
//! that overlap it.

use crate::record::{Time, Version, WallMs};

/// What one operation did, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// Wrote this version.
    Wrote(Version),
    /// Read this version.
    Read(Version),
    /// Found nothing, at a host whose clock showed at most this.
    FoundNothing(WallMs),
}

/// One operation on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the whole run.
    pub number: usize,
    /// What it did.
    pub did: Did,
    /// When its client asked.
    pub began: Time,
    /// When its client was answered; [`NEVER`] if the outcome is unknown.
    pub ended: Time,
}

/// The end of an operation of which nobody knows whether it happened.
pub const NEVER: Time = Time(u64::MAX);

/// A time to live that was set for a version: the value is absent once a clock shows the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Of which version.
    pub of: Version,
    /// When it was set, or may have been.
    pub began: Time,
    /// The deadline.
    pub deadline: WallMs,
}

/// Why a history is not one of a register: two operations that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The one that ended first.
    pub first: Step,
    /// The one that began after it, and should have known.
    pub second: Step,
}

/// The operations of one version: the write, if it is known, and its reads.
struct Cluster {
    version: Version,
    /// The operation in it that ended first.
    ended_first: Step,
    /// The operation in it that began last.
    began_last: Step,
    write: Option<Step>,
    /// A write of unknown outcome that nobody read: it may stand here, or nowhere.
    optional: bool,
}

/// Looks for a contradiction. Puts `steps` in order of versions; `ends` must be in that order.
///
/// # Errors
/// The contradiction found first.
pub fn check(steps: &mut [Step], ends: &[Ends]) -> Result<(), Contradiction> {
    steps.sort_by_key(|step| order(step.did));
    let split = steps.partition_point(|step| matches!(step.did, Did::FoundNothing(_)));
    let (nothing, named) = steps.split_at_mut(split);
    let clusters = clusters(named)?;
    versions_follow_time(&clusters)?;
    nothing.sort_by_key(|step| step.ended);
    nothing_fits(nothing, &clusters, ends)
}

/// Those who found nothing first, then by version, the write of a version before its reads.
fn order(did: Did) -> (Option<Version>, bool) {
    match did {
        Did::FoundNothing(_) => (None, false),
        Did::Wrote(version) => (Some(version), false),
        Did::Read(version) => (Some(version), true),
    }
}

/// One cluster for each version, in order.
fn clusters(named: &[Step]) -> Result<Vec<Cluster>, Contradiction> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for step in named {
        let Some(version) = order(step.did).0 else {
            continue;
        };
        let write = matches!(step.did, Did::Wrote(_)).then_some(*step);
        match clusters.last_mut().filter(|last| last.version == version) {
            Some(last) => {
                if let Some(write) = last.write.filter(|write| step.ended < write.began) {
                    let (first, second) = (*step, write);
                    return Err(Contradiction { first, second }); // Read before it was written.
                }
                if step.ended < last.ended_first.ended {
                    last.ended_first = *step;
                }
                if step.began > last.began_last.began {
                    last.began_last = *step;
                }
                last.optional = false;
            }
            None => clusters.push(Cluster {
                version,
                ended_first: *step,
                began_last: *step,
                write,
                optional: write.is_some() && step.ended == NEVER,
            }),
        }
    }
    Ok(clusters)
}

// region: order
/// Nothing of a smaller version begins after something of a greater one has ended.
fn versions_follow_time(clusters: &[Cluster]) -> Result<(), Contradiction> {
    let mut latest: Option<Step> = None;
    for cluster in clusters.iter().filter(|cluster| !cluster.optional) {
        if let Some(late) = latest.filter(|late| cluster.ended_first.ended < late.began) {
            let (first, second) = (cluster.ended_first, late);
            return Err(Contradiction { first, second });
        }
        if latest.is_none_or(|late| cluster.began_last.began > late.began) {
            latest = Some(cluster.began_last);
        }
    }
    Ok(())
}
// endregion: order

/// Each get of nothing has a place, and those places follow time.
fn nothing_fits(
    nothing: &[Step],
    clusters: &[Cluster],
    ends: &[Ends],
) -> Result<(), Contradiction> {
    let mut line = Line::new(clusters, ends);
    for step in nothing {
        let lowest = line.lowest(step).max(line.behind(step.began));
        let highest = line.highest(step);
        let Some(place) = (lowest..=highest).find(|place| line.absent(*place, step)) else {
            let first = line.why_not_lower(step).unwrap_or(*step);
            let second = *step;
            return Err(Contradiction { first, second });
        };
        line.put(step.ended, place);
    }
    Ok(())
}

/// The clusters in order, and where the gets of nothing were put: place 0 is before all clusters, place n
/// behind the first n.
struct Line<'a> {
    clusters: &'a [Cluster],
    ends: &'a [Ends],
    /// For each cluster, when the first operation of it or of a later one ended.
    ended: Vec<Time>,
    /// For each cluster, when the last operation of it or of an earlier one began.
    began: Vec<Time>,
    /// When each get of nothing ended, in that order, and the highest place of it and all before.
    put: Vec<(Time, usize)>,
}

impl Line<'_> {
    fn new<'a>(clusters: &'a [Cluster], ends: &'a [Ends]) -> Line<'a> {
        let mut ended: Vec<Time> = clusters.iter().map(|one| one.ended_first.ended).collect();
        for place in (1..ended.len()).rev() {
            ended[place - 1] = ended[place - 1].min(ended[place]);
        }
        let certain = |one: &Cluster| {
            if one.optional {
                Time::ZERO
            } else {
                one.began_last.began
            }
        };
        let mut began: Vec<Time> = clusters.iter().map(certain).collect();
        for place in 1..began.len() {
            began[place] = began[place].max(began[place - 1]);
        }
        Line {
            clusters,
            ends,
            ended,
            began,
            put: Vec::new(),
        }
    }

    /// Behind everything that had ended before it began.
    fn lowest(&self, step: &Step) -> usize {
        self.ended.partition_point(|ended| *ended < step.began)
    }

    /// Before everything that began after it had ended; but it may stand among the reads of a value whose
    /// time was up here and not yet elsewhere.
    fn highest(&self, step: &Step) -> usize {
        let place = self.began.partition_point(|began| *began <= step.ended);
        let among = self.clusters.get(place);
        place + usize::from(among.is_some_and(|cluster| !cluster.version.delete))
    }

    /// The highest place of those who found nothing and had ended by then.
    fn behind(&self, time: Time) -> usize {
        let before = self.put.partition_point(|(ended, _)| *ended < time);
        before.checked_sub(1).map_or(0, |last| self.put[last].1)
    }

    fn put(&mut self, ended: Time, place: usize) {
        let highest = self.put.last().map_or(0, |(_, highest)| *highest);
        self.put.push((ended, highest.max(place)));
    }

    /// Whether the register shows nothing at that place to this operation.
    fn absent(&self, place: usize, step: &Step) -> bool {
        let Some(index) = place.checked_sub(1) else {
            return true;
        };
        let cluster = &self.clusters[index];
        let begun = cluster.write.is_none_or(|write| write.began <= step.ended);
        if !begun || (cluster.optional && !self.usable(index, cluster)) {
            return false;
        }
        cluster.version.delete || self.expired(cluster.version, step)
    }

    /// Whether a write of unknown outcome may have happened at its place: nothing that stands behind it had
    /// ended before it began.
    fn usable(&self, index: usize, cluster: &Cluster) -> bool {
        let began = cluster.began_last.began;
        self.ended[index] >= began && self.behind(began) <= index + 1
    }

    fn expired(&self, version: Version, step: &Step) -> bool {
        let Did::FoundNothing(wall) = step.did else {
            return false;
        };
        let from = self.ends.partition_point(|end| end.of < version);
        let mut of_it = self.ends[from..].iter().take_while(|end| end.of == version);
        of_it.any(|end| end.deadline <= wall && end.began <= step.ended)
    }

    /// The operation that forbids a place further left.
    fn why_not_lower(&self, step: &Step) -> Option<Step> {
        let last = self.lowest(step).checked_sub(1)?;
        self.clusters.get(last).map(|cluster| cluster.ended_first)
    }
}

#[cfg(test)]
mod tests;
