//! Query strings of the transports beside WebSocket. What is wrong is told with the parameter's name; what a subscribe
//! command checks is checked by the same code.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::task::yield_now;

use crate::{
    dialect::{Code, Encoding, Op, Subscribe, Target, native::parse_command},
    hub::{Hub, Topic},
    limits::{COMMAND_SYMBOLS, HTTP_TURN_SYMBOLS},
    market::{Channel, Symbol},
    server::{parameters::cut, refusal::Refusal},
};

/// Channels when none are named.
const DEFAULT_CHANNELS: &str = "trades,quotes";

/// The channels of a list, each once, in the order in which they were named.
pub(crate) fn channels(list: Option<&str>) -> Result<Vec<Channel>, Refusal> {
    let mut channels = Vec::new();
    for name in list.unwrap_or(DEFAULT_CHANNELS).split(',') {
        match Channel::parse(name) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            Some(_) => {}
            None => {
                let known = Channel::ALL.map(Channel::as_str).join(", ");
                let msg = format!("channels: {:?} is unknown, there are {known}", cut(name));
                return Err(Refusal::bad(Code::UnknownChannel, msg));
            }
        }
    }
    Ok(channels)
}

/// Whether some symbol of the commands is known, or may become so, and the names that are unknown.
pub(crate) fn known(wanted: &[Subscribe], hub: &Hub) -> (bool, Vec<String>) {
    let (mut known, mut unknown) = (false, Vec::new());
    for target in wanted.iter().take(1).flat_map(|command| &command.targets) {
        match target {
            Target::One(symbol) if hub.topic(*symbol).is_none() => unknown.push(symbol.to_string()),
            Target::One(_) | Target::All(_) => known = true,
            Target::Bad(text, _) => unknown.push(text.clone()),
        }
    }
    (known, unknown)
}

/// What a list of symbols and prefixes names, each once.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    symbols: Vec<&'a str>,
    /// None covers another.
    prefixes: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn read(list: &'a str) -> Result<Self, Refusal> {
        let (mut symbols, mut prefixes) = (Vec::new(), Vec::new());
        for name in list.split(',').take(COMMAND_SYMBOLS + 1) {
            match name.strip_suffix('*') {
                Some(prefix) => prefixes.push(prefix),
                None => symbols.push(name),
            }
        }
        if symbols.len() + prefixes.len() > COMMAND_SYMBOLS {
            return Err(Refusal::parameter(format!("symbols: at most {COMMAND_SYMBOLS} are named")));
        }
        symbols.sort_unstable();
        symbols.dedup();
        prefixes.sort_unstable();
        prefixes.dedup_by(|next, kept| next.starts_with(*kept));
        Ok(Self { symbols, prefixes })
    }

    /// The topics that are named, by symbol, and the unknown names; both together at most `most`, and one
    /// more where there are more. Other tasks get their turns in between.
    pub(crate) async fn topics(&self, hub: &Hub, most: usize) -> (Vec<Arc<Topic>>, Vec<String>) {
        let (mut topics, mut unknown) = (Vec::new(), Vec::new());
        for names in self.symbols.chunks(HTTP_TURN_SYMBOLS) {
            for name in names.iter().take((most + 1).saturating_sub(topics.len() + unknown.len())) {
                match Symbol::new(name).ok().and_then(|symbol| hub.topic(symbol)) {
                    // A prefix brings it, too.
                    Some(_) if self.prefixes.iter().any(|prefix| name.starts_with(prefix)) => {}
                    Some(topic) => topics.push(topic),
                    None => unknown.push(cut(name)),
                }
            }
            yield_now().await;
        }
        for prefix in &self.prefixes {
            let mut behind = None;
            loop {
                let room = (most + 1).saturating_sub(topics.len() + unknown.len()).min(HTTP_TURN_SYMBOLS);
                let more = hub.topics_named(prefix, behind.as_ref(), room);
                behind = more.last().map(|topic| topic.symbol());
                let is_all = more.len() < room || room == 0;
                topics.extend(more);
                yield_now().await;
                if is_all {
                    break;
                }
            }
        }
        topics.sort_unstable_by_key(|topic| topic.symbol());
        (topics, unknown)
    }
}

/// A `Query` of a transport beside WebSocket: the parameters of a stream, and its own. Serde cannot refuse unknown ones of a
/// struct within a struct.
macro_rules! stream_query {
    ($(#[$attribute:meta])* Query { $($(#[$of:meta])* $own:ident,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Query {
            symbols: Option<String>,
            channels: Option<String>,
            mode: Option<String>,
            max_rate: Option<String>,
            $($(#[$of])* $own: Option<String>,)*
        }

        impl Query {
            /// What is subscribed, one command for each channel.
            fn commands(&self) -> Result<Vec<Subscribe>, Refusal> {
                let (symbols, channels) = (self.symbols.as_deref(), self.channels.as_deref());
                let (mode, max_rate) = (self.mode.as_deref(), self.max_rate.as_deref());
                StreamQuery { symbols, channels, mode, max_rate }.commands()
            }
        }
    };
}

pub(crate) use stream_query;

/// The subscriptions of a stream, as a query names them.
#[derive(Debug, Default)]
pub(crate) struct StreamQuery<'a> {
    pub(crate) symbols: Option<&'a str>,
    pub(crate) channels: Option<&'a str>,
    pub(crate) mode: Option<&'a str>,
    pub(crate) max_rate: Option<&'a str>,
}

impl StreamQuery<'_> {
    /// Subscribe commands, one for each channel.
    pub(crate) fn commands(&self) -> Result<Vec<Subscribe>, Refusal> {
        let Some(symbols) = self.symbols.filter(|list| !list.is_empty()) else {
            return Err(Refusal::parameter("symbols: is missing; it is a list like BTC-USD,ETH-* or *"));
        };
        let channels = channels(self.channels)?;
        let Some(first) = channels.first() else { return Ok(Vec::new()) };
        let first = self.command(symbols, *first)?;
        // One for each channel, and read once.
        Ok(channels.into_iter().map(|channel| Subscribe { channel, ..first.clone() }).collect())
    }

    fn command(&self, symbols: &str, channel: Channel) -> Result<Subscribe, Refusal> {
        let list = symbols.split(',').map(Value::from).collect();
        let mut command: Map<String, Value> = [
            ("op".into(), "subscribe".into()),
            ("channel".into(), channel.as_str().into()),
            ("symbols".into(), Value::Array(list)),
        ]
        .into_iter()
        .collect();
        for (name, value) in [("mode", self.mode), ("max_rate", self.max_rate)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                command.insert(name.into(), value.into());
            }
        }
        let parsed = parse_command(&Encoding::Json.encode(&command), Encoding::Json);
        match parsed.map_err(|fault| Refusal::bad(fault.code, fault.msg))?.op {
            Op::Subscribe(wanted) => {
                for target in &wanted.targets {
                    if let Target::Bad(text, why) = target {
                        let msg = format!("symbols: {text:?} is not a symbol: it {why}");
                        return Err(Refusal::bad(Code::UnknownSymbol, msg));
                    }
                }
                Ok(wanted)
            }
            Op::Update(_) | Op::Unsubscribe { .. } | Op::List | Op::Info | Op::Ping | Op::Auth => {
                Err(Refusal::parameter("symbols: cannot be subscribed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_commands() {
        let query = StreamQuery {
            symbols: Some("A,B-*"),
            max_rate: Some("2"),
            mode: Some(""),
            ..StreamQuery::default()
        };
        let commands = query.commands().unwrap();
        assert_eq!(
            commands.iter().map(|it| it.channel).collect::<Vec<_>>(),
            [Channel::Trades, Channel::Quotes]
        );
        assert!(matches!(commands[0].targets[..], [Target::One(_), Target::All(_)]));
        assert_eq!((commands[1].max_rate, commands[1].mode), (Some(2.0), None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let query = |symbols, channels, mode, max_rate| StreamQuery { symbols, channels, mode, max_rate };
        for (query, part) in [
            (query(None, None, None, None), "symbols: is missing"),
            (query(Some(""), None, None, None), "symbols: is missing"),
            (query(Some("a"), None, None, None), "symbols: \"a\" is not a symbol"),
            (query(Some("A,,B"), None, None, None), "symbols: \"\" is not a symbol"),
            (query(Some("A"), Some("books"), None, None), "channels: \"books\" is unknown"),
            (query(Some("A"), Some(""), None, None), "channels: \"\" is unknown"),
            (query(Some("A"), None, Some("fast"), None), "mode: "),
            (query(Some("A"), None, None, Some("0")), "max_rate: "),
            (query(Some("A"), None, None, Some("NaN")), "max_rate: "),
        ] {
            let bad = query.commands().unwrap_err();
            assert!(bad.msg.starts_with(part), "{query:?}: {bad:?}");
        }
    }
}
