//! Commands about the connection itself.

use super::super::me::Cx;
use super::super::resp::{Arg, Proto, Value};
use super::args::{Args, number, syntax};
use super::{FREE, HERE, Plan, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "ping",
        arity: -1,
        flags: HERE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "PING [message]",
        summary: "Answers PONG, or the message.",
        run: ping,
    },
    Spec {
        name: "echo",
        arity: 2,
        flags: HERE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "ECHO message",
        summary: "Answers the message.",
        run: echo,
    },
    Spec {
        name: "hello",
        arity: -1,
        flags: FREE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "HELLO [2|3 [AUTH username password] [SETNAME name]]",
        summary: "Chooses the version of the protocol, and tells who is here.",
        run: hello,
    },
    Spec {
        name: "auth",
        arity: -2,
        flags: FREE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "AUTH [username] password",
        summary: "Gives the password; the username is `default`.",
        run: auth,
    },
    Spec {
        name: "quit",
        arity: -1,
        flags: FREE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "QUIT",
        summary: "Closes the connection when all is answered.",
        run: quit,
    },
    Spec {
        name: "reset",
        arity: 1,
        flags: FREE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "RESET",
        summary: "Makes the connection as it was in the beginning.",
        run: reset,
    },
    Spec {
        name: "select",
        arity: 2,
        flags: HERE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "SELECT 0",
        summary: "Chooses the database; there is one, number 0.",
        run: select,
    },
    Spec {
        name: "unwatch",
        arity: 1,
        flags: HERE,
        keys: (0, 0, 0),
        group: "connection",
        usage: "UNWATCH",
        summary: "Answers OK, for nothing is watched: WATCH is refused.",
        run: |_, _| Ok(Plan::Say(Value::OK)),
    },
];

fn ping(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let message = args.next();
    if args.len() > 0 {
        return Err(wrong_number("ping"));
    }
    Ok(Plan::Say(match message {
        None => Value::Word("PONG"),
        Some(message) => said(message),
    }))
}

fn echo(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    args.need().map(said).map(Plan::Say)
}

fn said(message: Arg) -> Value {
    Value::Stored(message.into_body())
}

/// The answer to too many or too few words.
pub(in super::super) fn wrong_number(name: &str) -> Value {
    Value::error(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

fn hello(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let proto = match args.next() {
        None => cx.me.proto,
        Some(word) => match number(&word) {
            Some(2) => Proto::Resp2,
            Some(3) => Proto::Resp3,
            Some(_) => return Err(Value::error("NOPROTO unsupported protocol version")),
            None => {
                let why = "ERR Protocol version is not an integer or out of range";
                return Err(Value::error(why));
            }
        },
    };
    let mut name = None;
    while let Some(option) = args.option() {
        match option.as_str() {
            "AUTH" => {
                let (user, password) = (args.need()?, args.need()?);
                cx.authenticate(Some(&user), &password)?;
            }
            "SETNAME" => name = Some(client_name(&args.need()?)?),
            other => {
                let why = format!(
                    "ERR Syntax error in HELLO option '{}'",
                    other.escape_debug()
                );
                return Err(Value::error(why));
            }
        }
    }
    if !cx.me.known {
        return Err(Value::error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        cx.me.about.borrow_mut().name = name;
    }
    cx.set_proto(proto);
    let pair = |name: &'static str, value| (Value::bulk(name), value);
    Ok(Plan::Say(Value::Map(vec![
        pair("server", Value::bulk("redis")),
        pair("version", Value::bulk(super::host::REDIS_VERSION)),
        pair("proto", Value::Int(proto.number())),
        pair("id", Value::count(cx.me.id)),
        pair("mode", Value::bulk("standalone")),
        pair("role", Value::bulk("master")),
        pair("modules", Value::Array(Vec::new())),
    ])))
}

fn auth(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let first = args.need()?;
    let second = args.next();
    if args.len() > 0 {
        return Err(syntax());
    }
    match second {
        None => cx.authenticate(None, &first)?,
        Some(password) => cx.authenticate(Some(&first), &password)?,
    }
    Ok(Plan::Say(Value::OK))
}

fn quit(cx: &mut Cx<'_>, _: Args) -> Result<Plan, Value> {
    cx.me.leaving = true;
    Ok(Plan::Say(Value::OK))
}

fn reset(cx: &mut Cx<'_>, _: Args) -> Result<Plan, Value> {
    cx.reset();
    Ok(Plan::Say(Value::Word("RESET")))
}

fn select(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    match args.number()? {
        0 => Ok(Plan::Say(Value::OK)),
        _ => Err(Value::error(
            "ERR DB index is out of range: there is one database, number 0",
        )),
    }
}

/// A client's name for itself: a word that can be printed.
pub(super) fn client_name(word: &Arg) -> Result<String, Value> {
    const MAX_NAME_BYTES: usize = 256;
    let bytes = word.short();
    let fits = word.len() <= MAX_NAME_BYTES && bytes.iter().all(u8::is_ascii_graphic);
    match fits {
        true => Ok(String::from_utf8_lossy(bytes).into_owned()),
        false => Err(Value::error(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        )),
    }
}
