//! A feed that begins where ticks of its venue were published before: by the last run, or by another gateway.

use serde_json::Value;
use tickcast::{
    dialect::Venue,
    market::{Print, Quote, Source, Tick, Trade, TradeId, UnixMicros},
};

use super::{Setup, tape};

const SYMBOL: &str = "BTC-USD";
const STEPS: u64 = 3;

/// What the client sees of a venue's stream when trade `last` and a quote were published before it.
async fn seen(venue: Venue, last: u64, source: &str) -> Vec<Value> {
    let frames = tape::session(venue, &[SYMBOL], STEPS);
    let setup = Setup::new(venue, &[SYMBOL], frames, &[], "").await;
    let (symbol, feed) = (SYMBOL.parse().unwrap(), Source::new("feed").unwrap());
    let source = Source::new(source).unwrap();
    let (te, tr) = (None, UnixMicros(1));
    let trade = Trade {
        symbol,
        price: tape::price(last).parse().unwrap(),
        size: "0.50".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(last)),
        source,
        te,
        tr,
        print: Print::default(),
    };
    let quote = Quote { symbol, bid: None, ask: None, source, te, tr, is_snapshot: false };
    setup.gateway.gateway.hub.publish(feed, [Tick::Trade(trade), Tick::Quote(quote)]);
    let mut client = setup.streaming(&[SYMBOL]).await;
    setup.play(1).await;
    let mut seen = Vec::new();
    let newest = (tape::FIRST + STEPS - 1).to_string();
    while !seen.iter().any(|it: &Value| it["T"] == "t" && it["id"] == newest.as_str()) {
        seen.push(client.next().await.unwrap());
    }
    setup.end().await;
    seen
}

fn gaps(seen: &[Value], channel: &str) -> Vec<(u64, u64)> {
    let of = |it: &&Value| it["T"] == "gap" && it["channel"] == channel;
    let span = |it: &Value| (it["from"].as_u64().unwrap(), it["to"].as_u64().unwrap());
    seen.iter().filter(of).map(span).collect()
}

fn name(venue: Venue) -> &'static str {
    venue.as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_counts_shows_whether_trades_were_missed_meanwhile() {
    for venue in [Venue::Binance, Venue::Coinbase, Venue::Kraken] {
        let whole = seen(venue, tape::FIRST - 1, name(venue)).await;
        assert_eq!(gaps(&whole, "trades"), [], "{venue:?}: {whole:?}");
        assert_eq!(
            gaps(&whole, "quotes"),
            [(2, 2)],
            "{venue:?}: quotes have holes in their numbers: {whole:?}"
        );
        let missed = seen(venue, tape::FIRST - 3, name(venue)).await;
        assert_eq!(gaps(&missed, "trades"), [(2, 2)], "{venue:?}: {missed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_the_venue_repeats_is_not_published_again() {
    let seen = seen(Venue::Binance, tape::FIRST, name(Venue::Binance)).await;
    let next = seen.iter().find(|it| it["T"] == "t").unwrap();
    assert_eq!(
        (next["n"].as_u64(), &next["id"]),
        (Some(2), &(tape::FIRST + 1).to_string().into()),
        "{seen:?}"
    );
    assert_eq!(gaps(&seen, "trades"), [], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_venue_that_does_not_count_a_gap_is_told_and_another_source_counts_on_its_own() {
    // The exchange differs from trade to trade, and the feed is the same.
    for exchange in ["alpaca", "V"] {
        let uncounted = seen(Venue::Alpaca, tape::FIRST - 1, exchange).await;
        assert_eq!(gaps(&uncounted, "trades").len(), 1, "{uncounted:?}");
    }
    let others = seen(Venue::Binance, tape::FIRST + 1, "another").await;
    let ids: Vec<_> =
        others.iter().filter(|it| it["T"] == "t").map(|it| it["id"].as_str().unwrap()).collect();
    let whole: Vec<_> = (tape::FIRST..tape::FIRST + STEPS).map(|id| id.to_string()).collect();
    assert!(ids.ends_with(&whole.iter().map(String::as_str).collect::<Vec<_>>()), "{others:?}");
    assert_eq!(gaps(&others, "trades"), [(2, 2)], "{others:?}");
}
