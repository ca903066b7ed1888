//! What enters the numbering, as bytes. A symbol or a source is written in full where it is first named, and by its place in
//! the order of those from then on; times are differences to the batch's.

use std::collections::HashMap;

use super::{super::bytes::Writer, kinds::*};
use crate::{
    hub::{Input, SourceClock},
    market::{
        Change, Correction, Increments, Level, Loss, LossWhy, Marks, Quote, Side, Source, State, Status,
        Symbol, Tick, Trade, TradeId, UnixMicros,
    },
};

/// A writer with tables of the symbols and sources that it has named.
#[derive(Debug)]
pub(in crate::cluster) struct InputWriter {
    out: Writer,
    base: UnixMicros,
    symbols: HashMap<Symbol, u64>,
    sources: HashMap<Source, u64>,
    /// The source that was named last, and its place: nearly always the next one too.
    last: Option<(Source, u64)>,
}

impl InputWriter {
    pub(in crate::cluster) fn new(out: Writer, base: UnixMicros) -> Self {
        Self { out, base, symbols: HashMap::new(), sources: HashMap::new(), last: None }
    }

    pub(in crate::cluster) fn into_bytes(self) -> Vec<u8> {
        self.out.0
    }

    pub(in crate::cluster) fn byte(&mut self, byte: u8) {
        self.out.byte(byte);
    }

    pub(in crate::cluster) fn uint(&mut self, value: u64) {
        self.out.uint(value);
    }

    pub(in crate::cluster) fn int(&mut self, value: i64) {
        self.out.int(value);
    }

    pub(in crate::cluster) fn text(&mut self, text: &str) {
        self.out.text(text);
    }

    pub(in crate::cluster) fn bytes(&mut self, bytes: &[u8]) {
        self.out.bytes(bytes);
    }

    pub(in crate::cluster) fn decimal(&mut self, value: rust_decimal::Decimal) {
        self.out.decimal(value);
    }

    pub(in crate::cluster) fn time(&mut self, time: UnixMicros) {
        self.out.int(time.0.wrapping_sub(self.base.0));
    }

    pub(in crate::cluster) fn state(&mut self, state: State) {
        let place = State::ALL.iter().position(|other| *other == state).unwrap_or(0);
        self.out.uint(place as u64);
    }

    pub(in crate::cluster) fn symbol(&mut self, symbol: Symbol) {
        let next = self.symbols.len() as u64 + 1;
        let place = *self.symbols.entry(symbol).or_insert(next);
        if place == next {
            self.out.uint(0);
            self.out.text(symbol.as_str());
        } else {
            self.out.uint(place);
        }
    }

    pub(in crate::cluster) fn source(&mut self, source: Source) {
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == source) {
            return self.out.uint(place);
        }
        let next = self.sources.len() as u64 + 1;
        let place = *self.sources.entry(source).or_insert(next);
        self.last = Some((source, place));
        if place == next {
            self.out.uint(0);
            self.out.text(source.as_str());
        } else {
            self.out.uint(place);
        }
    }

    pub(in crate::cluster) fn clock(&mut self, clock: &SourceClock) {
        let bytes = rmp_serde::to_vec(clock).expect("a clock has nothing that MessagePack has not");
        self.out.bytes(&bytes);
    }

    /// An image and a numbering are no part of a log: who joins gets them beside it.
    pub(in crate::cluster) fn input(&mut self, input: &Input) {
        match input {
            Input::Tick(tick) => self.tick(tick),
            Input::Symbol(symbol, feed) => {
                self.about(SYMBOL, *symbol);
                self.source(*feed);
            }
            Input::Source(symbol, feed, clock) => {
                self.about(SOURCE, *symbol);
                self.source(*feed);
                self.clock(clock);
            }
            Input::Jumped(symbol, by) => {
                self.about(JUMPED, *symbol);
                self.out.int(*by);
            }
            Input::Time(symbol, now) => {
                self.about(TIME, *symbol);
                self.time(*now);
            }
            Input::Removed(symbol) => self.about(REMOVED, *symbol),
            Input::Described(symbol, increments) => {
                self.about(DESCRIBED, *symbol);
                self.increments(increments);
            }
            Input::Restored(_) | Input::Numbering(_) => {}
        }
    }

    pub(in crate::cluster) fn increments(&mut self, Increments { tick, lot }: &Increments) {
        self.byte(u8::from(tick.is_some()) | u8::from(lot.is_some()) << 1);
        tick.iter().for_each(|tick| self.out.decimal(tick.decimal()));
        lot.iter().for_each(|lot| self.out.decimal(lot.decimal()));
    }

    fn about(&mut self, kind: u8, symbol: Symbol) {
        self.byte(kind);
        self.symbol(symbol);
    }

    pub(in crate::cluster) fn tick(&mut self, tick: &Tick) {
        match tick {
            Tick::Trade(trade) => self.trade(trade),
            Tick::Quote(quote) => self.quote(quote),
            Tick::Correction(correction) => self.correction(correction),
            Tick::Status(Status { symbol, state, source, since, why }) => {
                self.about(STATUS, *symbol);
                self.state(*state);
                self.source(*source);
                self.time(*since);
                self.text(why);
            }
            Tick::Loss(Loss { symbol, channel, why, events }) => {
                self.about(LOSS, *symbol);
                self.byte(channel.id());
                self.byte(u8::from(matches!(why, LossWhy::Venue)) | u8::from(events.is_some()) << 1);
                events.iter().for_each(|events| self.out.uint(*events));
            }
        }
    }

    fn trade(&mut self, trade: &Trade) {
        let Trade { symbol, price, size, side, id, source, te, tr, print } = trade;
        self.about(TRADE, *symbol);
        let side = match side {
            None => 0,
            Some(Side::Buy) => BUY,
            Some(Side::Sell) => SELL,
        };
        let marks = print.marks;
        self.byte(side | there(TE, te.is_some()) | id_flag(id.as_ref()) | there(MARKS, marks != Marks::NONE));
        self.source(*source);
        self.out.decimal(price.decimal());
        self.out.decimal(size.decimal());
        self.times(*te, *tr);
        self.id(id.as_ref());
        if marks != Marks::NONE {
            self.byte(marks.bits());
        }
    }

    fn quote(&mut self, quote: &Quote) {
        let Quote { symbol, bid, ask, source, te, tr, is_snapshot } = quote;
        self.about(QUOTE, *symbol);
        let side = |level: &Option<Level>, flags: (u8, u8)| match level {
            None => 0,
            Some(Level { size: None, .. }) => flags.0,
            Some(Level { size: Some(_), .. }) => flags.0 | flags.1,
        };
        let sides = side(bid, (BID, BID_SIZE)) | side(ask, (ASK, ASK_SIZE));
        self.byte(sides | there(TE, te.is_some()) | there(SNAPSHOT, *is_snapshot));
        self.source(*source);
        for Level { price, size } in bid.iter().chain(ask) {
            self.out.decimal(price.decimal());
            size.iter().for_each(|size| self.out.decimal(size.decimal()));
        }
        self.times(*te, *tr);
    }

    fn correction(&mut self, correction: &Correction) {
        let Correction { symbol, id, source, change, te, tr, of } = correction;
        self.about(CORRECTION, *symbol);
        let what = match change {
            Change::Busted { price, size } => {
                BUSTED | there(PRICE, price.is_some()) | there(SIZE, size.is_some())
            }
            Change::Corrected { id, .. } => there(PRICE, id.is_some()),
        };
        self.byte(what | there(TE, te.is_some()) | there(OF, of.is_some()));
        self.source(*source);
        self.named(id);
        match change {
            Change::Busted { price, size } => {
                price.iter().for_each(|price| self.out.decimal(price.decimal()));
                size.iter().for_each(|size| self.out.decimal(size.decimal()));
            }
            Change::Corrected { price, size, marks, id } => {
                self.out.decimal(price.decimal());
                self.out.decimal(size.decimal());
                self.byte(marks.bits());
                id.iter().for_each(|id| self.named(id));
            }
        }
        self.times(*te, *tr);
        of.iter().for_each(|of| self.out.uint(*of));
    }

    /// Of the time at the source its difference to the receipt.
    fn times(&mut self, te: Option<UnixMicros>, tr: UnixMicros) {
        self.time(tr);
        te.iter().for_each(|te| self.out.int(tr.0.wrapping_sub(te.0)));
    }

    fn id(&mut self, id: Option<&TradeId>) {
        match id {
            None => {}
            Some(TradeId::Number(number)) => self.out.uint(*number),
            Some(TradeId::Text(text)) => self.text(text),
        }
    }

    fn named(&mut self, id: &TradeId) {
        self.byte(id_flag(Some(id)));
        self.id(Some(id));
    }
}

const fn there(flag: u8, is: bool) -> u8 {
    if is { flag } else { 0 }
}

const fn id_flag(id: Option<&TradeId>) -> u8 {
    match id {
        None => 0,
        Some(TradeId::Number(_)) => NUMBER,
        Some(TradeId::Text(_)) => TEXT,
    }
}
