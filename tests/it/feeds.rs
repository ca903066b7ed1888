//! What `feeds/` ships works: every definition builds, and every recording plays without a line that is not understood.

use std::{path::Path, sync::Arc};

use tickcast::{
    clock::Clock,
    config::{AnyFeed, Config},
    feed::{Publisher, supervise},
    hub::{Hub, HubConfig},
    market::Channel,
    metrics::Metrics,
};
use tokio_util::sync::CancellationToken;

use crate::util::{eventually, is_zero};

#[test]
fn every_definition_builds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let feeds =
                Config::load_definition(&path, []).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            kinds.extend(feeds.iter().map(|feed| feed.feed.kind()));
        }
    }
    assert!(
        kinds.contains(&"simulator") && kinds.iter().filter(|kind| **kind == "replay").count() >= 5,
        "{kinds:?}"
    );
}

#[tokio::test]
async fn every_shipped_recording_plays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    for (name, ticks) in [("binance", 826), ("coinbase", 825), ("native", 1_506), ("csv", 233), ("dbn", 233)]
    {
        // The same definition, played once and as fast as it goes.
        let text = std::fs::read_to_string(folder.join(format!("replay-{name}.toml"))).unwrap();
        let text = text.replace("speed = 1\n", "speed = \"max\"\n").replace("loop = true", "loop = false");
        let text = text.replace("recordings/", &format!("{}/recordings/", folder.display()));
        let elsewhere = tempfile::tempdir().unwrap();
        let fast = elsewhere.path().join("fast.toml");
        std::fs::write(&fast, text).unwrap();
        let feed = Config::load_definition(&fast, []).unwrap().pop().unwrap();
        let AnyFeed::Replay(replay) = feed.feed else { panic!("{name} is a replay") };
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), Clock::system(), metrics));
        let publisher = Publisher::new(feed.name, Arc::clone(&hub), CancellationToken::new());
        supervise(*replay, publisher).await;
        let heads = |channel| {
            hub.all_topics().iter().map(|topic| topic.last(channel).map_or(0, |event| event.n)).sum::<u64>()
        };
        assert_eq!(heads(Channel::Trades) + heads(Channel::Quotes), ticks, "{name}");
        let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
        for silent in ["tickcast_feed_parse_errors_total{", "tickcast_feed_ignored_total{feed=\"csv"] {
            assert!(is_zero(&text, silent), "{name}: {text}");
        }
        eventually("its symbols are closed", || {
            hub.all_topics().iter().all(|topic| topic.state() == tickcast::market::State::Closed)
        })
        .await;
    }
}
