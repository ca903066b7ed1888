//! A gateway that others number for: what it tells its clients when it hears nothing, how clients that are ahead of it wait,
//! and where producers' ticks go.

use std::sync::Arc;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tickcast::{
    hub::SourceWord,
    market::{State, Tick, UnixMicros},
    server::{Driver, FeedNow, Inbox, NotTaken, Pushed, Readiness},
};

use crate::util::{PATIENCE, TestGateway, source, trade};

on_both_drivers! {
    what_it_does_not_hear_is_told_once_over_every_transport,
    a_client_that_is_ahead_waits_for_what_it_has_seen,
    a_position_that_is_ahead_waits_too,
    ticks_of_producers_go_to_the_gateway_that_leads,
    its_feeds_are_those_of_the_gateway_that_leads,
    it_takes_clients_when_it_is_ready,
}

/// Polls that are under way.
const POLLS: &str = "tickcast_sessions{encoding=\"json\",road=\"poll\",transport=\"poll\"}";

/// What came into the inbox, and its answer.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<(Vec<Pushed>, Option<NotTaken>)>>);

impl Desk {
    fn inbox(&self) -> Inbox {
        let desk = self.clone();
        Inbox::new(move |pushed| {
            let mut desk = desk.0.lock();
            let answer = desk.1.map_or(Ok(()), Err);
            desk.0.push(pushed);
            async move { answer }.boxed()
        })
    }
}

fn gateway(driver: Driver) -> TestGateway {
    TestGateway::among_others(driver, Desk::default().inbox())
}

fn word() -> SourceWord {
    SourceWord { state: State::Stale, since: UnixMicros(7), why: "no word from the feed node".into() }
}

fn get(gateway: &TestGateway, path: &str) -> Value {
    let (status, body) = gateway.get(path);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn tag(gateway: &TestGateway) -> String {
    let url = format!("http://{}/v1/snapshot?symbols=A", gateway.address);
    reqwest::get(url).await.unwrap().headers()["etag"].to_str().unwrap().to_owned()
}

async fn what_it_does_not_hear_is_told_once_over_every_transport(driver: Driver) {
    let gateway = gateway(driver);
    let hub = &gateway.gateway.hub;
    gateway.publish([trade("A", 1, "1.20")]);
    let told = json!({"state": "stale", "since": 7, "why": "no word from the feed node"});
    let message = json!({"T": "source", "state": "stale", "since": 7, "why": "no word from the feed node"});
    let mut client = gateway.connect().await;
    client.expect("welcome").await;
    let first = get(&gateway, "/v1/poll?symbols=A&channels=trades");
    assert_eq!(first.get("source"), None);
    let before = tag(&gateway).await;
    // A poll that waits for news is answered with that.
    let after = first["position"].as_str().unwrap().to_owned();
    let path = format!("http://{}/v1/poll?symbols=A&channels=trades&after={after}", gateway.address);
    let poll = tokio::spawn(async move { reqwest::get(path).await.unwrap().json::<Value>().await.unwrap() });
    gateway.metric_reaches(POLLS, 1.0).await;
    hub.set_source_word(Some(word()));
    hub.set_source_word(Some(word()));
    assert_eq!(client.expect("source").await, message);
    let polled = tokio::time::timeout(PATIENCE, poll).await.unwrap().unwrap();
    assert_eq!((&polled["source"], &polled["messages"]), (&told, &json!([])));
    // Those that come meanwhile hear it at once.
    let mut late = gateway.connect().await;
    late.expect("welcome").await;
    assert_eq!(late.next().await.unwrap(), message);
    let url = format!("http://{}/v1/sse?symbols=A", gateway.address);
    let mut stream = reqwest::get(url).await.unwrap();
    let mut text = String::new();
    while !text.contains(r#"{"T":"source","state":"stale","since":7,"#) {
        let more = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&more).unwrap());
    }
    for path in ["/v1/symbols", "/v1/snapshot", "/feedz"] {
        assert_eq!(get(&gateway, path)["source"], told, "{path}");
    }
    assert_ne!(tag(&gateway).await, before, "a copy that says nothing of it is no longer good");
    hub.set_source_word(None);
    for client in [&mut client, &mut late] {
        client.send(json!({"op": "ping"})).await;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let message = client.next().await.unwrap();
            heard.push(message["T"].as_str().unwrap().to_owned());
            assert!(
                message["T"] != "source" || message == json!({"T": "source", "state": "live"}),
                "{message}"
            );
        }
        heard.sort_unstable();
        assert_eq!(heard, ["pong", "source"], "each was told once");
    }
    assert_eq!(get(&gateway, "/v1/symbols").get("source"), None);
    assert_eq!(tag(&gateway).await, before);
}

async fn a_client_that_is_ahead_waits_for_what_it_has_seen(driver: Driver) {
    let gateway = gateway(driver);
    gateway.publish([trade("A", 1, "1.20")]);
    let mut client = gateway.connect().await;
    let since = json!({"epoch": "test-epoch", "n": {"A": 3, "NEW": 1}});
    let command = json!({"op": "subscribe", "channel": "trades", "symbols": ["A", "NEW"], "since": since});
    client.send(command).await;
    // Read no further: its answer comes behind that of the subscribe.
    client.send(json!({"op": "ping"})).await;
    client.expect("welcome").await;
    gateway.publish([trade("A", 2, "1.30"), trade("A", 3, "1.40"), trade("A", 4, "1.50")]);
    gateway.publish([trade("NEW", 1, "1.00")]);
    let answer = client.next().await.unwrap();
    let ok = answer["ok"].as_array().unwrap();
    assert!(ok.len() == 2 && ok.iter().all(|one| one["recovered"] == true), "{answer}");
    let missed = client.next().await.unwrap();
    assert_eq!((&missed["n"], &missed["p"]), (&json!(4), &json!("1.50")), "and nothing else was");
    assert_eq!(client.next().await.unwrap()["T"], "pong");
    // What does not come in time is answered as ever.
    let since = json!({"epoch": "test-epoch", "n": {"A": 9}});
    client.send(json!({"op": "unsubscribe", "channel": "trades", "symbols": ["A"]})).await;
    client.expect("unsubscribed").await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"], "since": since})).await;
    assert_eq!(client.expect("subscribed").await["ok"][0]["recovered"], false);
    assert_eq!(gateway.count("tickcast_commands_total{op=\"subscribe\",outcome=\"refused\""), 0);
}

async fn a_position_that_is_ahead_waits_too(driver: Driver) {
    // Two gateways that number alike.
    let (early, late) = (gateway(driver), gateway(driver));
    let all = || [trade("A", 1, "1.20"), trade("A", 2, "1.30"), trade("B", 1, "1.00")];
    early.publish(all());
    late.publish(all().into_iter().take(1));
    let position = get(&early, "/v1/poll?symbols=*&channels=trades")["position"].as_str().unwrap().to_owned();
    let path = format!("http://{}/v1/poll?symbols=*&channels=trades&after={position}", late.address);
    let poll = tokio::spawn(async move { reqwest::get(path).await.unwrap().json::<Value>().await.unwrap() });
    late.metric_reaches(POLLS, 1.0).await;
    late.publish(all().into_iter().skip(1).chain([trade("B", 2, "2.00")]));
    let polled = tokio::time::timeout(PATIENCE, poll).await.unwrap().unwrap();
    let news: Vec<_> = polled["messages"].as_array().unwrap().iter().map(|it| (&it["S"], &it["n"])).collect();
    assert_eq!(news, [(&json!("B"), &json!(2))], "what it has seen does not come again: {polled}");
}

async fn ticks_of_producers_go_to_the_gateway_that_leads(driver: Driver) {
    let desk = Desk::default();
    let gateway = TestGateway::among_others(driver, desk.inbox());
    let url = format!("http://{}/v1/publish?feed=desk", gateway.address);
    let post = |key: Option<&str>| {
        let body = "{\"S\":\"A\",\"p\":\"1.20\",\"s\":\"1\"}\n{\"S\":\"A\"}\n";
        let request = reqwest::Client::new().post(&url).body(body);
        let request = key.into_iter().fold(request, |it, key| it.header("idempotency-key", key));
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json::<Value>().await.unwrap())
        }
    };
    let (status, answer) = post(Some("order-7")).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (200, &json!(1), &json!(1)));
    assert_eq!(answer["errors"][0]["line"], 2);
    let pushed = desk.0.lock().0.pop().unwrap();
    assert_eq!((pushed.feed.as_str(), pushed.key.as_deref()), ("desk", Some("order-7")));
    assert!(
        matches!(&pushed.ticks[..], [Tick::Trade(trade)] if trade.price.to_string() == "1.20"),
        "{pushed:?}"
    );
    assert!(gateway.gateway.hub.all_topics().is_empty(), "the symbol comes with the log, as its events do");
    for (why, words) in [
        (NotTaken::Full, "nothing was published"),
        (NotTaken::Unreachable, "nothing was published"),
        (NotTaken::Unconfirmed, "it may be published all the same"),
    ] {
        desk.0.lock().1 = Some(why);
        let (status, answer) = post(None).await;
        assert!(status == 503 && answer["msg"].as_str().unwrap().contains(words), "{answer}");
        let refused = format!("tickcast_requests_refused_total{{reason=\"{}\"}}", why.as_str());
        assert_eq!(gateway.count(&refused), 1);
    }
    for bad in ["", &"k".repeat(129)] {
        let (status, answer) = post(Some(bad)).await;
        assert!(
            status == 400 && answer["msg"].as_str().unwrap().starts_with("Idempotency-Key: "),
            "{answer}"
        );
    }
}

async fn its_feeds_are_those_of_the_gateway_that_leads(driver: Driver) {
    let gateway = gateway(driver);
    gateway.publish([trade("A", 1, "1.20")]);
    assert_eq!(get(&gateway, "/feedz"), json!({"feeds": []}));
    gateway.gateway.member.as_ref().unwrap().feeds.set(vec![FeedNow {
        name: source(),
        kind: "simulator".into(),
        quotes_from: Some("book".into()),
        state: State::Live,
        last_tick: Some(UnixMicros(5)),
        standby: 2,
        breaks: Some((1, "panic".into())),
    }]);
    let mut told = get(&gateway, "/feedz");
    let age = told["feeds"][0].as_object_mut().unwrap().remove("age_ms").unwrap();
    assert!(age.as_i64().unwrap() > 0);
    let feed = json!({"name": source().as_str(), "kind": "simulator", "simulated": true, "state": "live",
        "last_tick": 5, "symbols": {"live": 1}, "standby": 2, "breaks": {"count": 1, "last": "panic"}});
    assert_eq!(told, json!({"feeds": [feed]}));
    assert_eq!(get(&gateway, "/v1/symbols")["symbols"][0]["quotes_from"], "book");
    assert_eq!(gateway.connect().await.expect("welcome").await["simulated"], json!([source().as_str()]));
}

async fn it_takes_clients_when_it_is_ready(driver: Driver) {
    let gateway = gateway(driver);
    for (readiness, word, reason) in [
        (Readiness::Starting, "starting\n", "starting"),
        (Readiness::Feeding, "takes no clients: its role is feed\n", "starting"),
        (Readiness::Draining, "draining\n", "draining"),
    ] {
        gateway.gateway.readiness.set(readiness);
        assert_eq!(gateway.get("/readyz"), (503, word.into()));
        let refused = format!("tickcast_sessions_refused_total{{reason=\"{reason}\"}}");
        let before = gateway.count(&refused);
        assert_eq!(gateway.status("GET", "/v1/sse?symbols=A"), 503);
        assert_eq!(gateway.count(&refused), before + 1, "{reason}");
    }
    gateway.gateway.readiness.set(Readiness::Ready);
    assert_eq!(gateway.get("/readyz"), (200, "ready\n".into()));
    gateway.connect().await.expect("welcome").await;
}
