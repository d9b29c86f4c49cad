//! Is all there that was written?
//!
//! The engine's journal ends where its last whole entry ends; a file that was cut short, or a zeroed page in
//! it, looks like an earlier end. So how many groups were committed is also written beside the journal, after
//! each of them:
//!
//! ```text
//! commits in the tables   4711
//! mark                    synced 4709, written 4711, in boot 6e3c…      all is there
//! mark                    synced 4720 …                                 eleven groups are missing: damaged
//! ```
//!
//! The mark is not synced: a killed process leaves it exact, a power cut leaves an older one.
//!
//! *Hold these true*: what the mark calls synced was synced before the mark was written, so a power cut cannot
//! make it lie; what it calls written must be there as long as the machine has not been started anew; it is
//! never ahead of the journal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::home::boot_id;
use super::tables::OpenError;

const NAME: &str = "mark";

/// The mark, and what it will say.
pub(super) struct Mark {
    file: File,
    synced: u64,
    written: u64,
    boot: String,
    /// What it said when it was opened.
    found: Option<(u64, u64, bool)>,
}

impl Mark {
    pub(super) fn open(path: &Path) -> Result<Mark, OpenError> {
        let path = path.join(NAME);
        let open = || -> std::io::Result<(File, String)> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok((file, String::from_utf8_lossy(&text).into_owned()))
        };
        let (file, text) = open().map_err(|error| OpenError::device(&path, &error))?;
        let boot = boot_id().unwrap_or_default();
        let found = parse(&text).map(|(synced, written, then)| (synced, written, then == boot));
        if found.is_none() && !text.is_empty() {
            log::warn!("{} cannot be read and is written anew", path.display());
        }
        Ok(Mark {
            file,
            synced: 0,
            written: 0,
            boot,
            found,
        })
    }

    // region: check
    /// Compares what was found with what the tables say.
    pub(super) fn check(&mut self, commits: u64, path: &Path) -> Result<(), OpenError> {
        if let Some((synced, written, same_boot)) = self.found.take() {
            let must = if same_boot { written } else { synced };
            if commits < must {
                let why = format!(
                    "of {must} groups of writes only {commits} are there: its files were cut short"
                );
                return Err(OpenError::damaged(path, why));
            }
            // endregion: check
            if commits < written {
                log::warn!(
                    "{}: {} groups of writes were lost with the power",
                    path.display(),
                    written - commits
                );
            }
        }
        self.synced = 0;
        self.written = commits;
        Ok(())
    }

    /// So many commits are on the disk, whatever happens.
    pub(super) fn synced(&mut self, commits: u64) {
        self.synced = commits;
        self.written(commits);
    }

    /// So many are, and more were written meanwhile.
    pub(super) fn synced_up_to(&mut self, commits: u64) {
        self.synced = self.synced.max(commits);
        self.put();
    }

    /// So many commits are with the operating system.
    pub(super) fn written(&mut self, commits: u64) {
        self.written = commits;
        self.put();
    }

    /// Whether so many commits are on the disk, whatever happens.
    pub(super) const fn is_synced(&self, commits: u64) -> bool {
        self.synced >= commits
    }

    /// A mark that cannot be written is only less watchful.
    fn put(&self) {
        let text = render(self.synced, self.written, &self.boot);
        if let Err(error) = self.file.write_all_at(text.as_bytes(), 0) {
            log::debug!("the mark could not be written: {error}");
        }
    }
}

fn render(synced: u64, written: u64, boot: &str) -> String {
    let text = format!("synced {synced:020} written {written:020} boot {boot}");
    format!("{text} check {}\n", check(&text))
}

fn parse(text: &str) -> Option<(u64, u64, String)> {
    let (text, sum) = text.trim_end().rsplit_once(" check ")?;
    let words: Vec<&str> = text.split(' ').collect();
    let [_, synced, _, written, _, boot] = words[..] else {
        return None;
    };
    let sound = check(text) == sum;
    sound.then_some(())?;
    Some((synced.parse().ok()?, written.parse().ok()?, boot.into()))
}

/// Sixteen hexadecimal digits that a changed text does not have.
pub(super) fn check(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_cut_short_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let mut mark = Mark::open(folder.path()).expect("a new mark");
        mark.check(0, folder.path()).expect("nothing was written");
        mark.written(7);
        drop(mark);
        // The process ended, the machine went on: seven groups must be there.
        let found = |commits| {
            let mut mark = Mark::open(folder.path()).expect("it is there");
            let found = mark.check(commits, folder.path());
            mark.written(7);
            found
        };
        assert!(found(7).is_ok());
        let why = found(6).expect_err("a group is missing").to_string();
        assert!(why.contains("of 7 groups of writes only 6"), "{why}");
    }

    #[test]
    fn what_is_synced_later_takes_nothing_back() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let mut mark = Mark::open(folder.path()).expect("a new mark");
        mark.check(0, folder.path()).expect("nothing was written");
        mark.written(7);
        mark.synced_up_to(5);
        mark.synced_up_to(4);
        let text = std::fs::read_to_string(folder.path().join(NAME)).expect("it is there");
        let (synced, written, _) = parse(&text).expect("a mark");
        assert_eq!((synced, written), (5, 7));
    }
}
