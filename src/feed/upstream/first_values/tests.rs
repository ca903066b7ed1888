use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{
    super::{Definition, Surroundings},
    *,
};
use crate::{
    clock::Clock,
    dialect::Venue,
    hub::{Hub, HubConfig},
    market::{Source, UnixMicros},
    metrics::Metrics,
};

const SECOND: Duration = Duration::from_secs(1);

fn symbols(count: usize) -> Vec<Symbol> {
    (0..count).map(|i| Symbol::new(&format!("S{i}-USDT")).unwrap()).collect()
}

fn plan() -> Arc<UpstreamPlan> {
    let keys = "symbols = [\"S0-USDT\"]\nfirst_values_url = \"http://127.0.0.1:1/\"";
    let definition: Definition = toml::from_str(keys).unwrap();
    definition.build(Venue::Binance, Path::new("/"), &Surroundings::default()).unwrap().plan
}

fn publisher() -> Publisher {
    let (clock, metrics) = (Clock::manual(UnixMicros(1_700_000_000_000_000)), Arc::new(Metrics::new()));
    let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), clock, metrics));
    Publisher::new(Source::new("f").unwrap(), hub, CancellationToken::new())
}

fn values() -> FirstValues {
    FirstValues::new(Backoff::new(SECOND, 4 * SECOND))
}

fn status(status: u16, retry_after: Option<Duration>) -> FetchError {
    FetchError::Status { status, words: String::new(), retry_after }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_asked_in_a_minute_and_none_while_the_venue_wants_peace() {
    let (plan, now, mut values) = (plan(), Instant::now(), values());
    assert_eq!(values.next(&plan, now), None, "nothing waits");
    values.expect(symbols(3), now);
    assert_eq!(values.next(&plan, now), Some(now + FIRST_VALUES_AFTER), "most quotes come by themselves");
    for i in 0..FIRST_VALUES_PER_MINUTE {
        assert_eq!(values.next(&plan, now), Some(now + FIRST_VALUES_AFTER), "{i}");
        values.asked.push_back(now + SECOND);
    }
    assert_eq!(values.next(&plan, now), Some(now + SECOND + MINUTE));
    plan.hold.extend(now, 100 * SECOND);
    assert_eq!(values.next(&plan, now), Some(now + 100 * SECOND));
    values.clear();
    assert_eq!((values.next(&plan, now), values.asked.len()), (None, FIRST_VALUES_PER_MINUTE), "not anew");
}

#[tokio::test(start_paused = true)]
async fn what_the_stream_has_brought_is_not_asked_for_and_one_request_is_under_way() {
    let (plan, out, mut values, symbols) = (plan(), publisher(), values(), symbols(FIRST_VALUES_SYMBOLS + 9));
    values.expect(symbols.iter().copied(), Instant::now());
    values.ask(&plan, &out, |_| panic!("its time has not come"));
    tokio::time::advance(FIRST_VALUES_AFTER).await;
    assert_eq!(values.batch(Instant::now()).len(), FIRST_VALUES_SYMBOLS);
    values.ask(&plan, &out, |_| true);
    assert!(values.waiting.is_empty() && values.under_way.is_none() && values.asked.is_empty());
    // Only the first of these has a name of the venue in this feed.
    values.expect(symbols.iter().copied().take(5), Instant::now() - FIRST_VALUES_AFTER);
    values.ask(&plan, &out, |symbol| symbol != symbols[0]);
    assert_eq!((values.asked.len(), values.under_way.as_ref().unwrap().symbols.len()), (1, 1));
    assert_eq!(values.next(&plan, Instant::now()), None, "while it is under way");
    let quote = |symbol| Quote {
        symbol,
        bid: None,
        ask: None,
        source: out.name(),
        te: None,
        tr: UnixMicros(1),
        is_snapshot: true,
    };
    let taken = values.take(Ok(vec![quote(symbols[1]), quote(symbols[0])]), &plan, &out);
    assert_eq!(taken, [quote(symbols[0])], "nothing that was not asked for");
    assert_eq!(values.next(&plan, Instant::now()), None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_is_halved_and_failures_come_to_an_end() {
    let (plan, out, mut values, symbols, now) = (plan(), publisher(), values(), symbols(5), Instant::now());
    values.expect(symbols.iter().copied(), now - FIRST_VALUES_AFTER);
    values.failed(symbols.clone(), &status(400, None), &plan, &out);
    assert_eq!((values.batch(now), values.batch(now)), (symbols[..2].to_vec(), symbols[2..].to_vec()));
    values.failed(vec![symbols[0]], &status(400, None), &plan, &out);
    assert!(!values.waiting.contains_key(&symbols[0]), "it is the one that is unknown");
    assert_eq!(values.not_before, None, "the others need not wait");
    values.failed(symbols[1..].to_vec(), &status(429, Some(9 * SECOND)), &plan, &out);
    assert_eq!(plan.hold.left(now), Some(9 * SECOND), "also for the list and the stream");
    let pause = values.not_before.unwrap() - now;
    assert!(pause >= 2 * SECOND && pause <= 4 * SECOND, "{pause:?}: the longest");
    for i in values.failures..FIRST_VALUES_ATTEMPTS {
        assert_eq!(values.waiting.len(), 4, "{i}");
        values.failed(symbols[1..].to_vec(), &FetchError::Connect("late".into()), &plan, &out);
    }
    assert!(values.waiting.is_empty(), "left to the stream");
}
