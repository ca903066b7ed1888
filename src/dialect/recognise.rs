//! Guesses whose frame this is, by the keys that a venue's frames have. For recordings and connections of which no frame is
//! understood.
//!
//! Refuses to read the content: that is for the dialects, and some of these venues have none here.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Text, field};

/// The keys that tell venues apart; what they hold matters in few of them.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, rename = "T")]
    tick: Option<&'a RawValue>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
    n: Option<IgnoredAny>,
    data: Option<IgnoredAny>,
    arg: Option<IgnoredAny>,
    topic: Option<IgnoredAny>,
    ret_msg: Option<IgnoredAny>,
    stream: Option<IgnoredAny>,
    e: Option<IgnoredAny>,
    u: Option<IgnoredAny>,
    s: Option<IgnoredAny>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
    events: Option<IgnoredAny>,
    product_id: Option<IgnoredAny>,
    product_ids: Option<IgnoredAny>,
    channels: Option<IgnoredAny>,
    method: Option<IgnoredAny>,
    success: Option<IgnoredAny>,
}

/// The name of the source that writes such frames: a venue, supported here or not, or `native` for the gateway itself. `None`
/// if the keys do not tell.
#[must_use]
pub fn looks_like(frame: &[u8]) -> Option<&'static str> {
    if field::is_list(frame) {
        return list(frame);
    }
    object(&serde_json::from_slice(frame).ok()?)
}

fn object(keys: &Keys<'_>) -> Option<&'static str> {
    let (channel, event, kind) = (text(keys.channel), text(keys.event), text(keys.kind));
    if keys.arg.is_some() {
        return Some("okx");
    }
    if keys.ret_msg.is_some() || (keys.topic.is_some() && keys.data.is_some()) {
        return Some("bybit");
    }
    if event.starts_with("bts:") || (keys.event.is_some() && !channel.is_empty() && keys.data.is_some()) {
        return Some("bitstamp");
    }
    if matches!(&*event, "heartbeat" | "systemStatus" | "subscriptionStatus" | "pong") {
        return Some("kraken");
    }
    if keys.tick.is_some_and(is_text) {
        return Some("native");
    }
    let is_exchange = keys.product_id.is_some() || keys.product_ids.is_some() || keys.channels.is_some();
    if keys.events.is_some() || (!kind.is_empty() && is_exchange) {
        return Some("coinbase");
    }
    let is_event = keys.e.is_some() || (keys.u.is_some() && keys.s.is_some());
    if is_event || keys.last_update_id.is_some() || (keys.stream.is_some() && keys.data.is_some()) {
        return Some("binance");
    }
    let is_answer = keys.method.is_some() && keys.success.is_some();
    if is_answer || (!channel.is_empty() && (keys.data.is_some() || &*channel == "heartbeat")) {
        return Some("kraken");
    }
    None
}

fn text(value: Option<&RawValue>) -> Text<'_> {
    Text::of_value(value.map_or("", RawValue::get)).unwrap_or_default()
}

/// Messages of Alpaca or of the gateway, or Kraken's first format: `[CHANNEL_ID, DATA, "CHANNEL", "PAIR"]`.
fn list(frame: &[u8]) -> Option<&'static str> {
    let parts: Vec<&RawValue> = serde_json::from_slice(frame).ok()?;
    match parts.as_slice() {
        [id, _, .., channel, pair] if is_text(channel) && is_text(pair) && !is_text(id) => Some("kraken"),
        [first, ..] => {
            let keys: Keys<'_> = serde_json::from_str(first.get()).ok()?;
            let is_native = keys.n.is_some() || keys.p.is_some_and(is_text);
            match object(&keys) {
                // Alpaca has lists only, with numbers in them; the gateway numbers its events and writes prices as texts.
                Some("native") if !is_native => Some("alpaca"),
                other => other,
            }
        }
        [] => None,
    }
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tell_whose_they_are() {
        for (frame, whose) in [
            (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"1"}]}"#, "okx"),
            (r#"{"event":"subscribe","arg":{"channel":"tickers"}}"#, "okx"),
            (r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[]}"#, "bybit"),
            (r#"{"success":true,"ret_msg":"subscribe","conn_id":"x","op":"subscribe"}"#, "bybit"),
            (r#"{"data":{"id":1},"channel":"live_trades_btcusd","event":"trade"}"#, "bitstamp"),
            (r#"{"event":"bts:subscription_succeeded","channel":"x","data":{}}"#, "bitstamp"),
            (r#"{"e":"trade","s":"A","T":1672515782136}"#, "binance"),
            (r#"{"u":1,"s":"A","b":"1","B":"1"}"#, "binance"),
            (r#"{"stream":"a@depth","data":{}}"#, "binance"),
            (r#"{"lastUpdateId":1,"bids":[]}"#, "binance"),
            (r#"{"type":"match","product_id":"A"}"#, "coinbase"),
            (r#"{"channel":"ticker","sequence_num":1,"events":[]}"#, "coinbase"),
            (r#"{"channel":"trade","type":"update","data":[]}"#, "kraken"),
            (r#"{"channel":"heartbeat"}"#, "kraken"),
            (r#"{"method":"subscribe","success":true}"#, "kraken"),
            (r#"{"event":"heartbeat"}"#, "kraken"),
            (r#"[0,{"a":[]},"ticker","XBT/USD"]"#, "kraken"),
            (r#"[{"T":"t","S":"A","p":1.5}]"#, "alpaca"),
            (r#"[{"T":"success","msg":"connected"}]"#, "alpaca"),
            (r#"{"T":"t","S":"A","p":"1.5"}"#, "native"),
            (r#"[{"T":"t","S":"A","n":1,"p":"1.5"}]"#, "native"),
        ] {
            assert_eq!(looks_like(frame.as_bytes()), Some(whose), "{frame}");
        }
        for none in ["", "{", "{}", "[]", "[1]", "7", r#"{"a":1}"#, "[[]]", "t,p,s"] {
            assert_eq!(looks_like(none.as_bytes()), None, "{none}");
        }
    }
}
