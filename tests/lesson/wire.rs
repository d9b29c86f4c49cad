//! The stories of chapter 11: what do the first bytes of a frame say?
//!
//! ```text
//!   begins HEX HEX HEX HEX HEX HEX     how long is the frame that begins so?
//! ```

use goldenscript::{Command, Context, Runner};
use roundelay::wire::{PREFIX_BYTES, frame_len};

use crate::stories::{Failure, stories, words};

struct Wire;

impl Runner for Wire {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        if command.name != "begins" {
            return Err(format!("`{}` is no command of the wire", command.name).into());
        }
        let mut prefix = [0; PREFIX_BYTES];
        let words = words(command)?;
        if words.len() != PREFIX_BYTES {
            return Err(format!("a frame begins with {PREFIX_BYTES} bytes").into());
        }
        for (byte, word) in prefix.iter_mut().zip(words) {
            *byte = u8::from_str_radix(word, 16)?;
        }
        Ok(match frame_len(prefix) {
            Ok(len) => format!("{len} bytes in all, {} more\n", len - PREFIX_BYTES),
            Err(error) => format!("the link ends: {error}\n"),
        })
    }
}

#[test]
fn stories_of_the_wire_are_true() {
    for path in stories("wire") {
        goldenscript::run(&mut Wire, path).unwrap();
    }
}
