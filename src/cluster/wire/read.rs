//! What enters the numbering, from bytes that may be anything.

use super::{
    super::bytes::{Reader, WireError},
    kinds::*,
};
use crate::{
    hub::{Input, SourceClock},
    limits::{MAX_LOG_NAME, MAX_SOURCE_LEN, MAX_STATUS_WHY, MAX_SYMBOL_LEN, MAX_TRADE_ID},
    market::{
        Change, Channel, Correction, Increments, Level, Loss, LossWhy, Marks, Price, Print, Quote, Side,
        Size, Source, State, Status, Symbol, Tick, Trade, TradeId, UnixMicros,
    },
};

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
