//! Commands of clients: bytes to values, with an error that names what was wrong.

use std::collections::{HashMap, HashSet};

use arrayvec::ArrayString;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Code, Encoding, bounded};
use crate::{
    limits::{COMMAND_SYMBOLS, MAX_COMMAND_ID, MAX_RATE, MAX_SYMBOL_LEN, MIN_RATE},
    market::{Channel, Symbol, SymbolError},
};

/// What a client calls its command; echoed in the answer with its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CommandId {
    /// A number.
    Number(i64),
    /// A text of at most 36 characters.
    Text(Box<str>),
}

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What the client calls it.
    pub id: Option<CommandId>,
    /// What it asks for.
    pub op: Op,
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Start to receive.
    Subscribe(Subscribe),
    /// Stop to receive.
    Unsubscribe {
        /// Of which channel.
        channel: Channel,
        /// Of which symbols.
        targets: Vec<Target>,
    },
    /// Change how something subscribed is delivered.
    Update(Subscribe),
    /// What is subscribed?
    List,
    /// How is the session doing?
    Info,
    /// Are you there?
    Ping,
    /// Authentication, which this gateway does not ask for.
    Auth,
}

impl Op {
    /// Every name that [`as_str`](Self::as_str) gives.
    pub const NAMES: [&str; 7] = ["subscribe", "unsubscribe", "update", "list", "info", "ping", "auth"];

    /// The name as a metric label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Update(_) => "update",
            Self::List => "list",
            Self::Info => "info",
            Self::Ping => "ping",
            Self::Auth => "auth",
        }
    }
}

/// What to subscribe and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// Which channel.
    pub channel: Channel,
    /// Which symbols.
    pub targets: Vec<Target>,
    /// How, absent for the channel's default.
    pub mode: Option<Mode>,
    /// At most that many events a second and symbol; implies merge.
    pub max_rate: Option<f64>,
    /// Whether the newest event comes with the answer.
    pub snapshot: bool,
    /// Where the client left off.
    pub since: Option<Since>,
}

/// How events are delivered to a client that cannot take all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only the newest event of each symbol.
    Merge,
    /// Every event in order, or a gap.
    Stream,
}

/// A client's last position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The incarnation of the numbers.
    pub epoch: String,
    /// The last number of each symbol.
    pub n: HashMap<Symbol, u64>,
    /// Of symbols that are not named: those at this place or a later one, in the order in which they became known, start
    /// with their first event. Only positions say that.
    pub new_from: Option<u32>,
    /// Whether it also names symbols that were removed since: which ones is not known any more.
    pub names_removed: bool,
}

/// What an entry of `symbols` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One symbol.
    One(Symbol),
    /// All symbols that match, now and later.
    All(Pattern),
    /// Not a symbol: what the client wrote (cut to a bearable length) and why it is none.
    Bad(String, SymbolError),
}

/// `*` or `PREFIX*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern(ArrayString<MAX_SYMBOL_LEN>);

impl Pattern {
    /// What the symbols begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether the symbol is meant.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol) -> bool {
        symbol.as_str().starts_with(self.0.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}*", self.0))
    }
}

/// A command that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The command's id where it could be read.
    pub id: Option<CommandId>,
    /// Which kind of error.
    pub code: Code,
    /// What was wrong and where.
    pub msg: String,
}

/// Reads one command.
///
/// # Errors
/// A [`Fault`] ready to be answered.
pub fn parse_command(bytes: &[u8], encoding: Encoding) -> Result<Command, Fault> {
    let syntax = |why: String| Fault { id: None, code: Code::Syntax, msg: why };
    let Value::Object(map) = bounded::parse(bytes, encoding).map_err(syntax)? else {
        return Err(syntax("a command is a map with the key \"op\"".into()));
    };
    let mut fields = Fields { id: None, map };
    fields.id = fields.command_id()?;
    let op = fields.op()?;
    if let Some(key) = fields.map.keys().next() {
        let key: String = key.chars().take(MAX_SYMBOL_LEN).collect();
        return Err(fields.bad(&format!("the key {key:?} is unknown for op {:?}", op.as_str())));
    }
    Ok(Command { id: fields.id, op })
}

/// The keys of a command that were not read yet.
struct Fields {
    id: Option<CommandId>,
    map: Map<String, Value>,
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
            "unsubscribe" => Op::Unsubscribe { channel: self.channel()?, targets: self.targets()? },
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
        return Target::All(Pattern(prefix));
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

    fn json(text: &str) -> Result<Command, Fault> {
        parse_command(text.as_bytes(), Encoding::Json)
    }

    #[test]
    fn a_full_subscribe() {
        let text = r#"{"op":"subscribe","id":7,"channel":"quotes","symbols":["BTC-USD","ETH-*","bad one"],
            "mode":"merge","max_rate":"2.5","snapshot":false,"since":{"epoch":"e","n":{"BTC-USD":9}}}"#;
        let Command { id, op: Op::Subscribe(subscribe) } = json(text).unwrap() else { panic!("a subscribe") };
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
