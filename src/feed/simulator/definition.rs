//! The keys of a simulator, checked.

use std::path::Path;

use rand::RngExt as _;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Deserialize;

use super::{Generator, Instrument, Simulator};
use crate::{
    feed::DefinitionError,
    limits::{MAX_TOPICS, SIMULATOR_RATE},
    market::{Source, Symbol},
};

/// The keys of a `kind = "simulator"` feed besides `name` and `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Ticks a second, of all symbols together.
    #[serde(default = "default_rate")]
    rate: f64,
    /// The same seed makes the same market; random when absent.
    seed: Option<u64>,
    /// The part of the ticks that are trades, from 0 to 1.
    #[serde(default = "default_trades_share")]
    trades_share: f64,
    /// The `x` of its ticks; the feed's name when absent.
    source: Option<Source>,
    #[serde(default)]
    symbol: Vec<SymbolDefinition>,
    /// Many symbols of one kind, for load tests.
    synthetic: Option<Synthetic>,
}

/// One symbol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SymbolDefinition {
    symbol: Symbol,
    /// First mid price.
    price: String,
    /// Every price is a multiple of it.
    tick: String,
    /// Mean spread, in ticks.
    #[serde(default = "default_spread")]
    spread: f64,
    /// Annualised volatility of the mid price, in percent, on a year of 365 days without closing hours.
    #[serde(default = "default_volatility")]
    volatility: f64,
    /// How often it ticks, relative to the others.
    #[serde(default = "default_weight")]
    weight: f64,
    /// Every size is a multiple of it.
    #[serde(default = "default_lot")]
    lot: String,
    /// Mean size, in lots.
    #[serde(default = "default_size")]
    size: f64,
    /// First trade id.
    #[serde(default = "default_id")]
    id: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Synthetic {
    count: usize,
    #[serde(default = "default_prefix")]
    prefix: String,
}

const fn default_rate() -> f64 {
    400.0
}
const fn default_trades_share() -> f64 {
    0.3
}
const fn default_spread() -> f64 {
    2.0
}
const fn default_volatility() -> f64 {
    30.0
}
const fn default_weight() -> f64 {
    1.0
}
fn default_lot() -> String {
    "1".into()
}
const fn default_size() -> f64 {
    100.0
}
const fn default_id() -> u64 {
    1
}
fn default_prefix() -> String {
    "SYM".into()
}

impl Definition {
    /// Checks the definition. It names no files, so the base is not used.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(self, _base: &Path) -> Result<Simulator, DefinitionError> {
        within("rate", self.rate, SIMULATOR_RATE)?;
        within("trades_share", self.trades_share, 0.0..=1.0)?;
        let mut definitions = self.symbol;
        if let Some(synthetic) = self.synthetic {
            definitions.extend(synthetic.symbols()?);
        }
        if definitions.is_empty() {
            return Err(DefinitionError::new(
                "symbol",
                "expected at least one [[feed.symbol]] table, or synthetic",
            ));
        }
        let mut instruments = Vec::with_capacity(definitions.len());
        let mut known = std::collections::HashSet::new();
        for (i, definition) in definitions.into_iter().enumerate() {
            if !known.insert(definition.symbol) {
                let why = format!("{} is defined twice", definition.symbol);
                return Err(DefinitionError::new(format!("symbol[{i}].symbol"), why));
            }
            let weight = definition.weight;
            within(&format!("symbol[{i}].weight"), weight, 0.000_001..=1_000_000.0)?;
            instruments.push((definition.instrument(i)?, weight));
        }
        let seed = self.seed.unwrap_or_else(|| rand::rng().random());
        let generator = Generator::new(instruments, self.rate, self.trades_share, seed)
            .map_err(|why| DefinitionError::new("symbol", why.to_string()))?;
        Ok(Simulator::new(generator, self.source, seed))
    }
}

impl SymbolDefinition {
    fn instrument(self, i: usize) -> Result<Instrument, DefinitionError> {
        let at = |key: &str| format!("symbol[{i}].{key}");
        let tick = positive(&at("tick"), &self.tick)?;
        let lot = positive(&at("lot"), &self.lot)?;
        let price = positive(&at("price"), &self.price)?;
        let ticks = price
            .checked_div(tick)
            .filter(|ticks| ticks.is_integer())
            .and_then(|ticks| ticks.to_i64())
            .filter(|ticks| *ticks < i64::from(i32::MAX) * 1_000);
        let Some(ticks) = ticks else {
            let why = format!("{price} is not a whole and bearable number of ticks of {tick}");
            return Err(DefinitionError::new(at("price"), why));
        };
        within(&at("spread"), self.spread, 1.0..=100_000.0)?;
        within(&at("volatility"), self.volatility, 0.0..=10_000.0)?;
        within(&at("size"), self.size, 1.0..=1_000_000_000.0)?;
        Ok(Instrument::new(
            self.symbol,
            (ticks, tick),
            (self.spread, self.volatility),
            (lot, self.size),
            self.id,
        ))
    }
}

impl Synthetic {
    fn symbols(self) -> Result<Vec<SymbolDefinition>, DefinitionError> {
        let key = "synthetic.count";
        if !(1..=MAX_TOPICS).contains(&self.count) {
            return Err(DefinitionError::new(
                key,
                format!("expected 1 to {MAX_TOPICS}, found {}", self.count),
            ));
        }
        (0..self.count)
            .map(|i| {
                let symbol = Symbol::new(&format!("{}{i:05}", self.prefix)).map_err(|why| {
                    DefinitionError::new("synthetic.prefix", format!("{:?} {why}", self.prefix))
                })?;
                Ok(SymbolDefinition {
                    symbol,
                    price: format!("{}.00", 10 + i % 490),
                    tick: "0.01".into(),
                    spread: default_spread(),
                    volatility: default_volatility(),
                    weight: default_weight(),
                    lot: default_lot(),
                    size: default_size(),
                    id: default_id(),
                })
            })
            .collect()
    }
}

fn within(key: &str, value: f64, range: std::ops::RangeInclusive<f64>) -> Result<(), DefinitionError> {
    if range.contains(&value) {
        return Ok(());
    }
    let why = format!("expected {} to {}, found {value}", range.start(), range.end());
    Err(DefinitionError::new(key, why))
}

fn positive(key: &str, text: &str) -> Result<Decimal, DefinitionError> {
    match Decimal::from_str_exact(text) {
        // Mantissas up to this leave room for the number of ticks.
        Ok(value)
            if value > Decimal::ZERO && value.scale() <= 12 && value.mantissa() < 1_000_000_000_000_000 =>
        {
            Ok(value)
        }
        _ => Err(DefinitionError::new(
            key,
            format!("expected a decimal number above 0 as text, found {text:?}"),
        )),
    }
}
