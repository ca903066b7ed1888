//! What is the same after a restart, and what is not.

use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;

use super::*;
use crate::{limits::STORE_FORGETS, market::Intervals};

#[test]
fn after_a_clean_stop_everything_goes_on_under_the_same_numbers() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x.redb");
    let rig = plan.start(&path);
    assert!(!rig.is_continued, "there was nothing");
    rig.hub.declare("QUIET".parse().unwrap(), source()).unwrap();
    rig.hub.publish(source(), minutes(0, 30));
    let (epoch, before) = (rig.hub.epoch().to_owned(), rig.says("BTC-USD"));
    rig.stop();

    let rig = plan.start(&path);
    assert!(rig.is_continued);
    assert_eq!(rig.hub.epoch(), epoch);
    assert_eq!(rig.says("BTC-USD"), before);
    assert_eq!(state(&rig.hub, "BTC-USD"), State::Stale, "until it is heard again");
    assert_eq!(state(&rig.hub, "QUIET"), State::Pending);
    rig.hub.feed_is_back(source());
    assert_eq!(state(&rig.hub, "BTC-USD"), State::Stale, "others may have been heard");
    rig.hub.publish(source(), minutes(30 * 60, 1));
    assert_eq!(state(&rig.hub, "BTC-USD"), State::Live);
    let after = rig.says("BTC-USD");
    assert_eq!(after.last[0].as_ref().unwrap().0, before.last[0].as_ref().unwrap().0 + 6);
    let minute = Interval::Minute.index();
    assert_eq!(after.bars[minute].len(), before.bars[minute].len() + 1);
}

#[test]
fn after_a_crash_the_last_save_is_there_under_another_epoch() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x.redb");
    let mut rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 10));
    rig.save();
    let (epoch, saved) = (rig.hub.epoch().to_owned(), rig.says("BTC-USD"));
    rig.hub.publish(source(), minutes(600, 10));
    drop(rig);
    let rig = plan.start(&path);
    assert!(!rig.is_continued);
    assert_ne!(rig.hub.epoch(), epoch, "numbers may have been given that are not in the file");
    let mut said = rig.says("BTC-USD");
    // Behind it a loss: in streams nothing is missing without a word.
    let loss = said.trades.pop().unwrap();
    assert!(matches!(loss, (61, Body::Tick(Tick::Loss(_)))), "{loss:?}");
    assert_eq!(said, saved);
}

#[test]
fn an_old_copy_that_is_put_back_has_another_epoch() {
    let (folder, plan) = (folder(), Plan::new());
    let (path, copy) = (folder.path().join("x.redb"), folder.path().join("copy.redb"));
    let rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 1));
    let epoch = rig.hub.epoch().to_owned();
    rig.stop();
    fs::copy(&path, &copy).unwrap();
    let rig = plan.start(&path);
    assert_eq!(rig.hub.epoch(), epoch);
    rig.hub.publish(source(), minutes(60, 1));
    rig.stop();
    // Both would give numbers again that were given in the second run.
    let moved = |path: &Path| fs::rename(&copy, path).unwrap();
    let copied = |path: &Path| assert!(fs::copy(&copy, path).is_ok());
    for put_back in [&copied as &dyn Fn(&Path), &moved] {
        put_back(&path);
        let rig = plan.start(&path);
        assert_ne!(rig.hub.epoch(), epoch);
        assert_eq!(rig.says("BTC-USD").trades.len(), 7, "six and a loss");
        rig.stop();
        assert!(plan.open(&path).unwrap().is_continued);
    }
}

#[test]
fn a_touched_file_has_another_epoch() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x.redb");
    plan.start(&path).stop();
    let touched = fs::OpenOptions::new().append(true).open(&path).unwrap();
    touched.set_modified(UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789)).unwrap();
    assert!(!plan.open(&path).unwrap().is_continued, "the way out after a disk was rolled back");
}

#[test]
fn what_a_venue_said_meanwhile_is_told_as_one_loss() {
    let (folder, plan) = (folder(), Plan { interrupted: true, ..Plan::new() });
    let path = folder.path().join("x.redb");
    let rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 1));
    rig.stop();
    // Nothing comes in the second run: the loss of the first restart goes on.
    plan.start(&path).stop();
    let rig = plan.start(&path);
    rig.hub.publish(source(), minutes(60, 1));
    for channel in [Channel::Trades, Channel::Quotes] {
        let events = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap().since(channel, 6).events;
        let losses: Vec<_> = events.iter().filter(|event| event.is_loss()).map(|event| event.n).collect();
        assert_eq!(losses, [7], "{channel:?}");
        assert_eq!(events.last().unwrap().n, 13, "{channel:?}");
    }
}

#[test]
fn a_gateway_whose_feed_starts_over_has_another_epoch_and_keeps_nothing_of_it() {
    let folder = folder();
    let path = folder.path().join("x.redb");
    let plan = Plan { starts_over: true, ..Plan::new() };
    let rig = plan.start(&path);
    let epoch = rig.hub.epoch().to_owned();
    rig.hub.publish(source(), minutes(0, 1));
    rig.hub.publish(Source::new("tape").unwrap(), [trade("OLD", 1, "1", 5)]);
    rig.stop();
    let rig = plan.start(&path);
    assert_ne!(rig.hub.epoch(), epoch);
    assert_eq!(rig.says("BTC-USD").trades.len(), 6);
    assert!(rig.hub.topic("OLD".parse().unwrap()).is_none());
}

#[test]
fn symbols_of_feeds_that_are_gone_wait_in_the_file_and_then_go() {
    let folder = folder();
    let path = folder.path().join("x.redb");
    let plan = Plan::new();
    let rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 2));
    let first = (rig.hub.epoch().to_owned(), rig.says("BTC-USD"));
    rig.stop();
    // Another feed alone.
    let other = Plan { feeds: vec!["other"], ..plan.clone() };
    let rig = other.start(&path);
    assert!(rig.is_continued);
    assert!(rig.hub.topic("BTC-USD".parse().unwrap()).is_none());
    rig.stop();
    // The first one again: its symbols are back, under the same numbers.
    let rig = plan.start(&path);
    assert_eq!(rig.hub.epoch(), first.0);
    assert_eq!(rig.says("BTC-USD"), first.1);
    let highest = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap().highest();
    rig.stop();
    // A symbol that comes as another feed's starts anew, and what was kept of it goes.
    let rig = other.start(&path);
    rig.hub.publish(Source::new("other").unwrap(), [trade("BTC-USD", 1, "7", 20_000 * DAY)]);
    rig.stop();
    let rig = other.start(&path);
    assert_eq!(rig.hub.epoch(), first.0);
    let trades = rig.says("BTC-USD").trades;
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0].0, highest + 1, "no number of this symbol is given twice in an epoch");
    rig.stop();
    assert_eq!(plan.open(&path).unwrap().symbols(), 0);
}

#[test]
fn a_symbol_that_its_feed_never_brings_again_goes_after_a_month() {
    let folder = folder();
    let path = folder.path().join("x.redb");
    let plan = Plan::new();
    let rig = plan.start(&path);
    rig.hub.declare("GONE".parse().unwrap(), source()).unwrap();
    rig.hub.declare("NAMED".parse().unwrap(), source()).unwrap();
    rig.hub.publish(source(), minutes(0, 1));
    rig.stop();
    let run = |after: Duration| {
        let now = plan.clock.now().0 + i64::try_from(after.as_micros()).unwrap();
        plan.clock.set(UnixMicros(now));
        let rig = plan.start(&path);
        rig.hub.declare("NAMED".parse().unwrap(), source()).unwrap();
        rig.hub.publish(source(), [quote("BTC-USD", "5", now)]);
        let symbols: Vec<_> = rig.hub.all_topics().iter().map(|it| it.symbol().to_string()).collect();
        let is_continued = rig.is_continued;
        rig.stop();
        (symbols.join(" "), is_continued)
    };
    let all = "GONE NAMED BTC-USD".to_owned();
    assert_eq!(run(Duration::ZERO), (all.clone(), true), "absent from here on");
    assert_eq!(run(STORE_FORGETS), (all, true));
    let one = Duration::from_secs(1);
    assert_eq!(run(one), ("NAMED BTC-USD".to_owned(), true), "the others have their numbers still");
    assert_eq!(run(one), ("NAMED BTC-USD".to_owned(), true));
    // When it comes after all it is another topic, and no number is given twice.
    let rig = plan.start(&path);
    let again = rig.hub.declare("GONE".parse().unwrap(), source()).unwrap();
    assert_eq!(again.id().number(), 3);
    assert_eq!(again.base(), 3, "GONE had a status in each run");
}

#[test]
fn a_symbol_that_was_removed_leaves_the_file_and_its_number_is_not_given_again() {
    use crate::hub::FeedTerms;
    let folder = folder();
    let path = folder.path().join("x.redb");
    let plan = Plan::new();
    let mut rig = plan.start(&path);
    let day = Duration::from_secs(86_400);
    rig.hub.enlist(source(), FeedTerms { expires: Some(day), ..FeedTerms::default() });
    rig.hub.publish(source(), minutes(0, 1));
    rig.hub.publish(source(), [trade("SLIP", 1, "1", 20_000 * DAY), trade("SLIP", 2, "1", 20_000 * DAY)]);
    rig.save();
    let epoch = rig.hub.epoch();
    plan.clock.pass(DAY);
    rig.hub.publish(source(), minutes(60, 1));
    rig.hub.expire();
    assert_eq!(rig.hub.topic_count(), 1);
    rig.save();
    rig.stop();
    let mut rig = plan.start(&path);
    assert_eq!(rig.hub.epoch(), epoch);
    let symbols: Vec<_> = rig.hub.all_topics().iter().map(|it| it.symbol().to_string()).collect();
    assert_eq!(symbols, ["BTC-USD"]);
    let again = rig.hub.declare("SLIP".parse().unwrap(), source()).unwrap();
    assert_eq!(again.id().number(), 2);
    assert!(again.base() >= 2, "no number of before is given again");
    rig.save();
    rig.stop();
    let rig = plan.start(&path);
    assert_eq!(rig.hub.topic("SLIP".parse().unwrap()).unwrap().base(), again.base());
}

#[test]
fn other_intervals_are_another_epoch_and_forget_the_bars_that_are_not_computed() {
    let folder = folder();
    let path = folder.path().join("x.redb");
    let all = Plan::new();
    let minute: Intervals = [Interval::Minute].into_iter().collect();
    let few = Plan { config: HubConfig { intervals: minute, ..HubConfig::default() }, ..all.clone() };
    let rig = all.start(&path);
    rig.hub.publish(source(), minutes(0, 5));
    rig.stop();
    let rig = few.start(&path);
    assert!(!rig.is_continued);
    let said = rig.says("BTC-USD");
    assert_eq!(said.bars[Interval::Minute.index()].len(), 5);
    assert!(said.bars[Interval::Second.index()].is_empty());
    rig.stop();
    let rig = few.start(&path);
    assert!(rig.is_continued);
    rig.stop();
    let rig = all.start(&path);
    assert!(rig.is_continued, "nothing is forgotten, and seconds have given no number in this epoch");
    assert!(rig.says("BTC-USD").bars[Interval::Second.index()].is_empty());
}

#[test]
fn smaller_rings_take_the_newest() {
    let folder = folder();
    let path = folder.path().join("x.redb");
    let plan = Plan::new();
    let rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 20));
    rig.stop();
    let config = HubConfig { trades_per_symbol: 5, bars: 3, ..HubConfig::default() };
    let small = Plan { config, ..plan.clone() };
    for plan in [&small, &plan] {
        let rig = plan.start(&path);
        assert!(rig.is_continued);
        let said = rig.says("BTC-USD");
        assert_eq!((said.trades.len(), said.trades[0].0), (5, 116));
        assert_eq!(said.bars[Interval::Minute.index()].len(), 4, "three and the forming one");
        rig.stop();
    }
}

/// Something happens, or the gateway is restarted.
#[derive(Debug, Clone, Copy)]
enum Step {
    Trade { at: i64, price: i64, size: i64 },
    Quote(i64),
    Time(i64),
    Save,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (-90_i64..90, 1_i64..500, 0_i64..1_000)
            .prop_map(|(at, price, size)| Step::Trade { at, price, size }),
        2 => (1_i64..50).prop_map(Step::Quote),
        3 => (1_i64..5_000).prop_map(Step::Time),
        1 => (10_000_i64..100_000).prop_map(Step::Time),
        2 => Just(Step::Save),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Two gateways hear the same, one is stopped and started at any time: both tell the same.
    #[test]
    fn a_clean_restart_cannot_be_seen(steps in proptest::collection::vec(step(), 1..150), listens: bool) {
        let (one, two) = (folder(), folder());
        let (one, two) = (one.path().join("x"), two.path().join("x"));
        let plan = Plan {
            config: HubConfig { trades_per_symbol: 7, bars: 4, ..HubConfig::default() },
            ..Plan::new()
        };
        let listen = |rig: &Rig| {
            if listens {
                let topic = rig.hub.declare("S".parse().unwrap(), source()).unwrap();
                for channel in [Channel::Ticker, Channel::Bars(Interval::Minute)] {
                    let _newest = topic.join(0, channel);
                }
            }
        };
        let (still, mut moved) = (plan.start(&one), plan.start(&two));
        listen(&still);
        listen(&moved);
        let mut now = 20_000 * DAY;
        for (i, step) in steps.into_iter().enumerate() {
            match step {
                Step::Trade { at, price, size } => {
                    let id = u64::try_from(i).unwrap();
                    let Tick::Trade(mut trade) = trade("S", id, "1", now + at * SECOND) else { unreachable!() };
                    trade.price = format!("{}.{:02}", price / 100, price % 100).parse().unwrap();
                    trade.size = format!("{}.{:03}", size / 100, size % 100).parse().unwrap();
                    trade.tr = UnixMicros(now);
                    for rig in [&still, &moved] {
                        rig.hub.publish(source(), [Tick::Trade(trade.clone())]);
                    }
                }
                Step::Quote(bid) => {
                    for rig in [&still, &moved] {
                        rig.hub.publish(source(), [quote("S", &format!("{bid}.5"), now)]);
                    }
                }
                Step::Time(passed) => {
                    now += passed * SECOND;
                    plan.clock.set(UnixMicros(now));
                    for rig in [&still, &moved] {
                        while rig.hub.tick_clock(UnixMicros(now)) {}
                    }
                }
                Step::Save => moved.save(),
                Step::Restart => {
                    let epoch = moved.hub.epoch().to_owned();
                    moved.stop();
                    moved = plan.start(&two);
                    listen(&moved);
                    prop_assert_eq!(moved.hub.epoch(), epoch);
                }
            }
        }
        if still.hub.topic("S".parse().unwrap()).is_some() {
            prop_assert_eq!(still.says("S"), moved.says("S"));
            prop_assert_eq!(still.metric("tickcast_history_bars_bytes"), moved.metric("tickcast_history_bars_bytes"));
        }
    }
}
