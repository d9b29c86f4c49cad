//! How does the digest of a run reach the disk without an entry for each put?
//!
//! A put changes one run. So a group of writes has one *note* of the runs that it changed, whatever their number, and
//! only now and then, in a *checkpoint*, the table of runs is brought up to date with all that changed since:
//!
//! ```text
//! group     4096          4097        4098        4099             …   5121
//! records   …             a, b        c           d, e, f              g
//! runs      checkpoint                                                 checkpoint: 00…, 04…, 09…, 0d…
//! notes                   04…, 09…    04…         00…, 04…, 0d…
//! ```
//!
//! The group that is a checkpoint writes runs instead of a note, and its number beside them. A note lies under the remainder of
//! its group's number, so a later one takes its place, and none has ever to be removed. Who opens the store reads the table of
//! runs, then the notes of the groups behind the checkpoint in their order. A store of before there were notes was
//! left by a checkpoint.
//!
//! *Hold these true*: a note, or a checkpoint, is in the batch of its group; behind a checkpoint there is a note of each
//! group up to the last.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Bad;
use super::runs::{Run, Runs};
use super::tables::Tables;
use crate::keyspace::Id;

/// So many groups at most follow a checkpoint: as many notes are read when the store is opened.
pub(super) const NOTES: u16 = 1_024;

/// A checkpoint is due, too, once so many runs differ from their table: a few milliseconds of writing.
pub(super) const CHECKPOINT_RUNS: usize = 1_024;

/// And once the notes since the last one have so many bytes: they are all in memory at once when the store is opened.
pub(super) const NOTE_BYTES: usize = 4 * 1024 * 1024;

/// The name of a run and what it is now; `None`: it has gone.
pub(super) type Change = (Id, Option<Run>);

const GONE: u8 = 0;
const THERE: u8 = 1;

/// The name of the note of a group.
pub(super) fn note_name(group: u64) -> [u8; 8] {
    (group % u64::from(NOTES)).to_be_bytes()
}

/// The note of a group: its number, then what it changed.
pub(super) fn note(group: u64, changes: impl Iterator<Item = Change>) -> Vec<u8> {
    let most = changes.size_hint().1.unwrap_or(0) * (Id::BYTES + 1 + Run::BYTES);
    let mut out = Vec::with_capacity(size_of::<u64>() + most);
    out.extend_from_slice(&group.to_le_bytes());
    for (name, run) in changes {
        out.extend_from_slice(&name.to_bytes());
        match run {
            Some(run) => {
                out.push(THERE);
                out.extend_from_slice(&run.encode());
            }
            None => out.push(GONE),
        }
    }
    out
}

/// Reads a note back; none if that is not one.
fn read_note(bytes: &[u8]) -> Option<(u64, Vec<Change>)> {
    let (group, mut rest) = bytes.split_first_chunk()?;
    let mut changes = Vec::new();
    while let Some((name, behind)) = rest.split_first_chunk::<{ Id::BYTES }>() {
        let (kind, behind) = behind.split_first()?;
        let run = match *kind {
            GONE => None,
            THERE => Some(Run::decode(behind.get(..Run::BYTES)?)?),
            _ => return None,
        };
        rest = behind.get(run.map_or(0, |_| Run::BYTES)..)?;
        changes.push((Id::from_bytes(*name), run));
    }
    rest.is_empty()
        .then(|| (u64::from_le_bytes(*group), changes))
}

impl Tables {
    /// All runs, and the number of the last group, where the last checkpoint was that group.
    pub(super) fn runs_since(&self, checkpoint: u64) -> Result<(Runs, u64), Bad> {
        let mut runs = BTreeMap::new();
        for entry in self.runs.iter() {
            let (name, value) = entry.into_inner()?;
            let name = <[u8; Id::BYTES]>::try_from(&name[..]).map_err(|_| Bad::Run)?;
            runs.insert(Id::from_bytes(name), Run::decode(&value).ok_or(Bad::Run)?);
        }
        let mut notes = BTreeMap::new();
        for entry in self.notes.iter() {
            let (group, changes) = read_note(&entry.value()?).ok_or(Bad::Run)?;
            notes.insert(group, changes);
        }
        let (mut last, mut changed) = (checkpoint, BTreeSet::new());
        for (group, changes) in notes.split_off(&(checkpoint + 1)) {
            if group != last + 1 {
                return Err(Bad::Run);
            }
            last = group;
            for (name, run) in changes {
                changed.insert(name);
                match run {
                    Some(run) => runs.insert(name, run),
                    None => runs.remove(&name),
                };
            }
        }
        Ok((Runs::new(runs, changed), last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Digest;

    #[test]
    fn notes_are_read_back_and_cut_short_they_are_not_notes() {
        let run = |n: u64| {
            let digest = Digest {
                records: n,
                hash: n << 40,
            };
            Run::of(digest, n, (n, 0))
        };
        let changes = [
            (Id::ZERO, Some(run(3))),
            (Id::from_u64(7), None),
            (Id::MAX, Some(run(1))),
        ];
        let bytes = note(4711, changes.into_iter());
        assert_eq!(read_note(&bytes), Some((4711, changes.to_vec())));
        let whole = [8, 8 + 53, 8 + 53 + 21, bytes.len()];
        for cut in 0..bytes.len() {
            assert_eq!(read_note(&bytes[..cut]).is_some(), whole.contains(&cut));
        }
        assert_eq!(note_name(7), note_name(7 + u64::from(NOTES)));
    }
}
