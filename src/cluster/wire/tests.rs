//! Batches to bytes and back, and bytes that are none.

use proptest::prelude::*;

use super::*;
use crate::{
    hub::SourceClock,
    market::{
        Change, Channel, Correction, Increments, Level, Loss, LossWhy, Marks, Price, Print, Quote, Side,
        Size, Status, Symbol, Tick, Trade, TradeId,
    },
};

fn times() -> impl Strategy<Value = UnixMicros> {
    prop_oneof![8 => 1_790_000_000_000_000..1_790_000_100_000_000_i64, 1 => any::<i64>()].prop_map(UnixMicros)
}

fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        (any::<i64>(), 0..=28_u32).prop_map(|(units, scale)| rust_decimal::Decimal::new(units, scale)),
        (0..10_000_000_i64).prop_map(|units| rust_decimal::Decimal::new(units, 2)),
    ]
    .prop_map(Price::new)
}

fn size() -> impl Strategy<Value = Size> {
    price().prop_map(|price| Size::new(price.decimal().abs()).unwrap())
}

fn name() -> impl Strategy<Value = TradeId> {
    prop_oneof![
        any::<u64>().prop_map(TradeId::Number),
        "[!-~]{1,64}".prop_map(|text| TradeId::Text(text.into()))
    ]
}

fn symbol() -> impl Strategy<Value = Symbol> {
    "[A-Z0-9._:/-]{1,32}|S[0-3]".prop_map(|text| Symbol::new(&text).unwrap())
}

fn source() -> impl Strategy<Value = Source> {
    "[a-z]{1,16}|f[0-3]".prop_map(|text| Source::new(&text).unwrap())
}

fn state() -> impl Strategy<Value = State> {
    (0..State::ALL.len()).prop_map(|place| State::ALL[place])
}

fn level() -> impl Strategy<Value = Option<Level>> {
    prop::option::of((price(), prop::option::of(size())).prop_map(|(price, size)| Level { price, size }))
}

fn trade() -> impl Strategy<Value = Tick> {
    let side = prop_oneof![Just(None), Just(Some(Side::Buy)), Just(Some(Side::Sell))];
    let about = (symbol(), source(), prop::option::of(name()), any::<u8>());
    (about, price(), size(), side, prop::option::of(times()), times()).prop_map(
        |((symbol, source, id, bits), price, size, side, te, tr)| {
            let print = Print { marks: Marks::from_bits(bits), rule: None };
            Tick::Trade(Trade { symbol, price, size, side, id, source, te, tr, print })
        },
    )
}

fn quote() -> impl Strategy<Value = Tick> {
    (symbol(), level(), level(), source(), prop::option::of(times()), times(), any::<bool>()).prop_map(
        |(symbol, bid, ask, source, te, tr, is_snapshot)| {
            Tick::Quote(Quote { symbol, bid, ask, source, te, tr, is_snapshot })
        },
    )
}

fn correction() -> impl Strategy<Value = Tick> {
    let busted = (prop::option::of(price()), prop::option::of(size()))
        .prop_map(|(price, size)| Change::Busted { price, size });
    let corrected =
        (price(), size(), any::<u8>(), prop::option::of(name())).prop_map(|(price, size, bits, id)| {
            Change::Corrected { price, size, marks: Marks::from_bits(bits), id }
        });
    let about = (symbol(), name(), source());
    (
        about,
        prop_oneof![busted, corrected],
        prop::option::of(times()),
        times(),
        prop::option::of(any::<u64>()),
    )
        .prop_map(|((symbol, id, source), change, te, tr, of)| {
            Tick::Correction(Box::new(Correction { symbol, id, source, change, te, tr, of }))
        })
}

fn tick() -> impl Strategy<Value = Tick> {
    let status = (symbol(), state(), source(), times(), "[a-zäß ]{0,90}").prop_map(
        |(symbol, state, source, since, why)| {
            Tick::Status(Status { symbol, state, source, since, why: why.into() })
        },
    );
    let channel = prop_oneof![Just(Channel::Trades), Just(Channel::Quotes)];
    let why = prop_oneof![Just(LossWhy::Reconnect), Just(LossWhy::Venue)];
    let loss = (symbol(), channel, why, prop::option::of(any::<u64>()))
        .prop_map(|(symbol, channel, why, events)| Tick::Loss(Loss { symbol, channel, why, events }));
    prop_oneof![5 => trade(), 3 => quote(), 1 => correction(), 1 => status, 1 => loss]
}

fn entry() -> impl Strategy<Value = Entry> {
    let at = || any::<(u64, u64)>().prop_map(|(term, seq)| Position { term, seq });
    let text = || "[!-~]{0,128}";
    let open = (text(), text(), at(), text(), text(), any::<u32>(), any::<u8>()).prop_map(
        |(epoch, node, follows, run_id, replid, rules, format)| {
            Entry::Open(Open { epoch, node, follows, run_id, replid, rules, format })
        },
    );
    let breaks = prop::option::of((any::<u64>(), text()));
    let feed = (
        source(),
        text(),
        prop::option::of(text()),
        state(),
        prop::option::of(times()),
        any::<u64>(),
        breaks,
    )
        .prop_map(|(name, kind, quotes_from, state, last_tick, standby, breaks)| FeedWord {
            name,
            kind,
            quotes_from,
            state,
            last_tick,
            standby,
            breaks,
        });
    let increments = (prop::option::of(price()), prop::option::of(size()))
        .prop_map(|(tick, lot)| Increments { tick, lot });
    let input = prop_oneof![
        12 => tick().prop_map(Input::Tick),
        1 => (symbol(), source()).prop_map(|(symbol, source)| Input::Symbol(symbol, source)),
        1 => (symbol(), source()).prop_map(|(symbol, source)| Input::Source(symbol, source, SourceClock::default())),
        1 => (symbol(), any::<i64>()).prop_map(|(symbol, by)| Input::Jumped(symbol, by)),
        1 => (symbol(), times()).prop_map(|(symbol, now)| Input::Time(symbol, now)),
        1 => symbol().prop_map(Input::Removed),
        1 => (symbol(), increments).prop_map(|(symbol, increments)| Input::Described(symbol, increments)),
    ];
    prop_oneof![
        20 => input.prop_map(Entry::Input),
        1 => open,
        1 => Just(Entry::Close),
        1 => prop::collection::vec(feed, 0..4).prop_map(Entry::Feeds),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let told = prop::option::of(any::<(u64, u64, u64)>());
    let check = prop::option::of((any::<u32>(), any::<u32>(), told)).prop_map(|check| {
        check.map(|(from, most, told)| {
            let told = told.map(|(term, seq, sum)| (Position { term, seq }, sum));
            Entry::Check(Check { from, most, told })
        })
    });
    let inbox = prop::option::of(any::<(u64, u64)>());
    (times(), any::<bool>(), inbox, prop::collection::vec(entry(), 0..60), check).prop_map(
        |(time, passes, inbox, mut entries, check)| {
            entries.extend(check);
            Batch { time, passes, inbox: inbox.map(|(first, second)| InboxId(first, second)), entries }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_comes_back_as_it_was(batch in batch()) {
        let expected = format!("{batch:?}");
        for bytes in [batch.encode(), batch.encode_compressed()] {
            prop_assert_eq!(format!("{:?}", Batch::decode(&bytes).unwrap()), &*expected);
        }
        prop_assert!(batch.encode_compressed().len() <= batch.encode().len());
    }

    #[test]
    fn a_batch_that_is_cut_or_changed_is_refused_or_another_one_and_never_a_panic(
        batch in batch(),
        cut in any::<prop::sample::Index>(),
        changed in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        for mut bytes in [batch.encode(), batch.encode_compressed()] {
            let place = changed.index(bytes.len());
            bytes[place] = to;
            if let Ok(other) = Batch::decode(&bytes) {
                prop_assert!(Batch::decode(&other.encode()).is_ok());
            }
            let _refused = Batch::decode(&bytes[..cut.index(bytes.len())]);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _refused = Batch::decode(&bytes);
        let _refused = Batch::decode(&[&[WIRE_VERSION, 0, 0, 0], &*bytes].concat());
    }
}

#[test]
fn what_is_larger_than_a_batch_may_be_is_refused() {
    let with = |entries: usize| Batch {
        time: UnixMicros(0),
        passes: false,
        inbox: None,
        entries: vec![Entry::Close; entries],
    };
    assert!(Batch::decode(&with(MAX_BATCH_ENTRIES).encode()).is_ok());
    let large = with(MAX_BATCH_ENTRIES + 1);
    assert_eq!(Batch::decode(&large.encode()).err(), Some(WireError::Large("the number of entries")));
    let long = with(MAX_BATCH_BYTES);
    assert_eq!(Batch::decode(&long.encode()).err(), Some(WireError::Large("a batch")));
    // A megabyte in some hundred bytes.
    let bomb =
        [&[WIRE_VERSION, COMPRESSED][..], &zstd::encode_all(&vec![CLOSE; 1 << 20][..], 1).unwrap()].concat();
    assert_eq!(Batch::decode(&bomb).err(), Some(WireError::Large("what was compressed")));
}

#[test]
fn the_bytes_of_a_batch_are_these() {
    let trade = Trade {
        symbol: Symbol::new("BTC-USD").unwrap(),
        price: "67210.10".parse().unwrap(),
        size: "0.05990000".parse().unwrap(),
        side: Some(Side::Buy),
        id: Some(TradeId::Number(4_000_000_001)),
        source: Source::new("coinbase").unwrap(),
        te: Some(UnixMicros(1_790_000_000_000_000)),
        tr: UnixMicros(1_790_000_000_041_000),
        print: Print::default(),
    };
    let batch = |trades: usize| Batch {
        time: UnixMicros(1_790_000_000_041_100),
        passes: true,
        inbox: Some(InboxId(1_790_000_000_041, 0)),
        entries: vec![Entry::Input(Input::Tick(Tick::Trade(trade.clone()))); trades],
    };
    let bytes = batch(1).encode();
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex.concat(),
        "01009882b4a2dbffad0603a9d8c1a28c34000200074254432d5553440d0008636f696e6261736502f29b9a0308f0cced02c701d0800581d0acf30e"
    );
    // Each further one.
    assert_eq!(batch(101).encode().len() - bytes.len(), 100 * 24);
    let mut other = bytes.clone();
    other[0] = WIRE_VERSION + 1;
    assert_eq!(Batch::decode(&other).err(), Some(WireError::Version(WIRE_VERSION + 1)));
}
