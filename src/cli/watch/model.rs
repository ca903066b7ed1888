//! What the messages of a gateway add up to: one row a symbol, and the state of the connection. Pure: no terminal, no
//! socket, and the time is passed in.

use std::{cmp::Ordering, collections::BTreeMap, time::Duration};

use super::{
    link::Update,
    protocol::{self, Message, Quote, Trade},
};
use crate::{
    limits::WATCH_SYMBOLS,
    market::{Price, UnixMicros},
};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// A price as text, and when and where it last moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) text: String,
    pub(super) moved: Option<(Ordering, UnixMicros)>,
}

impl Figure {
    fn set(&mut self, text: Option<String>, now: UnixMicros) {
        let text = text.unwrap_or_default();
        if text != self.text {
            let (old, new) = (self.text.parse::<Price>(), text.parse::<Price>());
            if let (Ok(old), Ok(new)) = (old, new)
                && old != new
            {
                self.moved = Some((new.cmp(&old), now));
            }
            self.text = text;
        }
    }
}

/// What is known of a symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) bid: Figure,
    pub(super) bid_size: String,
    pub(super) ask: Figure,
    pub(super) ask_size: String,
    pub(super) last: Figure,
    pub(super) last_size: String,
    /// As the gateway names it: `buy` or `sell`, or empty.
    pub(super) side: String,
    /// As the gateway names it, once it was told.
    pub(super) state: String,
    /// Number of the last event, in its channel.
    pub(super) n: u64,
    /// When the gateway received the last event, by its clock.
    received: Option<UnixMicros>,
}

/// How the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Connection {
    /// An attempt is under way.
    Connecting,
    /// Connected.
    Connected,
    /// Broken; the next attempt is made at that time.
    Waiting(UnixMicros),
    /// Ended for good, and why.
    Ended(String),
}

/// Everything that is shown.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) connection: Connection,
    pub(super) round_trip: Option<Duration>,
    /// Messages in the last full second.
    pub(super) rate: u64,
    /// Gaps told, and the events lost in them.
    pub(super) gaps: (u64, u64),
    /// Events of symbols that there was no room for.
    pub(super) unshown: u64,
    /// What all values are, and why, while the gateway itself hears nothing new.
    pub(super) source: Option<String>,
    /// The last trouble.
    pub(super) notice: Option<String>,
    window: (UnixMicros, u64),
    /// What to add to our clock to get the gateway's.
    offset: i64,
}

impl Model {
    /// Nothing known yet.
    pub(super) fn new(now: UnixMicros) -> Self {
        Self {
            rows: BTreeMap::new(),
            connection: Connection::Connecting,
            round_trip: None,
            rate: 0,
            gaps: (0, 0),
            unshown: 0,
            source: None,
            notice: None,
            window: (now, 0),
            offset: 0,
        }
    }

    /// Takes what the connection tells.
    pub(super) fn update(&mut self, update: Update, now: UnixMicros) {
        match update {
            Update::Connecting => self.connection = Connection::Connecting,
            Update::Connected => {
                self.connection = Connection::Connected;
                // Another gateway may hear more: it says so where it does not.
                self.source = None;
            }
            Update::Frame(frame) => self.frame(&frame, now),
            Update::RoundTrip(time) => self.round_trip = Some(time),
            Update::Waiting { why, pause } => {
                let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
                self.connection = Connection::Waiting(UnixMicros(now.0.saturating_add(pause)));
                self.round_trip = None;
                self.notice = Some(why);
            }
            Update::Ended(why) => {
                self.round_trip = None;
                self.connection = Connection::Ended(why);
            }
        }
    }

    /// Moves the rate's window on.
    pub(super) fn tick(&mut self, now: UnixMicros) {
        let (since, count) = self.window;
        let elapsed = now.0.saturating_sub(since.0);
        if let Ok(micros) = u64::try_from(elapsed)
            && elapsed >= SECOND
        {
            self.rate = count.saturating_mul(1_000_000) / micros;
            self.window = (now, 0);
        }
    }

    /// How long ago the gateway received a row's last event.
    pub(super) fn age(&self, row: &Row, now: UnixMicros) -> Option<Duration> {
        let gateway_now = now.0.saturating_add(self.offset);
        let micros = gateway_now.saturating_sub(row.received?.0);
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    fn frame(&mut self, frame: &str, now: UnixMicros) {
        let messages = match protocol::split(frame) {
            Ok(messages) => messages,
            Err(why) => {
                self.notice = Some(format!("a frame that is no list of messages: {why}"));
                return;
            }
        };
        self.tick(now);
        for text in messages {
            self.window.1 += 1;
            match serde_json::from_str(text.get()) {
                Ok(message) => self.message(message, now),
                Err(why) => self.notice = Some(format!("a message that cannot be read: {why}")),
            }
        }
    }

    fn message(&mut self, message: Message, now: UnixMicros) {
        match message {
            Message::Trade(trade) => self.trade(trade, now),
            Message::Quote(quote) => self.quote(quote, now),
            Message::Status { symbol, n, state } => {
                if let Some(row) = self.row(symbol) {
                    row.state = state;
                    row.n = row.n.max(n);
                }
            }
            Message::Gap { symbol, channel, from, to } => {
                self.gaps.0 += 1;
                self.gaps.1 = self.gaps.1.saturating_add(to.saturating_sub(from).saturating_add(1));
                self.notice = Some(format!("gap in {channel} of {symbol}: {from} to {to}"));
            }
            Message::Subscribed { err } => {
                if let Some(first) = err.first() {
                    let more = err.len() - 1;
                    let others = if more == 0 { String::new() } else { format!(", and {more} more") };
                    self.notice = Some(format!("{}: {} ({}){others}", first.symbol, first.msg, first.code));
                }
            }
            Message::Time { time } => self.offset = time.saturating_sub(now.0),
            Message::Resync { epoch } => {
                self.rows.values_mut().for_each(|row| row.n = 0);
                self.notice = Some(format!("the numbering is another one: epoch {epoch}"));
            }
            Message::Source { state, why } => {
                self.source = (state != "live").then(|| format!("{state}: {why}"));
            }
            Message::Error { code, msg } => self.notice = Some(format!("error {code}: {msg}")),
            Message::Bye(bye) => self.notice = Some(format!("goodbye: {}", bye.msg)),
            Message::Other => {}
        }
    }

    fn trade(&mut self, trade: Trade, now: UnixMicros) {
        let counts_for_last = trade.counts_for_last();
        if let Some(row) = self.row(trade.symbol) {
            if counts_for_last {
                row.last.set(Some(trade.price), now);
                row.last_size = trade.size;
                row.side = trade.side.unwrap_or_default();
            }
            row.n = trade.n;
            row.received = trade.tr.map(UnixMicros);
        }
    }

    fn quote(&mut self, quote: Quote, now: UnixMicros) {
        if let Some(row) = self.row(quote.symbol) {
            row.bid.set(quote.bp, now);
            row.bid_size = quote.bs.unwrap_or_default();
            row.ask.set(quote.ap, now);
            row.ask_size = quote.asz.unwrap_or_default();
            row.n = quote.n;
            row.received = quote.tr.map(UnixMicros);
        }
    }

    fn row(&mut self, symbol: String) -> Option<&mut Row> {
        if self.rows.len() >= WATCH_SYMBOLS && !self.rows.contains_key(&symbol) {
            self.unshown += 1;
            return None;
        }
        Some(self.rows.entry(symbol).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros(1_000 * SECOND);

    fn after(frames: &[&str]) -> Model {
        let mut model = Model::new(NOW);
        for frame in frames {
            model.update(Update::Frame((*frame).into()), NOW);
        }
        model
    }

    #[test]
    fn a_print_that_counts_for_no_last_price_is_not_shown_as_one() {
        let model = after(&[r#"[{"T":"t","S":"AAPL","n":1,"p":"126.55","s":"100","x":"V","tr":1},
                {"T":"t","S":"AAPL","n":2,"p":"1.50","s":"1","nc":"last,hilo","x":"V","tr":2}]"#]);
        let row = &model.rows["AAPL"];
        assert_eq!((row.last.text.as_str(), row.last_size.as_str(), row.n), ("126.55", "100", 2));
    }

    #[test]
    fn quotes_and_trades_make_one_row() {
        let model = after(&[
            r#"[{"T":"q","S":"BTC-USD","n":7,"bp":"67210.10","bs":"1.5","ap":"67210.20","as":"2","x":"sim","tr":1}]"#,
            r#"[{"T":"t","S":"BTC-USD","n":9001,"p":"67210.20","s":"0.015","side":"buy","id":"9","x":"sim","te":1,"tr":2},
                {"T":"status","S":"BTC-USD","n":2,"state":"live","x":"sim","since":1,"why":"receiving"}]"#,
        ]);
        let row = &model.rows["BTC-USD"];
        assert_eq!((row.bid.text.as_str(), row.bid_size.as_str()), ("67210.10", "1.5"));
        assert_eq!((row.ask.text.as_str(), row.ask_size.as_str()), ("67210.20", "2"));
        assert_eq!(
            (row.last.text.as_str(), row.last_size.as_str(), row.side.as_str()),
            ("67210.20", "0.015", "buy")
        );
        assert_eq!((row.state.as_str(), row.n, row.received), ("live", 9001, Some(UnixMicros(2))));
        assert_eq!(row.last.moved, None, "the first price is no move");
    }

    #[test]
    fn moves_are_by_value_and_a_side_that_is_gone_is_empty() {
        let quote = |bid: &str| format!(r#"[{{"T":"q","S":"A","n":1{bid},"ap":"9.5","x":"s","tr":1}}]"#);
        let one = quote(r#","bp":"9.0""#);
        let mut model = after(&[&one, &quote(r#","bp":"10.0""#)]);
        assert_eq!(model.rows["A"].bid.moved, Some((Ordering::Greater, NOW)), "10.0 is more than 9.0");
        model.update(Update::Frame(quote(r#","bp":"10.00""#).into()), UnixMicros(NOW.0 + 1));
        assert_eq!(model.rows["A"].bid.moved, Some((Ordering::Greater, NOW)), "10.00 is no move from 10.0");
        model.update(Update::Frame(quote("").into()), NOW);
        assert_eq!((model.rows["A"].bid.text.as_str(), model.rows["A"].ask.text.as_str()), ("", "9.5"));
    }

    #[test]
    fn numbers_of_before_are_forgotten_with_another_numbering_and_values_stay() {
        let model = after(&[
            r#"[{"T":"q","S":"A","n":700,"bp":"9.0","ap":"9.5","x":"s","tr":1}]"#,
            r#"[{"T":"resync","epoch":"e2","why":"renumbered"}]"#,
            r#"[{"T":"status","S":"A","n":2,"state":"live","x":"s","since":1,"why":"receiving"}]"#,
        ]);
        let row = &model.rows["A"];
        assert_eq!((row.n, row.bid.text.as_str(), row.state.as_str()), (2, "9.0", "live"));
        assert_eq!(model.notice.as_deref(), Some("the numbering is another one: epoch e2"));
    }

    #[test]
    fn gaps_errors_and_refusals_are_counted_and_shown() {
        let model =
            after(&[r#"[{"T":"gap","S":"A","channel":"trades","from":5,"to":9,"why":"slow_client"}]"#]);
        assert_eq!((model.gaps, model.notice.as_deref()), ((1, 5), Some("gap in trades of A: 5 to 9")));
        let model = after(&[r#"[{"T":"error","id":7,"code":405,"msg":"too many symbols","retry":false}]"#]);
        assert_eq!(model.notice.as_deref(), Some("error 405: too many symbols"));
        let model = after(&[
            r#"[{"T":"subscribed","id":1,"channel":"quotes","epoch":"e","ok":[{"S":"A","n":0}],"err":[{"S":"ZZZ","code":414,"msg":"unknown symbol"}]}]"#,
        ]);
        assert_eq!(model.notice.as_deref(), Some("ZZZ: unknown symbol (414)"));
    }

    #[test]
    fn one_bad_message_harms_no_other() {
        let model =
            after(&["nonsense", r#"[{"T":"t","S":5},{"T":"new"},{"T":"t","S":"A","n":1,"p":"1","s":"1"}]"#]);
        assert_eq!(model.rows["A"].last.text, "1");
        assert!(model.notice.as_deref().unwrap().starts_with("a message that cannot be read"));
    }

    #[test]
    fn what_the_gateway_hears_is_shown_until_it_hears_again() {
        let stale = r#"[{"T":"source","state":"stale","since":1,"why":"no word from the feed node"}]"#;
        let mut model = after(&[stale]);
        assert_eq!(model.source.as_deref(), Some("stale: no word from the feed node"));
        model.update(Update::Frame(r#"[{"T":"source","state":"live"}]"#.into()), NOW);
        assert_eq!(model.source, None);
        model.update(Update::Frame(stale.into()), NOW);
        model.update(Update::Connected, NOW);
        assert_eq!(model.source, None, "of another gateway");
    }

    #[test]
    fn age_is_by_the_gateways_clock() {
        let mut model = after(&[
            r#"[{"T":"welcome","proto":1,"time":5000000}]"#,
            r#"[{"T":"t","S":"A","n":1,"p":"1","s":"1","tr":4000000}]"#,
        ]);
        assert_eq!(model.age(&model.rows["A"], NOW), Some(Duration::from_secs(1)));
        model.update(Update::Frame(r#"[{"T":"hb","time":3000000}]"#.into()), NOW);
        assert_eq!(model.age(&model.rows["A"], NOW), Some(Duration::ZERO), "never negative");
        assert_eq!(model.age(&Row::default(), NOW), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut model = after(&["[{},{},{}]", "[{},{},{}]"]);
        model.tick(UnixMicros(NOW.0 + SECOND / 2));
        assert_eq!(model.rate, 0, "not a full second yet");
        model.tick(UnixMicros(NOW.0 + 2 * SECOND));
        assert_eq!(model.rate, 3, "six messages in two seconds");
    }

    #[test]
    fn one_symbol_too_many_is_counted() {
        let mut model = Model::new(NOW);
        for i in 0..=WATCH_SYMBOLS {
            model.message(Message::Status { symbol: i.to_string(), n: 1, state: "live".into() }, NOW);
        }
        assert_eq!((model.rows.len(), model.unshown), (WATCH_SYMBOLS, 1));
    }

    #[test]
    fn the_connection_is_followed() {
        let mut model = Model::new(NOW);
        model.update(Update::Connected, NOW);
        model.update(Update::RoundTrip(Duration::from_millis(3)), NOW);
        assert_eq!(
            (&model.connection, model.round_trip),
            (&Connection::Connected, Some(Duration::from_millis(3)))
        );
        model.update(Update::Waiting { why: "reset".into(), pause: Duration::from_secs(1) }, NOW);
        assert_eq!(
            (&model.connection, model.round_trip),
            (&Connection::Waiting(UnixMicros(NOW.0 + SECOND)), None)
        );
    }
}
