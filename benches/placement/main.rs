//! What placement costs and how evenly it spreads, beside published numbers and two other crates.
//!
//! ```console
//! $ cargo bench --bench placement                  # everything, about a minute
//! $ cargo bench --bench placement -- lookup even   # only these of: lookup, build, load, even, dynamo
//! ```

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod lookup;
mod spread;

use std::process::ExitCode;

/// The parts, in the order in which they are printed.
const PARTS: [(&str, fn()); 5] = [
    ("lookup", lookup::lookup),
    ("build", lookup::build),
    ("load", spread::load),
    ("even", spread::even_tokens),
    ("dynamo", spread::dynamo),
];

fn main() -> ExitCode {
    let (flags, wanted): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    if !flags.iter().any(|flag| flag == "--bench") {
        println!("placement: nothing measured; figures come from `cargo bench --bench placement`");
        return ExitCode::SUCCESS;
    }
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        eprintln!(
            "no part is called {unknown:?}; there are {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part();
        }
    }
    ExitCode::SUCCESS
}
