//! `tickcast bench` counts exactly what a gateway delivers.

use std::time::Duration;

use tickcast::cli::bench::{Age, BenchPlan, Greeting, run_plan};

use crate::util::{TestGateway, quote, trade};

fn plan(gateway: &TestGateway, msgpack: bool) -> BenchPlan {
    BenchPlan {
        address: gateway.address,
        others: Vec::new(),
        path: "/v1/ws".into(),
        connections: 10,
        symbols: None,
        channels: vec!["trades".into(), "quotes".into()],
        mode: "stream".into(),
        msgpack,
        stalled: 0.1,
        slow: 0.2,
        slow_bytes: 50_000,
        measure: Duration::from_millis(2_500),
        warmup: Duration::ZERO,
        sources: vec![[127, 0, 0, 2].into()],
        pid: Some(std::process::id()),
        seed: 1,
        greeting: Greeting::Tickcast,
        age: Age::Received,
        progress: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_generator_counts_what_was_delivered() {
    for msgpack in [false, true] {
        let gateway = TestGateway::start();
        gateway.declare(&["A", "B"]);
        let plan = plan(&gateway, msgpack);
        let run = tokio::task::spawn_blocking(move || run_plan(&plan).unwrap());
        // Ten clients with two channels of two symbols: what is published now goes to all of them.
        gateway.metric_reaches("tickcast_subscriptions{channel=\"trades\"}", 20.0).await;
        gateway.metric_reaches("tickcast_subscriptions{channel=\"quotes\"}", 20.0).await;
        for id in 0..50 {
            gateway.publish([trade("A", id, "1.10"), quote("A", "1.10"), trade("B", id, "2.20")]);
        }
        let report = run.await.unwrap();
        assert_eq!((report.connected, report.ended), (10, 0));
        assert_eq!(report.deliveries, 9 * 150, "nine of ten read");
        assert!(report.slow.is_some() && report.healthy.max_us > 0 && report.bytes > 9 * 150 * 50);
        assert!(report.gateway.is_some_and(|spent| spent.rss_after > 0));
        gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"disconnected\"}", 10.0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_are_spread_over_several_gateways_and_each_is_told_of() {
    let gateways = [TestGateway::start(), TestGateway::start()];
    gateways.iter().for_each(|gateway| gateway.declare(&["A"]));
    let others = vec![gateways[1].address];
    let plan = BenchPlan { others, stalled: 0.0, slow: 0.0, ..plan(&gateways[0], false) };
    let run = tokio::task::spawn_blocking(move || run_plan(&plan).unwrap());
    for gateway in &gateways {
        gateway.metric_reaches("tickcast_subscriptions{channel=\"trades\"}", 5.0).await;
        gateway.metric_reaches("tickcast_subscriptions{channel=\"quotes\"}", 5.0).await;
    }
    gateways[0].publish((0..10).map(|id| trade("A", id, "1.10")));
    gateways[1].publish((0..30).map(|id| trade("A", id, "1.10")));
    let report = run.await.unwrap();
    assert_eq!((report.connected, report.ended, report.deliveries), (10, 0, 5 * 40));
    let told: Vec<_> = report.nodes.iter().map(|node| (node.address, node.deliveries)).collect();
    assert_eq!(told, [(gateways[0].address, 50), (gateways[1].address, 150)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_numbering_ends_no_client_of_the_load_generator_and_is_counted() {
    for msgpack in [false, true] {
        let gateway = TestGateway::start();
        gateway.declare(&["A"]);
        let path = "/v1/ws?flush_ms=0&resync=1".into();
        let plan = BenchPlan { path, stalled: 0.0, slow: 0.0, ..plan(&gateway, msgpack) };
        let run = tokio::task::spawn_blocking(move || run_plan(&plan).unwrap());
        gateway.metric_reaches("tickcast_subscriptions{channel=\"quotes\"}", 10.0).await;
        let encoding = if msgpack { "msgpack" } else { "json" };
        let delivered =
            format!("tickcast_events_delivered_total{{channel=\"trades\",encoding=\"{encoding}\"}}");
        gateway.publish([trade("A", 1, "1.10")]);
        gateway.metric_reaches(&delivered, 10.0).await;
        gateway.gateway.hub.renumber("other".into());
        // Behind the newest one, which comes again.
        gateway.metric_reaches(&delivered, 20.0).await;
        gateway.publish([trade("A", 2, "1.20")]);
        let report = run.await.unwrap();
        assert_eq!((report.connected, report.ended, report.resyncs), (10, 0, 10));
        assert_eq!(report.deliveries, 10 * 3);
    }
}
