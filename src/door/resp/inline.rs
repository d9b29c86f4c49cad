//! A command typed by hand: words in a line, in quotes where a word has blanks.
//!
//! ```text
//! set "two words" 'it\'s'      ->  set | two words | it's
//! set bin "\x00\n"             ->  set | bin | a zero and a line end
//! ```

use bytes::{Bytes, BytesMut};

/// The words of a line; `None` if a quote is not closed, or closed in the middle of a word.
pub(super) fn words(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut rest = line;
    let mut words = Vec::new();
    loop {
        let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        rest = rest.get(blank..)?;
        let Some(first) = rest.first() else {
            return Some(words);
        };
        let (word, used) = match first {
            b'"' | b'\'' => quoted(rest, *first)?,
            _ => plain(rest)?,
        };
        words.push(word);
        rest = rest.get(used..)?;
    }
}

/// A word up to the next blank. A quote within it opens a quoted part, as in a shell.
fn plain(text: &[u8]) -> Option<(Bytes, usize)> {
    let end = text.iter().position(u8::is_ascii_whitespace);
    let word = text.get(..end.unwrap_or(text.len()))?;
    match word.iter().position(|b| matches!(b, b'"' | b'\'')) {
        None => Some((Bytes::copy_from_slice(word), word.len())),
        Some(at) => {
            let (tail, used) = quoted(text.get(at..)?, *word.get(at)?)?;
            let mut joined = BytesMut::from(word.get(..at)?);
            joined.extend_from_slice(&tail);
            Some((joined.freeze(), at + used))
        }
    }
}

/// A word in quotes, and how many bytes of `text` it takes with them.
fn quoted(text: &[u8], quote: u8) -> Option<(Bytes, usize)> {
    let mut word = BytesMut::new();
    let mut at = 1;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        if byte == quote {
            let ends = text.get(at).is_none_or(u8::is_ascii_whitespace);
            return ends.then(|| (word.freeze(), at));
        }
        if byte != b'\\' {
            word.extend_from_slice(&[byte]);
            continue;
        }
        let (byte, used) = escaped(text.get(at..)?, quote)?;
        word.extend_from_slice(byte.as_slice());
        at += used;
    }
}

/// What a backslash and what follows it stand for. Between single quotes only the quote is special.
fn escaped(text: &[u8], quote: u8) -> Option<(Vec<u8>, usize)> {
    let next = *text.first()?;
    if quote == b'\'' {
        return Some(match next {
            b'\'' => (vec![b'\''], 1),
            _ => (vec![b'\\'], 0),
        });
    }
    let digits = text.get(1..3).and_then(|two| std::str::from_utf8(two).ok());
    let hex = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
    Some(match (next, hex) {
        (b'x', Some(byte)) => (vec![byte], 3),
        (b'n', _) => (vec![b'\n'], 1),
        (b'r', _) => (vec![b'\r'], 1),
        (b't', _) => (vec![b'\t'], 1),
        (b'b', _) => (vec![8], 1),
        (b'a', _) => (vec![7], 1),
        _ => (vec![next], 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let text = |word: Bytes| word.escape_ascii().to_string();
        Some(words(line.as_bytes())?.into_iter().map(text).collect())
    }

    #[test]
    fn words_are_split_at_blanks_but_in_quotes() {
        let some = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
        assert_eq!(split("set a 1"), some(&["set", "a", "1"]));
        assert_eq!(split("  get \t a  "), some(&["get", "a"]));
        assert_eq!(
            split("set k \"two words\""),
            some(&["set", "k", "two words"])
        );
        assert_eq!(
            split(r#"set k "\x00\n\"""#),
            some(&["set", "k", r#"\x00\n\""#])
        );
        assert_eq!(
            split(r"set k 'it\'s \n'"),
            some(&["set", "k", r"it\'s \\n"])
        );
        assert_eq!(split("set k \"\""), some(&["set", "k", ""]));
        assert_eq!(split(r#"set k ab"c d""#), some(&["set", "k", "abc d"]));
        assert_eq!(split(""), some(&[]));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_a_mistake() {
        for line in ["set k \"open", "set k 'open", "\"a\"b", "a'b", "\"\\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
