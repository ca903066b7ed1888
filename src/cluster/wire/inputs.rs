//! What enters the numbering, as bytes. A symbol or a source is written in full where it is first named, and by its place in
//! the order of those from then on; times are differences to the batch's.

use std::collections::HashMap;

use super::super::bytes::{Reader, WireError, Writer};
use crate::{
    hub::{Input, SourceClock},
    limits::{MAX_LOG_NAME, MAX_SOURCE_LEN, MAX_STATUS_WHY, MAX_SYMBOL_LEN, MAX_TRADE_ID},
    market::{
        Change, Channel, Correction, Increments, Level, Loss, LossWhy, Marks, Price, Print, Quote, Side,
        Size, Source, State, Status, Symbol, Tick, Trade, TradeId, UnixMicros,
    },
};

// Kinds of inputs, below 16.
const SYMBOL: u8 = 1;
const TRADE: u8 = 2;
const QUOTE: u8 = 3;
const STATUS: u8 = 4;
const CORRECTION: u8 = 5;
const LOSS: u8 = 6;
const SOURCE: u8 = 7;
const JUMPED: u8 = 8;
const TIME: u8 = 9;
const REMOVED: u8 = 10;
const DESCRIBED: u8 = 11;

// What of a trade, a quote or a correction is there.
const BUY: u8 = 1;
const SELL: u8 = 2;
const TE: u8 = 4;
const NUMBER: u8 = 8;
const TEXT: u8 = 16;
const MARKS: u8 = 32;
const BID: u8 = 1;
const BID_SIZE: u8 = 2;
const ASK: u8 = 8;
const ASK_SIZE: u8 = 16;
const SNAPSHOT: u8 = 32;
const OF: u8 = 1;
const BUSTED: u8 = 2;
const PRICE: u8 = 8;
const SIZE: u8 = 16;

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

/// A reader with tables of the symbols and sources that were named.
#[derive(Debug)]
pub(in crate::cluster) struct InputReader<'a> {
    from: Reader<'a>,
    base: UnixMicros,
    symbols: Vec<Symbol>,
    sources: Vec<Source>,
}

impl<'a> InputReader<'a> {
    pub(in crate::cluster) const fn new(from: Reader<'a>, base: UnixMicros) -> Self {
        Self { from, base, symbols: Vec::new(), sources: Vec::new() }
    }

    pub(in crate::cluster) const fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    pub(in crate::cluster) fn byte(&mut self) -> Result<u8, WireError> {
        self.from.byte()
    }

    pub(in crate::cluster) fn flag(&mut self) -> Result<bool, WireError> {
        self.from.flag()
    }

    pub(in crate::cluster) fn uint(&mut self) -> Result<u64, WireError> {
        self.from.uint()
    }

    pub(in crate::cluster) fn small(&mut self) -> Result<u32, WireError> {
        self.from.small()
    }

    pub(in crate::cluster) fn int(&mut self) -> Result<i64, WireError> {
        self.from.int()
    }

    pub(in crate::cluster) fn text(&mut self, most: usize) -> Result<&'a str, WireError> {
        self.from.text(most)
    }

    pub(in crate::cluster) fn bytes(&mut self, most: usize) -> Result<&'a [u8], WireError> {
        self.from.bytes(most)
    }

    pub(in crate::cluster) fn time(&mut self) -> Result<UnixMicros, WireError> {
        Ok(UnixMicros(self.from.int()?.wrapping_add(self.base.0)))
    }

    pub(in crate::cluster) fn state(&mut self) -> Result<State, WireError> {
        let place = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
        State::ALL.get(place).copied().ok_or(WireError::Damaged("an unknown state"))
    }

    pub(in crate::cluster) fn symbol(&mut self) -> Result<Symbol, WireError> {
        const BAD: WireError = WireError::Damaged("no symbol");
        if let Some(place) = self.uint()?.checked_sub(1) {
            return usize::try_from(place).ok().and_then(|place| self.symbols.get(place)).copied().ok_or(BAD);
        }
        let symbol = Symbol::new(self.text(MAX_SYMBOL_LEN)?).map_err(|_why| BAD)?;
        self.symbols.push(symbol);
        Ok(symbol)
    }

    pub(in crate::cluster) fn source(&mut self) -> Result<Source, WireError> {
        const BAD: WireError = WireError::Damaged("no source");
        if let Some(place) = self.uint()?.checked_sub(1) {
            return usize::try_from(place).ok().and_then(|place| self.sources.get(place)).copied().ok_or(BAD);
        }
        let source = Source::new(self.text(MAX_SOURCE_LEN)?).map_err(|_why| BAD)?;
        self.sources.push(source);
        Ok(source)
    }

    pub(in crate::cluster) fn clock(&mut self) -> Result<SourceClock, WireError> {
        let clock: Option<SourceClock> = rmp_serde::from_slice(self.bytes(MAX_LOG_NAME)?).ok();
        clock.filter(SourceClock::is_sound).ok_or(WireError::Damaged("no clock of a source"))
    }

    /// The input of that kind.
    pub(in crate::cluster) fn input(&mut self, kind: u8) -> Result<Input, WireError> {
        Ok(match kind {
            TRADE | QUOTE | STATUS | CORRECTION | LOSS => Input::Tick(self.tick(kind)?),
            SYMBOL => Input::Symbol(self.symbol()?, self.source()?),
            SOURCE => Input::Source(self.symbol()?, self.source()?, self.clock()?),
            JUMPED => Input::Jumped(self.symbol()?, self.int()?),
            TIME => Input::Time(self.symbol()?, self.time()?),
            REMOVED => Input::Removed(self.symbol()?),
            DESCRIBED => Input::Described(self.symbol()?, self.increments()?),
            _ => return Err(WireError::Damaged("an unknown entry")),
        })
    }

    pub(in crate::cluster) fn increments(&mut self) -> Result<Increments, WireError> {
        let flags = self.byte()?;
        Ok(Increments {
            tick: if flags & 1 == 0 { None } else { Some(self.price()?) },
            lot: if flags & 2 == 0 { None } else { Some(self.size()?) },
        })
    }

    pub(in crate::cluster) fn tick(&mut self, kind: u8) -> Result<Tick, WireError> {
        let symbol = self.symbol()?;
        Ok(match kind {
            TRADE => Tick::Trade(self.trade(symbol)?),
            QUOTE => Tick::Quote(self.quote(symbol)?),
            CORRECTION => Tick::Correction(Box::new(self.correction(symbol)?)),
            STATUS => Tick::Status(Status {
                symbol,
                state: self.state()?,
                source: self.source()?,
                since: self.time()?,
                why: self.text(MAX_STATUS_WHY)?.to_owned().into(),
            }),
            LOSS => {
                let channel = match Channel::from_id(self.byte()?) {
                    Some(channel @ (Channel::Trades | Channel::Quotes)) => channel,
                    _ => return Err(WireError::Damaged("a loss of a channel that loses nothing")),
                };
                let flags = self.byte()?;
                let why = if flags & 1 == 0 { LossWhy::Reconnect } else { LossWhy::Venue };
                let events = if flags & 2 == 0 { None } else { Some(self.uint()?) };
                Tick::Loss(Loss { symbol, channel, why, events })
            }
            _ => return Err(WireError::Damaged("an unknown tick")),
        })
    }

    fn trade(&mut self, symbol: Symbol) -> Result<Trade, WireError> {
        let flags = self.byte()?;
        let side = match flags & (BUY | SELL) {
            0 => None,
            BUY => Some(Side::Buy),
            SELL => Some(Side::Sell),
            _ => return Err(WireError::Damaged("a trade of both sides")),
        };
        let source = self.source()?;
        let (price, size) = (self.price()?, self.size()?);
        let (te, tr) = self.times(flags & TE != 0)?;
        let id = self.id(flags)?;
        let marks = if flags & MARKS == 0 { Marks::NONE } else { Marks::from_bits(self.byte()?) };
        let print = Print { marks, rule: None };
        Ok(Trade { symbol, price, size, side, id, source, te, tr, print })
    }

    fn quote(&mut self, symbol: Symbol) -> Result<Quote, WireError> {
        let flags = self.byte()?;
        let source = self.source()?;
        let bid = self.level(flags & BID != 0, flags & BID_SIZE != 0)?;
        let ask = self.level(flags & ASK != 0, flags & ASK_SIZE != 0)?;
        let (te, tr) = self.times(flags & TE != 0)?;
        Ok(Quote { symbol, bid, ask, source, te, tr, is_snapshot: flags & SNAPSHOT != 0 })
    }

    fn level(&mut self, is_there: bool, has_size: bool) -> Result<Option<Level>, WireError> {
        if !is_there {
            return Ok(None);
        }
        let price = self.price()?;
        let size = if has_size { Some(self.size()?) } else { None };
        Ok(Some(Level { price, size }))
    }

    fn correction(&mut self, symbol: Symbol) -> Result<Correction, WireError> {
        let flags = self.byte()?;
        let source = self.source()?;
        let id = self.named()?;
        let has = |flag: u8| flags & flag != 0;
        let change = if has(BUSTED) {
            Change::Busted {
                price: if has(PRICE) { Some(self.price()?) } else { None },
                size: if has(SIZE) { Some(self.size()?) } else { None },
            }
        } else {
            Change::Corrected {
                price: self.price()?,
                size: self.size()?,
                marks: Marks::from_bits(self.byte()?),
                id: if has(PRICE) { Some(self.named()?) } else { None },
            }
        };
        let (te, tr) = self.times(has(TE))?;
        let of = if has(OF) { Some(self.uint()?) } else { None };
        Ok(Correction { symbol, id, source, change, te, tr, of })
    }

    fn times(&mut self, has_te: bool) -> Result<(Option<UnixMicros>, UnixMicros), WireError> {
        let tr = self.time()?;
        let te = if has_te { Some(UnixMicros(tr.0.wrapping_sub(self.int()?))) } else { None };
        Ok((te, tr))
    }

    pub(in crate::cluster) fn price(&mut self) -> Result<Price, WireError> {
        self.from.decimal().map(Price::new)
    }

    pub(in crate::cluster) fn size(&mut self) -> Result<Size, WireError> {
        Size::new(self.from.decimal()?).map_err(|_negative| WireError::Damaged("a negative size"))
    }

    fn id(&mut self, flags: u8) -> Result<Option<TradeId>, WireError> {
        Ok(match flags & (NUMBER | TEXT) {
            0 => None,
            NUMBER => Some(TradeId::Number(self.uint()?)),
            TEXT => Some(TradeId::Text(self.text(MAX_TRADE_ID)?.into())),
            _ => return Err(WireError::Damaged("a trade with two names")),
        })
    }

    fn named(&mut self) -> Result<TradeId, WireError> {
        let flag = self.byte()?;
        self.id(flag)?.ok_or(WireError::Damaged("no name of a trade"))
    }
}
