//! Trades that were taken back, over a restart.

use super::*;
use crate::market::{Change, Correction, Marks};

fn bust(id: u64, at: i64) -> Tick {
    let change = Change::Busted { price: None, size: None };
    let (symbol, tr) = ("BTC-USD".parse().unwrap(), UnixMicros(at));
    let id = TradeId::Number(id);
    Tick::Correction(Box::new(Correction { symbol, id, source: source(), change, te: None, tr, of: None }))
}

/// Three trades of one second, the second one far off.
fn prints(at: i64) -> [Tick; 3] {
    [
        trade("BTC-USD", 1, "100.00", at),
        trade("BTC-USD", 2, "9900.00", at + 1),
        trade("BTC-USD", 3, "101.00", at + 2),
    ]
}

fn day(rig: &Rig) -> (String, String) {
    let topic = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap();
    let Body::Bar(bar) = &topic.last(Channel::Bars(Interval::Day)).unwrap().body else { panic!("not a bar") };
    let Body::Ticker(ticker) = &topic.last(Channel::Ticker).unwrap().body else { panic!("not a ticker") };
    (bar.high.to_string(), ticker.high.unwrap().to_string())
}

fn busted(rig: &Rig) -> Vec<bool> {
    let says = rig.says("BTC-USD").trades;
    let is_busted =
        |body: &Body| matches!(body, Body::Tick(Tick::Trade(it)) if it.print.marks.has(Marks::BUSTED));
    says.iter().map(|(_, body)| is_busted(body)).collect()
}

#[test]
fn a_trade_that_was_saved_and_then_busted_is_busted_after_a_restart() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let at = 20_000 * DAY;
    let mut rig = plan.start(&path);
    rig.hub.publish(source(), prints(at));
    rig.save();
    rig.hub.publish(source(), [bust(2, at + 3)]);
    rig.save();
    rig.hub.publish(source(), [trade("BTC-USD", 4, "102.00", at + 4)]);
    let said = rig.says("BTC-USD");
    assert_eq!(busted(&rig), [false, true, false, false]);
    assert_eq!(day(&rig), ("102.00".into(), "102.00".into()));
    rig.stop();
    let rig = plan.start(&path);
    assert!(rig.is_continued);
    assert!(rig.says("BTC-USD") == said, "a restart cannot be seen");
    assert_eq!(busted(&rig), [false, true, false, false]);
    let corrections = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap().since(Channel::Corrections, 0);
    assert_eq!((corrections.forgotten, corrections.events.len(), corrections.events[0].n), (0, 1, 1));
    rig.stop();
}

#[test]
fn a_trade_from_before_a_restart_can_be_busted_after_it() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let at = 20_000 * DAY;
    let rig = plan.start(&path);
    rig.hub.publish(source(), prints(at));
    rig.stop();
    let rig = plan.start(&path);
    assert_eq!(day(&rig), ("9900.00".into(), "9900.00".into()));
    rig.hub.publish(source(), [bust(2, at + 3)]);
    assert_eq!(day(&rig), ("101.00".into(), "101.00".into()));
    rig.stop();
}

#[test]
fn a_trade_of_a_minute_that_was_saved_as_over_can_be_busted() {
    const MINUTE: i64 = 60_000_000;
    // The second one is alone in its minute, which is empty then; the first is not.
    for gone in [1, 2] {
        let (folder, plan) = (folder(), Plan::new());
        let path = folder.path().join("x");
        let at = 20_000 * DAY;
        let mut rig = plan.start(&path);
        rig.hub.publish(source(), [trade("BTC-USD", 1, "100.00", at), trade("BTC-USD", 9, "100.50", at + 1)]);
        rig.hub.publish(source(), [trade("BTC-USD", 2, "9900.00", at + MINUTE)]);
        rig.hub.publish(source(), [trade("BTC-USD", 3, "101.00", at + 2 * MINUTE)]);
        rig.save();
        rig.hub.publish(source(), [bust(gone, at + 2 * MINUTE + 1)]);
        rig.save();
        let ticker = |rig: &Rig| {
            let topic = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap();
            format!("{:?}", topic.last(Channel::Ticker).unwrap().body)
        };
        let said = ticker(&rig);
        // The process is killed here.
        drop(rig);
        let rig = plan.start(&path);
        assert_eq!(ticker(&rig), said, "without trade {gone}");
        rig.stop();
    }
}
