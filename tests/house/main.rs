//! Is the house in order? Layers, module docs, links, sizes and the oldest compiler.
//!
//! Each rule is a function from text to complaints, tried on a bad sample before it is trusted
//! with the real files.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod layers;
mod links;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file may have so many lines before its tests; beyond it is named in the report.
const LINES_PER_FILE: usize = 300;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under the project with this ending, as (path from the root, text), sorted.
fn files(under: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                let short = path.strip_prefix(root()).unwrap();
                found.push((
                    short.to_string_lossy().into_owned(),
                    fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<(String, String)> {
    let folders = ["src", "tests", "examples", "benches"];
    folders.iter().flat_map(|f| files(f, ".rs")).collect()
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let sources = files("src", ".rs");
    let map = &sources
        .iter()
        .find(|(path, _)| path == "src/lib.rs")
        .unwrap()
        .1;
    let order = layers::order(map);
    assert!(order.len() >= 3, "found only {order:?} in src/lib.rs");
    none(
        sources
            .iter()
            .flat_map(|(path, text)| layers::complaints(&order, path, text))
            .collect(),
    );
}

#[test]
fn the_map_leaves_a_blank_line_between_modules_and_says_a_word_to_each() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    none(map_complaints(&map));
    assert_eq!(
        map_complaints("// A?\npub mod a;\n\n// B?\npub mod b;\n").len(),
        0
    );
    assert_eq!(
        map_complaints("// A?\npub mod a;\n// B?\npub mod b;\n").len(),
        1
    );
    assert_eq!(map_complaints("/// A?\npub mod a;\n").len(), 1);
    assert_eq!(map_complaints("pub mod a;\n").len(), 1);
}

/// Without the blank line rustfmt would sort the modules; without the line above them the map says
/// nothing. That line begins with `//`: with `///`, rustdoc looks for the links of the module's own
/// doc in lib.rs, and does not find them.
fn map_complaints(map: &str) -> Vec<String> {
    let lines: Vec<&str> = map.lines().collect();
    let is_module = |line: &str| line.starts_with("pub mod ") || line.starts_with("mod ");
    let mut complaints = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| is_module(line)) {
        let above = lines[..i].iter().rev();
        let head = above.take_while(|l| l.starts_with("//") || l.starts_with("#["));
        let head: Vec<&&str> = head.collect();
        if !head.iter().any(|line| line.starts_with("// ")) {
            complaints.push(format!(
                "src/lib.rs:{}: `{line}` needs a line `// …` above",
                i + 1
            ));
        } else if lines[..i - head.len()]
            .last()
            .is_some_and(|line| !line.is_empty())
        {
            complaints.push(format!(
                "src/lib.rs:{}: `{line}` needs a blank line above",
                i + 1
            ));
        }
    }
    complaints
}

#[test]
fn every_file_opens_with_a_module_doc() {
    let opens = |text: &str| text.starts_with("//! ");
    assert!(!opens("// A comment.\n") && !opens("use std::fs;\n") && opens("//! Why?\n"));
    let closed = rust_files().into_iter().filter(|(_, text)| !opens(text));
    none(
        closed
            .map(|(path, _)| format!("{path}: begin with `//! ` and what the file is about"))
            .collect(),
    );
}

#[test]
fn nothing_is_left_for_later() {
    none(
        rust_files()
            .iter()
            .flat_map(|(path, text)| unfinished(path, text))
            .collect(),
    );
    assert_eq!(unfinished("x", concat!("    to", "do!()")).len(), 1);
    assert_eq!(
        unfinished("x", concat!("#[ig", "nore]\n#[ig", "nore = \"slow\"]")).len(),
        2
    );
    assert_eq!(unfinished("x", "let ignored = 1; // a todo list").len(), 0);
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
    ];
    let lines = text.lines().enumerate();
    let bad = lines.filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    bad.map(|(i, line)| format!("{path}:{}: {}", i + 1, line.trim()))
        .collect()
}

#[test]
fn links_in_the_pages_lead_somewhere() {
    let pages = files("", ".md");
    none(links::complaints(&pages, |path| root().join(path).exists()));
}

/// Prints, never fails: a number is a reason to look, not a verdict.
#[test]
fn sizes_are_reported() {
    let mut sizes: Vec<(usize, String)> = files("src", ".rs")
        .into_iter()
        .map(|(path, text)| (production_lines(&text), path))
        .collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let total: usize = sizes.iter().map(|(lines, _)| lines).sum();
    println!(
        "{total} lines in {} files of src, tests not counted",
        sizes.len()
    );
    for (lines, path) in sizes.iter().filter(|(lines, _)| *lines > LINES_PER_FILE) {
        println!("{lines:6}  {path}: more than {LINES_PER_FILE}; is there a second idea in it?");
    }
    assert_eq!(
        production_lines("//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n"),
        2
    );
}

fn production_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

#[test]
fn our_compiler_is_not_older_than_our_dependencies_allow() {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let verbose = String::from_utf8(rustc.stdout).unwrap();
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
        ])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let needed = newest_needed(&String::from_utf8(metadata.stdout).unwrap());
    assert_eq!(
        needed,
        version(env!("CARGO_PKG_RUST_VERSION")),
        "`rust-version` in Cargo.toml must be what the most demanding dependency needs"
    );
    assert_eq!(
        newest_needed(r#""rust_version":"1.90","x":1,"rust_version":null,"rust_version":"1.9.3""#),
        (1, 90)
    );
}

/// The greatest `rust_version` in the output of `cargo metadata`.
fn newest_needed(metadata: &str) -> (u32, u32) {
    let values = metadata.split(r#""rust_version":""#).skip(1);
    values
        .map(|rest| version(rest.split('"').next().unwrap()))
        .max()
        .unwrap()
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap_or(0))
}

/// Where a file of `tests` may look for another one: `docs/01.md` + `../README.md` is `README.md`.
fn join(page: &str, target: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            name => path.push(name),
        }
    }
    path.to_string_lossy().into_owned()
}
