//! JSON of the documents: commands are taken, messages are what a gateway says, answers fit the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tickcast::{
    dialect::{Encoding, native::parse_command},
    hub::SourceWord,
    market::{Change, Channel, Correction, Loss, LossWhy, State, Tick, UnixMicros},
    server::{Driver, ServerConfig},
    session::SessionConfig,
};
use tokio::time::timeout;

use super::blocks::{self, Example};
use crate::{
    schema::Document,
    util::{PATIENCE, TestGateway, quote, symbol, trade},
};

/// Keys that name an answer of plain HTTP, and its schema in the OpenAPI document.
const ANSWERS: &[(&str, &str)] = &[
    ("messages", "polled"),
    ("trades", "trades"),
    ("bars", "bars"),
    ("events", "snapshot"),
    ("feeds", "feeds"),
    ("symbols", "symbols"),
    ("accepted", "published"),
    ("msg", "error"),
];

/// Parts of messages and answers, named by their keys.
const PARTS: &[&[&str]] = &[&["epoch", "n"], &["line", "error"], &["name", "state"]];

/// A value of an example, and whether something is left out of it.
struct Said {
    example: Example,
    value: Value,
    is_cut: bool,
}

/// The JSON values of an example. `US` stands for a time, and `…` outside of texts for more of the same.
fn values(example: &Example) -> Vec<Said> {
    let text = example.text.replace(",…", "").replace("[…]", "[]");
    let is_cut = text != example.text;
    let text = text.replace(":US", ":1760000000000000");
    serde_json::Deserializer::from_str(&text)
        .into_iter::<Value>()
        .map(|value| {
            let value = value.unwrap_or_else(|why| panic!("{example}: {why} in {text}"));
            Said { example: example.clone(), value, is_cut }
        })
        .collect()
}

/// Every value in blocks and lines; a list is one value for each of its messages.
fn all() -> Vec<Said> {
    let inline =
        blocks::inline().into_iter().filter(|it| it.text.starts_with("{\"") || it.text.starts_with("[{\""));
    let mut all = Vec::new();
    for said in super::named("json").into_iter().chain(inline).flat_map(|example| values(&example)) {
        let Said { example, value, is_cut } = said;
        let values = if let Value::Array(messages) = value { messages } else { vec![value] };
        all.extend(values.into_iter().map(|value| Said { example: example.clone(), value, is_cut }));
    }
    all
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

#[test]
fn commands_and_answers_of_the_documents_are_what_the_code_says() {
    let (open, messages) = (Document::read("docs/openapi.json"), Document::read("docs/asyncapi.json"));
    let mut seen = BTreeSet::new();
    for Said { example, value, is_cut } in all() {
        if value.get("op").is_some() {
            let command = parse_command(value.to_string().as_bytes(), Encoding::Json);
            assert!(command.is_ok(), "{example}: {value}: {command:?}");
            seen.insert("command");
        } else if value.get("T").is_some() {
            if !is_cut {
                messages.validate("message", &value).unwrap_or_else(|why| panic!("{example}: {why}"));
            }
            seen.insert("message");
        } else if let Some((_, schema)) = ANSWERS.iter().find(|(key, _)| value.get(key).is_some()) {
            let known = open.properties(schema);
            let unknown: Vec<_> = keys(&value).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{example}: {schema} has no {unknown:?}");
            if !is_cut {
                open.validate(schema, &value).unwrap_or_else(|why| panic!("{example}: {why}"));
            }
            seen.insert("answer");
        } else if value.get("S").is_some() {
            open.validate("tick", &value).unwrap_or_else(|why| panic!("{example}: {why}"));
        } else {
            let part: BTreeSet<_> = keys(&value);
            let is_known = PARTS.iter().any(|keys| part.iter().all(|key| keys.contains(&key.as_str())));
            assert!(is_known, "{example}: no rule of this test says what {value} is");
        }
    }
    assert_eq!(seen, ["answer", "command", "message"].into());
}

/// Everything that a gateway said, by type.
#[derive(Default)]
struct Heard(BTreeMap<String, BTreeSet<String>>);

impl Heard {
    fn take(&mut self, message: &Value) {
        let kind = message["T"].as_str().unwrap().to_owned();
        self.0.entry(kind).or_default().extend(keys(message));
    }

    /// Reads until a message of that type was there.
    async fn until(&mut self, client: &mut crate::util::Client, kind: &str) -> Value {
        loop {
            let message = client.next().await.unwrap_or_else(|why| panic!("while waiting for {kind}: {why}"));
            self.take(&message);
            if message["T"] == kind {
                return message;
            }
        }
    }
}

/// The trade of that name is taken back.
fn busted(id: u64) -> Tick {
    let Tick::Trade(trade) = trade("BTC-USD", id, "67210.10") else { panic!("a trade") };
    let change = Change::Busted { price: None, size: None };
    let tickcast::market::Trade { symbol, source, tr, id, .. } = trade;
    Tick::Correction(Box::new(Correction {
        symbol,
        id: id.unwrap(),
        source,
        change,
        te: Some(tr),
        tr,
        of: None,
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_the_documents_are_what_a_gateway_says() {
    let simulated = [crate::util::source()].into_iter().collect();
    let session = SessionConfig {
        heartbeat: std::time::Duration::from_millis(40),
        simulated,
        ..SessionConfig::default()
    };
    let gateway =
        TestGateway::with(ServerConfig { driver: Driver::Socket, ..ServerConfig::default() }, session);
    gateway.declare(&["BTC-USD"]);
    let mut heard = Heard::default();
    let mut client = gateway.connect().await;
    heard.until(&mut client, "hb").await;
    for channel in Channel::ALL {
        client.send(json!({"op": "subscribe", "id": 1, "channel": channel.as_str(), "symbols": ["BTC-USD", "ZZZ"]})).await;
        heard.until(&mut client, "subscribed").await;
    }
    let Tick::Trade(plain) = trade("BTC-USD", 1, "67210.10") else { panic!("a trade") };
    let side = Some(tickcast::market::Side::Buy);
    let Tick::Quote(known) = quote("BTC-USD", "67210.1") else { panic!("a quote") };
    let loss =
        Loss { symbol: symbol("BTC-USD"), channel: Channel::Trades, why: LossWhy::Venue, events: None };
    gateway.publish([
        Tick::Trade(tickcast::market::Trade { side, te: Some(plain.tr), ..plain }),
        Tick::Quote(tickcast::market::Quote { te: Some(known.tr), ..known }),
        Tick::Loss(loss),
    ]);
    for kind in ["t", "gap", "q", "k", "b", "status"] {
        if !heard.0.contains_key(kind) {
            heard.until(&mut client, kind).await;
        }
    }
    gateway.publish([busted(1)]);
    heard.until(&mut client, "c").await;
    for (command, answer) in [
        (
            json!({"op": "subscribe", "id": 1, "channel": "quotes", "symbols": ["BTC-USD"], "max_rate": 4}),
            "subscribed",
        ),
        (
            json!({"op": "update", "id": 1, "channel": "quotes", "symbols": ["BTC-USD"], "max_rate": 4}),
            "updated",
        ),
        (json!({"op": "list", "id": 1}), "list"),
        (json!({"op": "info", "id": 1}), "info"),
        (json!({"op": "ping", "id": 1}), "pong"),
        (json!({"op": "dance", "id": 1}), "error"),
        (json!({"op": "unsubscribe", "id": 1, "channel": "quotes", "symbols": ["*"]}), "unsubscribed"),
    ] {
        client.send(command).await;
        heard.until(&mut client, answer).await;
    }
    let (_, polled) = gateway.get("/v1/poll?symbols=BTC-USD&after=nonsense");
    let polled: Value = serde_json::from_str(&polled).unwrap();
    polled["messages"].as_array().unwrap().iter().for_each(|message| heard.take(message));
    let (state, since, why) = (State::Stale, UnixMicros(7), "no word".to_owned());
    gateway.gateway.hub.set_source_word(Some(SourceWord { state, since, why }));
    heard.until(&mut client, "source").await;
    gateway.gateway.drain.cancel();
    heard.until(&mut client, "bye").await;
    let mut seen = BTreeSet::new();
    for Said { example, value, .. } in all() {
        let Some(kind) = value.get("T").and_then(Value::as_str) else { continue };
        seen.insert(kind.to_owned());
        let real = heard.0.get(kind).unwrap_or_else(|| panic!("{example}: no gateway says {kind:?}"));
        let made_up: Vec<_> = keys(&value).difference(real).cloned().collect();
        // A round trip is told once one was made.
        let made_up: Vec<_> = made_up.into_iter().filter(|key| key != "rtt_us").collect();
        assert!(made_up.is_empty(), "{example}: no gateway says {made_up:?} in a {kind:?}; it says {real:?}");
    }
    let silent: Vec<_> = heard.0.keys().filter(|kind| !seen.contains(*kind) && *kind != "updated").collect();
    assert!(silent.is_empty(), "no document shows {silent:?}");
}

/// The blocks of an event stream, as the documents show them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_is_laid_out_as_the_document_shows() {
    let fields = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    let shown = super::named("");
    let [example] = &shown[..] else { panic!("one block shows an event stream") };
    let shown = fields(&example.text);
    let gateway = TestGateway::start();
    gateway.publish([trade("BTC-USD", 1, "1.0")]);
    let url = format!("http://{}/v1/sse?symbols=BTC-USD", gateway.address);
    let mut response = reqwest::get(url).await.unwrap();
    let mut text = String::new();
    while fields(&text).len() < shown.len() {
        let more = timeout(PATIENCE, response.chunk()).await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(&more.expect("the stream has no end")).unwrap());
        if text.contains("id: ") {
            gateway.publish([trade("BTC-USD", 2, "1.0"), quote("BTC-USD", "1.0")]);
        }
    }
    let text: String = text.lines().take(shown.len()).map(|line| format!("{line}\n")).collect();
    assert_eq!(fields(&text), shown, "{example}: {text}");
}
