//! When is a write safe?
//!
//! ```text
//!   a write reported at 0.0 s       on the disk for sure at      a power cut may undo it until
//!   always                          0.0 s                        -
//!   everysec                        1.0 s                        1.0 s
//!   never                           30 s                         30 s
//! ```
//!
//! A process that is killed loses nothing by any of them: the operating system has what was written.

/// When a write to the store is forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it is reported done: a crash loses nothing that was reported.
    #[default]
    Always,
    /// Once a second: a crash may lose the last second.
    EverySecond,
    /// When the operating system likes: a crash may lose the last half minute.
    Never,
}

impl SyncPolicy {
    /// Its name, as settings and stories have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SyncPolicy::Always => "always",
            SyncPolicy::EverySecond => "everysec",
            SyncPolicy::Never => "never",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<SyncPolicy> {
        let all = [
            SyncPolicy::Always,
            SyncPolicy::EverySecond,
            SyncPolicy::Never,
        ];
        all.into_iter().find(|policy| policy.name() == name)
    }
}
