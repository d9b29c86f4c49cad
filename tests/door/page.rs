//! `docs/commands.md` says what the table of commands says.

use std::fmt::Write;

use roundelay::door::commands;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");

const BEGIN: &str = "<!-- commands -->\n";
const END: &str = "<!-- /commands -->\n";

/// The tables as the page should have them: a family each.
fn tables() -> String {
    let mut text = String::new();
    let families = [
        ("string", "Values"),
        ("generic", "Keys"),
        ("dht", "The ring"),
        ("connection", "The connection"),
        ("server", "The host"),
    ];
    for (group, title) in families {
        let _ = write!(
            text,
            "\n## {title}\n\n| command | what it does |\n|---|---|\n"
        );
        for spec in commands().iter().filter(|spec| spec.group == group) {
            let usage = spec.usage.replace('|', "\\|");
            let _ = writeln!(text, "| `{usage}` | {} |", spec.summary.replace('|', "\\|"));
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_page_has_every_command() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (is, after) = rest.split_once(END).unwrap();
    let expected = tables();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert!(
        is == expected,
        "docs/commands.md is not what the table says: UPDATE=1 cargo test --test door page"
    );
    let listed = commands().len();
    assert_eq!(
        expected.matches("\n| `").count(),
        listed,
        "a family is missing from the page"
    );
}
