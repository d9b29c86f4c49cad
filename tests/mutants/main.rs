//! Would our tests notice? Each patch here breaks one rule, and names the test that must fail.
//!
//! ```text
//!   breaks: chapter 3, every relay raises the counter       a patch begins with these two lines;
//!   caught-by: --lib ring::relay::tests::the_greatest_…     the second is given to `cargo test`
//!   sweep: 200                                              some have a third: among so many seeds one fails
//!   --- a/src/ring/relay.rs
//!   …
//! ```
//!
//! `cargo test` checks that every patch still applies and that its test exists. `MUTANTS=all` (or a
//! number of them, beginning at `MUTANTS_FROM`) also builds each mutant in `target/mutants`, runs
//! its test there, and demands that it fails; so must the sweep, if so many seeds are said to be enough.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One patch file, read.
struct Mutant {
    path: PathBuf,
    /// The chapter and the rule in words.
    breaks: String,
    /// The arguments for `cargo test`.
    caught_by: Vec<String>,
    /// Among so many seeds, from the first, the sweep finds one that fails; none: it is not expected to.
    sweep: Option<u32>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Mutant {
    fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("--- "))
            .collect();
        let field = |name: &str| {
            let value = head.iter().find_map(|line| line.strip_prefix(name));
            value.map(str::trim).filter(|value| !value.is_empty())
        };
        Ok(Self {
            path: path.to_owned(),
            breaks: field("breaks:")
                .ok_or("has no line `breaks: CHAPTER, RULE`")?
                .to_owned(),
            caught_by: field("caught-by:")
                .ok_or("has no line `caught-by: ARGUMENTS OF CARGO TEST`")?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            sweep: field("sweep:")
                .map(|seeds| seeds.parse().map_err(|e| format!("`sweep: {seeds}`: {e}")))
                .transpose()?,
        })
    }

    /// Why `caught-by` cannot be right: its last word must be the path of a test function.
    fn names_no_test(&self, sources: &[String]) -> Option<String> {
        let kind = self.caught_by.first().map(String::as_str);
        let last = self.caught_by.last().map_or("", String::as_str);
        let function = format!("fn {}(", last.rsplit("::").next().unwrap_or_default());
        if !matches!(kind, Some("--lib" | "--test")) {
            Some("`caught-by` begins with --lib or --test".into())
        } else if !sources.iter().any(|text| text.contains(&function)) {
            Some(format!(
                "`caught-by` names `{last}`, and no source has `{function}`"
            ))
        } else {
            None
        }
    }
}

fn patches() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/mutants")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut patches: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "patch"))
        .collect();
    patches.sort();
    patches
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_patch_applies_and_names_its_test() {
    let sources: Vec<String> = tree::files(root())
        .iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
        .map(|file| fs::read_to_string(root().join(file)).unwrap())
        .collect();
    let mut wrong = Vec::new();
    assert!(!patches().is_empty(), "no patches in tests/mutants");
    for path in patches() {
        let complaint = match Mutant::read(&path) {
            Ok(mutant) => mutant
                .names_no_test(&sources)
                .or_else(|| tree::apply(root(), &path, true).err()),
            Err(why) => Some(why),
        };
        wrong.extend(complaint.map(|why| format!("{}: {why}", name(&path))));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Where the table of them stands in the page, between two lines.
const PAGE: &str = "docs/testing.md";
const TABLE: [&str; 2] = ["<!-- mutants -->\n", "<!-- end of mutants -->"];

/// What is broken, and who notices: a row for each patch, chapter by chapter.
fn table() -> String {
    let row = |path: &PathBuf| {
        let mutant = Mutant::read(path).unwrap();
        let (chapter, rule) = mutant.breaks.split_once(", ").unwrap_or_default();
        let chapter: u32 = chapter
            .trim_start_matches("chapter ")
            .parse()
            .expect("`breaks:` begins with `chapter N, `");
        let test = mutant.caught_by.last().unwrap();
        let test = test.rsplit("::").next().unwrap();
        let kind = match &mutant.caught_by[..] {
            [_, name, _] => format!("`tests/{name}`"),
            _ => "`src`".to_owned(),
        };
        let name = name(path).replace(".patch", "");
        let seeds = mutant.sweep.map(|seeds| seeds.to_string());
        let seeds = seeds.unwrap_or_default();
        (
            chapter,
            format!("| {chapter} | `{name}` | {rule} | {kind} `{test}` | {seeds} |\n"),
        )
    };
    let mut rows: Vec<(u32, String)> = patches().iter().map(row).collect();
    rows.sort();
    let rows: String = rows.into_iter().map(|(_, row)| row).collect();
    format!(
        "| chapter | mutant | breaks the rule | noticed by | and by a sweep of so many seeds |\n\
         |---|---|---|---|---|\n{rows}"
    )
}

#[test]
fn the_page_lists_them_all() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let [begin, end] = TABLE;
    let (before, rest) = page.split_once(begin).expect("the page has a table");
    let (is, after) = rest.split_once(end).expect("the table has an end");
    let due = format!("\n{}\n", table());
    if is != due && std::env::var_os("UPDATE").is_some() {
        let page = format!("{before}{begin}{due}{end}{after}");
        return fs::write(root().join(PAGE), page).unwrap();
    }
    assert!(
        is == due,
        "the table of mutants in {PAGE} is not that of tests/mutants: UPDATE=1 cargo test --test mutants writes it"
    );
}

#[test]
fn mutants_are_caught() {
    let Some(wish) = std::env::var_os("MUTANTS") else {
        println!("MUTANTS=all (or a number) builds them and runs their tests");
        return;
    };
    let wish = wish.to_string_lossy().into_owned();
    let mut chosen = patches();
    if wish != "all" {
        let count: usize = wish.parse().expect("MUTANTS is `all` or a number");
        let from = std::env::var("MUTANTS_FROM").unwrap_or_default();
        let from: usize = from.parse().unwrap_or(0);
        let start = from.wrapping_mul(count) % chosen.len();
        chosen.rotate_left(start);
        chosen.truncate(count);
    }
    let missed: Vec<String> = chosen.iter().filter_map(|path| missed(path)).collect();
    assert!(missed.is_empty(), "\n{}\n", missed.join("\n"));
}

/// Builds and tests one mutant; says why it was not caught, if it was not.
fn missed(path: &Path) -> Option<String> {
    let mutant = Mutant::read(path).unwrap();
    let folder = root().join("target/mutants/tree");
    tree::lend(&folder.with_file_name("target"));
    tree::mirror(root(), &folder);
    tree::apply(&folder, &mutant.path, false).unwrap();
    let judged = |who: &str, outcome: tree::Outcome| {
        println!("{}, {who}: {outcome:?} ({})", name(path), mutant.breaks);
        let why = match outcome {
            tree::Outcome::Failed | tree::Outcome::Endless => return None,
            tree::Outcome::Passed => format!("{who} passes all the same: {}", mutant.breaks),
            tree::Outcome::TooSlow => format!("{who} found nothing in the time it may take"),
            tree::Outcome::NotBuilt(why) => format!("does not build\n{why}"),
        };
        Some(format!("{}: {why}", name(path)))
    };
    let by_test = judged("its test", tree::test(&folder, &mutant.caught_by));
    let by_sweep = mutant.sweep.and_then(|seeds| {
        let outcome = tree::sweep(&folder, seeds);
        judged(&format!("the sweep of {seeds} seeds"), outcome)
    });
    by_test.or(by_sweep)
}

#[test]
fn a_careless_patch_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.patch");
    let try_patch = |head: &str| {
        let body = "--- a/src/ring.rs\n+++ b/src/ring.rs\n@@ -1 +1 @@\n-no such line\n+x\n";
        fs::write(&path, format!("{head}{body}")).unwrap();
        let mutant = Mutant::read(&path)?;
        match mutant.names_no_test(&["fn it_holds() {}".to_owned()]) {
            None => tree::apply(root(), &path, true),
            Some(why) => Err(why),
        }
    };
    for (head, expected) in [
        ("", "no line `breaks:"),
        ("breaks: chapter 1, x\n", "no line `caught-by:"),
        (
            "breaks: chapter 1, x\ncaught-by: it_holds\n",
            "--lib or --test",
        ),
        (
            "breaks: chapter 1, x\ncaught-by: --lib a::nothing\n",
            "no source has",
        ),
        (
            "breaks: chapter 1, x\ncaught-by: --lib a::it_holds\n",
            "does not apply",
        ),
        (
            "breaks: chapter 1, x\ncaught-by: --lib a::it_holds\nsweep: many\n",
            "`sweep: many`",
        ),
    ] {
        let why = try_patch(head).unwrap_err();
        assert!(why.contains(expected), "{head}: {why}");
    }
}
