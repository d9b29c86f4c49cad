//! Reads one page, line by line, and writes it again as it should be.

/// What was found on one page.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The page with the true snippets and transcripts.
    pub(crate) text: String,
    /// Where the page differs from that, to be mended by writing `text`.
    pub(crate) different: Vec<String>,
    /// What nobody can mend by writing: a marker without its region, a command that cannot run.
    pub(crate) impossible: Vec<String>,
}

/// Compares the snippets of a page with the files that `read` gives, and its transcripts with what
/// `run` says the commands print.
pub(crate) fn check(
    page: &str,
    text: &str,
    read: impl Fn(&str) -> Option<String>,
    run: impl Fn(&str) -> Result<String, String>,
) -> Checked {
    let mut checked = Checked::default();
    let mut marker: Option<(usize, String)> = None;
    let mut lines = text.lines().enumerate();
    while let Some((i, line)) = lines.next() {
        let at = format!("{page}:{}", i + 1);
        checked.text.push_str(line);
        checked.text.push('\n');
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            if let Some(name) = code_marker(line) {
                checked.abandon(page, marker.replace((i + 1, name)));
            } else if !line.is_empty() {
                checked.abandon(page, marker.take());
            }
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .collect();
        let truth = match (kind, marker.take()) {
            ("rust", Some((_, name))) => region(&name, &read),
            ("rust", None) => Err("a rust block needs <!-- code: file#region --> above it".into()),
            ("console", None) => transcript(&block, &run),
            (_, None) => Ok(block.join("\n")),
            (_, Some((_, name))) => Err(format!("below `code: {name}` stands no rust block")),
        };
        let shown = block.join("\n");
        match truth {
            Err(why) => {
                checked.impossible.push(format!("{at}: {why}"));
                checked.push_block(&shown);
            }
            Ok(truth) => {
                if let Some(difference) = first_difference(&shown, &truth) {
                    checked.different.push(format!("{at}: {difference}"));
                }
                checked.push_block(&truth);
            }
        }
    }
    checked.abandon(page, marker);
    checked
}

impl Checked {
    fn push_block(&mut self, text: &str) {
        self.text.push_str(text);
        self.text
            .push_str(if text.is_empty() { "```\n" } else { "\n```\n" });
    }

    fn abandon(&mut self, page: &str, marker: Option<(usize, String)>) {
        if let Some((line, name)) = marker {
            let complaint = format!("{page}:{line}: below `code: {name}` stands no block");
            self.impossible.push(complaint);
        }
    }
}

/// The `file#region` of `<!-- code: file#region -->`.
fn code_marker(line: &str) -> Option<String> {
    let inside = line
        .trim()
        .strip_prefix("<!-- code:")?
        .strip_suffix("-->")?;
    Some(inside.trim().to_owned())
}

/// The lines of a region, moved to the left as far as they go, without markers of inner regions.
fn region(name: &str, read: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (path, region) = name
        .split_once('#')
        .ok_or_else(|| format!("`code: {name}` names no region; write file#region"))?;
    let text = read(path).ok_or_else(|| format!("there is no file `{path}`"))?;
    let begin = format!("// region: {region}");
    let end = format!("// endregion: {region}");
    let mut after = text
        .lines()
        .skip_while(|line| line.trim() != begin)
        .skip(1)
        .peekable();
    if after.peek().is_none() || !text.lines().any(|line| line.trim() == end) {
        return Err(format!("`{path}` has no lines from `{begin}` to `{end}`"));
    }
    let is_marker = |line: &str| {
        line.trim().starts_with("// region: ") || line.trim().starts_with("// endregion: ")
    };
    let inside = after
        .take_while(|line| line.trim() != end)
        .filter(|line| !is_marker(line));
    let lines: Vec<&str> = inside.collect();
    let indents = lines.iter().filter(|line| !line.is_empty());
    let indent = indents
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let moved = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default());
    Ok(moved.collect::<Vec<_>>().join("\n"))
}

/// The block with what each of its commands really prints.
fn transcript(
    block: &[&str],
    run: impl Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    if !block.first().is_some_and(|line| line.starts_with("$ ")) {
        return Err("a console block begins with `$ ` and a command".into());
    }
    let mut truth: Vec<String> = Vec::new();
    let mut lines = block.iter();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("$ ") else {
            continue; // what the page says is printed
        };
        truth.push((*line).to_owned());
        let mut command = first.to_owned();
        while let Some(cut) = command.strip_suffix('\\') {
            let more = lines.next().ok_or("a command ends in a backslash")?;
            truth.push((*more).to_owned());
            command = format!(
                "{} {}",
                cut.trim_end(),
                more.trim_start_matches("> ").trim()
            );
        }
        let printed = run(&command).map_err(|why| format!("`{command}` {why}"))?;
        truth.extend(printed.lines().map(|line| line.trim_end().to_owned()));
    }
    Ok(truth.join("\n"))
}

fn first_difference(shown: &str, truth: &str) -> Option<String> {
    let (mut a, mut b) = (shown.lines(), truth.lines());
    for number in 1.. {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let (a, b) = (a.unwrap_or("(nothing)"), b.unwrap_or("(nothing)"));
                return Some(format!(
                    "line {number} of the block\n    shows: {a}\n    truth: {b}"
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn a() {\n    // region: one\n    let x = 1;\n\n    // region: two\n        y();\n    // endregion: two\n    // endregion: one\n}\n// region: open\n";

    fn try_page(text: &str) -> Checked {
        let read = |path: &str| (path == "src/a.rs").then(|| SOURCE.to_owned());
        let run = |command: &str| match command {
            "hello" => Ok("Hello\n  there  \n".to_owned()),
            "two words" => Ok("2\n".to_owned()),
            _ => Err("is unknown".to_owned()),
        };
        check("p.md", text, read, run)
    }

    #[test]
    fn true_pages_stay_as_they_are() {
        for page in [
            "# Title\n\n<!-- code: src/a.rs#one -->\n```rust\nlet x = 1;\n\n    y();\n```\n\nEnd.\n",
            "<!-- code: src/a.rs#two -->\n\n```rust\ny();\n```\n",
            "```console\n$ hello\nHello\n  there\n$ two \\\n> words\n2\n```\n```text\n$ any\n```\n",
        ] {
            let checked = try_page(page);
            assert_eq!(checked.text, page);
            assert_eq!((checked.different, checked.impossible), (vec![], vec![]));
        }
    }

    #[test]
    fn what_differs_is_named_and_mended() {
        let old =
            "<!-- code: src/a.rs#two -->\n```rust\nz();\n```\n```console\n$ hello\nHello\n```\n";
        let checked = try_page(old);
        assert_eq!(checked.different.len(), 2, "{checked:?}");
        assert!(
            checked.different[0].starts_with("p.md:2: line 1 "),
            "{checked:?}"
        );
        let mended = try_page(&checked.text);
        assert_eq!(
            (mended.different.len(), mended.impossible.len()),
            (0, 0),
            "{mended:?}"
        );
        assert_eq!(mended.text, checked.text);
    }

    #[test]
    fn what_cannot_be_checked_is_an_error() {
        for page in [
            "<!-- code: src/none.rs#one -->\n```rust\n```\n",
            "<!-- code: src/a.rs#none -->\n```rust\n```\n",
            "<!-- code: src/a.rs#open -->\n```rust\n```\n",
            "<!-- code: src/a.rs -->\n```rust\n```\n",
            "<!-- code: src/a.rs#one -->\nText between.\n",
            "<!-- code: src/a.rs#one -->\n```text\n```\n",
            "<!-- code: src/a.rs#one -->\n",
            "```rust\nlet unmarked = 1;\n```\n",
            "```console\nHello\n```\n",
            "```console\n```\n",
            "```console\n$ rm everything\n```\n",
        ] {
            let checked = try_page(page);
            assert_eq!(checked.impossible.len(), 1, "{page}");
            assert_eq!(checked.text, page);
        }
    }
}
