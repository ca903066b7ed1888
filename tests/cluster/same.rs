//! Whether all nodes hold the same: newest events, bars, trades and their numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use serde_json::Value;

use crate::node::Node;

/// Longest that nodes may take to come to the same when nothing new is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that is compared of a node, by what it is.
async fn image(node: &Node, symbols: &[String]) -> BTreeMap<String, String> {
    let mut image = BTreeMap::new();
    let channels = "trades,quotes,ticker,status,bars.1s,bars.1m,bars.1d";
    let snapshot = node.json(&format!("/v1/snapshot?symbols=*&channels={channels}")).await;
    image.insert("epoch".into(), snapshot["epoch"].to_string());
    for event in snapshot["events"].as_array().into_iter().flatten() {
        image.insert(format!("{} {} {}", event["S"], event["T"], event["i"]), event.to_string());
    }
    for symbol in symbols.iter().take(4) {
        let bars = node.json(&format!("/v1/bars/{symbol}?interval=1m&limit=100")).await;
        image.insert(format!("{symbol} bars"), bars["bars"].to_string());
        let trades = node.json(&format!("/v1/trades/{symbol}?limit=50")).await;
        image.insert(format!("{symbol} history"), trades["trades"].to_string());
    }
    image
}

/// Waits until all running nodes hold the same; else says what differs.
pub(crate) async fn same(nodes: &[Node], symbols: &[String]) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let mut images = Vec::new();
        for node in nodes.iter().filter(|node| node.is_running()) {
            images.push((node.index, image(node, symbols).await));
        }
        let Some(((first, one), rest)) = images.split_first() else { return Ok(()) };
        let other = rest.iter().find(|(_, other)| other != one);
        let Some((second, other)) = other else { return Ok(()) };
        if begun.elapsed() > PATIENCE {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let differing: Vec<String> = keys
                .iter()
                .filter(|key| one.get(**key) != other.get(**key))
                .take(5)
                .map(|key| format!("{key}: {:?} and {:?}", one.get(*key), other.get(*key)))
                .collect();
            return Err(format!("nodes {first} and {second}: {}", differing.join("\n")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The newest numbers, as the first running node has them.
pub(crate) async fn heads(nodes: &[Node]) -> BTreeMap<(String, String), u64> {
    let Some(node) = nodes.iter().find(|node| node.is_running()) else { return BTreeMap::new() };
    let snapshot = node.json("/v1/snapshot?symbols=*&channels=trades,quotes,ticker,status").await;
    let events = snapshot["events"].as_array().cloned().unwrap_or_default();
    events.iter().filter_map(head).collect()
}

fn head(event: &Value) -> Option<((String, String), u64)> {
    let channel = match event["T"].as_str()? {
        "t" => "trades",
        "q" => "quotes",
        "k" => "ticker",
        other => other,
    };
    Some(((event["S"].as_str()?.to_owned(), channel.to_owned()), event["n"].as_u64()?))
}
