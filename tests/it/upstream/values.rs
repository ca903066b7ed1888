//! First quotes of symbols whose stream brings none: asked for beside it, marked, and never in its way.

use serde_json::{Value, json};
use tickcast::{
    cli::venue::{Rules, Script, ValueFault},
    dialect::Venue,
    market::{Level, Quote, State, UnixMicros},
};

use super::{Checked, Setup, tape};
use crate::util::{Client, eventually, source, symbol};

/// Where the stand-in has them, and short times.
const KEYS: &str =
    "first_values_url = \"http://{address}/api/v3/ticker/bookTicker\"\nanswer_timeout_ms = 600\n";

fn quote(bid: &str) -> Quote {
    let bid = Some(Level { price: bid.parse().unwrap(), size: Some("1.0".parse().unwrap()) });
    Quote {
        symbol: symbol("X"),
        bid,
        ask: None,
        source: source(),
        te: None,
        tr: UnixMicros(1),
        is_snapshot: true,
    }
}

/// The next quote, or gap of quotes.
async fn next(client: &mut Client) -> Value {
    loop {
        let message = client.next().await.unwrap();
        if message["T"] == "q" || message["T"] == "gap" {
            return message;
        }
    }
}

fn script(venue: Venue, names: &[&str], rules: Rules) -> Script {
    Script {
        venue,
        frames: tape::session(venue, names, 3),
        faults: Vec::new(),
        speed: None,
        lose: 0,
        held: true,
        list_faults: Vec::new(),
        rules,
    }
}

async fn setup(venue: Venue, symbols: &[&str], script: Script, keys: &str) -> Setup {
    assert_eq!(script.venue, venue);
    Setup::playing(script, (&json!(symbols).to_string(), symbols), keys).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_symbols_have_a_quote_that_says_it_is_a_snapshot() {
    let names = ["A-USD", "B-USD", "C-USD", "D-USD", "E-USD"];
    for (venue, path) in
        [(Venue::Binance, "/api/v3/ticker/bookTicker"), (Venue::Alpaca, "/v2/stocks/quotes/latest?feed=iex")]
    {
        let keys = format!("demand = \"always\"\nfirst_values_url = \"http://{{address}}{path}\"");
        let setup = setup(venue, &names, script(venue, &names, Rules::default()), &keys).await;
        let mut client = setup.gateway.connect().await;
        client
            .send(json!({"op": "subscribe", "channel": "quotes", "symbols": names, "mode": "stream"}))
            .await;
        client.expect("subscribed").await;
        for _each in names {
            let quote = next(&mut client).await;
            assert_eq!(
                (&quote["bp"], &quote["snap"]),
                (&json!(tape::price(tape::FIRST)), &json!(true)),
                "{quote}"
            );
        }
        let hub = &setup.gateway.gateway.hub;
        assert!(names.iter().all(|name| hub.topic(symbol(name)).unwrap().state() == State::Live));
        assert_eq!(setup.mock.counts().first_values, [names.len()], "{venue:?}: one request for all");
        setup
            .gateway
            .metric_is("tickcast_upstream_first_values_total{feed=\"feed\",outcome=\"ok\"}", |n| n > 0.9)
            .await;
        // What the stream brings is no snapshot.
        setup.mock.release(true);
        let quote = next(&mut client).await;
        assert_eq!((&quote["T"], &quote["snap"]), (&json!("q"), &Value::Null), "{venue:?} {quote}");
        setup.end().await;
    }
}

/// Kraken marks its first quote, Coinbase does not: there the gateway cannot know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_stream_begins_with_a_quote_it_is_the_first_one() {
    let names = ["A-USD", "B-USD"];
    for (venue, snap) in [(Venue::Kraken, json!(true)), (Venue::Coinbase, Value::Null)] {
        let rules = Rules { first_quotes: true, ..Rules::default() };
        let setup = setup(venue, &names, script(venue, &names, rules), "demand = \"always\"").await;
        let mut client = setup.gateway.connect().await;
        client
            .send(json!({"op": "subscribe", "channel": "quotes", "symbols": names, "mode": "stream"}))
            .await;
        client.expect("subscribed").await;
        for _each in names {
            let quote = next(&mut client).await;
            assert_eq!((&quote["T"], &quote["snap"]), (&json!("q"), &snap), "{venue:?} {quote}");
        }
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_older_than_the_stream_is_dropped() {
    let (venue, names) = (Venue::Binance, ["A-USD"]);
    let rules = Rules { value_faults: vec![ValueFault::Old], ..Rules::default() };
    let keys = format!("{KEYS}demand = \"always\"\nanswer_timeout_ms = 60000")
        .replace("answer_timeout_ms = 600\n", "");
    let setup = setup(venue, &names, script(venue, &names, rules), &keys).await;
    let mut client = setup.streaming(&names).await;
    eventually("it is asked for", || setup.mock.counts().first_values == [1]).await;
    setup.play(1).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &names, tape::FIRST + 2).await;
    let late = "tickcast_upstream_duplicates_total{feed=\"feed\",kind=\"late\"}";
    setup.gateway.metric_reaches(late, 1.0).await;
    assert_eq!((checked.quotes, checked.gaps), (3, 0), "those of the stream, in their order");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_first_values_the_stream_goes_on() {
    let (venue, names) = (Venue::Binance, ["A-USD", "QUIET-USD"]);
    let value_faults = vec![ValueFault::TooMany, ValueFault::Garbage, ValueFault::Slow, ValueFault::Huge];
    let rules = Rules { value_faults, ..Rules::default() };
    let keys = format!("{KEYS}demand = \"always\"");
    let setup = setup(venue, &names, script(venue, &["A-USD"], rules), &keys).await;
    setup.mock.quote("QUIETUSD", quote("7.5"));
    let mut client = setup.streaming(&["A-USD"]).await;
    let mut other = setup.gateway.connect().await;
    other.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["QUIET-USD"]})).await;
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &["A-USD"], tape::FIRST + 2).await;
    let quote = next(&mut other).await;
    assert_eq!((&quote["bp"], &quote["snap"]), (&json!("7.5"), &json!(true)), "{quote}");
    for outcome in ["status", "unreadable", "timeout", "oversize", "ok"] {
        let line = format!("tickcast_upstream_first_values_total{{feed=\"feed\",outcome=\"{outcome}\"}}");
        setup.gateway.metric_is(&line, |count| (count - 1.0).abs() < 0.1).await;
    }
    assert_eq!((checked.gaps, setup.mock.counts().connections), (0, 1));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_the_venue_does_not_know_costs_the_others_no_first_quote() {
    let venue = Venue::Binance;
    let (known, all) = (["A-USD", "B-USD", "D-USD", "E-USD"], ["A-USD", "B-USD", "C-USD", "D-USD", "E-USD"]);
    let keys = format!("{KEYS}demand = \"always\"");
    let setup = setup(venue, &all, script(venue, &known, Rules::default()), &keys).await;
    let hub = &setup.gateway.gateway.hub;
    let states = || all.map(|name| hub.topic(symbol(name)).unwrap().state());
    eventually("all but the unknown one have a quote", || {
        states() == [State::Live, State::Live, State::Pending, State::Live, State::Live]
    })
    .await;
    assert_eq!(setup.mock.counts().first_values, [5, 2, 3, 1, 2]);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reconnect_the_present_quote_is_asked_for_again() {
    let (venue, names) = (Venue::Binance, ["A-USD", "QUIET-USD"]);
    let frames = tape::session(venue, &["A-USD"], 5);
    let setup = Setup::new(venue, &names, frames, &["drop@2"], KEYS).await;
    setup.mock.quote("QUIETUSD", quote("7.5"));
    let mut client = setup.streaming(&names).await;
    let of_quiet = async |client: &mut Client| {
        loop {
            let message = next(client).await;
            if message["S"] == "QUIET-USD" && (message["T"] == "q" || message["channel"] == "quotes") {
                return message;
            }
        }
    };
    assert_eq!(of_quiet(&mut client).await["bp"], "7.5");
    // Its book moves while the gateway is not connected.
    setup.mock.quote("QUIETUSD", quote("7.6"));
    setup.play(2).await;
    let gap = of_quiet(&mut client).await;
    assert_eq!((&gap["T"], &gap["why"]), (&json!("gap"), &json!("upstream_reconnect")), "{gap}");
    let again = of_quiet(&mut client).await;
    assert_eq!((&again["bp"], &again["snap"]), (&json!("7.6"), &json!(true)), "{again}");
    setup.end().await;
}
