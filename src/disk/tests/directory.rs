//! Whose a directory is, and what its last life may have lost.

use std::fs;

use super::*;

#[test]
fn a_directory_belongs_to_one_process_and_keeps_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let (first, store) = home(dir.path(), SyncPolicy::Always).unwrap();
    assert_eq!((first.standing(), first.incarnation()), (&Standing::New, 1));
    let locked = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(locked, Some(OpenError::Locked { .. })),
        "{locked:?}"
    );
    let host = first.host();
    first.close(store).unwrap();
    let (again, _store) = home(dir.path(), SyncPolicy::Always).unwrap();
    assert_eq!(
        (again.standing(), again.incarnation()),
        (&Standing::Whole, 2)
    );
    assert_eq!(again.host(), host);
}

#[test]
fn somebody_elses_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let error = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(error, Some(OpenError::Foreign { .. })),
        "{error:?}"
    );
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "no lock is left behind");
}

#[test]
fn what_is_no_directory_or_is_not_ours_to_write_is_said_in_plain_words() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letter.txt");
    fs::write(&file, "dear").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = home(&path, SyncPolicy::Always).err().unwrap().to_string();
        assert!(
            error.ends_with("is a file, a directory is wanted"),
            "{error}"
        );
    }
    let denied = std::io::ErrorKind::PermissionDenied.into();
    let error = OpenError::refused(&file, &denied).to_string();
    assert!(error.contains("choose another --data-dir"), "{error}");
}

/// As if the machine had been started anew since.
fn power_cut(dir: &Path) {
    let name = dir.join("host");
    let text = fs::read_to_string(&name).unwrap();
    let (lines, _) = text.rsplit_once("check ").unwrap();
    let boot = lines.lines().find(|line| line.starts_with("boot")).unwrap();
    let lines = lines.replace(boot, "boot another");
    fs::write(&name, format!("{lines}check {}\n", mark::check(&lines))).unwrap();
}

#[test]
fn a_killed_process_has_lost_nothing_and_a_power_cut_without_always_may_have() {
    for (sync, cut, standing) in [
        (SyncPolicy::EverySecond, false, Standing::Whole),
        (
            SyncPolicy::EverySecond,
            true,
            Standing::MayHaveLost(SyncPolicy::EverySecond),
        ),
        (
            SyncPolicy::Never,
            true,
            Standing::MayHaveLost(SyncPolicy::Never),
        ),
        (SyncPolicy::Always, true, Standing::Whole),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(home(dir.path(), sync).unwrap());
        if cut {
            power_cut(dir.path());
        }
        let (home, _store) = home(dir.path(), SyncPolicy::Always).unwrap();
        assert_eq!(home.standing(), &standing, "{sync:?}, power cut: {cut}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (first, store) = home(dir.path(), SyncPolicy::Never).unwrap();
    first.close(store).unwrap();
    power_cut(dir.path());
    let (second, _store) = home(dir.path(), SyncPolicy::Never).unwrap();
    assert_eq!(second.standing(), &Standing::Whole, "it was closed before");
}

#[test]
fn a_host_of_one_cluster_is_not_started_in_another() {
    let dir = tempfile::tempdir().unwrap();
    let (first, store) = home_of("north", dir.path(), SyncPolicy::Never).unwrap();
    let host = first.host();
    first.close(store).unwrap();
    let name = dir.path().join("host");
    let before = fs::read_to_string(&name).unwrap();
    let error = home_of("south", dir.path(), SyncPolicy::Never).err();
    let error = error.unwrap().to_string();
    assert!(
        error.contains("a host of the cluster north, and this one is of south"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&name).unwrap(), before);
    // A directory from before the name was noted takes the first it is told.
    let (lines, _) = before.rsplit_once("check ").unwrap();
    let lines = lines.replace("cluster north\n", "");
    fs::write(&name, format!("{lines}check {}\n", mark::check(&lines))).unwrap();
    let (again, store) = home_of("south", dir.path(), SyncPolicy::Never).unwrap();
    assert_eq!((again.host(), again.standing()), (host, &Standing::Whole));
    again.close(store).unwrap();
    let error = home_of("north", dir.path(), SyncPolicy::Never).err();
    assert!(matches!(error, Some(OpenError::OtherCluster { .. })));
}
