//! A module may use the modules above it in `src/lib.rs`, and nothing below it.

/// The modules of `lib.rs` in their order.
pub(crate) fn order(map: &str) -> Vec<String> {
    map.lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Where `text`, the file at `path`, looks down the page or out of its module by `super`.
pub(crate) fn complaints(order: &[String], path: &str, text: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let inside = inside.trim_end_matches("/mod");
    let own = inside.split('/').next().unwrap_or_default();
    let Some(own_place) = order.iter().position(|name| name == own) else {
        return Vec::new(); // lib.rs and main.rs stand outside: they may see everything
    };
    let mut found = Vec::new();
    let depth = inside.split('/').count();
    let mut inline = Vec::new();
    let code: Vec<&str> = text.lines().map(without_comment).collect();
    for (i, line) in code.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if inline.last() == Some(&indent) && line.trim() == "}" {
            inline.pop();
        } else if line.trim_end().ends_with('{') && is_module(line.trim()) {
            inline.push(indent);
        }
        let supers = longest_chain_of_supers(line);
        if supers >= depth + inline.len() {
            found.push(format!(
                "{path}:{}: `super` leaves the module `{own}`; say `crate::`",
                i + 1
            ));
        }
        // A list in braces may go on over several lines.
        for name in named_after_crate(&code[i..].join("\n"), line.len()) {
            match order.iter().position(|other| *other == name) {
                Some(place) if place <= own_place => {}
                Some(_) => found.push(format!(
                    "{path}:{}: `{own}` uses `{name}`, which stands below it in src/lib.rs",
                    i + 1
                )),
                None => found.push(format!(
                    "{path}:{}: `crate::{name}` is no module of src/lib.rs",
                    i + 1
                )),
            }
        }
    }
    found
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn is_module(line: &str) -> bool {
    let rest = line
        .trim_start_matches("pub(crate) ")
        .trim_start_matches("pub ");
    rest.starts_with("mod ")
}

fn longest_chain_of_supers(line: &str) -> usize {
    (1..10)
        .take_while(|n| line.contains(&"super::".repeat(*n)))
        .count()
}

/// The first names after each `crate::` that begins within the first `limit` bytes of `code`.
fn named_after_crate(code: &str, limit: usize) -> Vec<String> {
    let starts = code.match_indices("crate::").filter(|(at, _)| *at < limit);
    starts
        .flat_map(|(at, found)| {
            let rest = &code[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(list) => top_level_names(list),
                None => vec![name_at(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Of `ring::{Direction, Links}, keyspace::Id};` the names `ring` and `keyspace`.
fn top_level_names(list: &str) -> Vec<String> {
    let mut names = vec![name_at(list.trim_start())];
    let mut depth = 0;
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name_at(list[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn name_at(text: &str) -> String {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    text.chars().take_while(is_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complain(path: &str, text: &str) -> usize {
        let order = order("/// A.\npub mod a;\n\n/// B.\npub mod b;\n\nmod c;\n");
        complaints(&order, path, text).len()
    }

    #[test]
    fn looking_up_is_allowed() {
        assert_eq!(
            complain("src/b.rs", "use crate::a::Thing;\nuse crate::b::Own;"),
            0
        );
        assert_eq!(complain("src/c/x.rs", "use crate::{a, b::{One, Two}};"), 0);
        assert_eq!(complain("src/lib.rs", "pub use crate::c::Thing;"), 0);
        assert_eq!(complain("src/a.rs", "/// See [`crate::c::Thing`].\n"), 0);
    }

    #[test]
    fn looking_down_is_found() {
        assert_eq!(complain("src/a.rs", "use crate::b::Thing;"), 1);
        assert_eq!(complain("src/b/x.rs", "    let x = crate::c::new();"), 1);
        assert_eq!(complain("src/b.rs", "use crate::{a::{One, Two}, c};"), 1);
        assert_eq!(
            complain("src/a.rs", "use crate::{\n    b::One,\n    c,\n};"),
            2
        );
        assert_eq!(complain("src/b.rs", "use crate::Thing;"), 1);
    }

    #[test]
    fn super_may_not_leave_the_module() {
        assert_eq!(complain("src/a.rs", "use super::b::Thing;"), 1);
        assert_eq!(complain("src/a/x.rs", "use super::Thing;"), 0);
        assert_eq!(complain("src/a/mod.rs", "use super::b::Thing;"), 1);
        assert_eq!(complain("src/a/x.rs", "use super::super::b::Thing;"), 1);
        assert_eq!(
            complain("src/a.rs", "mod tests {\n    use super::*;\n}\n"),
            0
        );
        assert_eq!(complain("src/a.rs", "mod tests {\n}\nuse super::b;\n"), 1);
        assert_eq!(
            complain("src/a.rs", "mod tests {\n    use super::super::b;\n}"),
            1
        );
    }
}
