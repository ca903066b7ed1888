//! Caps of feeds: definitions, recordings, simulators, pushed ticks and live venues.

mod doctor;

use std::{ops::RangeInclusive, time::Duration};

pub use doctor::*;

/// Slowest and fastest total rate of a simulator, in ticks a second. Outside: the definition is refused.
pub const SIMULATOR_RATE: RangeInclusive<f64> = 1.0..=200_000.0;

/// A simulator releases no sooner than this after it released last: what comes closer together is one burst.
pub const SIMULATOR_FINE_STEP: Duration = Duration::from_micros(200);

/// Likewise above [`SIMULATOR_COARSE_RATE`] ticks a second, where the number of wake-ups would cost more than the ticks.
pub const SIMULATOR_COARSE_STEP: Duration = Duration::from_millis(1);

/// See [`SIMULATOR_COARSE_STEP`].
pub const SIMULATOR_COARSE_RATE: f64 = 120_000.0;

/// A simulator that is later than this does not catch up but goes on from the present, and says so.
pub const SIMULATOR_LAG: Duration = Duration::from_secs(1);

/// A wall clock that is further than this from where the monotonic clock expects it was set: the event times of a
/// simulator follow it from there on.
pub const SIMULATOR_CLOCK_STEP: Duration = Duration::from_millis(100);

/// Longest session that is recorded at once, in seconds. Longer: the flag is refused.
pub const MAX_RECORDED_SECONDS: u64 = 86_400;

/// Most ticks of one recording. More: recording stops with an error.
pub const MAX_RECORDED_TICKS: u64 = 50_000_000;

/// Longest line or frame of a recording, in bytes (one Coinbase frame has 5.1 MB). Longer: skipped and counted.
pub const MAX_RECORDED_FRAME: usize = 16 * 1024 * 1024;

/// Columns of a row of a CSV recording. A row with more is skipped and counted.
pub const MAX_CSV_COLUMNS: usize = 256;

/// Lines after a row of a CSV recording whose quoted field was not closed that are taken for the inside of that field.
/// Each is skipped and counted; when it is still not closed the next line is a row again.
pub const CSV_QUOTED_LINES: usize = 100;

/// Lines or records of each file of a recording that `tickcast check` reads. What comes behind them it does not know.
pub const CHECK_LINES: u64 = 10_000;

/// Bytes of the lines that `tickcast check` reads of each file; the last of them is read whole.
pub const CHECK_BYTES: usize = 64 * 1024 * 1024;

/// Lines of a file without a tick that are looked at to tell whose they are. Later ones are only counted.
pub const RECOGNISED_LINES: usize = 64;

/// Frames of a connection of which none was understood, when that is said. At the end of a connection it is said of fewer.
pub const UPSTREAM_STRANGE_FRAMES: u64 = 20;

/// Slowest and fastest `speed` of a replay. Outside: the definition is refused.
pub const REPLAY_SPEED: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// A recorded clock that steps back by at most this much is jitter: the frame goes out at once and time goes on from
/// the latest one. After a larger step time goes on from the new one, also at once.
pub const REPLAY_JITTER: Duration = Duration::from_secs(1);

/// Lines and ticks that a replay reads ahead at most twice (one batch is played while the next is read). A frame
/// with more ticks is read whole.
pub const REPLAY_BATCH: (usize, usize) = (4_096, 8_192);

/// A replay that is this late waits for the shards' lanes to have room, as with `speed = "max"`.
pub const REPLAY_LATE: Duration = Duration::from_millis(100);

/// How often a replay tells its progress: on a terminal, and in the log.
pub const REPLAY_PROGRESS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// The times of a feed's `fresh`, in milliseconds: at most a day. Outside: the definition is refused.
pub const FRESH_MS: RangeInclusive<u64> = 1..=86_400_000;

/// Largest message that a venue may send, in bytes (unwanted books have 5.1 MB). Larger: the connection
/// is given up and made anew.
pub const UPSTREAM_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Frames that are read at one go, if there are that many. The rest comes with the next turn.
pub const UPSTREAM_BURST_FRAMES: usize = 256;

/// A venue that does not take a frame of ours for this long is given up: reason `stuck`.
pub const UPSTREAM_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// On a planned change of connection both are read for this long after the new one has all its subscriptions; what
/// both bring is published once.
pub const UPSTREAM_OVERLAP: Duration = Duration::from_secs(2);

/// Ticks of the new connection that are kept until it takes over. At one more it is given up, the old one stays.
pub const UPSTREAM_OVERLAP_TICKS: usize = 200_000;

/// The new connection of a planned change must have all its subscriptions within this time. Later: it is given up,
/// the old one stays.
pub const UPSTREAM_ROTATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Trades of one symbol whose venue does not number them that are remembered to tell repetitions.
pub const UPSTREAM_REMEMBERED_TRADES: usize = 512;

/// A tick with an old number but an event time that is later than the newest one by this much: the venue numbers
/// anew, from this tick on.
pub const UPSTREAM_RENUMBERED_AFTER: Duration = Duration::from_secs(1);

/// Frames that wait to be written by `tickcast record`. At more the venue is read no further until some are written.
pub const RECORD_FRAMES: usize = 4_096;

/// Longest `Retry-After` of a venue that is kept to: the longest ban that Binance documents. Longer ones end after it.
pub const RETRY_AFTER_MOST: Duration = Duration::from_secs(3 * 86_400);

/// Addresses of one venue's feed that are tried in turn. More: the definition is refused.
pub const UPSTREAM_URLS: usize = 8;

/// An address of a venue that does not answer costs this much: then the next one is tried beside it, as RFC 8305 recommends.
pub const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Addresses of one host that are tried. The rest is left out.
pub const UPSTREAM_ADDRESSES: usize = 16;

/// Hosts whose addresses one feed's `resolve` names. More: the definition is refused.
pub const PINNED_HOSTS: usize = 16;

/// Steps of one attempt to connect that are remembered. What comes behind them goes untold.
pub const JOURNEY_STEPS: usize = 128;

/// Longest head of a proxy's answer, in bytes. Longer: the attempt has failed.
pub const PROXY_HEAD_BYTES: usize = 16 * 1024;

/// Longest user name and longest password for a proxy, in bytes: what SOCKS5 can carry. Longer: the definition is refused.
pub const PROXY_CREDENTIALS_BYTES: usize = 255;

/// Entries of `NO_PROXY` that are read. Those behind them are passed over.
pub const NO_PROXY_ENTRIES: usize = 1_000;

/// How often a deadline of a connection is looked at, so that the time in which the process stood still is not counted.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `linger_ms` of a venue's feed: zero drops a symbol at once, a day at most.
pub const LINGER_MS_RANGE: RangeInclusive<u64> = 0..=86_400_000;

/// `rotate_after_ms` of a venue's feed: from a second, a week at most.
pub const ROTATE_MS_RANGE: RangeInclusive<u64> = 1_000..=604_800_000;

/// The other times of a venue's feed, in milliseconds: never zero, at most an hour.
pub const UPSTREAM_MS_RANGE: RangeInclusive<u64> = 10..=3_600_000;

/// Symbols of one push feed unless its `max_symbols` says otherwise. A tick of one more is refused and counted.
pub const PUSH_SYMBOLS: usize = 10_000;

/// Symbols of one venue's feed. More in its definition: refused. More found by its patterns: those that come later in
/// the order of the venue's names are left out, which is logged and counted.
pub const UPSTREAM_SYMBOLS: usize = 20_000;

/// Patterns of one venue's feed, exclusions included. More: the definition is refused.
pub const UPSTREAM_PATTERNS: usize = 1_000;

/// Longest product list of a venue, in bytes, as sent and after decompression. Longer: the attempt has failed, what is
/// known stays.
pub const PRODUCT_LIST_BYTES: usize = 32 * 1024 * 1024;

/// Products of one list. More: the same.
pub const MAX_PRODUCTS: usize = 50_000;

/// How often a venue's product list is fetched again when the definition does not say.
pub const PRODUCTS_REFRESH: Duration = Duration::from_secs(900);

/// `products_refresh_ms` of a venue's feed: venues count requests, so not often; a day at most.
pub const PRODUCTS_REFRESH_MS_RANGE: RangeInclusive<u64> = 1_000..=86_400_000;

/// A venue's product list must have come whole within this time when the definition does not say. Later: the attempt
/// has failed.
pub const PRODUCTS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after a symbol was subscribed its first quote is asked for, where the stream tells changes only: most have come by then,
/// and what the venue answers from its memory is as new as the subscription.
pub const FIRST_VALUES_AFTER: Duration = Duration::from_millis(500);

/// Symbols of one such request: the answer is small and so is the address. The others come with the next request.
pub const FIRST_VALUES_SYMBOLS: usize = 100;

/// Such requests of one feed in any minute. The next one waits. At Binance they weigh 120 of the 6,000 that an address has.
pub const FIRST_VALUES_PER_MINUTE: usize = 30;

/// Longest answer to such a request, in bytes, as sent and after decompression. Longer: the attempt has failed.
pub const FIRST_VALUES_BYTES: usize = 256 * 1024;

/// Attempts in a row that may fail. At one more the symbols that wait are left to the stream.
pub const FIRST_VALUES_ATTEMPTS: u32 = 5;

/// Most symbols in one request to a venue; a longer list becomes several. Our own choice: no venue states a number.
pub const VENUE_REQUEST_SYMBOLS: usize = 250;

/// Longest request to Binance, in bytes; a longer list becomes several. Undocumented: others found that a frame of more
/// than 4,096 bytes, its head included, is never answered.
pub const BINANCE_REQUEST_BYTES: usize = 4_000;

/// Streams of one connection to Binance, by its documentation. A symbol takes two; one more is refused by the venue.
pub const BINANCE_STREAMS: usize = 1_024;

/// Frames that a client may send on one connection to Binance in any second, pings and pongs included, by its
/// documentation. One more: the venue disconnects, and bans repeated offenders.
pub const BINANCE_FRAMES_PER_SECOND: u32 = 5;

/// Shortest time between two requests to Binance. Others measured that 220 ms are now and then too short, and 250 ms are
/// not.
pub const BINANCE_REQUEST_SPACING: Duration = Duration::from_millis(300);

/// Likewise for Coinbase Exchange, which takes eight of one address: two connections are open while one takes over.
pub const COINBASE_FRAMES_PER_SECOND: u32 = 4;

/// Likewise for Kraken, which documents no number for public data; its support once named twenty messages. A refusal
/// halves it.
pub const KRAKEN_FRAMES_PER_SECOND: u32 = 10;

/// Likewise for Alpaca, which documents no number. Our own choice.
pub const ALPACA_FRAMES_PER_SECOND: u32 = 5;

/// The window over which frames to a venue are counted is longer than the venue's by this much: on their way two frames
/// may come closer together.
pub const PACE_MARGIN: Duration = Duration::from_millis(150);

/// Frames of each window that requests leave to pings and pongs.
pub const PACE_KEEPALIVE_FRAMES: usize = 2;

/// How often the time between two requests is doubled, at most, while the venue says that there are too many, and how
/// long it must not say so before it is halved again.
pub const PACE_SLOWEST: u32 = 5;
/// See [`PACE_SLOWEST`].
pub const PACE_RECOVERS_AFTER: Duration = Duration::from_secs(60);

/// How long the answers to a request that has several, or is answered in part, are waited for before what they leave
/// open is asked again.
pub const UPSTREAM_ANSWER_GRACE: Duration = Duration::from_secs(1);

/// How long a request that is asked again in part is waited for when nothing at all answers it.
pub const UPSTREAM_RETRY_GRACE: Duration = Duration::from_secs(5);

/// First and longest pause before a request is repeated that the venue refused for its rate or for a fault of its own.
pub const UPSTREAM_REPEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A symbol that the venue refused is asked for again after this time, and so is a place that a full connection did not
/// have.
pub const UPSTREAM_REFUSED_AGAIN: Duration = Duration::from_secs(900);

/// Characters of a venue's own words (why it refused) that are kept. The rest is cut off.
pub const MAX_VENUE_WORDS: usize = 200;

/// Longest name that a venue has for a symbol, in bytes of UTF-8: Binance allows 50 characters. Longer in a definition:
/// refused; longer in a product list: the product is left out and counted.
pub const MAX_VENUE_SYMBOL_BYTES: usize = 200;

/// Most levels of lists and objects in a venue's MessagePack. A frame with more is counted and skipped.
pub const MAX_VENUE_NESTING: usize = 16;

/// Conditions of one trade that are read; those beyond say nothing. The plans have four.
pub const MAX_CONDITIONS: usize = 8;

/// First and longest pause before a feed is started again.
pub const FEED_BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// A feed that ran at least this long starts its backoff from the beginning.
pub const FEED_STABLE_AFTER: Duration = Duration::from_secs(60);
