//! Slices to bytes and back, put together in order.

use super::*;
use crate::{
    hub::{
        Input,
        tests::{feed, following, symbol},
    },
    market::{Level, Quote, Tick},
};

fn at(seq: u64) -> (Position, UnixMicros, Option<InboxId>) {
    (Position { term: 1, seq }, UnixMicros(9), Some(InboxId(3, 4)))
}

fn quote(i: usize, bid: u32) -> Input {
    let bid = Some(Level { price: bid.to_string().parse().unwrap(), size: None });
    let (te, tr) = (None, UnixMicros(7));
    Input::Tick(Tick::Quote(Quote {
        symbol: symbol(i),
        bid,
        ask: None,
        source: feed(0),
        te,
        tr,
        is_snapshot: true,
    }))
}

fn sent(slice: &Slice<Arc<Event>>) -> Slice<Numbered> {
    Slice::decode(&slice.encode()).unwrap()
}

#[test]
fn slices_come_in_order_and_of_one_numbering() {
    let hub = following();
    hub.apply((0..3).map(|i| Input::Symbol(symbol(i), feed(0)))).unwrap();
    let slice = |seq, from| sent(&Slice::take(&hub, at(seq), from, 1));
    let mut builder = ImageBuilder::default();
    assert!(builder.add(slice(1, 0)).unwrap().is_none());
    assert_eq!(builder.next(), 1);
    assert_eq!(builder.add(slice(1, 2)).unwrap_err(), ImageError::OutOfOrder { expected: 1, found: 2 });
    assert_eq!(builder.add(slice(0, 1)).unwrap_err(), ImageError::Broken);
    let renamed = Slice { epoch: "another".into(), ..slice(2, 1) };
    assert_eq!(builder.add(renamed).unwrap_err(), ImageError::Broken);
    assert!(builder.add(slice(2, 1)).unwrap().is_none());
    let image = builder.add(slice(4, 2)).unwrap().unwrap();
    assert_eq!((image.first(), image.last, image.topics()), (at(1).0, at(4).0, 3));
    assert_eq!(image.marks[&symbol(1)], at(2).0);
    assert_eq!((image.time, image.inbox, &*image.epoch), (at(1).1, at(1).2, "e"));
    assert_eq!(image.numbering, hub.numbering());
}

#[test]
fn a_symbol_that_came_back_is_the_later_one() {
    let hub = following();
    hub.apply((0..2).map(|i| Input::Symbol(symbol(i), feed(0)))).unwrap();
    let mut builder = ImageBuilder::default();
    builder.add(sent(&Slice::take(&hub, at(1), 0, 1))).unwrap();
    hub.apply([quote(0, 1), Input::Removed(symbol(0)), Input::Symbol(symbol(0), feed(1)), quote(0, 2)])
        .unwrap();
    builder.add(sent(&Slice::take(&hub, at(2), 1, 1))).unwrap();
    let image = builder.add(sent(&Slice::take(&hub, at(3), 2, 1))).unwrap().unwrap();
    let topics: Vec<_> = image.topics.iter().map(|topic| (topic.id, topic.symbol, topic.base)).collect();
    assert_eq!(topics, [(1, symbol(1), 0), (2, symbol(0), 1)]);
    assert_eq!(image.marks[&symbol(0)], at(3).0);
    let other = following();
    other.renew(image.topics, image.numbering).unwrap();
    assert_eq!(other.sum(0, 9), hub.sum(0, 9));
}

#[test]
fn slices_that_are_cut_or_changed_are_refused_or_others_and_never_a_panic() {
    let hub = following();
    hub.apply((0..3).map(|i| Input::Symbol(symbol(i), feed(0))).chain([quote(0, 1), quote(1, 2)])).unwrap();
    let bytes = Slice::take(&hub, at(1), 0, 9).encode();
    assert!(Slice::decode(&bytes).is_ok());
    let plain = decompress(&bytes[1..], MAX_SLICE_BYTES).unwrap();
    let packed = |plain: &[u8]| [&[WIRE_VERSION][..], &zstd::encode_all(plain, LEVEL).unwrap()].concat();
    for place in 0..plain.len() {
        assert!(Slice::decode(&packed(&plain[..place])).is_err(), "cut at {place}");
        for to in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = plain.clone();
            changed[place] = to;
            if let Ok(slice) = Slice::decode(&packed(&changed))
                && let Err(numbering) = slice.next
            {
                // Refused, or what a topic may be.
                let _outcome = following().renew(slice.topics, numbering);
            }
        }
    }
    let mut other = bytes;
    other[0] += 1;
    assert_eq!(Slice::decode(&other).err(), Some(WireError::Version(WIRE_VERSION + 1)));
}
