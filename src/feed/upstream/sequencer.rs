//! Which ticks of a venue are new, and where some were never received: by the venue's own numbers, over all connections
//! of the feed.
//!
//! | the venue | repeated and late ticks | missing ticks |
//! | --- | --- | --- |
//! | counts (trades of Binance, Coinbase, Kraken) | told by the number | told by the number, exactly |
//! | numbers with holes (most quotes) | told by the number | assumed after every interruption |
//! | does not number quotes | told by event time, or by being the same | assumed after every interruption |
//! | does not number trades (Alpaca) | told by id, source and time, among the last ones | assumed after every interruption |
//!
//! What was published before this sequencer existed, by the run before or by another gateway, is taken from the hub with the first tick of
//! a symbol. So a venue that counts tells whether anything was missed meanwhile, and of the others a loss is told.
//!
//! Refuses to wait: a late tick is dropped, because its loss was already told.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

use crate::{
    dialect::Sequence,
    feed::publisher::Published,
    limits::{UPSTREAM_REMEMBERED_TRADES, UPSTREAM_RENUMBERED_AFTER},
    market::{Channel, Loss, LossWhy, Quote, Source, Symbol, Tick, Trade, TradeId, UnixMicros},
};

/// What to do with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::feed) enum Verdict {
    /// Publish it.
    New,
    /// Publish the loss, then the tick.
    NewAfter(Loss),
    /// It came before.
    Repeated,
    /// It is older than what was published.
    Late,
}

/// What is remembered for all symbols.
#[derive(Debug, Default)]
pub(in crate::feed) struct Sequencer {
    symbols: HashMap<Symbol, Tracks>,
}

#[derive(Debug, Default)]
struct Tracks {
    trades: Track,
    quotes: Track,
    quote: Option<Quote>,
    /// Whether the stream has brought a quote since the last interruption.
    has_quote: bool,
    recent: Recent,
    /// Whether it goes on from what was published before.
    is_resumed: bool,
}

/// One (symbol, channel).
#[derive(Debug, Default)]
struct Track {
    number: Option<u64>,
    /// Bit i: the number before the newest one by i was published.
    window: u64,
    te: Option<UnixMicros>,
    interrupted: Option<LossWhy>,
    /// The number in the venue's previous mark. At that time the trade may still have been on its way.
    mark: Option<u64>,
}

/// The trades that were published last, for venues without numbers.
#[derive(Debug, Default)]
struct Recent {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Sequencer {
    /// From here on ticks of these symbols may be missing.
    pub(in crate::feed) fn interrupt(&mut self, symbols: impl IntoIterator<Item = Symbol>, why: LossWhy) {
        for symbol in symbols {
            let tracks = self.symbols.entry(symbol).or_default();
            tracks.trades.interrupted = Some(why);
            tracks.quotes.interrupted = Some(why);
            tracks.has_quote = false;
        }
    }

    /// The venue tells the number of its newest trade. Trades that the mark before promised and that have not come by now are
    /// lost: returns that loss, once.
    pub(super) fn mark(&mut self, symbol: Symbol, newest: u64) -> Option<Loss> {
        let track = &mut self.symbols.get_mut(&symbol)?.trades;
        let before = track.mark.replace(newest)?;
        let last = track.number?;
        if newest < before {
            // The venue counts anew; the next trade shows from where.
            track.mark = None;
            return None;
        }
        let missing = before.checked_sub(last).filter(|missing| *missing > 0)?;
        let why = track.interrupted.take().unwrap_or(LossWhy::Venue);
        let window = u32::try_from(missing).ok().and_then(|step| track.window.checked_shl(step));
        track.window = window.unwrap_or(0);
        track.number = Some(before);
        Some(Loss { symbol, channel: Channel::Trades, why, events: Some(missing) })
    }

    /// Whether the stream has brought a quote of the symbol since it was interrupted last.
    pub(super) fn has_quote(&self, symbol: Symbol) -> bool {
        self.symbols.get(&symbol).is_some_and(|tracks| tracks.has_quote)
    }

    /// Looks at a quote that was requested beside the stream. It has no number, and is late once the stream has brought one.
    pub(super) fn snapshot(&mut self, quote: &Quote) -> Verdict {
        let tracks = self.symbols.entry(quote.symbol).or_default();
        let before = (tracks.quotes.te, quote.te);
        let is_older = matches!(before, (Some(before), Some(te)) if te < before);
        if tracks.has_quote || is_older {
            return Verdict::Late;
        }
        tracks.quotes.te = quote.te.max(tracks.quotes.te);
        tracks.quote = Some(quote.clone());
        match tracks.quotes.interrupted.take() {
            None => Verdict::New,
            Some(why) => {
                let (symbol, channel) = (quote.symbol, Channel::Quotes);
                Verdict::NewAfter(Loss { symbol, channel, why, events: None })
            }
        }
    }

    /// Goes on from what was published of the symbol before this sequencer saw anything of it, now that a tick of that source
    /// has come. Asks once for each symbol.
    pub(super) fn resume(
        &mut self,
        (symbol, source): (Symbol, Source),
        published: impl FnOnce() -> Published,
    ) {
        let tracks = self.symbols.entry(symbol).or_default();
        if !std::mem::replace(&mut tracks.is_resumed, true) {
            tracks.go_on_from(published(), source);
        }
    }

    /// Looks at a tick, under our name of its symbol, and remembers it if it is new.
    pub(in crate::feed) fn check(&mut self, tick: &Tick, sequence: Option<Sequence>) -> Verdict {
        match tick {
            Tick::Trade(trade) => self.symbols.entry(trade.symbol).or_default().trade(trade, sequence),
            Tick::Quote(quote) => self.symbols.entry(quote.symbol).or_default().quote(quote, sequence),
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => Verdict::New,
        }
    }
}

impl Tracks {
    fn go_on_from(&mut self, published: Published, source: Source) {
        let Published { trade, has_quote } = published;
        if let Some(trade) = trade {
            self.trades.interrupted = Some(LossWhy::Reconnect);
            self.trades.te = trade.te;
            // Another source counts on its own.
            if let Some(TradeId::Number(id)) = trade.id
                && trade.source == source
            {
                self.trades.number = Some(id);
                self.trades.window = 1;
            }
            self.recent.insert(&trade);
        }
        if has_quote {
            self.quotes.interrupted = Some(LossWhy::Reconnect);
        }
    }

    fn trade(&mut self, trade: &Trade, sequence: Option<Sequence>) -> Verdict {
        let place = Place { symbol: trade.symbol, channel: Channel::Trades, te: trade.te };
        match sequence {
            Some(sequence) => self.trades.numbered(place, sequence),
            None if !self.recent.insert(trade) => Verdict::Repeated,
            None => self.trades.unnumbered(place),
        }
    }

    fn quote(&mut self, quote: &Quote, sequence: Option<Sequence>) -> Verdict {
        let place = Place { symbol: quote.symbol, channel: Channel::Quotes, te: quote.te };
        self.has_quote = true;
        if let Some(sequence) = sequence {
            return self.quotes.numbered(place, sequence);
        }
        let last = self.quote.as_ref();
        let same = |last: &Quote| (last.bid, last.ask, last.te) == (quote.bid, quote.ask, quote.te);
        if self.quotes.interrupted.is_none() && last.is_some_and(same) {
            return Verdict::Repeated;
        }
        if let (Some(before), Some(te)) = (self.quotes.te, quote.te)
            && te < before
        {
            return Verdict::Late;
        }
        self.quote = Some(quote.clone());
        self.quotes.unnumbered(place)
    }
}

/// Where a tick belongs, and its event time.
#[derive(Clone, Copy)]
struct Place {
    symbol: Symbol,
    channel: Channel,
    te: Option<UnixMicros>,
}

impl Track {
    fn numbered(&mut self, place: Place, sequence: Sequence) -> Verdict {
        let (number, counted) = match sequence {
            Sequence::Counted(number) => (number, true),
            Sequence::Rising(number) => (number, false),
        };
        let Some(last) = self.number else {
            return self.accept(place, number, 0, self.interrupted.map(|why| (why, None)));
        };
        if number <= last && !self.is_renumbered(place.te) {
            let back = last - number;
            let known = if counted { back < 64 && self.window >> back & 1 == 1 } else { back == 0 };
            return if known { Verdict::Repeated } else { Verdict::Late };
        }
        if number <= last {
            return self.accept(place, number, 0, Some((LossWhy::Venue, None)));
        }
        let step = number - last;
        let window = u32::try_from(step).ok().and_then(|step| self.window.checked_shl(step)).unwrap_or(0);
        let loss = match (counted, step) {
            (true, 1) => None,
            (true, _) => Some((self.interrupted.unwrap_or(LossWhy::Venue), Some(step - 1))),
            (false, _) => self.interrupted.map(|why| (why, None)),
        };
        self.accept(place, number, window, loss)
    }

    fn unnumbered(&mut self, place: Place) -> Verdict {
        let loss = self.interrupted.map(|why| (why, None));
        self.accept(place, 0, 0, loss)
    }

    /// Whether the venue counts anew. Otherwise all its further ticks would look like repetitions.
    fn is_renumbered(&self, te: Option<UnixMicros>) -> bool {
        let (Some(te), Some(last)) = (te, self.te) else { return false };
        let later = i64::try_from(UPSTREAM_RENUMBERED_AFTER.as_micros()).unwrap_or(i64::MAX);
        te.0.saturating_sub(last.0) > later
    }

    fn accept(
        &mut self,
        place: Place,
        number: u64,
        window: u64,
        loss: Option<(LossWhy, Option<u64>)>,
    ) -> Verdict {
        self.number = Some(number);
        self.window = window | 1;
        self.te = place.te.max(self.te);
        self.interrupted = None;
        match loss {
            None => Verdict::New,
            Some((why, events)) => {
                Verdict::NewAfter(Loss { symbol: place.symbol, channel: place.channel, why, events })
            }
        }
    }
}

impl Recent {
    /// Returns whether the trade was not there yet.
    fn insert(&mut self, trade: &Trade) -> bool {
        let mut hasher = DefaultHasher::new();
        (&trade.id, trade.source, trade.te, trade.price.to_string(), trade.size.to_string())
            .hash(&mut hasher);
        let print = hasher.finish();
        if !self.known.insert(print) {
            return false;
        }
        self.order.push_back(print);
        if self.order.len() > UPSTREAM_REMEMBERED_TRADES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Level, Print};

    fn symbol() -> Symbol {
        Symbol::new("A").unwrap()
    }

    #[test]
    fn what_was_published_before_is_gone_on_from() {
        let Tick::Trade(last) = trade(10, 1) else { unreachable!() };
        let before = || Published { trade: Some(last.clone()), has_quote: true };
        let resumed = || {
            let mut sequencer = Sequencer::default();
            sequencer.interrupt([symbol()], LossWhy::Reconnect);
            sequencer.resume((symbol(), last.source), before);
            sequencer
        };
        let counted = |id| Some(Sequence::Counted(id));
        // A venue that counts proves that nothing is missing, or tells how much.
        assert_eq!(resumed().check(&trade(11, 2), counted(11)), Verdict::New);
        assert_eq!(resumed().check(&trade(10, 1), counted(10)), Verdict::Repeated);
        let lost = loss(Channel::Trades, LossWhy::Reconnect, Some(2));
        assert_eq!(resumed().check(&trade(13, 2), counted(13)), lost);
        // Of others a loss is told, and a trade that they repeat is known.
        assert_eq!(resumed().check(&trade(10, 1), None), Verdict::Repeated);
        let lost = loss(Channel::Trades, LossWhy::Reconnect, None);
        assert_eq!(resumed().check(&trade(11, 2), None), lost);
        let lost = loss(Channel::Quotes, LossWhy::Reconnect, None);
        assert_eq!(resumed().check(&quote("1", None), None), lost);
        // Another source's numbers say nothing.
        let mut sequencer = Sequencer::default();
        sequencer.resume((symbol(), Source::new("w").unwrap()), before);
        assert_eq!(
            sequencer.check(&trade(3, 2), counted(3)),
            loss(Channel::Trades, LossWhy::Reconnect, None)
        );
        // Once: what comes later is not behind what was published before.
        let mut sequencer = resumed();
        assert_eq!(sequencer.check(&trade(11, 2), counted(11)), Verdict::New);
        sequencer.resume((symbol(), last.source), before);
        assert_eq!(sequencer.check(&trade(12, 2), counted(12)), Verdict::New);
        // Nothing was published.
        let mut sequencer = Sequencer::default();
        sequencer.resume((symbol(), last.source), Published::default);
        assert_eq!(sequencer.check(&trade(11, 2), counted(11)), Verdict::New);
        assert_eq!(sequencer.check(&quote("1", None), None), Verdict::New);
    }

    fn trade(id: u64, te: i64) -> Tick {
        Tick::Trade(Trade {
            symbol: symbol(),
            price: "1".parse().unwrap(),
            size: "1".parse().unwrap(),
            side: None,
            id: Some(TradeId::Number(id)),
            source: Source::new("v").unwrap(),
            te: Some(UnixMicros(te)),
            tr: UnixMicros(te),
            print: Print::default(),
        })
    }

    fn quote(bid: &str, te: Option<i64>) -> Tick {
        let bid = Some(Level { price: bid.parse().unwrap(), size: None });
        let (source, te) = (Source::new("v").unwrap(), te.map(UnixMicros));
        Tick::Quote(Quote {
            symbol: symbol(),
            bid,
            ask: None,
            source,
            te,
            tr: UnixMicros(0),
            is_snapshot: false,
        })
    }

    fn loss(channel: Channel, why: LossWhy, events: Option<u64>) -> Verdict {
        Verdict::NewAfter(Loss { symbol: symbol(), channel, why, events })
    }

    #[test]
    fn a_snapshot_is_never_published_behind_the_stream_and_tells_a_loss_before_it() {
        let snapshot = |bid, te| {
            let Tick::Quote(quote) = quote(bid, te) else { unreachable!() };
            Quote { is_snapshot: true, ..quote }
        };
        let mut sequencer = Sequencer::default();
        assert!(!sequencer.has_quote(symbol()));
        assert_eq!(sequencer.snapshot(&snapshot("1", None)), Verdict::New);
        let rising = |number| Some(Sequence::Rising(number));
        assert_eq!(sequencer.check(&quote("1", None), rising(7)), Verdict::New, "it has no number");
        assert!(sequencer.has_quote(symbol()));
        assert_eq!(sequencer.snapshot(&snapshot("2", None)), Verdict::Late);
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        let lost = loss(Channel::Quotes, LossWhy::Reconnect, None);
        assert_eq!(sequencer.snapshot(&snapshot("2", None)), lost);
        assert_eq!(sequencer.check(&quote("3", None), rising(7)), Verdict::Repeated, "numbers go on");
        // By its time, where it tells one.
        let mut sequencer = Sequencer::default();
        assert_eq!(sequencer.check(&quote("1", Some(50)), None), Verdict::New);
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        assert_eq!(sequencer.snapshot(&snapshot("2", Some(49))), Verdict::Late);
        assert_eq!(sequencer.snapshot(&snapshot("2", Some(50))), lost);
        assert_eq!(
            sequencer.check(&quote("2", Some(50)), None),
            Verdict::Repeated,
            "the stream says it again"
        );
    }

    #[test]
    fn a_counting_venue_tells_repeats_late_ones_and_losses_exactly() {
        let mut sequencer = Sequencer::default();
        let mut check = |id| sequencer.check(&trade(id, 1), Some(Sequence::Counted(id)));
        assert_eq!((check(10), check(11), check(11)), (Verdict::New, Verdict::New, Verdict::Repeated));
        assert_eq!(check(14), loss(Channel::Trades, LossWhy::Venue, Some(2)));
        assert_eq!((check(12), check(10), check(9)), (Verdict::Late, Verdict::Repeated, Verdict::Late));
        assert_eq!(check(15), Verdict::New);
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        assert_eq!(sequencer.check(&trade(15, 1), Some(Sequence::Counted(15))), Verdict::Repeated);
        assert_eq!(
            sequencer.check(&trade(16, 1), Some(Sequence::Counted(16))),
            Verdict::New,
            "nothing was lost"
        );
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        let after = sequencer.check(&trade(18, 1), Some(Sequence::Counted(18)));
        assert_eq!(after, loss(Channel::Trades, LossWhy::Reconnect, Some(1)));
    }

    #[test]
    fn a_mark_tells_a_missing_trade_of_a_quiet_product_and_waits_for_one_that_is_on_its_way() {
        let mut sequencer = Sequencer::default();
        assert_eq!(sequencer.mark(symbol(), 10), None, "nothing is known yet");
        let counted = |id| Some(Sequence::Counted(id));
        assert_eq!(sequencer.check(&trade(10, 1), counted(10)), Verdict::New);
        assert_eq!((sequencer.mark(symbol(), 10), sequencer.mark(symbol(), 11)), (None, None));
        assert_eq!(sequencer.check(&trade(11, 1), counted(11)), Verdict::New, "it was on its way");
        assert_eq!((sequencer.mark(symbol(), 11), sequencer.mark(symbol(), 13)), (None, None));
        let lost = |why, events| {
            Some(Loss { symbol: symbol(), channel: Channel::Trades, why, events: Some(events) })
        };
        assert_eq!(sequencer.mark(symbol(), 13), lost(LossWhy::Venue, 2));
        assert_eq!(sequencer.mark(symbol(), 13), None, "told once");
        assert_eq!(sequencer.check(&trade(12, 1), counted(12)), Verdict::Late);
        assert_eq!(sequencer.check(&trade(14, 1), counted(14)), Verdict::New, "and not told again");
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        assert_eq!(
            (sequencer.mark(symbol(), 15), sequencer.mark(symbol(), 15)),
            (None, lost(LossWhy::Reconnect, 1))
        );
        assert_eq!(
            (sequencer.mark(symbol(), 3), sequencer.mark(symbol(), 3)),
            (None, None),
            "it counts anew"
        );
    }

    #[test]
    fn a_venue_that_counts_anew_is_not_silenced() {
        let mut sequencer = Sequencer::default();
        let mut check = |id, te| sequencer.check(&trade(id, te), Some(Sequence::Counted(id)));
        assert_eq!(check(1_000_000, 5_000_000), Verdict::New);
        assert_eq!(check(1, 5_500_000), Verdict::Late);
        assert_eq!(check(2, 6_500_000), loss(Channel::Trades, LossWhy::Venue, None));
        assert_eq!(check(3, 6_500_000), Verdict::New);
    }

    #[test]
    fn rising_numbers_tell_old_quotes_and_nothing_of_missing_ones() {
        let mut sequencer = Sequencer::default();
        let mut check = |number| sequencer.check(&quote("1", None), Some(Sequence::Rising(number)));
        assert_eq!((check(5), check(9), check(9)), (Verdict::New, Verdict::New, Verdict::Repeated));
        assert_eq!(check(7), Verdict::Late);
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        assert_eq!(
            sequencer.check(&quote("1", None), Some(Sequence::Rising(10))),
            loss(Channel::Quotes, LossWhy::Reconnect, None)
        );
    }

    #[test]
    fn quotes_without_numbers_go_by_time_and_by_being_the_same() {
        let mut sequencer = Sequencer::default();
        let mut check = |bid, te| sequencer.check(&quote(bid, te), None);
        assert_eq!((check("1", Some(5)), check("1", Some(5))), (Verdict::New, Verdict::Repeated));
        assert_eq!((check("2", Some(5)), check("1", Some(4))), (Verdict::New, Verdict::Late));
        sequencer.interrupt([symbol()], LossWhy::Reconnect);
        let again = sequencer.check(&quote("2", Some(5)), None);
        assert_eq!(again, loss(Channel::Quotes, LossWhy::Reconnect, None), "it is a new statement");
    }

    #[test]
    fn trades_without_numbers_are_remembered_for_a_while() {
        let mut sequencer = Sequencer::default();
        assert_eq!(sequencer.check(&trade(7, 1), None), Verdict::New);
        assert_eq!(sequencer.check(&trade(3, 1), None), Verdict::New, "ids need not rise");
        assert_eq!(sequencer.check(&trade(7, 1), None), Verdict::Repeated);
        assert_eq!(sequencer.check(&trade(7, 2), None), Verdict::New, "another day's");
        for id in 100..100 + UPSTREAM_REMEMBERED_TRADES as u64 {
            assert_eq!(sequencer.check(&trade(id, 1), None), Verdict::New);
        }
        assert_eq!(sequencer.symbols[&symbol()].recent.known.len(), UPSTREAM_REMEMBERED_TRADES);
    }
}
