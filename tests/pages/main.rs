//! Do the pages show the code as it is, and what the programs really print?
//!
//! ```text
//!   <!-- code: src/ring/relay.rs#relay -->     the `rust` block below is the part of that file
//!                                              between `// region: relay` and `// endregion: relay`
//!   ```console                                 each line after `$ ` is run, the lines below it are
//!   $ cargo run --example ring -- 5 10         all it prints; an exit code other than 0 stands in
//!                                              the last line: (exit code 2)
//! ```
//!
//! `UPDATE=1 cargo test --test pages` writes what is true into the pages; then read the change.
//! What cannot be run (`git clone …`) stands in a block of another kind, such as `sh`.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod page;
mod programs;

use std::{cell::RefCell, collections::BTreeMap, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CONTRIBUTING.md and all of docs, from the root.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let short = path.strip_prefix(root()).unwrap();
                pages.push(short.to_string_lossy().into_owned());
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn pages_show_what_is_true() {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    // The same command on two pages is run once.
    let known = RefCell::new(BTreeMap::new());
    let run = |command: &str| -> Result<String, String> {
        let mut known = known.borrow_mut();
        let result = known.entry(command.to_owned());
        result.or_insert_with(|| programs::run(command)).clone()
    };
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let checked = page::check(&page, &text, read, run);
        wrong.extend(checked.impossible);
        if update && checked.text != text {
            println!("rewriting {page}");
            fs::write(root().join(&page), checked.text).unwrap();
        } else if !update {
            wrong.extend(checked.different);
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{}\n\nUPDATE=1 cargo test --test pages rewrites what differs\n",
        wrong.join("\n")
    );
}
