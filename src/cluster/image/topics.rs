//! One topic of an image as bytes. What is computed from trades is packed as the store packs it, the rest as in a batch.

use serde::{Serialize, de::DeserializeOwned};

use super::super::{
    bytes::WireError,
    wire::{InputReader, InputWriter},
};
use crate::{
    hub::{Body, Event, Image, Numbered, Present, RingImage, SourceClock},
    limits::{MAX_FEEDS_PER_SYMBOL, MAX_SLICE_BYTES},
    market::{Bar, Channel, Interval, Source, Symbol, Tick},
};

/// Flags of a bar.
const FINAL: u8 = 1;
const VOID: u8 = 2;
const AVERAGE: u8 = 4;

pub(super) fn put<E: AsRef<Event>>(out: &mut InputWriter, image: &Image<E>) {
    out.uint(u64::from(image.id));
    out.uint(image.base);
    out.symbol(image.symbol);
    out.source(image.feed);
    image.heads.iter().for_each(|head| out.uint(*head));
    image.last.iter().chain(&image.lost).for_each(|event| put_optional(out, event.as_ref()));
    for ring in [&image.trades, &image.corrections] {
        out.uint(ring.forgotten);
        out.uint(ring.events.len() as u64);
        ring.events.iter().for_each(|event| put_body(out, &event.as_ref().body));
    }
    for ring in &image.bars {
        out.uint(ring.forgotten);
        out.uint(ring.events.len() as u64);
        ring.events.iter().for_each(|event| put_numbered(out, event));
    }
    put_packed(out, image.computed.as_ref());
    put_packed(out, Some(&image.minutes));
    out.byte(u8::from(image.is_absent));
    out.clock(&image.clock);
    out.byte(u8::from(image.present.is_some()));
    if let Some(present) = &image.present {
        let Present { status, voids, others, source, increments, points } = &**present;
        put_optional(out, status.as_ref());
        voids.iter().for_each(|void| put_optional(out, void.as_ref()));
        out.uint(others.len() as u64);
        for (feed, clock) in others {
            out.source(*feed);
            out.clock(clock);
        }
        out.source(*source);
        out.increments(increments);
        put_packed(out, points.as_ref());
    }
}

pub(super) fn take(reader: &mut InputReader<'_>) -> Result<Image<Numbered>, WireError> {
    let (id, base) = (reader.small()?, reader.uint()?);
    let (symbol, feed) = (reader.symbol()?, reader.source()?);
    let mut heads = [0; Channel::COUNT];
    for head in &mut heads {
        *head = reader.uint()?;
    }
    let channels = [Channel::Trades, Channel::Quotes];
    let both = |reader: &mut InputReader<'_>| {
        let [trades, quotes] = channels.map(|channel| take_optional(reader, (symbol, channel)));
        Ok::<_, WireError>([trades?, quotes?])
    };
    let (last, lost) = (both(reader)?, both(reader)?);
    let trades = take_counted(reader, (symbol, Channel::Trades))?;
    let corrections = take_counted(reader, (symbol, Channel::Corrections))?;
    let mut bars = Interval::ALL.map(|_| RingImage::default());
    for (interval, ring) in Interval::ALL.into_iter().zip(&mut bars) {
        ring.forgotten = reader.uint()?;
        let count = reader.uint()?;
        for _ in 0..count {
            ring.events.push(take_numbered(reader, (symbol, Channel::Bars(interval)))?);
        }
    }
    Ok(Image {
        id,
        base,
        symbol,
        feed,
        heads,
        last,
        lost,
        trades,
        trades_changed: true,
        corrections,
        bars,
        computed: take_packed(reader)?,
        minutes: take_packed(reader)?.unwrap_or_default(),
        is_absent: reader.flag()?,
        clock: reader.clock()?,
        present: if reader.flag()? { Some(Box::new(take_present(reader, symbol)?)) } else { None },
    })
}

fn take_present(reader: &mut InputReader<'_>, symbol: Symbol) -> Result<Present<Numbered>, WireError> {
    let status = take_optional(reader, (symbol, Channel::Status))?;
    let mut voids = [const { None }; Interval::COUNT];
    for (interval, void) in Interval::ALL.into_iter().zip(&mut voids) {
        *void = take_optional(reader, (symbol, Channel::Bars(interval)))?;
    }
    let count = reader.uint()?;
    if count >= MAX_FEEDS_PER_SYMBOL as u64 {
        return Err(WireError::Large("the number of feeds"));
    }
    let other = |_| -> Result<(Source, SourceClock), WireError> { Ok((reader.source()?, reader.clock()?)) };
    let others = (0..count).map(other).collect::<Result<_, _>>()?;
    Ok(Present {
        status,
        voids,
        others,
        source: reader.source()?,
        increments: reader.increments()?,
        points: take_packed(reader)?,
    })
}

fn put_optional<E: AsRef<Event>>(out: &mut InputWriter, event: Option<&E>) {
    out.byte(u8::from(event.is_some()));
    event.iter().for_each(|event| put_numbered(out, *event));
}

fn take_optional(reader: &mut InputReader<'_>, of: (Symbol, Channel)) -> Result<Option<Numbered>, WireError> {
    if reader.flag()? { take_numbered(reader, of).map(Some) } else { Ok(None) }
}

fn put_numbered<E: AsRef<Event>>(out: &mut InputWriter, event: &E) {
    out.uint(event.as_ref().n);
    put_body(out, &event.as_ref().body);
}

fn take_numbered(reader: &mut InputReader<'_>, of: (Symbol, Channel)) -> Result<Numbered, WireError> {
    Ok(Numbered { n: reader.uint()?, body: take_body(reader, of)? })
}

/// A ring in which every number has its event.
fn take_counted(
    reader: &mut InputReader<'_>,
    of: (Symbol, Channel),
) -> Result<RingImage<Numbered>, WireError> {
    let (forgotten, count) = (reader.uint()?, reader.uint()?);
    let mut ring = RingImage { forgotten, events: Vec::new() };
    for n in (1..=count).map(|place| forgotten.saturating_add(place)) {
        ring.events.push(Numbered { n, body: take_body(reader, of)? });
    }
    Ok(ring)
}

/// A ticker is none of what is remembered: it is computed.
fn put_body(out: &mut InputWriter, body: &Body) {
    match body {
        Body::Tick(tick) => out.tick(tick),
        Body::Bar(bar) => put_bar(out, bar),
        Body::Ticker(_) => debug_assert!(false, "tickers are computed"),
    }
}

fn take_body(reader: &mut InputReader<'_>, (symbol, channel): (Symbol, Channel)) -> Result<Body, WireError> {
    if let Channel::Bars(interval) = channel {
        return take_bar(reader, symbol, interval).map(|bar| Body::Bar(Box::new(bar)));
    }
    let kind = reader.byte()?;
    let tick: Tick = reader.tick(kind)?;
    if (tick.symbol(), tick.channel()) == (symbol, channel) {
        Ok(Body::Tick(tick))
    } else {
        Err(WireError::Damaged("an event of something else"))
    }
}

fn put_bar(out: &mut InputWriter, bar: &Bar) {
    let Bar { start, open, high, low, close, volume, vwap, trades, is_final, is_void, .. } = bar;
    let flag = |flag: u8, is: bool| if is { flag } else { 0 };
    out.byte(flag(FINAL, *is_final) | flag(VOID, *is_void) | flag(AVERAGE, vwap.is_some()));
    out.time(*start);
    [open, high, low, close].into_iter().chain(vwap).for_each(|price| out.decimal(price.decimal()));
    out.decimal(volume.decimal());
    out.uint(*trades);
}

fn take_bar(reader: &mut InputReader<'_>, symbol: Symbol, interval: Interval) -> Result<Bar, WireError> {
    let flags = reader.byte()?;
    let start = reader.time()?;
    let (open, high, low, close) = (reader.price()?, reader.price()?, reader.price()?, reader.price()?);
    Ok(Bar {
        symbol,
        interval,
        start,
        open,
        high,
        low,
        close,
        vwap: if flags & AVERAGE == 0 { None } else { Some(reader.price()?) },
        volume: reader.size()?,
        trades: reader.uint()?,
        is_final: flags & FINAL != 0,
        is_void: flags & VOID != 0,
    })
}

fn put_packed<T: Serialize>(out: &mut InputWriter, value: Option<&T>) {
    out.byte(u8::from(value.is_some()));
    if let Some(value) = value {
        out.bytes(&rmp_serde::to_vec(value).expect("it has nothing that MessagePack has not"));
    }
}

fn take_packed<T: DeserializeOwned>(reader: &mut InputReader<'_>) -> Result<Option<T>, WireError> {
    if !reader.flag()? {
        return Ok(None);
    }
    let bytes = reader.bytes(MAX_SLICE_BYTES)?;
    rmp_serde::from_slice(bytes).map(Some).map_err(|_why| WireError::Damaged("what is computed"))
}
