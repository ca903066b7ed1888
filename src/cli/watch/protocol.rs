//! What a gateway says, as far as a screen needs it. Unknown types and keys are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The messages of a frame, each still text.
pub(super) fn split(frame: &str) -> Result<Vec<&RawValue>, serde_json::Error> {
    serde_json::from_str(frame)
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "T")]
pub(super) enum Message {
    /// A trade.
    #[serde(rename = "t")]
    Trade(Trade),
    /// A new best bid or ask.
    #[serde(rename = "q")]
    Quote(Quote),
    /// A change of state.
    #[serde(rename = "status")]
    Status {
        #[serde(rename = "S")]
        symbol: String,
        n: u64,
        state: String,
    },
    /// Events that were lost.
    #[serde(rename = "gap")]
    Gap {
        #[serde(rename = "S")]
        symbol: String,
        channel: String,
        from: u64,
        to: u64,
    },
    /// The answer to a subscription, with what was refused.
    #[serde(rename = "subscribed")]
    Subscribed {
        #[serde(default)]
        err: Vec<Refusal>,
    },
    /// The gateway's time, first and when nothing else is said.
    #[serde(rename = "welcome", alias = "hb")]
    Time { time: i64 },
    /// The numbering is another one; the newest values follow.
    #[serde(rename = "resync")]
    Resync { epoch: String },
    /// Whether the gateway itself hears anything new.
    #[serde(rename = "source")]
    Source {
        state: String,
        #[serde(default)]
        why: String,
    },
    /// A mistake of this client.
    #[serde(rename = "error")]
    Error { code: u16, msg: String },
    /// The last message.
    #[serde(rename = "bye")]
    Bye(Bye),
    /// Anything else.
    #[serde(other)]
    Other,
}

/// A trade.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Trade {
    #[serde(rename = "S")]
    pub(super) symbol: String,
    pub(super) n: u64,
    #[serde(rename = "p")]
    pub(super) price: String,
    #[serde(rename = "s")]
    pub(super) size: String,
    pub(super) side: Option<String>,
    /// What it does not count for, words with commas between them.
    pub(super) nc: Option<String>,
    pub(super) tr: Option<i64>,
}

impl Trade {
    /// Whether its price is the last one, by its venue's rules.
    pub(super) fn counts_for_last(&self) -> bool {
        !self.nc.as_deref().unwrap_or_default().split(',').any(|word| word == "last")
    }
}

/// The best bid and ask; what is absent is not there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Quote {
    #[serde(rename = "S")]
    pub(super) symbol: String,
    pub(super) n: u64,
    pub(super) bp: Option<String>,
    pub(super) bs: Option<String>,
    pub(super) ap: Option<String>,
    #[serde(rename = "as")]
    pub(super) asz: Option<String>,
    pub(super) tr: Option<i64>,
}

/// A symbol that could not be subscribed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    #[serde(rename = "S")]
    pub(super) symbol: String,
    pub(super) code: u16,
    pub(super) msg: String,
}

/// A goodbye.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Bye {
    pub(super) code: Option<u16>,
    #[serde(default)]
    pub(super) msg: String,
    pub(super) reconnect: Option<bool>,
    pub(super) after_ms: Option<u64>,
}

/// The goodbye in a frame, if there is one. Asked of every frame, so most are not parsed for it.
pub(super) fn bye(frame: &str) -> Option<Bye> {
    if !frame.contains("\"bye\"") {
        return None;
    }
    let messages: Vec<Message> = serde_json::from_str(frame).ok()?;
    messages.into_iter().find_map(|message| if let Message::Bye(bye) = message { Some(bye) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_is_found_in_its_frame() {
        let frame = r#"[{"T":"hb","time":1},{"T":"bye","code":4201,"msg":"draining","reconnect":true,"after_ms":3811}]"#;
        let found = bye(frame).unwrap();
        assert_eq!((found.code, found.reconnect, found.after_ms), (Some(4201), Some(true), Some(3811)));
        assert_eq!(bye(r#"[{"T":"t","x":"bye"}]"#), None);
        assert_eq!(bye(r#"[{"T":"news","id":"bye","x":[1]}]"#), None);
    }

    #[test]
    fn unknown_types_and_keys_are_passed_over() {
        for text in [r#"{"T":"pong","time":1}"#, r#"{"T":"k","S":"A","last":"1"}"#, r#"{"T":"new","x":{}}"#] {
            assert_eq!(serde_json::from_str::<Message>(text).unwrap(), Message::Other, "{text}");
        }
        let quote = r#"{"T":"q","S":"A","n":1,"bp":"1.0","as":"3","tr":7,"new":[1]}"#;
        let Message::Quote(quote) = serde_json::from_str(quote).unwrap() else { panic!("a quote") };
        assert_eq!((quote.bp.as_deref(), quote.asz.as_deref(), quote.ap), (Some("1.0"), Some("3"), None));
    }
}
