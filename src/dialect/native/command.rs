//! Commands of clients: bytes to values, with an error that names what was wrong.

use std::collections::{HashMap, HashSet};

use arrayvec::ArrayString;
use serde_json::{Map, Value};

use super::bounded;
use crate::{
    dialect::{Code, CommandId, Encoding, Fault, Form, Mode, Op, Pattern, Request, Since, Subscribe, Target},
    limits::{COMMAND_SYMBOLS, MAX_COMMAND_ID, MAX_RATE, MAX_SYMBOL_LEN, MIN_RATE},
    market::{Channel, Symbol},
};

/// Reads one command.
///
/// # Errors
/// A [`Fault`] ready to be answered.
pub fn parse_command(bytes: &[u8], encoding: Encoding) -> Result<Request, Fault> {
    let syntax = |why: String| Fault { id: None, code: Code::Syntax, msg: why };
    let Value::Object(map) = bounded::parse(bytes, encoding).map_err(syntax)? else {
        return Err(syntax("a command is a map with the key \"op\"".into()));
    };
    let mut fields = Fields { id: None, map, form: Form::native(encoding) };
    fields.id = fields.command_id()?;
    let op = fields.op()?;
    if let Some(key) = fields.map.keys().next() {
        let key: String = key.chars().take(MAX_SYMBOL_LEN).collect();
        return Err(fields.bad(&format!("the key {key:?} is unknown for op {:?}", op.as_str())));
    }
    Ok(Request { id: fields.id, op })
}

/// The keys of a command that were not read yet.
struct Fields {
    id: Option<CommandId>,
    map: Map<String, Value>,
    form: Form,
}

impl Fields {
    fn fault(&self, code: Code, msg: String) -> Fault {
        Fault { id: self.id.clone(), code, msg }
    }

    fn bad(&self, msg: &str) -> Fault {
        self.fault(Code::BadParameter, msg.to_owned())
    }

    fn command_id(&mut self) -> Result<Option<CommandId>, Fault> {
        let expected = "id: expected an integer or a text of at most 36 characters";
        match self.map.remove("id") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                number.as_i64().map(|id| Some(CommandId::Number(id))).ok_or_else(|| self.bad(expected))
            }
            Some(Value::String(text)) if text.chars().count() <= MAX_COMMAND_ID => {
                Ok(Some(CommandId::Text(text.into_boxed_str())))
            }
            Some(_) => Err(self.bad(expected)),
        }
    }

    fn op(&mut self) -> Result<Op, Fault> {
        let ops = "subscribe, unsubscribe, update, list, info, ping, auth or refresh";
        let Some(Value::String(op)) = self.map.remove("op") else {
            return Err(self.fault(Code::Syntax, format!("op: expected one of {ops}")));
        };
        Ok(match op.as_str() {
            "subscribe" => Op::Subscribe(self.subscribe()?),
            "update" => Op::Update(self.subscribe()?),
            "unsubscribe" => {
                Op::Unsubscribe { channel: self.channel()?, form: self.form, targets: self.targets()? }
            }
            "list" => Op::List,
            "info" => Op::Info,
            "ping" => Op::Ping,
            "auth" | "refresh" => {
                self.map.clear();
                Op::Auth
            }
            other => {
                let other: String = other.chars().take(MAX_SYMBOL_LEN).collect();
                return Err(self.fault(Code::Syntax, format!("op: {other:?} is unknown, expected {ops}")));
            }
        })
    }

    fn subscribe(&mut self) -> Result<Subscribe, Fault> {
        Ok(Subscribe {
            channel: self.channel()?,
            form: self.form,
            targets: self.targets()?,
            mode: self.mode()?,
            max_rate: self.max_rate()?,
            snapshot: match self.map.remove("snapshot") {
                None => true,
                Some(Value::Bool(wanted)) => wanted,
                Some(_) => return Err(self.bad("snapshot: expected true or false")),
            },
            since: self.since()?,
        })
    }

    fn channel(&mut self) -> Result<Channel, Fault> {
        match self.map.remove("channel") {
            Some(Value::String(name)) => Channel::parse(&name).ok_or_else(|| {
                let name: String = name.chars().take(MAX_SYMBOL_LEN).collect();
                let known = Channel::ALL.map(Channel::as_str).join(", ");
                self.fault(Code::UnknownChannel, format!("channel: {name:?} is unknown, there are {known}"))
            }),
            Some(_) => Err(self.bad("channel: expected a text")),
            None => Err(self.bad("channel: is missing")),
        }
    }

    fn targets(&mut self) -> Result<Vec<Target>, Fault> {
        let expected = "symbols: expected a list of texts with at least one entry";
        let list = match self.map.remove("symbols") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(_) => return Err(self.bad(expected)),
            None => return Err(self.bad("symbols: is missing")),
        };
        if list.len() > COMMAND_SYMBOLS {
            return Err(
                self.bad(&format!("symbols: {} are named, at most {COMMAND_SYMBOLS} are", list.len()))
            );
        }
        let mut named = HashSet::with_capacity(list.len());
        let mut targets = Vec::with_capacity(list.len());
        for entry in list {
            let Value::String(text) = entry else { return Err(self.bad(expected)) };
            let target = target(&text);
            // What is named twice is looked for once.
            if named.insert(target.clone()) {
                targets.push(target);
            }
        }
        Ok(targets)
    }

    fn mode(&mut self) -> Result<Option<Mode>, Fault> {
        match self.map.remove("mode") {
            None => Ok(None),
            Some(Value::String(mode)) => match mode.as_str() {
                "auto" => Ok(None),
                "merge" => Ok(Some(Mode::Merge)),
                "stream" => Ok(Some(Mode::Stream)),
                _ => Err(self.bad("mode: expected auto, merge or stream")),
            },
            Some(_) => Err(self.bad("mode: expected auto, merge or stream")),
        }
    }

    fn max_rate(&mut self) -> Result<Option<f64>, Fault> {
        let rate = match self.map.remove("max_rate") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match rate {
            Some(rate) if (MIN_RATE..=MAX_RATE).contains(&rate) => Ok(Some(rate)),
            _ => Err(self
                .bad(&format!("max_rate: expected a number from {MIN_RATE} to {MAX_RATE} events a second"))),
        }
    }

    fn since(&mut self) -> Result<Option<Since>, Fault> {
        let expected = "since: expected {\"epoch\": text, \"n\": {symbol: number, …}}";
        let mut since = match self.map.remove("since") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(since)) => since,
            Some(_) => return Err(self.bad(expected)),
        };
        let (Some(Value::String(epoch)), Some(Value::Object(numbers)), true) =
            (since.remove("epoch"), since.remove("n"), since.is_empty())
        else {
            return Err(self.bad(expected));
        };
        if numbers.len() > COMMAND_SYMBOLS {
            let count = numbers.len();
            return Err(self.bad(&format!("since: {count} symbols are named, at most {COMMAND_SYMBOLS} are")));
        }
        let mut n = HashMap::with_capacity(numbers.len());
        for (symbol, number) in numbers {
            match (Symbol::new(&symbol), number.as_u64()) {
                (Ok(symbol), Some(number)) => n.insert(symbol, number),
                _ => return Err(self.bad(expected)),
            };
        }
        Ok(Some(Since { epoch, n, new_from: None, names_removed: false }))
    }
}

fn target(text: &str) -> Target {
    if let Some(prefix) = text.strip_suffix('*')
        && (prefix.is_empty() || Symbol::new(prefix).is_ok())
        && let Ok(prefix) = ArrayString::from(prefix)
    {
        return Target::All(Pattern::of(prefix));
    }
    match Symbol::new(text) {
        Ok(symbol) => Target::One(symbol),
        Err(why) => Target::Bad(text.chars().take(MAX_SYMBOL_LEN).collect(), why),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> Result<Request, Fault> {
        parse_command(text.as_bytes(), Encoding::Json)
    }

    #[test]
    fn a_full_subscribe() {
        let text = r#"{"op":"subscribe","id":7,"channel":"quotes","symbols":["BTC-USD","ETH-*","bad one"],
            "mode":"merge","max_rate":"2.5","snapshot":false,"since":{"epoch":"e","n":{"BTC-USD":9}}}"#;
        let Request { id, op: Op::Subscribe(subscribe) } = json(text).unwrap() else { panic!("a subscribe") };
        assert_eq!(id, Some(CommandId::Number(7)));
        assert_eq!(subscribe.channel, Channel::Quotes);
        assert!(matches!(&subscribe.targets[..], [Target::One(_), Target::All(_), Target::Bad(_, _)]));
        assert_eq!(subscribe.mode, Some(Mode::Merge));
        assert_eq!(subscribe.max_rate, Some(2.5));
        assert!(!subscribe.snapshot);
        assert_eq!(subscribe.since.unwrap().n[&Symbol::new("BTC-USD").unwrap()], 9);
    }

    #[test]
    fn message_pack_commands_are_the_same() {
        let packed = rmp_serde::to_vec_named(&serde_json::json!({"op": "ping", "id": "x"})).unwrap();
        assert_eq!(parse_command(&packed, Encoding::MsgPack), json(r#"{"op":"ping","id":"x"}"#));
    }

    #[test]
    fn faults_name_what_was_wrong() {
        for (text, code, part) in [
            ("{", Code::Syntax, "not JSON"),
            ("[]", Code::Syntax, "map"),
            ("7", Code::Syntax, "map"),
            ("{}", Code::Syntax, "op"),
            (r#"{"op":"dance"}"#, Code::Syntax, "dance"),
            (r#"{"op":"subscribe"}"#, Code::BadParameter, "channel"),
            (r#"{"op":"subscribe","channel":"books","symbols":["A"]}"#, Code::UnknownChannel, "books"),
            (r#"{"op":"subscribe","channel":1,"symbols":["A"]}"#, Code::BadParameter, "channel"),
            (r#"{"op":"subscribe","channel":"trades"}"#, Code::BadParameter, "symbols"),
            (r#"{"op":"subscribe","channel":"trades","symbols":[]}"#, Code::BadParameter, "symbols"),
            (r#"{"op":"subscribe","channel":"trades","symbols":[1]}"#, Code::BadParameter, "symbols"),
            (r#"{"op":"subscribe","channel":"trades","symbols":"A"}"#, Code::BadParameter, "symbols"),
            (
                r#"{"op":"subscribe","channel":"trades","symbols":["A"],"mode":"x"}"#,
                Code::BadParameter,
                "mode",
            ),
            (
                r#"{"op":"subscribe","channel":"trades","symbols":["A"],"max_rate":0}"#,
                Code::BadParameter,
                "max_rate",
            ),
            (
                r#"{"op":"subscribe","channel":"trades","symbols":["A"],"max_rate":"NaN"}"#,
                Code::BadParameter,
                "max_rate",
            ),
            (
                r#"{"op":"subscribe","channel":"trades","symbols":["A"],"since":3}"#,
                Code::BadParameter,
                "since",
            ),
            (
                r#"{"op":"subscribe","channel":"trades","symbols":["A"],"max_rte":3}"#,
                Code::BadParameter,
                "max_rte",
            ),
            (r#"{"op":"ping","id":1.5}"#, Code::BadParameter, "id"),
            (&format!(r#"{{"op":"ping","id":"{}"}}"#, "x".repeat(37)), Code::BadParameter, "id"),
        ] {
            let fault = json(text).unwrap_err();
            assert_eq!(fault.code, code, "{text}");
            assert!(fault.msg.contains(part), "{text}: {}", fault.msg);
        }
        assert_eq!(
            json(r#"{"id":"abc","op":"dance"}"#).unwrap_err().id.map(|id| id != CommandId::Number(0)),
            Some(true)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for encoding in Encoding::ALL {
                let _ = parse_command(&bytes, encoding);
            }
        }
    }
}
