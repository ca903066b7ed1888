//! Entries of a stream whose fields are the parts of one tick: which field holds what, in the words of the mapping of CSV
//! columns. Prices and sizes keep their literal text.

use serde::Deserialize;

use crate::{
    dialect::field,
    feed::{
        DefinitionError,
        replay::{Skipped, Symbols, TimeFormat, scaled, side, source},
    },
    market::{Level, Print, Quote, Source, Symbol, Tick, Trade, UnixMicros},
};

/// The `fields` key: which field holds what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    kind: Kind,
    /// The symbol of every entry; or `symbol_field`.
    symbol: Option<Symbol>,
    symbol_field: Option<String>,
    time: Option<String>,
    /// `s`, `ms`, `us`, `ns` since the epoch, `rfc3339`, or a pattern with `%`.
    time_unit: Option<String>,
    timezone: Option<String>,
    price: Option<String>,
    size: Option<String>,
    side: Option<String>,
    id: Option<String>,
    bid: Option<String>,
    bid_size: Option<String>,
    ask: Option<String>,
    ask_size: Option<String>,
    /// Decimals by which integer prices are too large.
    price_scale: Option<u32>,
    /// Field of the exchange code.
    source: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Trades,
    Quotes,
}

/// A checked mapping.
#[derive(Debug)]
pub(super) struct Fields {
    mapping: Mapping,
    time: Option<TimeFormat>,
}

/// An entry's fields and their values.
pub(super) type Entry<'a> = [(&'a [u8], &'a [u8])];

impl Fields {
    /// Checks that nothing is missing, double or contradictory.
    pub(super) fn new(mapping: Mapping) -> Result<Self, DefinitionError> {
        let m = &mapping;
        if m.symbol.is_some() == m.symbol_field.is_some() {
            return Err(DefinitionError::new("fields.symbol", "give either `symbol` or `symbol_field`"));
        }
        let trade = [
            ("fields.price", &m.price),
            ("fields.size", &m.size),
            ("fields.side", &m.side),
            ("fields.id", &m.id),
        ];
        let quote = [
            ("fields.bid", &m.bid),
            ("fields.ask", &m.ask),
            ("fields.bid_size", &m.bid_size),
            ("fields.ask_size", &m.ask_size),
        ];
        let (ours, strays) = if m.kind == Kind::Trades { (trade, quote) } else { (quote, trade) };
        if let Some((key, _)) = ours.iter().take(2).find(|(_, name)| name.is_none()) {
            return Err(DefinitionError::new(*key, "the field is missing; this kind of entries has it"));
        }
        if let Some((key, _)) = strays.iter().find(|(_, name)| name.is_some()) {
            return Err(DefinitionError::new(*key, "this kind of entries has no such field"));
        }
        if m.price_scale.is_some_and(|scale| scale > rust_decimal::Decimal::MAX_SCALE) {
            return Err(DefinitionError::new("fields.price_scale", "at most 28"));
        }
        let time = match (&m.time, &m.time_unit) {
            (Some(_), Some(unit)) => {
                let rekeyed = |error: DefinitionError| DefinitionError::new(ours_of(&error.key), error.why);
                Some(TimeFormat::new(unit, None, m.timezone.as_deref()).map_err(rekeyed)?)
            }
            (None, None) if m.timezone.is_none() => None,
            (Some(_), None) => {
                return Err(DefinitionError::new("fields.time_unit", "is missing: fields.time has it"));
            }
            (None, _) => {
                let key = if m.time_unit.is_some() { "fields.time_unit" } else { "fields.timezone" };
                return Err(DefinitionError::new(key, "belongs to fields.time only"));
            }
        };
        Ok(Self { time, mapping })
    }

    /// The symbol of every entry, if all have the same.
    pub(super) const fn symbol(&self) -> Option<Symbol> {
        self.mapping.symbol
    }

    /// Reads one entry, received at `tr`. `feed` is the source of a tick that names none.
    pub(super) fn tick(
        &self,
        entry: &Entry<'_>,
        (feed, symbols): (Source, &Symbols),
        tr: UnixMicros,
    ) -> Result<Tick, Skipped> {
        let m = &self.mapping;
        let symbol = match m.symbol {
            Some(symbol) => symbol,
            None => read(entry, m.symbol_field.as_deref(), |text| Ok(symbols.of_text(text)?))?
                .ok_or_else(|| Skipped::new("symbol", "no field has the symbol"))?,
        };
        let te = match &self.time {
            Some(format) => read(entry, m.time.as_deref(), |text| {
                format.parse(text).map_err(|error| Skipped { why: ours_of(&error.why), ..error })
            })?,
            None => None,
        };
        let source = read(entry, m.source.as_deref(), source)?.unwrap_or(feed);
        match m.kind {
            Kind::Trades => Ok(Tick::Trade(Trade {
                symbol,
                price: read(entry, m.price.as_deref(), |text| scaled(text, m.price_scale))?
                    .ok_or_else(|| missing("price", m.price.as_deref()))?,
                size: read(entry, m.size.as_deref(), |text| Ok(field::size("size", text)?))?
                    .ok_or_else(|| missing("size", m.size.as_deref()))?,
                side: read(entry, m.side.as_deref(), side)?.flatten(),
                id: read(entry, m.id.as_deref(), |text| Ok(field::trade_id("id", text)?))?.flatten(),
                source,
                te,
                tr,
                print: Print::default(),
            })),
            Kind::Quotes => {
                let bid = self.level(entry, (&m.bid, &m.bid_size))?;
                let ask = self.level(entry, (&m.ask, &m.ask_size))?;
                if bid.is_none() && ask.is_none() {
                    return Err(Skipped::new(
                        "columns",
                        "neither the field of the bid nor that of the ask is there",
                    ));
                }
                Ok(Tick::Quote(Quote { symbol, bid, ask, source, te, tr, is_snapshot: false }))
            }
        }
    }

    /// A price with its size; a field that is empty or not there is a side that shows none.
    fn level(
        &self,
        entry: &Entry<'_>,
        (price, size): (&Option<String>, &Option<String>),
    ) -> Result<Option<Level>, Skipped> {
        let unless_empty = |text: &str| -> Result<_, Skipped> {
            if text.is_empty() { Ok(None) } else { scaled(text, self.mapping.price_scale).map(Some) }
        };
        let Some(price) = read(entry, price.as_deref(), unless_empty)?.flatten() else { return Ok(None) };
        let size = read(entry, size.as_deref(), |text| {
            if text.is_empty() { Ok(None) } else { Ok(Some(field::size("size", text)?)) }
        })?;
        Ok(Some(Level { price, size: size.flatten() }))
    }
}

/// Reads one field of an entry, if it is there; errors name it.
fn read<T>(
    entry: &Entry<'_>,
    name: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, Skipped>,
) -> Result<Option<T>, Skipped> {
    let Some(name) = name else { return Ok(None) };
    let Some((_, value)) = entry.iter().find(|(field, _)| *field == name.as_bytes()) else { return Ok(None) };
    let placed = |error: Skipped| Skipped { why: format!("field {name:?}: {}", error.why), ..error };
    let text = str::from_utf8(value).map_err(|_why| placed(Skipped::new("columns", "is not UTF-8")))?;
    parse(text).map(Some).map_err(placed)
}

fn missing(key: &str, name: Option<&str>) -> Skipped {
    Skipped::new("columns", format!("the field {:?} ({key}) is missing", name.unwrap_or_default()))
}

/// The keys of the mapping of columns, as they are here.
fn ours_of(text: &str) -> String {
    text.replace("csv.", "fields.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Fields, String> {
        let mapping: Mapping = toml::from_str(text).map_err(|why| why.message().to_owned())?;
        Fields::new(mapping).map_err(|why| why.to_string())
    }

    fn tick(fields: &Fields, entry: &[(&str, &str)]) -> Result<Tick, String> {
        let entry: Vec<_> = entry.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        let feed = Source::new("desk").unwrap();
        fields.tick(&entry, (feed, &Symbols::default()), UnixMicros(7)).map_err(|skipped| skipped.why)
    }

    const TRADES: &str = "kind = \"trades\"\nsymbol_field = \"sym\"\nprice = \"p\"\nsize = \"q\"\n";

    #[test]
    fn an_entry_is_a_tick_by_the_names_of_its_fields() {
        let text =
            format!("{TRADES}side = \"s\"\nid = \"i\"\ntime = \"t\"\ntime_unit = \"ms\"\nsource = \"x\"");
        let all = fields(&text).unwrap();
        let entry = [
            ("t", "1700000000000"),
            ("sym", "BTC-USD"),
            ("p", "67210.10"),
            ("q", "0.015"),
            ("s", "sell"),
            ("i", "7"),
            ("x", "NYSE"),
            ("other", "1"),
        ];
        let Tick::Trade(trade) = tick(&all, &entry).unwrap() else { panic!("a trade") };
        assert_eq!((trade.symbol.as_str(), trade.price.to_string().as_str()), ("BTC-USD", "67210.10"));
        assert_eq!((trade.te, trade.tr), (Some(UnixMicros(1_700_000_000_000_000)), UnixMicros(7)));
        assert_eq!(trade.source.as_str(), "NYSE");
        let Tick::Trade(trade) = tick(&all, &entry[1..4]).unwrap() else { panic!("a trade") };
        assert_eq!((trade.te, trade.side, trade.id), (None, None, None));
        assert_eq!(trade.source.as_str(), "desk");
        let quotes = "kind = \"quotes\"\nsymbol = \"EUR/USD\"\nbid = \"b\"\nask = \"a\"\nask_size = \"as\"\nprice_scale = 5";
        let Tick::Quote(quote) =
            tick(&fields(quotes).unwrap(), &[("b", "138727"), ("a", "138730"), ("as", "2")]).unwrap()
        else {
            panic!("a quote")
        };
        assert_eq!(quote.bid.unwrap().price.to_string(), "1.38727");
        assert_eq!(quote.ask.unwrap().size.unwrap().to_string(), "2");
        let Tick::Quote(quote) = tick(&fields(quotes).unwrap(), &[("b", ""), ("a", "1")]).unwrap() else {
            panic!("a quote")
        };
        assert!(quote.bid.is_none() && quote.ask.unwrap().size.is_none());
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        let all = fields(&format!("{TRADES}time = \"t\"\ntime_unit = \"us\"")).unwrap();
        let good = [("sym", "A"), ("p", "1"), ("q", "1"), ("t", "1700000000000000")];
        assert!(tick(&all, &good).is_ok());
        for (name, value, why) in [
            ("sym", "a b", "field \"sym\": "),
            ("p", "x", "field \"p\": "),
            ("q", "-1", "field \"q\": "),
            ("t", "1700000000000", "set fields.time_unit = \"ms\""),
        ] {
            let bad = good.map(|(k, v)| (k, if k == name { value } else { v }));
            let found = tick(&all, &bad).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        for (without, why) in
            [("sym", "no field has the symbol"), ("p", "\"p\" (price)"), ("q", "\"q\" (size)")]
        {
            let less: Vec<_> = good.iter().copied().filter(|(k, _)| *k != without).collect();
            let found = tick(&all, &less).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn a_mapping_that_does_not_fit_names_its_key() {
        for (text, start) in [
            ("kind = \"trades\"\nprice = \"p\"\nsize = \"q\"", "fields.symbol: give either"),
            (&format!("{TRADES}symbol = \"A\""), "fields.symbol: give either"),
            ("kind = \"trades\"\nsymbol = \"A\"\nprice = \"p\"", "fields.size: the field is missing"),
            (&format!("{TRADES}bid = \"b\""), "fields.bid: this kind of entries has no such field"),
            ("kind = \"quotes\"\nsymbol = \"A\"\nbid = \"b\"", "fields.ask: the field is missing"),
            (&format!("{TRADES}time = \"t\""), "fields.time_unit: is missing"),
            (&format!("{TRADES}time_unit = \"ms\""), "fields.time_unit: belongs to"),
            (&format!("{TRADES}timezone = \"UTC\""), "fields.timezone: belongs to"),
            (&format!("{TRADES}time = \"t\"\ntime_unit = \"days\""), "fields.time_unit: \"days\""),
            (&format!("{TRADES}price_scale = 40"), "fields.price_scale: at most 28"),
        ] {
            let why = fields(text).unwrap_err();
            assert!(why.starts_with(start), "{why}");
        }
    }
}
