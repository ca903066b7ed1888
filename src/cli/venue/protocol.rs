//! The venue's side of each protocol: greetings, requests and their answers.
//!
//! Formats: the WebSocket documentation of each venue. Limits and channels that this gateway does not ask for are
//! left out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::tape::Topic;
use crate::{dialect::Venue, market::Channel};

/// What a request comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) answers: Vec<String>,
    pub(super) add: BTreeSet<Topic>,
    pub(super) remove: BTreeSet<Topic>,
    pub(super) let_in: bool,
}

/// What a client hears first.
pub(super) fn greeting(venue: Venue) -> Option<String> {
    match venue {
        Venue::Binance | Venue::Coinbase => None,
        Venue::Kraken => {
            let data =
                json!([{"version": "2.0.0", "system": "online", "api_version": "v2", "connection_id": 1}]);
            Some(json!({"channel": "status", "type": "update", "data": data}).to_string())
        }
        Venue::Alpaca => Some(r#"[{"T":"success","msg":"connected"}]"#.into()),
    }
}

/// The refusal of credentials.
pub(super) const NOT_LET_IN: &str = r#"[{"T":"error","code":402,"msg":"auth failed"}]"#;

/// The refusal of requests before credentials.
pub(super) const NOT_AUTHENTICATED: &str = r#"[{"T":"error","code":401,"msg":"not authenticated"}]"#;

/// Reads a request of a client that has those subscriptions; `known` are the venue's symbols.
pub(super) fn request(
    venue: Venue,
    text: &str,
    subscribed: &BTreeSet<Topic>,
    known: &BTreeSet<String>,
) -> Outcome {
    let Ok(request) = serde_json::from_str::<Value>(text) else { return Outcome::default() };
    match venue {
        Venue::Binance => binance(&request),
        Venue::Coinbase => coinbase(&request, subscribed, known),
        Venue::Kraken => kraken(&request, known),
        Venue::Alpaca => alpaca(&request, subscribed),
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn both(symbols: impl Iterator<Item = String>) -> BTreeSet<Topic> {
    symbols.flat_map(|symbol| [(Channel::Trades, symbol.clone()), (Channel::Quotes, symbol)]).collect()
}

fn binance(request: &Value) -> Outcome {
    let topic = |stream: &str| {
        let (symbol, kind) = stream.split_once('@')?;
        let channel = match kind {
            "trade" | "aggTrade" => Channel::Trades,
            "bookTicker" => Channel::Quotes,
            _ => return None,
        };
        Some((channel, symbol.to_ascii_uppercase()))
    };
    let topics = texts(&request["params"]).filter_map(topic).collect();
    let answers = vec![json!({"result": null, "id": request["id"]}).to_string()];
    match request["method"].as_str() {
        Some("SUBSCRIBE") => Outcome { answers, add: topics, ..Outcome::default() },
        Some("UNSUBSCRIBE") => Outcome { answers, remove: topics, ..Outcome::default() },
        _ => Outcome {
            answers: vec![json!({"code": 2, "msg": "Invalid request", "id": request["id"]}).to_string()],
            ..Outcome::default()
        },
    }
}

fn coinbase(request: &Value, subscribed: &BTreeSet<Topic>, known: &BTreeSet<String>) -> Outcome {
    let products: Vec<_> = texts(&request["product_ids"]).map(ToOwned::to_owned).collect();
    let unknown = products.iter().find(|product| !known.contains(*product));
    if let Some(unknown) = unknown {
        let reason = format!("{unknown} is not a valid product");
        let error = json!({"type": "error", "message": "Failed to subscribe", "reason": reason});
        return Outcome { answers: vec![error.to_string()], ..Outcome::default() };
    }
    let topics = both(products.into_iter());
    let (add, remove) = match request["type"].as_str() {
        Some("subscribe") => (topics, BTreeSet::new()),
        Some("unsubscribe") => (BTreeSet::new(), topics),
        _ => return Outcome::default(),
    };
    let now: BTreeSet<_> = subscribed.union(&add).filter(|topic| !remove.contains(*topic)).cloned().collect();
    let of = |channel: Channel| now.iter().filter(move |topic| topic.0 == channel).map(|topic| &topic.1);
    let (trades, quotes): (Vec<_>, Vec<_>) = (of(Channel::Trades).collect(), of(Channel::Quotes).collect());
    let list = json!({"type": "subscriptions", "channels": [
        {"name": "matches", "product_ids": trades}, {"name": "ticker", "product_ids": quotes}]});
    Outcome { answers: vec![list.to_string()], add, remove, ..Outcome::default() }
}

fn kraken(request: &Value, known: &BTreeSet<String>) -> Outcome {
    let method = request["method"].as_str().unwrap_or_default();
    let times = ("2026-01-05T14:30:00.000001Z", "2026-01-05T14:30:00.000002Z");
    if method == "ping" {
        let pong =
            json!({"method": "pong", "req_id": request["req_id"], "time_in": times.0, "time_out": times.1});
        return Outcome { answers: vec![pong.to_string()], ..Outcome::default() };
    }
    let params = &request["params"];
    let channel = match params["channel"].as_str() {
        Some("trade") => Channel::Trades,
        Some("ticker") => Channel::Quotes,
        _ => return Outcome::default(),
    };
    let mut outcome = Outcome::default();
    for symbol in texts(&params["symbol"]) {
        let mut answer = json!({"method": method, "req_id": request["req_id"], "success": known.contains(symbol),
            "time_in": times.0, "time_out": times.1});
        if known.contains(symbol) {
            answer["result"] = json!({"channel": params["channel"], "symbol": symbol, "snapshot": false});
            let topics = if method == "subscribe" { &mut outcome.add } else { &mut outcome.remove };
            topics.insert((channel, symbol.to_owned()));
        } else {
            answer["error"] = json!(format!("Currency pair not supported {symbol}"));
            answer["symbol"] = json!(symbol);
        }
        outcome.answers.push(answer.to_string());
    }
    outcome
}

fn alpaca(request: &Value, subscribed: &BTreeSet<Topic>) -> Outcome {
    let lists = [("trades", Channel::Trades), ("quotes", Channel::Quotes)];
    let topics = lists
        .iter()
        .flat_map(|(name, channel)| texts(&request[*name]).map(|symbol| (*channel, symbol.to_owned())))
        .collect();
    let (add, remove): (BTreeSet<Topic>, BTreeSet<Topic>) = match request["action"].as_str() {
        Some("auth") => {
            let answers = vec![r#"[{"T":"success","msg":"authenticated"}]"#.into()];
            return Outcome { answers, let_in: true, ..Outcome::default() };
        }
        Some("subscribe") => (topics, BTreeSet::new()),
        Some("unsubscribe") => (BTreeSet::new(), topics),
        _ => {
            let answers = vec![r#"[{"T":"error","code":400,"msg":"invalid syntax"}]"#.into()];
            return Outcome { answers, ..Outcome::default() };
        }
    };
    let now: BTreeSet<_> = subscribed.union(&add).filter(|topic| !remove.contains(*topic)).cloned().collect();
    let of = |channel| now.iter().filter(move |topic| topic.0 == channel).map(|topic| &topic.1);
    let (trades, quotes): (Vec<_>, Vec<_>) = (of(Channel::Trades).collect(), of(Channel::Quotes).collect());
    let list = json!([{"T": "subscription", "trades": trades, "quotes": quotes}]);
    Outcome { answers: vec![list.to_string()], add, remove, ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialect::{Ack, Message},
        market::UnixMicros,
    };

    /// What our own reading side makes of the answers to our own requests.
    #[test]
    fn our_requests_get_answers_that_we_understand() {
        for venue in Venue::ALL {
            let names: Vec<_> = ["BTC-USD", "ETH-USD"].iter().map(|ours| venue.symbol(ours)).collect();
            let known: BTreeSet<_> = names.iter().cloned().collect();
            let symbols: Vec<_> = names.iter().map(String::as_str).collect();
            let (mut topics, mut acks) = (BTreeSet::new(), 0);
            for frame in venue.subscribe(&symbols, 1) {
                let outcome = request(venue, &frame, &topics, &known);
                topics.extend(outcome.add);
                for answer in outcome.answers {
                    let mut messages = Vec::new();
                    venue.parse(answer.as_bytes(), UnixMicros(1), &mut messages).unwrap();
                    let is_ack = |message: &&Message| matches!(message, Message::Ack(Ack::Request(_)));
                    acks += messages.iter().filter(is_ack).count();
                }
            }
            assert_eq!((topics, acks), (both(names.into_iter()), if venue == Venue::Kraken { 4 } else { 1 }));
        }
    }

    #[test]
    fn what_a_venue_does_not_know_it_refuses_in_its_own_words() {
        for venue in [Venue::Coinbase, Venue::Kraken] {
            for frame in venue.subscribe(&["NONE"], 1) {
                let outcome = request(venue, &frame, &BTreeSet::new(), &BTreeSet::new());
                let mut messages = Vec::new();
                venue.parse(outcome.answers[0].as_bytes(), UnixMicros(1), &mut messages).unwrap();
                assert!(matches!(&messages[..], [Message::Refused(_)]), "{messages:?}");
                assert!(outcome.add.is_empty());
            }
        }
    }
}
