//! Live values leave the ring page by page, and come into another one.
//!
//! ```text
//! DHT.EXPORT              page 1: ant .. cat, next: cat
//! DHT.EXPORT AFTER cat    page 2: dog .. yak, next: none        the end
//! DHT.IMPORT ABSENT ant value until type …                      at the other ring
//! ```
//!
//! A value of more than a piece is only named on its page: whoever exports fetches it by `DHT.GET`, and stores it by
//! `DHT.PUT`, both of which take it piece by piece.

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, Given, key_of, not_a_number, number, syntax};
use super::dht_ring::{ask, spec};
use super::words::map;
use super::{Plan, Spec, TELL, unexpected};
use crate::message::{ExportPage, Item, Options, Outcome, Request};
use crate::record::{PIECE_BYTES, WallMs};

pub(super) const SPECS: &[Spec] = &[
    spec(
        ("dht.export", "DHT.EXPORT [AFTER key] [BYTES n]"),
        -1,
        TELL,
        "A page of live values (key, value, until, type), the keys of those of more than 1 MiB, and after which key the next one begins.",
        export,
    ),
    spec(
        (
            "dht.import",
            "DHT.IMPORT ABSENT|OVERWRITE key value until type [key value until type ...]",
        ),
        -6,
        super::WRITE,
        "Writes values of at most 1 MiB that came from elsewhere, where there are none, or everywhere.",
        import,
    ),
];

/// A page has so many bytes if nothing is said.
const PAGE_BYTES: u64 = 1024 * 1024;

/// And never more than so many, but for one value.
const MAX_PAGE_BYTES: u64 = 16 * 1024 * 1024;

fn export(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let (mut after, mut max_bytes) = (None, PAGE_BYTES);
    while let Some(option) = args.option() {
        match option.as_str() {
            "AFTER" => after = Some(args.key()?),
            "BYTES" => max_bytes = u64::try_from(args.number()?).map_err(|_| not_a_number())?,
            _ => return Err(syntax()),
        }
    }
    let max_bytes = max_bytes.clamp(1, MAX_PAGE_BYTES);
    Ok(ask(
        Request::Export { after, max_bytes },
        |answer, _| match answer {
            Ok(Outcome::Exported(page)) => page_of(page),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        },
    ))
}

fn page_of(page: ExportPage) -> Value {
    let values = page.items.into_iter().map(|item| {
        let until = item
            .deadline
            .map(|until| until.0.to_string())
            .unwrap_or_default();
        let media_type = item
            .body
            .content_type
            .as_deref()
            .unwrap_or_default()
            .to_owned();
        Value::Array(vec![
            Value::Bulk(item.key.bytes().clone()),
            Value::Stored(item.body),
            Value::bulk(until),
            Value::bulk(media_type),
        ])
    });
    let values = Value::Array(values.collect());
    let large = page
        .large
        .iter()
        .map(|large| Value::Bulk(large.key.bytes().clone()));
    let large = Value::Array(large.collect());
    let next = page
        .next
        .map_or(Value::Nil, |next| Value::Bulk(next.bytes().clone()));
    map([("next", next), ("values", values), ("large", large)])
}

fn import(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let overwrite = match args.option().as_deref() {
        Some("ABSENT") => false,
        Some("OVERWRITE") => true,
        _ => return Err(syntax()),
    };
    if !args.len().is_multiple_of(4) {
        return Err(super::wrong_number("dht.import"));
    }
    let mut items = Vec::with_capacity(args.len() / 4);
    while let Some(key) = args.next() {
        items.push(item(key_of(key)?, &mut args)?);
    }
    let request = Request::Import { items, overwrite };
    Ok(Plan::One(
        request,
        Options::default(),
        |answer, _| match answer {
            Ok(Outcome::Imported(told)) => map([
                ("written", Value::count(told.written)),
                ("present", Value::count(told.present)),
                ("expired", Value::count(told.expired)),
            ]),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        },
    ))
}

fn item(key: crate::record::Key, args: &mut Args) -> Result<Item, Value> {
    let Given::Here(mut body) = args.value()? else {
        return Err(Value::error(format!(
            "ERR the value of {key} is too long for an import, at most {PIECE_BYTES} bytes: store it by DHT.PUT, which takes it piece by piece"
        )));
    };
    let (until, media_type) = (args.need()?, args.need()?);
    if !media_type.is_empty() {
        let text = String::from_utf8_lossy(media_type.short()).into_owned();
        body.content_type = Some(text.into());
    }
    let deadline = match until.is_empty() {
        true => None,
        false => {
            let ms = number(&until).and_then(|ms| u64::try_from(ms).ok());
            Some(WallMs(ms.ok_or_else(not_a_number)?))
        }
    };
    Ok(Item {
        key,
        body,
        deadline,
    })
}
