//! Does the lesson keep its promises? Its length, its exercises, and the small stories of its chapters.
//!
//! ```text
//!   <!-- predict: tests/lesson/ring/limit_reached_message_dropped -->
//!   ```text                                        the block below a marker is that story, with `?` in
//!   ring 3                                         place of each output: the reader fills it in, then
//!   ---                                            opens the story
//!   ?
//! ```
//!
//! `UPDATE=1 cargo test --test lesson` writes the blocks; `UPDATE_GOLDENFILES=1` the stories' outputs.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod alive;
mod links;
mod predict;
mod roster;
mod stories;
mod wire;

use std::{collections::BTreeSet, fs, path::Path};

/// Chapters 0 to 6 are an evening's reading.
const PROSE_LINES: usize = 1_500;

/// And so are the files they name, comments and tests not counted.
const CODE_LINES: usize = 2_500;

/// The last chapter of that evening.
const EVENING: u32 = 6;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A chapter: its number, its path from the root and its text.
struct Chapter {
    number: u32,
    path: String,
    text: String,
}

fn chapters() -> Vec<Chapter> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut chapters: Vec<Chapter> = names
        .filter(|name| name.ends_with(".md"))
        .filter_map(|name| {
            let number = name.split_once('-')?.0.parse().ok()?;
            let path = format!("docs/{name}");
            let text = fs::read_to_string(root().join(&path)).unwrap();
            Some(Chapter { number, path, text })
        })
        .collect();
    chapters.sort_by_key(|chapter| chapter.number);
    chapters
}

#[test]
fn the_lesson_is_an_evenings_reading() {
    let chapters = chapters();
    let mut prose = 0;
    let mut files = BTreeSet::new();
    for Chapter { path, text, .. } in chapters.iter().filter(|chapter| chapter.number <= EVENING) {
        let lines = prose_lines(text);
        println!("{lines:6}  {path}");
        prose += lines;
        files.extend(named_files(text));
    }
    let mut code = 0;
    for file in &files {
        let lines = code_lines(&fs::read_to_string(root().join(file)).unwrap());
        println!("{lines:6}  {file}");
        code += lines;
    }
    println!("{prose} lines of prose, {code} lines of code");
    assert!(
        prose <= PROSE_LINES,
        "{prose} lines of prose in chapters 0 to {EVENING}"
    );
    assert!(
        code <= CODE_LINES,
        "{code} lines of code in the files that the chapters name"
    );
}

#[test]
fn each_chapter_about_code_has_something_to_predict_and_something_to_break() {
    let mut missing = Vec::new();
    for chapter in chapters().iter().filter(|chapter| chapter.number > 0) {
        let Chapter { number, path, text } = chapter;
        if !text.contains("<!-- predict: ") {
            missing.push(format!("{path}: no `<!-- predict: STORY -->`"));
        }
        if !patches(text).any(|patch| breaks(&patch) == Some(*number)) {
            missing.push(format!(
                "{path}: links no tests/mutants/*.patch that `breaks: chapter {number}`"
            ));
        }
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

/// What every chapter about code consists of; its drawing stands in a `text` block or a transcript.
const PARTS: [&str; 10] = [
    "**The question.**",
    "\n## Hold these true\n",
    "\n## Predict\n",
    " tour",
    "\n```console\n$ ",
    "\n## Break it\n",
    "\n## Exercises\n",
    "\n## Real systems\n",
    "\n## Next\n",
    "\nPrevious: ",
];

#[test]
fn each_chapter_has_the_same_parts() {
    let chapters = chapters();
    let evening = chapters
        .iter()
        .map_while(|chapter| (chapter.number <= EVENING).then_some(chapter.number));
    assert_eq!(evening.collect::<Vec<u32>>(), Vec::from_iter(0..=EVENING));
    assert!(
        chapters
            .windows(2)
            .all(|pair| pair[0].number < pair[1].number),
        "two chapters of one number"
    );
    let mut missing = Vec::new();
    for Chapter { path, text, .. } in chapters.iter().filter(|chapter| chapter.number > 0) {
        let absent = PARTS.iter().filter(|part| !text.contains(**part));
        missing.extend(absent.map(|part| format!("{path}: no {part:?}")));
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

/// The lines of a page that are written by hand: neither in a fenced block nor empty.
fn prose_lines(text: &str) -> usize {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.trim().is_empty()
    });
    lines.count()
}

/// The source files that a page links or shows.
fn named_files(text: &str) -> BTreeSet<String> {
    let linked = text
        .split("](../")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let shown = text
        .split("<!-- code: ")
        .skip(1)
        .filter_map(|rest| rest.split('#').next());
    let named = linked.chain(shown).map(str::to_owned);
    named
        .filter(|file| {
            file.ends_with(".rs") && (file.starts_with("src/") || file.starts_with("examples/"))
        })
        .collect()
}

/// Lines that are neither empty nor comments, up to the tests.
fn code_lines(text: &str) -> usize {
    let own = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .map(str::trim);
    own.filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

/// The patches that a page links.
fn patches(text: &str) -> impl Iterator<Item = String> {
    let links = text.split("](../tests/mutants/").skip(1);
    links.filter_map(|rest| rest.split(')').next().map(str::to_owned))
}

/// The chapter whose rule a patch breaks.
fn breaks(patch: &str) -> Option<u32> {
    let text = fs::read_to_string(root().join("tests/mutants").join(patch)).ok()?;
    let rule = text
        .lines()
        .find_map(|line| line.strip_prefix("breaks: chapter "))?;
    rule.split_once(',')?.0.trim().parse().ok()
}

#[test]
fn lines_and_files_are_counted_right() {
    let page = "# Title\n\nText [a](../src/a.rs#L1) [b](../tests/mutants/b.patch).\n\n```text\nnot prose\n```\n<!-- code: src/c.rs#c -->\n";
    assert_eq!(prose_lines(page), 3);
    assert_eq!(
        named_files(page).into_iter().collect::<Vec<_>>(),
        ["src/a.rs", "src/c.rs"]
    );
    assert_eq!(patches(page).collect::<Vec<_>>(), ["b.patch"]);
    assert_eq!(breaks("relay_not_counted.patch"), Some(3));
    assert_eq!(
        code_lines("//! A.\n\nfn a() {\n    // Why.\n}\n#[cfg(test)]\nmod tests {}\n"),
        2
    );
}
