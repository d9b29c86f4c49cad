//! *Predict* exercises: stories whose output is left to the reader. And lines of stories, shown with remarks.

use std::fs;

use crate::{Chapter, chapters, root};

#[test]
fn predictions_are_stories_without_their_output() {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for Chapter { path, text, .. } in chapters() {
        let read = |story: &str| fs::read_to_string(root().join(story)).ok();
        match rewritten(&text, read) {
            Err(why) => wrong.push(format!("{path}: {why}")),
            Ok(truth) if truth == text => {}
            Ok(truth) if update => fs::write(root().join(&path), truth).unwrap(),
            Ok(truth) => {
                let mut pairs = text.lines().zip(truth.lines());
                let (shown, true_line) = pairs.find(|(a, b)| a != b).unwrap_or_default();
                wrong.push(format!("{path}: an exercise differs from its story\n  shows: {shown}\n  story: {true_line}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{}\n\nUPDATE=1 cargo test --test lesson rewrites what differs\n",
        wrong.join("\n")
    );
}

/// The page with the block below each marker as its story has it.
fn rewritten(page: &str, read: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut truth = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        truth.push_str(line);
        truth.push('\n');
        let Some(story) = line
            .strip_prefix("<!-- predict: ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let text = read(story).ok_or_else(|| format!("there is no story `{story}`"))?;
        if lines.next() != Some("```text") || !lines.by_ref().any(|line| line == "```") {
            return Err(format!("below `predict: {story}` stands no text block"));
        }
        truth.push_str(&format!("```text\n{}```\n", exercise(&text)));
    }
    Ok(truth)
}

/// A story with `?` for each of its outputs.
fn exercise(story: &str) -> String {
    let mut shown = String::new();
    let mut output = false;
    for line in story.trim_end().lines() {
        match line {
            "" => output = false,
            "---" => {
                shown.push_str("---\n?\n");
                output = true;
                continue;
            }
            _ => {}
        }
        if !output {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    shown
}

#[test]
fn lines_shown_of_a_story_stand_in_it() {
    let read = |story: &str| fs::read_to_string(root().join(story)).ok();
    let mut wrong = Vec::new();
    for Chapter { path, text, .. } in chapters() {
        wrong.extend(strangers(&text, read).map(|why| format!("{path}: {why}")));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let read = |name: &str| (name == "s").then(|| "ask\n---\none  1\ntwo\n".to_owned());
    let page = |lines: &str| format!("<!-- story: s -->\n```text\n{lines}\n```\n");
    assert_eq!(strangers(&page("one  1     why\ntwo"), read), None);
    assert!(
        strangers(&page("two\none  1"), read)
            .unwrap()
            .contains("`one  1`")
    );
    assert!(
        strangers("<!-- story: t -->\n", read)
            .unwrap()
            .contains("no story")
    );
}

/// The first line below a `story:` marker that is not in that story, or not in that order. What stands
/// four blanks or more to the right of a line is a remark.
fn strangers(page: &str, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(story) = line
            .strip_prefix("<!-- story: ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let Some(text) = read(story) else {
            return Some(format!("there is no story `{story}`"));
        };
        let mut truth = text.lines();
        for shown in lines.by_ref().skip(1).take_while(|line| *line != "```") {
            let shown = shown.split("    ").next().unwrap_or_default();
            if !truth.any(|line| line == shown) {
                return Some(format!("`{shown}` does not come next in {story}"));
            }
        }
    }
    None
}

#[test]
fn an_exercise_keeps_the_questions_and_hides_the_answers() {
    let story = "# One.\nask 1\nask 2\n---\n1\n2\n\nask 3\n---\n3\n";
    let read = |name: &str| (name == "s").then(|| story.to_owned());
    let page = "Text.\n<!-- predict: s -->\n```text\nold\n```\nEnd.\n";
    let truth = rewritten(page, read).unwrap();
    assert_eq!(
        truth,
        "Text.\n<!-- predict: s -->\n```text\n# One.\nask 1\nask 2\n---\n?\n\nask 3\n---\n?\n```\nEnd.\n"
    );
    assert_eq!(rewritten(&truth, read).unwrap(), truth);
    assert!(
        rewritten("<!-- predict: t -->\n```text\n```\n", read)
            .unwrap_err()
            .contains("no story")
    );
    assert!(
        rewritten("<!-- predict: s -->\nText.\n", read)
            .unwrap_err()
            .contains("no text block")
    );
}
