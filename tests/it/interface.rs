//! The documents of the interface say what the code does: every route, every message, every channel.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use tickcast::{
    market::{Channel, Loss, LossWhy, Tick},
    server::{Driver, routes},
};

use crate::{
    schema::Document,
    util::{TestGateway, symbol, trade},
};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn document(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// A route's path without the patterns of its parameters.
fn plain(path: &str) -> String {
    path.replace(":.+}", "}")
}

#[test]
fn every_route_is_in_the_open_api_document_and_no_other() {
    let document = document("docs/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert((method.clone(), path.clone()));
        }
    }
    let registered: BTreeSet<_> =
        routes().into_iter().map(|(method, path)| (method.to_owned(), plain(path))).collect();
    assert_eq!(described, registered);
}

#[test]
fn references_lead_somewhere() {
    for path in ["docs/openapi.json", "docs/asyncapi.json"] {
        let document = document(path);
        let mut waiting = vec![&document];
        while let Some(value) = waiting.pop() {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').expect("references stay inside");
                assert!(document.pointer(pointer).is_some(), "{path}: {reference}");
            }
            match value {
                Value::Object(map) => waiting.extend(map.values()),
                Value::Array(list) => waiting.extend(list),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}

/// The values of `T` that the dialect writes: `message! { … = "welcome" {`, `kind: "t"` and the two kinds of acks,
/// `{ "updated" } else { "subscribed" }`.
fn message_types() -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for (path, before) in [
        ("src/dialect/native/reply.rs", " = \""),
        ("src/dialect/native/event.rs", "kind: \""),
        ("src/dialect/native/reply.rs", "{ \""),
    ] {
        let text = text(path);
        let code = text.split("#[cfg(test)]").next().unwrap();
        let found = code.split(before).skip(1).filter_map(|rest| rest.split_once('"'));
        // In replies, only what the macro names: its brace follows.
        let found = found.filter(|(_, rest)| before != " = \"" || rest.starts_with(" {"));
        types.extend(found.map(|(name, _)| name.to_owned()));
    }
    types
}

#[test]
fn every_message_is_in_the_async_api_document_and_no_other() {
    let document = document("docs/asyncapi.json");
    assert_eq!(document["asyncapi"], "3.0.0");
    let described: BTreeSet<_> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(|schema| schema["properties"]["T"].get("const")?.as_str().map(ToOwned::to_owned))
        .collect();
    let types = message_types();
    assert!(types.len() >= 15, "the types are not found any more: {types:?}");
    assert_eq!(described, types);
    let union = document["components"]["schemas"]["message"]["oneOf"].as_array().unwrap();
    assert_eq!(union.len(), types.len(), "each is one of the messages");
}

#[test]
fn every_channel_is_in_both_documents() {
    let channels: BTreeSet<_> = Channel::ALL.map(|channel| Value::from(channel.as_str()).to_string()).into();
    for (path, pointer) in [
        ("docs/asyncapi.json", "/components/schemas/channel/enum"),
        ("docs/openapi.json", "/components/schemas/channel/enum"),
    ] {
        let document = document(path);
        let described = document.pointer(pointer).unwrap().as_array().unwrap();
        assert_eq!(described.iter().map(Value::to_string).collect::<BTreeSet<_>>(), channels, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documents_are_served() {
    let gateway = TestGateway::start();
    for name in ["openapi", "asyncapi"] {
        let (status, body) = gateway.get(&format!("/v1/{name}.json"));
        assert_eq!(status, 200);
        assert_eq!(body, text(&format!("docs/{name}.json")));
    }
    let (status, body) = gateway.get("/v1/publish?feed=x");
    assert_eq!(status, 405, "{body}");
}

on_both_drivers! {
    a_page_of_trades_held_gaps_that_no_document_names,
}

async fn a_page_of_trades_held_gaps_that_no_document_names(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.publish([trade("BTC-USD", 1, "100.10")]);
    for why in LossWhy::ALL {
        let (symbol, channel) = (symbol("BTC-USD"), Channel::Trades);
        gateway.publish([
            Tick::Loss(Loss { symbol, channel, why, events: None }),
            trade("BTC-USD", 2, "100.20"),
        ]);
    }
    let (status, body) = gateway.get("/v1/trades/BTC-USD");
    assert_eq!(status, 200);
    let page: Value = serde_json::from_str(&body).unwrap();
    Document::read("docs/openapi.json").validate("trades", &page).unwrap();
    let (trades, messages) = (page["trades"].as_array().unwrap(), Document::read("docs/asyncapi.json"));
    trades.iter().for_each(|message| messages.validate("message", message).unwrap());
    let gaps: Vec<_> = trades.iter().filter(|message| message["T"] == "gap").collect();
    assert_eq!(gaps.len(), LossWhy::ALL.len(), "{page}");
    // It has the one number of what is missing, between those of its neighbours.
    assert!(gaps.iter().all(|gap| gap["from"] == gap["to"]), "{page}");
    let number = |message: &Value| message["n"].as_u64().or(message["from"].as_u64()).unwrap();
    let numbers: Vec<_> = trades.iter().map(number).collect();
    assert_eq!(numbers, (1..=trades.len() as u64).collect::<Vec<_>>());
}

#[test]
fn the_validator_of_these_tests_finds_what_does_not_fit() {
    let document = Document::read("docs/openapi.json");
    let gap = serde_json::json!({"T": "gap", "S": "A", "channel": "trades", "from": 1, "to": 1, "why": "upstream_loss"});
    document.validate("gap", &gap).unwrap();
    for (key, value) in [
        ("T", "t".into()),
        ("S", "a b".into()),
        ("channel", "x".into()),
        ("from", 0.into()),
        ("why", Value::Null),
    ] {
        let mut broken = gap.clone();
        broken[key] = value;
        assert!(document.validate("gap", &broken).is_err(), "{broken}");
    }
}
