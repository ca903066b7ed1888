//! Sessions are looked at and ended from another thread.

use serde_json::{Value, json};
use tickcast::{
    server::{Driver, ServerConfig},
    session::{CloseReason, SessionConfig},
};

use crate::util::{TestGateway, trade};

on_both_drivers! {
    a_session_is_inspected_and_evicted_from_outside_and_no_other_notices,
}

/// The number at the end of a session's name.
fn number(welcome: &Value) -> u64 {
    let (_, number) = welcome["session"].as_str().unwrap().rsplit_once('-').unwrap();
    number.parse().unwrap()
}

async fn a_session_is_inspected_and_evicted_from_outside_and_no_other_notices(driver: Driver) {
    let server = ServerConfig { driver, ..ServerConfig::default() };
    let gateway = TestGateway::with(server, SessionConfig::default());
    gateway.declare(&["A", "B"]);
    let (mut one, mut other) = (gateway.connect().await, gateway.connect().await);
    let (name, other_name) = (one.expect("welcome").await, other.expect("welcome").await);
    for client in [&mut one, &mut other] {
        client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A", "B"]})).await;
        client.expect("subscribed").await;
    }
    gateway.publish([trade("A", 1, "1.10")]);
    one.expect("t").await;
    let mailboxes = &gateway.gateway.mailboxes;
    let info = mailboxes.info(number(&name)).await.unwrap().unwrap();
    assert_eq!((info.session.as_str(), info.delivered), (name["session"].as_str().unwrap(), 1));
    assert_eq!(mailboxes.list(number(&name), 1).await.unwrap().unwrap().subscriptions.len(), 1);
    let mut seen = Vec::new();
    for mailbox in mailboxes.all() {
        seen.extend(mailbox.infos(0).await.unwrap().sessions.into_iter().map(|info| info.session));
    }
    seen.sort();
    let mut expected = [&name, &other_name].map(|welcome| welcome["session"].as_str().unwrap().to_owned());
    expected.sort();
    assert_eq!(seen, expected);
    assert!(mailboxes.evict(number(&name), CloseReason::Draining).await.unwrap());
    assert_eq!(one.expect("bye").await["code"], 4201);
    assert!(!mailboxes.evict(u64::MAX, CloseReason::Draining).await.unwrap());
    other.expect("t").await;
    gateway.publish([trade("B", 2, "1.20")]);
    assert_eq!(other.expect("t").await["S"], "B");
}
