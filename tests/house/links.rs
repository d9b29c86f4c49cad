//! A link in a page leads to a file that exists, and its anchor to a heading there.

/// The broken links of `pages`, which are (path from the root, text).
pub(crate) fn complaints(pages: &[(String, String)], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (page, text) in pages {
        for (line, target) in targets(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() {
                page.clone()
            } else {
                crate::join(page, file)
            };
            let other = pages.iter().find(|(other, _)| *other == path);
            if !exists(&path) {
                found.push(format!("{page}:{line}: there is no `{path}`"));
            } else if let (Some((_, text)), false) = (other, anchor.is_empty())
                && !anchors(text).iter().any(|a| a == anchor)
            {
                found.push(format!(
                    "{page}:{line}: `{path}` has no heading `#{anchor}`"
                ));
            }
        }
    }
    found
}

/// The lines of a page that are not inside a fenced block, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(i, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((i + 1, line))
    })
}

/// The targets of `[text](target)` and `[text]: target`, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let inline = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        found.extend(inline.map(|target| (number, word(target))));
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.push((number, word(target)));
        }
    }
    found
}

/// The line without what stands in backquotes, where `[a](b)` is no link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The address without a title: `a.md "Title"` is `a.md`.
fn word(target: &str) -> String {
    target
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The anchors of the headings of a page, made as repository pages make them.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept
            .map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>();
        let same = |other: &&String| {
            let number = other.strip_prefix(&format!("{anchor}-"));
            **other == anchor || number.is_some_and(|n| n.parse::<u32>().is_ok())
        };
        match found.iter().filter(same).count() {
            0 => found.push(anchor),
            n => found.push(format!("{anchor}-{n}")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complain(text: &str) -> Vec<String> {
        let pages = [
            ("docs/a.md".to_owned(), text.to_owned()),
            (
                "README.md".to_owned(),
                "# The `ring`: pass it on!\n".to_owned(),
            ),
        ];
        complaints(&pages, |path| {
            ["docs/a.md", "README.md", "src/ring.rs"].contains(&path)
        })
    }

    #[test]
    fn good_links_are_left_alone() {
        assert_eq!(
            complain("[a](../README.md) [b](a.md) [c](https://x.org/#y)"),
            [""; 0]
        );
        assert_eq!(
            complain("[a](../README.md#the-ring-pass-it-on) [b](../src/ring.rs)"),
            [""; 0]
        );
        assert_eq!(
            complain("# Here\n# Here\n[a](#here-1)\n[b]: a.md \"Title\""),
            [""; 0]
        );
        assert_eq!(
            complain("```text\n[a](nowhere.md)\n```\n`[a](nowhere.md)`"),
            [""; 0]
        );
    }

    #[test]
    fn broken_links_are_found() {
        assert_eq!(
            complain("x\n[a](b.md)"),
            ["docs/a.md:2: there is no `docs/b.md`"]
        );
        assert_eq!(
            complain("[a](../README.md#x)"),
            ["docs/a.md:1: `README.md` has no heading `#x`"]
        );
        assert_eq!(
            complain("[a](#x)"),
            ["docs/a.md:1: `docs/a.md` has no heading `#x`"]
        );
        assert_eq!(complain("[a]: nowhere.md").len(), 1);
        assert_eq!(complain("`x` [a](nowhere.md) `y`").len(), 1);
    }
}
