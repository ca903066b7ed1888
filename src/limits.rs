//! Every cap of the gateway as a named constant, with what happens at it.
//!
//! What an operator may want to change is a default here and a key in the configuration; what would break the
//! contract if it were changed is a constant only.

mod clients;
mod cluster;
mod feeds;
mod listener;
mod membership;
mod node;
mod numbering;
mod process;
mod redis;
mod wire;

use std::{ops::RangeInclusive, time::Duration};

pub use clients::*;
pub use cluster::*;
pub use feeds::*;
pub use listener::*;
pub use membership::*;
pub use node::*;
pub use numbering::*;
pub use process::*;
pub use redis::*;
pub use wire::*;

// ---- log -------------------------------------------------------------------------------------------------

/// Time between two log lines about refusals or closes of one reason. Those in between are counted, and the next line
/// tells how many there were.
pub const NOTICE_INTERVAL: Duration = Duration::from_secs(10);

// ---- names -----------------------------------------------------------------------------------------------

/// Longest symbol, in bytes. Longer: refused with 414 (client) or counted and skipped (feed).
pub const MAX_SYMBOL_LEN: usize = 32;

/// Longest source name or exchange code, in bytes. Longer: the configuration is refused, or the tick is skipped.
pub const MAX_SOURCE_LEN: usize = 16;

/// Longest text a command's `id` may be, in characters. Longer: 416.
pub const MAX_COMMAND_ID: usize = 36;

/// Longest text of a trade's `id`, in bytes. Longer: the tick is refused and counted.
pub const MAX_TRADE_ID: usize = 64;

/// Longest text of a price or a size, in bytes: more than any exact one needs, with an exponent or zeros at either end.
/// Longer: the tick is refused and counted.
pub const MAX_DECIMAL_CHARS: usize = 64;

/// Characters of an error that are logged or answered, since it may repeat what was sent. The rest is cut off.
pub const MAX_ERROR_CHARS: usize = 300;

// ---- hub -------------------------------------------------------------------------------------------------

/// Most topics of one gateway. A tick of one more symbol is counted and dropped.
pub const MAX_TOPICS: usize = 100_000;

/// Feeds that carry one symbol. One more is refused the symbol: its declaration fails, its ticks are counted and dropped.
pub const MAX_FEEDS_PER_SYMBOL: usize = 8;

/// `preference` of a feed, and what it is when the definition does not say. Outside: the definition is refused.
pub const PREFERENCE_RANGE: RangeInclusive<u32> = 1..=1_000;
/// See [`PREFERENCE_RANGE`].
pub const DEFAULT_PREFERENCE: u32 = 100;

/// How long a symbol's source may be lost before another feed that carries it takes over, when nothing else is
/// configured.
pub const DEFAULT_FAILOVER_GRACE: Duration = Duration::from_secs(5);

/// How long a more preferred feed must work before it is the source again, when nothing else is configured.
pub const DEFAULT_FAILOVER_HOLD: Duration = Duration::from_secs(30);

/// `failover.grace_ms` and `failover.hold_ms`: at most an hour. Outside: the configuration is refused.
pub const FAILOVER_MS_RANGE: RangeInclusive<u64> = 0..=3_600_000;

/// Most shards (worker threads): a topic keeps the interested ones in one 64-bit word.
pub const MAX_SHARDS: usize = 64;

/// Events that wait between the hub and one shard. At one more the shard is lapped: it resynchronises every topic
/// it listens to from the hub's last values and rings, and streams get a gap where events are really lost.
pub const DEFAULT_LANE_EVENTS: usize = 16_384;

/// Trades that a topic remembers. Older ones can no longer be recovered.
pub const DEFAULT_TRADES_PER_SYMBOL: usize = 256;

/// Final bars that a topic remembers of each interval. Older ones can no longer be recovered or read.
pub const DEFAULT_BARS: usize = 1_000;

/// How long after its end, in microseconds, a bar waits for trades that are still under way when none of a later interval
/// comes. One that takes longer is late: it is counted and left out of the bar.
pub const BAR_GRACE: i64 = 500_000;

/// How far a trade's time at its source may be ahead of its receipt, in microseconds, and how far a source's clock is ever taken to
/// be ahead. Further: the time of receipt counts for ticker and bars.
pub const MAX_CLOCK_AHEAD: i64 = 60_000_000;

/// How far a trade's time may be ahead of what its source's clock is known to say, in microseconds. Further: the time of receipt
/// counts for ticker and bars.
pub const MAX_STAMP_AHEAD: i64 = 5_000_000;

/// Ticks from which a source's clock is learned: the smallest difference of this number of the newest, and of up to as many before them.
pub const CLOCK_WINDOW: u32 = 64;

/// A source whose ticks are later than that, in microseconds, is a recording: its clock goes as fast as it is played.
pub const RECORDED_AFTER: i64 = 600_000_000;

/// How far a time of a recording jumps, in microseconds, for it to be looked at whether the next ones follow.
pub const FAR_OFF: i64 = 3_600_000_000;

/// The same where nothing behind it tells, or nothing before it.
pub const FAR_OFF_ALONE: i64 = 30 * 86_400_000_000;

/// From this number of microseconds on, a difference between the machine's clock and monotonic time is a step, which is logged and
/// counted. Less is followed without a word.
pub const CLOCK_STEP: u64 = 500_000;

/// After the machine's clock was set back the gateway's goes slower by one part in this number, until they are the same again.
pub const CLOCK_SLEW: i64 = 10;

/// By how much the machine's clock may be behind what the store's last run has said, in microseconds, for the gateway's to go
/// on from there. Further: it starts with the machine's, and what is kept is from the future.
pub const CLOCK_CARRIED: i64 = 86_400_000_000;

/// How late the task that tells the hub the time, or a connection to a venue, may be. Later: it was held up, and judges no session.
pub const LATE: Duration = Duration::from_millis(500);

/// Corrections of trades that each topic remembers; older ones are forgotten, and clients that come back are told a gap.
pub const CORRECTIONS_PER_SYMBOL: usize = 64;

/// Remembered trades among which a correction looks for the one that it is of, the newest first. One that is older is
/// corrected as a forgotten one: clients are told, and what was derived from it stays.
pub const CORRECTION_LOOKBACK: usize = 16_384;

/// Trades between two copies of what is derived from them, at most; half of `history.trades_per_symbol` where that is
/// less. What a correction costs is bounded by it: up to twice as many trades are computed again.
pub const POINT_TRADES: u64 = 512;

/// Corrections in one body of `/v1/publish`. More are refused, each by its line.
pub const PUBLISH_CORRECTIONS: usize = 64;

/// How often the hub is told the time, for bars that no trade ends.
pub const CLOCK_TICK: Duration = Duration::from_millis(250);

/// Minutes of the ticker's window. A trade of an older one is counted and left out.
pub const TICKER_MINUTES: i64 = 1_440;

/// Digits after the point that a bar's average price has more than the finest of its prices, and those of the ticker's
/// percentage. What is beyond is rounded, half to even.
pub const VWAP_DIGITS: u32 = 4;
/// See [`VWAP_DIGITS`].
pub const PERCENT_DIGITS: u32 = 4;

/// Digits after the point that a decimal holds at most. A scale above it is cut to it.
pub const MAX_DECIMAL_SCALE: u32 = 28;

/// Ticks in one burst from a feed to the hub. A feed with more at hand publishes several bursts.
pub const MAX_BURST_TICKS: usize = 1_024;

// ---- store -----------------------------------------------------------------------------------------------

/// Time between two saves. A crash loses what came after the last one.
pub const DEFAULT_STORE_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest and longest time between two saves, in milliseconds. Outside: the configuration is refused.
pub const STORE_INTERVAL_MS_RANGE: RangeInclusive<u64> = 100..=3_600_000;

/// Longest pause between attempts to save while they fail: it doubles with each failure up to this.
pub const STORE_RETRY_MAX: Duration = Duration::from_secs(60);

/// Memory that the database takes for pages of the file, in bytes. What is beyond is written or read again.
pub const STORE_CACHE_BYTES: usize = 16 << 20;

/// How long a symbol stays in the file that no feed names or sends any more. Then the next start drops it.
pub const STORE_FORGETS: Duration = Duration::from_secs(30 * 86_400);

// ---- sessions --------------------------------------------------------------------------------------------

/// Sessions of one gateway. One more gets error 406 and close 4005.
pub const DEFAULT_CONNECTIONS: usize = 16_384;

/// Sessions of one client address. One more gets error 406 and close 4005.
pub const DEFAULT_CONNECTIONS_PER_IP: usize = 16_384;

/// Subscriptions of one session, counted by (symbol, channel). A command that would pass it is refused whole: 405.
pub const DEFAULT_SYMBOLS_PER_SESSION: usize = 2_000;

/// Commands a second of one session, over the long run. One more: error 429.
pub const DEFAULT_COMMANDS_PER_SECOND: u32 = 50;

/// Symbols and patterns that `symbols` of one command or query names, and symbols that `since` does. More: 416 (400).
pub const COMMAND_SYMBOLS: usize = 10_000;

/// Values in one command, those in lists and maps included. More: 400, and the rest is not read.
pub const COMMAND_VALUES: usize = 25_000;

/// Patterns that one session follows. A command that would pass it is refused whole: 405.
pub const SESSION_PATTERNS: usize = 200;

/// Units of work that count as one more command of a session's rate: a symbol that is looked up or matched is one, one
/// that is subscribed, changed or left some more, as are 64 bytes of a command. About half a microsecond each.
pub const COMMAND_UNITS: usize = 5_000;

/// Units of work that a shard does for commands before other tasks of its thread get a turn.
pub const WORK_TURN_UNITS: usize = 4_000;

/// Units of work that a command may take at once when it comes. One that takes more waits for a turn of its shard.
pub const WORK_AT_ONCE_UNITS: usize = 500;

/// Symbols in one answer to a command; of a longer one all parts but the last say `more`.
pub const ANSWER_SYMBOLS: usize = 1_000;

/// Commands that one session may send at once before the rate counts.
pub const COMMAND_BURST: u32 = 200;

/// A refused command that is longer, in bytes, is not read: its answer has no `id`.
pub const REFUSED_COMMAND_BYTES: usize = 4 * 1024;

/// Refused commands in a row (429 and nothing else) after which the session is closed with 4102.
pub const MAX_REFUSED_COMMANDS: u32 = 2_000;

/// Largest message from a client, in bytes, over all its fragments. Larger: close 1009 before it is buffered.
pub const DEFAULT_FRAME_BYTES: usize = 128 * 1024;

/// Most frames that one message may be cut into. More: close 1009.
pub const MAX_FRAGMENTS: usize = 1_024;

/// Pings a second that a client may send, over the long run and at once. More: close 4102.
pub const PING_RATE: (u32, u32) = (20, 200);

/// Bytes of events that a session's stream queue holds. At more the oldest half goes and gaps name what is lost.
pub const DEFAULT_STREAM_BYTES: usize = 256 * 1024;

/// Messages in the control queue (acks, status, gap, pong). One more: close 4105.
pub const DEFAULT_CONTROL_MESSAGES: usize = 1_024;

/// Replies waiting in the control queue at which the session's commands are read no further until it has drained.
pub const CONTROL_PAUSE: usize = 128;

/// Bytes of replies waiting in the control queue at which reading pauses likewise (one ack of thousands of symbols is large).
pub const CONTROL_PAUSE_BYTES: usize = 256 * 1024;

/// Status events that may wait for each subscribed symbol before the control queue counts as full.
pub const STATUS_PER_SYMBOL: usize = 4;

/// Bytes of recovered events in one subscribe answer. The symbols past it are answered as not recoverable.
pub const RECOVERY_BYTES: usize = 1024 * 1024;

/// Events that a shard hands to its sessions before other tasks of its thread get a turn. A shard that is late has
/// more of them at hand, and so writes more with each call: fewer would keep it late.
pub const SHARD_TURN_EVENTS: usize = 1_024;

/// Bytes of one server frame; one with a single larger event or ack is sent whole.
pub const FRAME_BUDGET: usize = 16 * 1024;

/// Bytes that actix takes from a session before the socket has taken them.
pub const WRITE_BUFFER: usize = 16 * 1024;

/// Unsent bytes that the kernel queues for one socket before it reports it as full (`TCP_NOTSENT_LOWAT`).
pub const NOTSENT_LOWAT: u32 = 4 * 1024;

/// Time between two writes to one session while its shard is fully busy. Events that come sooner share the next write.
pub const DEFAULT_FLUSH: Duration = Duration::from_millis(10);

/// `session.flush_ms`, and `flush_ms` of a client's URL: zero never holds a write. Outside: refused.
pub const FLUSH_MS_RANGE: RangeInclusive<u64> = 0..=1_000;

/// Share of its time in percent that a shard is busy, below which no session waits between two writes, and from which on
/// everybody waits for the whole of [`DEFAULT_FLUSH`].
pub const PACE_LOAD_PERCENT: (u32, u32) = (90, 99);

/// Over how long a shard measures that share.
pub const PACE_WINDOW: Duration = Duration::from_millis(50);

/// How often a server sends a ping frame.
pub const DEFAULT_PING: Duration = Duration::from_secs(20);

/// No byte from the client for the ping interval and this long: evicted with 4104.
pub const DEFAULT_PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing sent for this long: an `hb` message, which browsers can see.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(5);

/// The socket took nothing for this long while something waited: close 4103.
pub const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// After the close frame the client has this long to answer it before the socket is closed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// An evicted session (slow or without a pong) has this long to take its goodbye before the connection is cut.
pub const EVICT_TIMEOUT: Duration = Duration::from_secs(1);

/// A drained client is told to come back after a random time of up to this long.
pub const RECONNECT_SPREAD: Duration = Duration::from_secs(5);

/// Highest `max_rate` in events a second; above it the timer would cost more than it saves. More: 416.
pub const MAX_RATE: f64 = 1_000.0;

/// Lowest `max_rate` in events a second (one event in a thousand seconds). Less: 416.
pub const MIN_RATE: f64 = 0.001;

// ---- transports beside WebSocket ---------------------------------------------------------------------------

/// Nothing sent on an event stream for this long: a comment, so that proxies keep the connection.
pub const SSE_COMMENT: Duration = Duration::from_secs(15);

/// An event stream that broke off is opened again after a random time in this range, in milliseconds, so that clients
/// do not all come back at once.
pub const SSE_RETRY_MS: RangeInclusive<u64> = 1_000..=3_000;

/// Longest position, in bytes of its text: proxies take header lines of 8 KiB. It holds a thousand subscriptions. One for
/// more says so, and a client that comes back with it gets a `resync`.
pub const POSITION_BYTES: usize = 6 * 1024;

/// Subscriptions of one `/v1/poll`, which fit into a position. More: 400.
pub const POLL_SUBSCRIPTIONS: usize = 500;

/// How long `/v1/poll` may wait for news, in seconds. Outside: 400.
pub const POLL_WAIT: RangeInclusive<u64> = 0..=60;

/// How long `/v1/poll` waits when it is not told, in seconds.
pub const DEFAULT_POLL_WAIT: u64 = 25;

/// Trades in one answer of `/v1/trades/{symbol}`. Outside: 400.
pub const TRADES_PAGE: RangeInclusive<usize> = 1..=1_000;

/// Trades in one answer when the request does not say.
pub const DEFAULT_TRADES_PAGE: usize = 100;

/// Bars in one answer of `/v1/bars/{symbol}`. Outside: 400.
pub const BARS_PAGE: RangeInclusive<usize> = 1..=1_000;

/// Bars in one answer when the request does not say: a chart's width.
pub const DEFAULT_BARS_PAGE: usize = 100;

/// Largest body of `/v1/publish`, in bytes. Larger: 413, and nothing is published.
pub const PUBLISH_BYTES: usize = 1024 * 1024;

/// Refused ticks that an answer of `/v1/publish` names; more are counted only.
pub const PUBLISH_ERRORS: usize = 20;

// ---- listeners -------------------------------------------------------------------------------------------

/// Connections that wait to be accepted. The kernel refuses or delays one more.
pub const BACKLOG: i32 = 4_096;

/// A request's head must be complete within this time. Later: 408 and the connection is closed.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection without a request for this long is closed; scrapers come back sooner.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a browser may remember that a page of another origin may send a request, in seconds: after a change of
/// `server.origins` it may be wrong for that time.
pub const PREFLIGHT_SECONDS: &str = "600";

/// Hops of `X-Forwarded-For` that are read, from the right. Behind this number of trusted ones the proxy's own address counts.
pub const FORWARDED_HOPS: usize = 32;

/// A client that was answered for the last time has this long to close its side.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Largest message that the echo endpoint of test builds takes, in bytes: the suite's largest outside its performance
/// section has 256 KiB. Larger: close 1009.
#[cfg(feature = "test-endpoints")]
pub const ECHO_BYTES: usize = 512 * 1024;

/// Symbols, or as many events, that a request over plain HTTP goes through before other tasks of its thread get a turn.
pub const HTTP_TURN_SYMBOLS: usize = 1_000;

/// Units of work (see [`COMMAND_UNITS`]) that plain HTTP may cost a second, of one client address on one worker, and how
/// many at once. At more: 429 with `Retry-After`. Probes and publishing cost none.
pub const HTTP_UNITS_PER_SECOND: u64 = 250_000;
/// See [`HTTP_UNITS_PER_SECOND`].
pub const HTTP_BURST_UNITS: u64 = 1_000_000;

/// Units of work for any request, besides those for what it finds and for 64 bytes of its answer each.
pub const HTTP_REQUEST_UNITS: u64 = 100;

/// Units of work for each subscription that a poll or an event stream begins with.
pub const HTTP_JOIN_UNITS: usize = 4;

/// Client addresses whose budgets a worker keeps. More: the others share one.
pub const HTTP_ACCOUNTS: usize = 10_000;

/// How often the budgets that are whole again are looked for when there is no room for another one.
pub const HTTP_ACCOUNTS_SWEEP: Duration = Duration::from_secs(1);

/// Symbols in one answer of `/v1/symbols`: the largest number is also what it has when the request does not say. Outside:
/// 400. Where there are more, the answer says behind which symbol the next page begins.
pub const SYMBOLS_PAGE: RangeInclusive<usize> = 1..=10_000;

/// Symbols in one answer of `/v1/snapshot`. More: 400.
pub const SNAPSHOT_SYMBOLS: usize = 5_000;

// ---- bench -----------------------------------------------------------------------------------------------

/// Most clients of one `tickcast bench`. More: the flag is refused.
pub const MAX_BENCH_CONNECTIONS: u32 = 1_000_000;

/// Longest measurement of one `tickcast bench`, in seconds. Longer: the flag is refused.
pub const MAX_BENCH_SECONDS: u64 = 3_600;

// ---- shutdown --------------------------------------------------------------------------------------------

/// Between `readyz` turning red and the first goodbye, so that load balancers notice.
pub const DEFAULT_GRACE: Duration = Duration::from_millis(500);

/// The goodbyes are spread over this long.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(5);

// ---- configuration: what a value may be; outside, the gateway refuses to start and names the key -----------

/// Longest configuration or feed definition file, in bytes. Longer: refused unread.
pub const MAX_CONFIG_BYTES: u64 = 16 * 1024 * 1024;

/// Mistakes of one configuration that are reported; more are counted only.
pub const MAX_REPORTED_ERRORS: usize = 50;

/// `server.workers`.
pub const WORKERS_RANGE: RangeInclusive<usize> = 1..=MAX_SHARDS;

/// `server.origins`: how many at most.
pub const MAX_ORIGINS: usize = 100;

/// `server.hosts`: how many at most.
pub const MAX_HOSTS: usize = 100;

/// `server.trusted_proxies`: how many networks at most.
pub const MAX_TRUSTED_PROXIES: usize = 256;

/// `limits.connections`, `limits.connections_per_ip` and `limits.unproven_per_address`.
pub const CONNECTIONS_RANGE: RangeInclusive<usize> = 1..=1_000_000;

/// `limits.symbols_per_session`: at most every topic in every channel.
pub const SYMBOLS_PER_SESSION_RANGE: RangeInclusive<usize> = 1..=MAX_TOPICS * CHANNELS;

/// `limits.commands_per_second`.
pub const COMMANDS_PER_SECOND_RANGE: RangeInclusive<u32> = 1..=100_000;

/// `limits.frame_bytes`.
pub const FRAME_BYTES_RANGE: RangeInclusive<usize> = 1_024..=16 * 1024 * 1024;

/// `session.stream_bytes`: at least one server frame.
pub const STREAM_BYTES_RANGE: RangeInclusive<usize> = FRAME_BUDGET..=256 * 1024 * 1024;

/// `session.control_messages`: more than those at which reading pauses.
pub const CONTROL_MESSAGES_RANGE: RangeInclusive<usize> = CONTROL_PAUSE + 1..=1_000_000;

/// `history.trades_per_symbol`.
pub const TRADES_PER_SYMBOL_RANGE: RangeInclusive<usize> = 1..=100_000;

/// `history.bars`.
pub const BARS_RANGE: RangeInclusive<usize> = 1..=100_000;

/// `history.lane_events`: more than one burst.
pub const LANE_EVENTS_RANGE: RangeInclusive<usize> = MAX_BURST_TICKS + 1..=1 << 22;

/// The times of `[session]`, in milliseconds: never zero, at most an hour.
pub const SESSION_MS_RANGE: RangeInclusive<u64> = 10..=3_600_000;

/// `server.request_timeout_ms` and `server.body_timeout_ms`. Not below a second, which a lost packet costs easily.
pub const REQUEST_TIMEOUT_MS_RANGE: RangeInclusive<u64> = 1_000..=3_600_000;

/// `server.grace_ms` and `server.drain_ms`: zero skips the step, ten minutes at most.
pub const SHUTDOWN_MS_RANGE: RangeInclusive<u64> = 0..=600_000;

// ---- the end ---------------------------------------------------------------------------------------------

/// After the goodbyes, open requests have this long to finish.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

// Three bytes for the step from topic to topic (four once at most) and six for a number under 2^42, in base64.
const _: () =
    assert!((POLL_SUBSCRIPTIONS * 9 + 1).div_ceil(3) * 4 + 128 <= POSITION_BYTES, "a poll's position fits");
const _: () = assert!(MAX_SHARDS <= u64::BITS as usize, "a topic's interest is one 64-bit word");
const _: () = assert!(MAX_BURST_TICKS < DEFAULT_LANE_EVENTS, "one burst must fit into an empty lane");
const _: () = assert!(CONTROL_PAUSE < DEFAULT_CONTROL_MESSAGES, "reading pauses before the lane overflows");
const _: () = assert!(FRAME_BUDGET <= DEFAULT_STREAM_BYTES, "a frame is taken from the stream queue");
