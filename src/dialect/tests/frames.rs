//! What a venue's side writes, its reading side reads as the same: for any tick that the venue has words for.

use proptest::{option, prelude::*};
use rust_decimal::Decimal;

use super::*;
use crate::market::{Level, Price, Print, Quote, Side, Size, Source, Symbol, Tick, Trade, TradeId};

/// From 2000 to 2100, in microseconds.
const TIMES: std::ops::Range<i64> = 946_684_800_000_000..4_102_444_800_000_000;

/// Not zero: a side of a quote that is all zeros is none. Few enough digits that no venue refuses them.
fn decimals() -> impl Strategy<Value = Decimal> {
    (1_u64..1_000_000_000_000_000, 0_u32..=18)
        .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(i128::from(digits), scale))
}

fn sizes() -> impl Strategy<Value = Size> {
    decimals().prop_map(|value| Size::new(value).unwrap())
}

fn levels() -> impl Strategy<Value = Option<Level>> {
    let level =
        (decimals(), sizes()).prop_map(|(price, size)| Level { price: Price::new(price), size: Some(size) });
    option::of(level)
}

fn sides() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|buys| if buys { Side::Buy } else { Side::Sell })
}

/// The venue's name of a symbol, which is ours here.
fn names(venue: Venue) -> &'static str {
    match venue {
        Venue::Binance => "[A-Z0-9]{2,20}",
        Venue::Coinbase => "[A-Z0-9]{2,10}-[A-Z]{3,5}",
        Venue::Kraken => "[A-Z0-9.]{2,10}/[A-Z]{3,5}",
        Venue::Alpaca => "[A-Z]{1,5}(/[A-Z]{3})?",
    }
}

/// A tick as the venue's reading side makes them, with its place.
fn ticks(venue: Venue) -> impl Strategy<Value = (Tick, Option<Sequence>)> {
    let numbers = (any::<u64>(), TIMES, names(venue), sides());
    let trade = (numbers, decimals(), sizes()).prop_map(move |((number, te, name, side), price, size)| {
        let is_stock = venue == Venue::Alpaca && !name.contains('/');
        let trade = Trade {
            symbol: Symbol::new(&name).unwrap(),
            price: Price::new(price),
            size,
            side: (!is_stock).then_some(side),
            id: Some(TradeId::Number(number)),
            source: Source::new(if is_stock { "V" } else { venue.as_str() }).unwrap(),
            te: Some(UnixMicros(te)),
            tr: UnixMicros(7),
            print: Print::default(),
        };
        (Tick::Trade(trade), (venue != Venue::Alpaca).then_some(Sequence::Counted(number)))
    });
    let told = (any::<u64>(), TIMES, names(venue), any::<bool>());
    let quote = (told, levels(), levels()).prop_map(move |((number, te, name, is_snapshot), bid, ask)| {
        let quote = Quote {
            symbol: Symbol::new(&name).unwrap(),
            bid,
            ask,
            source: Source::new(venue.as_str()).unwrap(),
            te: (venue != Venue::Binance).then_some(UnixMicros(te)),
            tr: UnixMicros(7),
            is_snapshot: is_snapshot && venue == Venue::Kraken,
        };
        let is_numbered = matches!(venue, Venue::Binance | Venue::Coinbase);
        (Tick::Quote(quote), is_numbered.then_some(Sequence::Rising(number)))
    });
    prop_oneof![trade, quote]
}

fn returns(venue: Venue, (tick, sequence): &(Tick, Option<Sequence>)) {
    let symbol = tick.symbol();
    let frame = venue.frame_of(symbol.as_str(), tick, *sequence).expect("the venue has words for it");
    let mut said = Vec::new();
    venue.parse(frame.as_bytes(), UnixMicros(7), &mut said).unwrap_or_else(|why| panic!("{frame}: {why}"));
    assert_eq!(said, [Message::Tick { tick: tick.clone(), sequence: *sequence }], "{frame}");
}

proptest! {
    #[test]
    fn ticks_come_back_as_they_were(
        binance in ticks(Venue::Binance),
        coinbase in ticks(Venue::Coinbase),
        kraken in ticks(Venue::Kraken),
        alpaca in ticks(Venue::Alpaca),
    ) {
        returns(Venue::Binance, &binance);
        returns(Venue::Coinbase, &coinbase);
        returns(Venue::Kraken, &kraken);
        returns(Venue::Alpaca, &alpaca);
    }
}

/// It must not be told in other words, which would be another tick.
#[test]
fn what_a_venue_has_no_words_for_it_does_not_say() {
    let trade = Trade {
        symbol: Symbol::new("A-B").unwrap(),
        price: "1".parse().unwrap(),
        size: "1".parse().unwrap(),
        side: None,
        id: Some(TradeId::Text("x".into())),
        source: Source::new("x").unwrap(),
        te: None,
        tr: UnixMicros(7),
        print: Print::default(),
    };
    for venue in Venue::ALL {
        for sequence in [None, Some(Sequence::Counted(1)), Some(Sequence::Rising(1))] {
            let tick = Tick::Trade(trade.clone());
            assert_eq!(venue.frame_of("A-B", &tick, sequence), None, "{venue:?}");
        }
    }
}
