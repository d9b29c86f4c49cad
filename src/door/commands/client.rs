//! `CLIENT`: what clients tell of themselves, and ask about themselves and each other.

use super::super::me::{Cx, Mute};
use super::super::resp::Value;
use super::args::{Args, syntax};
use super::connection::client_name;
use super::{HERE, Plan, Spec};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "client",
    arity: -2,
    flags: HERE,
    keys: (0, 0, 0),
    group: "connection",
    usage: "CLIENT ID|INFO|LIST|GETNAME|SETNAME name|SETINFO LIB-NAME|LIB-VER text|REPLY ON|OFF|SKIP|NO-EVICT ON|OFF|NO-TOUCH ON|OFF|TRACKING OFF|HELP",
    summary: "Tells about this connection and the others, and takes a name for it.",
    run: client,
}];

const HELP: &[&str] = &[
    "CLIENT ID: the number of this connection.",
    "CLIENT INFO: all about this connection.",
    "CLIENT LIST: all about all connections of this host.",
    "CLIENT GETNAME, CLIENT SETNAME name: its name.",
    "CLIENT SETINFO LIB-NAME|LIB-VER text: which library it uses.",
    "CLIENT REPLY ON|OFF|SKIP: whether commands are answered.",
];

fn client(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let what = args.option().unwrap_or_default();
    let said = match what.as_str() {
        "ID" => Value::count(cx.me.id),
        "INFO" => Value::Text(format!("{}\n", cx.me.about.borrow().line())),
        "LIST" => Value::Text(cx.door.list()),
        "GETNAME" => match cx.me.about.borrow().name.clone() {
            name if name.is_empty() => Value::Nil,
            name => Value::bulk(name),
        },
        "SETNAME" => {
            let name = client_name(&args.need()?)?;
            cx.me.about.borrow_mut().name = name;
            Value::OK
        }
        "SETINFO" => set_info(cx, &mut args)?,
        "REPLY" => return reply(cx, &mut args),
        "NO-EVICT" | "NO-TOUCH" => match args.option().as_deref() {
            Some("ON" | "OFF") => Value::OK,
            _ => return Err(syntax()),
        },
        "TRACKING" => match args.option().as_deref() {
            Some("OFF") => Value::OK,
            _ => {
                return Err(Value::error(
                    "ERR CLIENT TRACKING is refused: hosts do not tell clients of changes; read the key",
                ));
            }
        },
        "HELP" => Value::Array(HELP.iter().map(|line| Value::bulk(*line)).collect()),
        other => {
            let other = other.escape_debug();
            return Err(Value::error(format!(
                "ERR unknown subcommand '{other}'. Try CLIENT HELP."
            )));
        }
    };
    args.end()?;
    Ok(Plan::Say(said))
}

fn set_info(cx: &mut Cx<'_>, args: &mut Args) -> Result<Value, Value> {
    let what = args.option().unwrap_or_default();
    let text = client_name(&args.need()?)?;
    let mut about = cx.me.about.borrow_mut();
    match what.as_str() {
        "LIB-NAME" => about.lib_name = text,
        "LIB-VER" => about.lib_ver = text,
        other => {
            let other = other.escape_debug();
            return Err(Value::error(format!("ERR Unrecognized option '{other}'")));
        }
    }
    Ok(Value::OK)
}

fn reply(cx: &mut Cx<'_>, args: &mut Args) -> Result<Plan, Value> {
    cx.me.mute = match args.option().as_deref() {
        Some("ON") => Mute::No,
        Some("OFF") => Mute::Always,
        Some("SKIP") if cx.me.mute == Mute::Always => Mute::Always,
        Some("SKIP") => Mute::This,
        _ => return Err(syntax()),
    };
    Ok(Plan::Say(Value::OK))
}
