//! What plain HTTP may cost: pages, names that are counted once, and a budget for each address.

use serde_json::Value;
use tickcast::{
    limits::{COMMAND_SYMBOLS, HTTP_BURST_UNITS},
    server::Driver,
};

use crate::util::{PATIENCE, TestGateway, quote};

on_both_drivers! {
    pages_of_symbols_have_each_once,
    names_of_a_query_are_counted_before_they_are_looked_for,
    an_address_that_asks_for_too_much_is_refused_and_probes_are_not,
}

async fn get(gateway: &TestGateway, path: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", gateway.address);
    let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn pages_of_symbols_have_each_once(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let names: Vec<_> = (0..25).map(|i| format!("S{i}")).collect();
    gateway.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (_, whole) = get(&gateway, "/v1/symbols").await;
    assert_eq!((whole["symbols"].as_array().unwrap().len(), whole.get("after")), (25, None));
    let mut found = Vec::new();
    let mut path = "/v1/symbols?limit=10".to_owned();
    loop {
        let (_, page) = get(&gateway, &path).await;
        found.extend(page["symbols"].as_array().unwrap().iter().map(|known| known["S"].clone()));
        let Some(after) = page.get("after") else { break };
        path = format!("/v1/symbols?limit=10&after={}", after.as_str().unwrap());
    }
    let expected: Vec<_> =
        whole["symbols"].as_array().unwrap().iter().map(|known| known["S"].clone()).collect();
    assert_eq!(found, expected);
    for bad in ["limit=0", "limit=10001", "limit=x", "after=a"] {
        assert_eq!(get(&gateway, &format!("/v1/symbols?{bad}")).await.0, 400, "{bad}");
    }
}

async fn names_of_a_query_are_counted_before_they_are_looked_for(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    gateway.publish([quote("A", "1.10"), quote("B", "1.10")]);
    let stars = vec!["*"; 3_000].join(",");
    let (status, answer) = get(&gateway, &format!("/v1/snapshot?channels=quotes&symbols=A,A,{stars}")).await;
    assert_eq!((status, answer["events"].as_array().unwrap().len()), (200, 2));
    let many = vec!["A"; COMMAND_SYMBOLS + 1].join(",");
    for resource in ["snapshot?", "poll?wait=0&", "sse?"] {
        let (status, answer) = get(&gateway, &format!("/v1/{resource}symbols={many}")).await;
        assert_eq!((status, answer["code"].as_u64()), (400, Some(416)), "{resource}: {answer}");
    }
}

async fn an_address_that_asks_for_too_much_is_refused_and_probes_are_not(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let names: Vec<_> = (0..3_000).map(|i| format!("S{i}")).collect();
    gateway.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
    gateway.publish(names.iter().map(|name| quote(name, "1.10")));
    // One connection, and so one worker.
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", gateway.address);
    let mut refused = None;
    for _ in 0..HTTP_BURST_UNITS / 1_000 {
        let answer = client.get(url("/v1/snapshot?channels=quotes")).timeout(PATIENCE).send().await.unwrap();
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
        answer.bytes().await.unwrap();
    }
    let refused = refused.expect("the budget is used up");
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], 429);
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(client.get(url(probe)).send().await.unwrap().status(), 200, "{probe}");
    }
}
