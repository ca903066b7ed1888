//! `tickcast bench` counts exactly what a gateway delivers.

use std::time::Duration;

use tickcast::cli::bench::{Age, BenchPlan, Greeting, run_plan};

use crate::util::{TestGateway, quote, trade};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_generator_counts_what_was_delivered() {
    for msgpack in [false, true] {
        let gateway = TestGateway::start();
        gateway.declare(&["A", "B"]);
        let plan = BenchPlan {
            address: gateway.address,
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
        };
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
