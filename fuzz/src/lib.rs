//! What the readers of foreign bytes promise of any bytes. Each is also given the same bytes with other escapes, which must
//! say the same.

#[path = "../../tests/shared/escape.rs"]
pub mod escape;

use std::sync::Arc;

use serde::Deserialize as _;
use tickcast::{
    clock::Clock,
    cluster::{Batch, Follower, ImageBuilder, Position, Slice},
    dialect::{
        Message, Venue,
        native::{Encoding, TickMessage, encode_tick, parse_command},
    },
    hub::{Hub, HubConfig},
    market::{Source, Tick, UnixMicros},
    metrics::Metrics,
};

/// Longest text of an error, in bytes: its words and what frames them.
const LONGEST_ERROR: usize = 2_000;

/// Reads the bytes as one frame of the venue and checks what came of it.
///
/// # Panics
/// When a promise is broken: that is the finding.
pub fn kept(venue: Venue, frame: &[u8]) {
    let mut said = vec![Message::Shutdown];
    let read = venue.parse(frame, UnixMicros(1), &mut said);
    if let (true, Some(other)) = (read.is_ok(), rewritten(frame)) {
        let mut again = vec![Message::Shutdown];
        venue.parse(&other, UnixMicros(1), &mut again).expect("escapes make nothing unreadable");
        assert_eq!(said, again, "escapes mean nothing");
    }
    match read {
        Ok(()) => {
            assert!((2..=frame.len() + 1).contains(&said.len()), "as many messages as the frame can hold");
            for message in &said {
                if let Message::Tick { tick, .. } = message {
                    told(tick);
                }
            }
        }
        Err(error) => {
            assert_eq!(said, [Message::Shutdown], "an error leaves nothing behind");
            assert!(error.to_string().len() <= LONGEST_ERROR, "an error quotes no more than it needs");
        }
    }
}

/// Reads the bytes as the venue's product list.
///
/// # Panics
/// When a promise is broken.
pub fn products_kept(venue: Venue, list: &[u8]) {
    let read = venue.products(list);
    if let (Ok(read), Some(other)) = (&read, rewritten(list)) {
        let again = venue.products(&other).expect("escapes make nothing unreadable");
        assert_eq!(read.products, again.products, "escapes mean nothing");
        assert_eq!(read.skipped, again.skipped, "nor does anything else become unreadable");
    }
    match read {
        Ok(read) => {
            assert!(!read.products.is_empty(), "an empty list is an error");
            assert!(
                read.products.len() + read.skipped <= list.len(),
                "no more products than the list can hold"
            );
            assert_eq!(read.skipped > 0, read.complaint.is_some(), "what is skipped has a reason");
            let complaint = read.complaint.map(|why| why.to_string().len()).unwrap_or_default();
            assert!(complaint <= LONGEST_ERROR, "a complaint quotes no more than it needs");
        }
        Err(error) => {
            assert!(error.to_string().len() <= LONGEST_ERROR, "an error quotes no more than it needs")
        }
    }
}

/// Reads the bytes as a client's command and as a producer's tick, in both encodings.
///
/// # Panics
/// When a promise is broken.
pub fn native_kept(bytes: &[u8]) {
    for encoding in Encoding::ALL {
        if let Err(fault) = parse_command(bytes, encoding) {
            assert!(fault.msg.len() <= LONGEST_ERROR, "a fault quotes no more than it needs");
        }
    }
    if let Ok(message) = serde_json::from_slice::<TickMessage<'_>>(bytes) {
        published(&message);
        if let Some(other) = rewritten(bytes) {
            let again =
                serde_json::from_slice::<TickMessage<'_>>(&other).expect("escapes make nothing unreadable");
            let tick = |message: &TickMessage<'_>| message.tick(source(), UnixMicros(1)).ok();
            assert_eq!(tick(&message), tick(&again), "escapes mean nothing");
        }
    }
    if let (Ok(command), Some(other)) = (parse_command(bytes, Encoding::Json), rewritten(bytes)) {
        assert_eq!(parse_command(&other, Encoding::Json), Ok(command), "escapes mean nothing");
    }
    let mut packed = rmp_serde::Deserializer::from_read_ref(bytes);
    if let Ok(message) = TickMessage::deserialize(&mut packed) {
        published(&message);
    }
}

/// Reads the bytes as a batch of the log and as a slice of an image, and takes in what that says.
///
/// # Panics
/// When a promise is broken.
pub fn cluster_kept(bytes: &[u8]) {
    if let Ok(batch) = Batch::decode(bytes) {
        let again = Batch::decode(&batch.encode()).expect("what was read can be written");
        assert_eq!(format!("{again:?}"), format!("{batch:?}"), "and says the same");
        let mut follower = Follower::new(hub());
        follower.found(Position::START);
        if follower.apply(Position { term: 0, seq: 1 }, batch).is_ok() {
            while follower.proceed().is_ok_and(|more| more) {}
            let _sum = follower.hub().sum(0, u32::MAX);
        }
    }
    if let Ok(slice) = Slice::decode(bytes)
        && let Ok(Some(image)) = ImageBuilder::default().add(slice)
    {
        let _refused = Follower::new(hub()).load(image);
    }
}

fn hub() -> Arc<Hub> {
    let clock = Clock::manual(UnixMicros(1));
    Arc::new(Hub::new(HubConfig::default(), "fuzz".to_owned(), clock, Arc::new(Metrics::new())))
}

/// The same JSON with other escapes, chosen by its own bytes. None of MessagePack, or of what is not UTF-8.
fn rewritten(json: &[u8]) -> Option<Vec<u8>> {
    let mut state = json.iter().fold(1_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    escape::escaped(json, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    })
}

fn source() -> Source {
    Source::new("fuzz").expect("the name is short and plain")
}

fn published(message: &TickMessage<'_>) {
    match message.tick(source(), UnixMicros(1)) {
        Ok(tick) => told(&tick),
        Err(error) => {
            assert!(error.to_string().len() <= LONGEST_ERROR, "an error quotes no more than it needs")
        }
    }
}

/// What is told to clients can be read, and is the same tick when it is given to another gateway.
fn told(tick: &Tick) {
    let text = encode_tick(1, tick, Encoding::Json);
    let value: serde_json::Value = serde_json::from_slice(&text).expect("what is told is JSON");
    let packed = encode_tick(1, tick, Encoding::MsgPack);
    assert_eq!(rmp_serde::from_slice::<serde_json::Value>(&packed).expect("and MessagePack"), value);
    let has_side = matches!(tick, Tick::Quote(quote) if quote.bid.is_some() || quote.ask.is_some());
    if has_side || matches!(tick, Tick::Trade(_)) {
        let message: TickMessage<'_> = serde_json::from_slice(&text).expect("and a tick again");
        let mut again = message.tick(source(), UnixMicros(1)).expect("with values that can be");
        // How a print counts travels with it; by which of the venue's rules does not.
        if let (Tick::Trade(again), Tick::Trade(tick)) = (&mut again, tick) {
            again.print.rule = tick.print.rule;
        }
        assert_eq!(&again, tick, "and the same one");
    }
}
