//! Every limit of `src/limits` has its sentence where those read who meet it, with the value that it has in the code.

use std::{collections::BTreeSet, fmt::Display, fs, ops::RangeInclusive, path::Path, time::Duration};

use tickcast::limits::*;

const OPERATIONS: &str = "docs/operations.md";
const PROTOCOL: &str = "docs/protocol.md";
const FEEDS: &str = "feeds/README.md";

/// A document, a limit, its value as the document writes it, and the words there that have the value.
type Said = (&'static str, &'static str, fn() -> String, &'static str);

macro_rules! said {
    ($($document:ident $words:literal: $name:ident = $value:expr;)*) => {
        &[$(($document, stringify!($name), || $value, $words)),*]
    };
}

const SAID: &[Said] = said! {
    PROTOCOL "1 to 32 ASCII characters": MAX_SYMBOL_LEN = n(MAX_SYMBOL_LEN);
    FEEDS "`name` (1 to 16 printable characters": MAX_SOURCE_LEN = n(MAX_SOURCE_LEN);
    PROTOCOL "a text of at most 36 characters": MAX_COMMAND_ID = n(MAX_COMMAND_ID);
    OPERATIONS "| a trade's `id`: 64 bytes": MAX_TRADE_ID = n(MAX_TRADE_ID);
    OPERATIONS "a price or size: 64 characters": MAX_DECIMAL_CHARS = n(MAX_DECIMAL_CHARS);
    OPERATIONS "| an error that repeats what was sent: 300 characters |": MAX_ERROR_CHARS = n(MAX_ERROR_CHARS);
    OPERATIONS "| 100,000 symbols |": MAX_TOPICS = n(MAX_TOPICS);
    OPERATIONS "| feeds that carry one symbol: 8 |": MAX_FEEDS_PER_SYMBOL = n(MAX_FEEDS_PER_SYMBOL);
    FEEDS "from 1 to 1,000 and 100 by default": PREFERENCE_RANGE = range(&PREFERENCE_RANGE);
    FEEDS "from 1 to 1,000 and 100 by default": DEFAULT_PREFERENCE = n(DEFAULT_PREFERENCE);
    PROTOCOL "No clock is taken to be more than 60 s ahead": MAX_CLOCK_AHEAD = seconds(Duration::from_micros(MAX_CLOCK_AHEAD.unsigned_abs()));
    OPERATIONS "was held up for more than 500 ms": LATE = millis(LATE);
    OPERATIONS "| corrections of a symbol: 64 |": CORRECTIONS_PER_SYMBOL = n(CORRECTIONS_PER_SYMBOL);
    OPERATIONS "older than the newest 16,384": CORRECTION_LOOKBACK = n(CORRECTION_LOOKBACK);
    OPERATIONS "| trades that a correction computes again: 1,024 |": POINT_TRADES = n(2 * POINT_TRADES);
    OPERATIONS "| corrections in one body of `/v1/publish`: 64 |": PUBLISH_CORRECTIONS = n(PUBLISH_CORRECTIONS);
    OPERATIONS "tried again at the interval, then at pauses of up to 60 s": STORE_RETRY_MAX = seconds(STORE_RETRY_MAX);
    OPERATIONS "| 30 days in the store without a feed": STORE_FORGETS = days(STORE_FORGETS);
    OPERATIONS "| one command: 10,000 names": COMMAND_SYMBOLS = n(COMMAND_SYMBOLS);
    OPERATIONS "25,000 values": COMMAND_VALUES = n(COMMAND_VALUES);
    OPERATIONS "| patterns of a session: 200 |": SESSION_PATTERNS = n(SESSION_PATTERNS);
    OPERATIONS "5,000 units of work": COMMAND_UNITS = n(COMMAND_UNITS);
    OPERATIONS "| work for a session in one go: 4,000 units": WORK_TURN_UNITS = n(WORK_TURN_UNITS);
    OPERATIONS "500 when a command comes": WORK_AT_ONCE_UNITS = n(WORK_AT_ONCE_UNITS);
    OPERATIONS "| symbols in one answer: 1,000 |": ANSWER_SYMBOLS = n(ANSWER_SYMBOLS);
    OPERATIONS "200 may come at once": COMMAND_BURST = n(COMMAND_BURST);
    OPERATIONS "| a refused command of more than 4 KiB |": REFUSED_COMMAND_BYTES = kib(REFUSED_COMMAND_BYTES);
    OPERATIONS "after 2,000 refusals in a row": MAX_REFUSED_COMMANDS = n(MAX_REFUSED_COMMANDS);
    OPERATIONS "in 1,024 fragments": MAX_FRAGMENTS = n(MAX_FRAGMENTS);
    OPERATIONS "| ping frames of a client: 20 a second, 200 at once |": PING_RATE = format!("{} a second, {} at once", PING_RATE.0, PING_RATE.1);
    OPERATIONS "| 128 answers or 256 KiB": CONTROL_PAUSE = n(CONTROL_PAUSE);
    OPERATIONS "128 answers or 256 KiB of them": CONTROL_PAUSE_BYTES = kib(CONTROL_PAUSE_BYTES);
    OPERATIONS "| control queue of a session, and 4 waiting status events for each of its symbols |": STATUS_PER_SYMBOL = n(STATUS_PER_SYMBOL);
    OPERATIONS "1 MiB recovered a channel": RECOVERY_BYTES = mib(RECOVERY_BYTES);
    OPERATIONS "| nothing to say on an event stream for 15 s |": SSE_COMMENT = seconds(SSE_COMMENT);
    OPERATIONS "| position of more than 6 KiB": POSITION_BYTES = kib(POSITION_BYTES);
    OPERATIONS "| subscriptions of one poll: 500 |": POLL_SUBSCRIPTIONS = n(POLL_SUBSCRIPTIONS);
    OPERATIONS "| time that a poll waits: 60 s": POLL_WAIT = n(POLL_WAIT.end());
    OPERATIONS "events of one page of history: 1,000 |": TRADES_PAGE = n(TRADES_PAGE.end());
    OPERATIONS "events of one page of history: 1,000 |": BARS_PAGE = n(BARS_PAGE.end());
    PROTOCOL "wait=25": DEFAULT_POLL_WAIT = n(DEFAULT_POLL_WAIT);
    PROTOCOL "/v1/trades/{symbol}?limit=100": DEFAULT_TRADES_PAGE = n(DEFAULT_TRADES_PAGE);
    PROTOCOL "to=US&limit=100": DEFAULT_BARS_PAGE = n(DEFAULT_BARS_PAGE);
    OPERATIONS "| body of `/v1/publish`: 1 MiB |": PUBLISH_BYTES = mib(PUBLISH_BYTES);
    OPERATIONS "| refused ticks that an answer of `/v1/publish` names: 20 |": PUBLISH_ERRORS = n(PUBLISH_ERRORS);
    OPERATIONS "| a browser's memory of a preflight: 600 s |": PREFLIGHT_SECONDS = PREFLIGHT_SECONDS.to_owned();
    OPERATIONS "behind trusted proxies: 32 |": FORWARDED_HOPS = n(FORWARDED_HOPS);
    OPERATIONS "| symbols or events that a request goes through in one go: 1,000 |": HTTP_TURN_SYMBOLS = n(HTTP_TURN_SYMBOLS);
    OPERATIONS "250,000 units a second": HTTP_UNITS_PER_SECOND = n(HTTP_UNITS_PER_SECOND);
    OPERATIONS "1,000,000 at once": HTTP_BURST_UNITS = n(HTTP_BURST_UNITS);
    OPERATIONS "A request costs 100 units": HTTP_REQUEST_UNITS = n(HTTP_REQUEST_UNITS);
    OPERATIONS "More than 10,000 addresses share one budget": HTTP_ACCOUNTS = n(HTTP_ACCOUNTS);
    OPERATIONS "| symbols of one answer of `/v1/symbols`: 10,000 |": SYMBOLS_PAGE = n(SYMBOLS_PAGE.end());
    PROTOCOL "at most 5,000 symbols, else 400": SNAPSHOT_SYMBOLS = n(SNAPSHOT_SYMBOLS);
    PROTOCOL "0.001 to 1000": MAX_RATE = MAX_RATE.to_string();
    PROTOCOL "0.001 to 1000": MIN_RATE = MIN_RATE.to_string();
    OPERATIONS "| `server.origins` | none | 100 at most |": MAX_ORIGINS = n(MAX_ORIGINS);
    OPERATIONS "| `cluster.name` | none | 1 to 32 letters": CLUSTER_NAME_CHARS = n(CLUSTER_NAME_CHARS);
    OPERATIONS "| `server.hosts` | none | 100 at most |": MAX_HOSTS = n(MAX_HOSTS);
    OPERATIONS "| `server.trusted_proxies` | none | 256 at most |": MAX_TRUSTED_PROXIES = n(MAX_TRUSTED_PROXIES);
    OPERATIONS "| a connection without a request for 75 s |": KEEP_ALIVE = seconds(KEEP_ALIVE);
    OPERATIONS "| the answer to a close frame: 3 s, 1 s after an eviction |": CLOSE_TIMEOUT = seconds(CLOSE_TIMEOUT);
    OPERATIONS "| the answer to a close frame: 3 s, 1 s after an eviction |": EVICT_TIMEOUT = seconds(EVICT_TIMEOUT);
    OPERATIONS "| a configuration or definition file over 16 MiB |": MAX_CONFIG_BYTES = mib(MAX_CONFIG_BYTES);
    OPERATIONS "| mistakes that one start tells: 50 |": MAX_REPORTED_ERRORS = n(MAX_REPORTED_ERRORS);
    OPERATIONS "| `healthcheck` without an answer for 3 s |": HEALTHCHECK_TIMEOUT = seconds(HEALTHCHECK_TIMEOUT);
    OPERATIONS "wait for one worker: 64 |": SHARD_MAILBOX = n(SHARD_MAILBOX);
    OPERATIONS "| sessions or subscriptions of one such request: 256 |": INSPECT_PAGE = n(INSPECT_PAGE);
    OPERATIONS "| a status' `why`: 200 bytes |": MAX_STATUS_WHY = n(MAX_STATUS_WHY);
    PROTOCOL "a text of 1 to 128 ASCII characters": INBOX_KEY_BYTES = n(INBOX_KEY_BYTES);
    OPERATIONS "| a client of a cluster that is ahead of its gateway: 1 s |": AHEAD_WAIT = seconds(AHEAD_WAIT);
    PROTOCOL "an `after_ms` of up to 10 s": RENUMBER_SPREAD = seconds(RENUMBER_SPREAD);
    OPERATIONS "| state changes of a feed's symbols at once: 1,024 events |": MAX_BURST_TICKS = n(MAX_BURST_TICKS);
    OPERATIONS "that are read while one is answered: 8 KiB |": READ_AHEAD_BYTES = kib(READ_AHEAD_BYTES);
    OPERATIONS "| a line of a request's head: 8 KiB |": HEAD_LINE_BYTES = kib(HEAD_LINE_BYTES);
    OPERATIONS "1 KiB a subscription": OPENING_SUBSCRIPTION_BYTES = kib(OPENING_SUBSCRIPTION_BYTES);
    OPERATIONS "| connections without a session: 4,096;": PLAIN_CONNECTIONS = n(PLAIN_CONNECTIONS);
    OPERATIONS "While none is idle, 8 more are accepted": ADDRESS_ROOM = n(ADDRESS_ROOM);
    OPERATIONS "open files less 128 |": SPARE_DESCRIPTORS = n(SPARE_DESCRIPTORS);
    OPERATIONS "The rates of 100,000 addresses": FORGOTTEN_ADDRESSES = n(FORGOTTEN_ADDRESSES);
    OPERATIONS "| memory for bodies that are being read: 64 MiB": BODIES_BYTES = mib(BODIES_BYTES);
    OPERATIONS "8 MiB of one address |": BODIES_BYTES_PER_ADDRESS = mib(BODIES_BYTES_PER_ADDRESS);
    OPERATIONS "| log lines that wait for stderr: 1 MiB |": LOG_QUEUE_BYTES = mib(LOG_QUEUE_BYTES);
    OPERATIONS "most one every 10 s": NOTICE_INTERVAL = seconds(NOTICE_INTERVAL);
    OPERATIONS "Feeds have 5 s to stop": FEED_STOP_TIMEOUT = seconds(FEED_STOP_TIMEOUT);
    OPERATIONS "Each of the two saves has 5 s": FAULT_SAVE_TIMEOUT = seconds(FAULT_SAVE_TIMEOUT);
    FEEDS "1 to 200,000": SIMULATOR_RATE = format!("{} to {}", SIMULATOR_RATE.start(), thousands(&SIMULATOR_RATE.end().to_string()));
    OPERATIONS "| releases of a simulator: one in 200 µs": SIMULATOR_FINE_STEP = format!("{} µs", SIMULATOR_FINE_STEP.as_micros());
    OPERATIONS "120,000 ticks a second one in 1 ms |": SIMULATOR_COARSE_STEP = millis(SIMULATOR_COARSE_STEP);
    OPERATIONS "120,000 ticks a second one in 1 ms |": SIMULATOR_COARSE_RATE = thousands(&SIMULATOR_COARSE_RATE.to_string());
    OPERATIONS "| a frame or line of a recording over 16 MiB |": MAX_RECORDED_FRAME = mib(MAX_RECORDED_FRAME);
    OPERATIONS "| `record` and `simulate`: 86,400 s;": MAX_RECORDED_SECONDS = n(MAX_RECORDED_SECONDS);
    OPERATIONS "`simulate`: 50,000,000 ticks |": MAX_RECORDED_TICKS = n(MAX_RECORDED_TICKS);
    OPERATIONS "| a row of a CSV recording with more than 256 columns |": MAX_CSV_COLUMNS = n(MAX_CSV_COLUMNS);
    OPERATIONS "with up to 100 lines behind it": CSV_QUOTED_LINES = n(CSV_QUOTED_LINES);
    OPERATIONS "reads the first 10,000 lines": CHECK_LINES = n(CHECK_LINES);
    OPERATIONS "64 MiB at most": CHECK_BYTES = mib(CHECK_BYTES);
    OPERATIONS "| 64 lines of a file without a tick": RECOGNISED_LINES = n(RECOGNISED_LINES);
    OPERATIONS "20 frames of a connection that nothing understands |": UPSTREAM_STRANGE_FRAMES = n(UPSTREAM_STRANGE_FRAMES);
    OPERATIONS "| a venue's message over 16 MiB |": UPSTREAM_MESSAGE_BYTES = mib(UPSTREAM_MESSAGE_BYTES);
    OPERATIONS "| a venue that takes no frame of ours for 5 s |": UPSTREAM_WRITE_TIMEOUT = seconds(UPSTREAM_WRITE_TIMEOUT);
    FEEDS "| `overlap_ms` | 2,000 |": UPSTREAM_OVERLAP = n(UPSTREAM_OVERLAP.as_millis());
    OPERATIONS "| a Redis that stands still: 1 s a step of connecting": REDIS_CONNECT_TIMEOUT = seconds(REDIS_CONNECT_TIMEOUT);
    OPERATIONS "500 ms over what it was told to block": REDIS_BLOCK_MARGIN = millis(REDIS_BLOCK_MARGIN);
    OPERATIONS "made anew after 100 ms to 5 s |": REDIS_BACKOFF = format!("{} to {}", millis(REDIS_BACKOFF.0), seconds(REDIS_BACKOFF.1));
    OPERATIONS "| an answer of Redis: 64 MiB, 1,000,000 values": REDIS_ANSWER_BYTES = mib(REDIS_ANSWER_BYTES);
    OPERATIONS "| an answer of Redis: 64 MiB, 1,000,000 values": REDIS_ANSWER_VALUES = n(REDIS_ANSWER_VALUES);
    OPERATIONS "lines of 64 KiB |": REDIS_LINE_BYTES = kib(REDIS_LINE_BYTES);
    OPERATIONS "| a password for Redis: a file of 4 KiB; sentinels: 16;": REDIS_PASSWORD_BYTES = kib(REDIS_PASSWORD_BYTES);
    OPERATIONS "| a password for Redis: a file of 4 KiB; sentinels: 16;": REDIS_SENTINELS = n(REDIS_SENTINELS);
    OPERATIONS "a database's number: 0 to 65,535 |": REDIS_DATABASES = range(&REDIS_DATABASES);
    OPERATIONS "| channels of a feed that reads Redis: 1,000, patterns likewise, streams 64": REDIS_CHANNELS = n(REDIS_CHANNELS);
    OPERATIONS "| channels of a feed that reads Redis: 1,000, patterns likewise, streams 64": REDIS_STREAMS = n(REDIS_STREAMS);
    OPERATIONS "with names of up to 512 bytes |": REDIS_NAME_BYTES = n(REDIS_NAME_BYTES);
    OPERATIONS "| a message of Redis, or an entry's payload, over 16 MiB": REDIS_MESSAGE_BYTES = mib(REDIS_MESSAGE_BYTES);
    OPERATIONS "| a planned change of connection: 60 s to subscribe, 200,000 ticks kept |": UPSTREAM_OVERLAP_TICKS = n(UPSTREAM_OVERLAP_TICKS);
    OPERATIONS "| a planned change of connection: 60 s to subscribe, 200,000 ticks kept |": UPSTREAM_ROTATION_TIMEOUT = seconds(UPSTREAM_ROTATION_TIMEOUT);
    OPERATIONS "for at most 3 days": RETRY_AFTER_MOST = days(RETRY_AFTER_MOST);
    OPERATIONS "(`url`, at most 8)": UPSTREAM_URLS = n(UPSTREAM_URLS);
    OPERATIONS "| an idle symbol of a push feed: `expire_ms`, a week |": DEFAULT_EXPIRE_MS = week(Duration::from_millis(DEFAULT_EXPIRE_MS));
    FEEDS "and gets no more ticks: 1,000 to a year": EXPIRE_MS_RANGE = format!("{} to a year", n(EXPIRE_MS_RANGE.start()));
    OPERATIONS "with at most 100 in one look": EXPIRE_BURST = n(EXPIRE_BURST);
    OPERATIONS "it is removed within a second": EXPIRE_LOOK = one_second(EXPIRE_LOOK);
    OPERATIONS "| symbols of a push feed: `max_symbols`, 10,000 |": PUSH_SYMBOLS = n(PUSH_SYMBOLS);
    OPERATIONS "| symbols of a venue's feed: 20,000 |": UPSTREAM_SYMBOLS = n(UPSTREAM_SYMBOLS);
    OPERATIONS "| patterns of a venue's feed: 1,000 |": UPSTREAM_PATTERNS = n(UPSTREAM_PATTERNS);
    OPERATIONS "| a venue's product list: 32 MiB": PRODUCT_LIST_BYTES = mib(PRODUCT_LIST_BYTES);
    OPERATIONS "50,000 products": MAX_PRODUCTS = n(MAX_PRODUCTS);
    FEEDS "| `products_refresh_ms` | 900,000 |": PRODUCTS_REFRESH = n(PRODUCTS_REFRESH.as_millis());
    FEEDS "| `products_timeout_ms` | 30,000 |": PRODUCTS_TIMEOUT = n(PRODUCTS_TIMEOUT.as_millis());
    OPERATIONS "| symbols in one request to a venue: 250;": VENUE_REQUEST_SYMBOLS = n(VENUE_REQUEST_SYMBOLS);
    OPERATIONS "4,000 bytes at Binance": BINANCE_REQUEST_BYTES = n(BINANCE_REQUEST_BYTES);
    OPERATIONS "| symbols of one connection to a venue: 512 at Binance": BINANCE_STREAMS = n(BINANCE_STREAMS / 2);
    OPERATIONS "| frames to a venue in any second: 5 Binance and Alpaca, 4 Coinbase, 10 Kraken |": BINANCE_FRAMES_PER_SECOND = n(BINANCE_FRAMES_PER_SECOND);
    OPERATIONS "| frames to a venue in any second: 5 Binance and Alpaca, 4 Coinbase, 10 Kraken |": ALPACA_FRAMES_PER_SECOND = n(ALPACA_FRAMES_PER_SECOND);
    OPERATIONS "| frames to a venue in any second: 5 Binance and Alpaca, 4 Coinbase, 10 Kraken |": COINBASE_FRAMES_PER_SECOND = n(COINBASE_FRAMES_PER_SECOND);
    OPERATIONS "| frames to a venue in any second: 5 Binance and Alpaca, 4 Coinbase, 10 Kraken |": KRAKEN_FRAMES_PER_SECOND = n(KRAKEN_FRAMES_PER_SECOND);
    OPERATIONS "are 300 ms apart at Binance": BINANCE_REQUEST_SPACING = millis(BINANCE_REQUEST_SPACING);
    OPERATIONS "is 150 ms longer than the venue": PACE_MARGIN = millis(PACE_MARGIN);
    OPERATIONS "up to 32 times": PACE_SLOWEST = n(1 << PACE_SLOWEST);
    OPERATIONS "| answers to one request at a venue that repeats no number: 1 s, and 5 s for what is asked again |": UPSTREAM_ANSWER_GRACE = seconds(UPSTREAM_ANSWER_GRACE);
    OPERATIONS "| answers to one request at a venue that repeats no number: 1 s, and 5 s for what is asked again |": UPSTREAM_RETRY_GRACE = seconds(UPSTREAM_RETRY_GRACE);
    OPERATIONS "asked again after 1 s, doubling to 60 s": UPSTREAM_REPEAT = format!("{}, doubling to {}", seconds(UPSTREAM_REPEAT.0), seconds(UPSTREAM_REPEAT.1));
    OPERATIONS "or 15 minutes are over": UPSTREAM_REFUSED_AGAIN = format!("{} minutes", UPSTREAM_REFUSED_AGAIN.as_secs() / 60);
    OPERATIONS "| a venue's name of a symbol over 200 bytes |": MAX_VENUE_SYMBOL_BYTES = n(MAX_VENUE_SYMBOL_BYTES);
    OPERATIONS "nested more than 16 levels deep |": MAX_VENUE_NESTING = n(MAX_VENUE_NESTING);
    OPERATIONS "| conditions of a venue's trade: 8 |": MAX_CONDITIONS = n(MAX_CONDITIONS);
    FEEDS "| 250, 30,000 |": FEED_BACKOFF = format!("{}, {}", FEED_BACKOFF.0.as_millis(), n(FEED_BACKOFF.1.as_millis()));
    OPERATIONS "| first quotes: asked for after 0.5 s": FIRST_VALUES_AFTER = FIRST_VALUES_AFTER.as_secs_f64().to_string();
    OPERATIONS "100 symbols a request, 30 requests a minute": FIRST_VALUES_SYMBOLS = n(FIRST_VALUES_SYMBOLS);
    OPERATIONS "100 symbols a request, 30 requests a minute": FIRST_VALUES_PER_MINUTE = n(FIRST_VALUES_PER_MINUTE);
    OPERATIONS "that are tried: 16, the next one after 250 ms |": UPSTREAM_ADDRESSES = n(UPSTREAM_ADDRESSES);
    OPERATIONS "that are tried: 16, the next one after 250 ms |": NEXT_ADDRESS_AFTER = millis(NEXT_ADDRESS_AFTER);
    OPERATIONS "| hosts of a feed's `resolve`: 16, of 1 to 16 addresses each |": PINNED_HOSTS = n(PINNED_HOSTS);
    OPERATIONS "| a proxy's answer: 16 KiB;": PROXY_HEAD_BYTES = kib(PROXY_HEAD_BYTES);
    OPERATIONS "user and password for it: 255 bytes each |": PROXY_CREDENTIALS_BYTES = n(PROXY_CREDENTIALS_BYTES);
    OPERATIONS "| entries of `NO_PROXY`: 1,000 |": NO_PROXY_ENTRIES = n(NO_PROXY_ENTRIES);
    OPERATIONS "| `doctor`: 5 s for a name, 30 s for the subscription, 300 s of `--wait` |": DOCTOR_LOOKUP = seconds(DOCTOR_LOOKUP);
    OPERATIONS "| `doctor`: 5 s for a name, 30 s for the subscription, 300 s of `--wait` |": DOCTOR_SUBSCRIPTION = seconds(DOCTOR_SUBSCRIPTION);
    OPERATIONS "| `doctor`: 5 s for a name, 30 s for the subscription, 300 s of `--wait` |": DOCTOR_WAIT_SECONDS = n(DOCTOR_WAIT_SECONDS.end());
    OPERATIONS "| `doctor`: 5 symbols, 10 names in a line, 100,000 latencies, certificates of 16 KiB |": DOCTOR_SYMBOLS = n(DOCTOR_SYMBOLS);
    OPERATIONS "| `doctor`: 5 symbols, 10 names in a line, 100,000 latencies, certificates of 16 KiB |": DOCTOR_NAMES = n(DOCTOR_NAMES);
    OPERATIONS "| `doctor`: 5 symbols, 10 names in a line, 100,000 latencies, certificates of 16 KiB |": DOCTOR_LATENCIES = n(DOCTOR_LATENCIES);
    OPERATIONS "| `doctor`: 5 symbols, 10 names in a line, 100,000 latencies, certificates of 16 KiB |": DOCTOR_CERTIFICATE_BYTES = kib(DOCTOR_CERTIFICATE_BYTES);
    OPERATIONS "| an answer with first quotes: 256 KiB": FIRST_VALUES_BYTES = kib(FIRST_VALUES_BYTES);
    OPERATIONS "after 5 in a row the stream is waited for |": FIRST_VALUES_ATTEMPTS = n(FIRST_VALUES_ATTEMPTS);
};

/// A key, the name and text of its default (none where it has no fixed one), and those of its range.
type Key = (&'static str, &'static str, fn() -> String, &'static str, fn() -> String);

macro_rules! keys {
    ($($section:ident.$key:ident: $range:ident $(, $default:ident = $value:expr)?;)*) => {
        &[$((
            concat!(stringify!($section), ".", stringify!($key)),
            concat!($(stringify!($default))?),
            || String::new() $(+ &$value)?,
            stringify!($range),
            || range(&$range),
        )),*]
    };
}

const KEYS: &[Key] = keys! {
    failover.grace_ms: FAILOVER_MS_RANGE, DEFAULT_FAILOVER_GRACE = n(DEFAULT_FAILOVER_GRACE.as_millis());
    failover.hold_ms: FAILOVER_MS_RANGE, DEFAULT_FAILOVER_HOLD = n(DEFAULT_FAILOVER_HOLD.as_millis());
    history.lane_events: LANE_EVENTS_RANGE, DEFAULT_LANE_EVENTS = n(DEFAULT_LANE_EVENTS);
    history.trades_per_symbol: TRADES_PER_SYMBOL_RANGE, DEFAULT_TRADES_PER_SYMBOL = n(DEFAULT_TRADES_PER_SYMBOL);
    history.bars: BARS_RANGE, DEFAULT_BARS = n(DEFAULT_BARS);
    store.interval_ms: STORE_INTERVAL_MS_RANGE, DEFAULT_STORE_INTERVAL = n(DEFAULT_STORE_INTERVAL.as_millis());
    limits.connections: CONNECTIONS_RANGE, DEFAULT_CONNECTIONS = n(DEFAULT_CONNECTIONS);
    limits.connections_per_ip: CONNECTIONS_RANGE, DEFAULT_CONNECTIONS_PER_IP = n(DEFAULT_CONNECTIONS_PER_IP);
    limits.symbols_per_session: SYMBOLS_PER_SESSION_RANGE, DEFAULT_SYMBOLS_PER_SESSION = n(DEFAULT_SYMBOLS_PER_SESSION);
    limits.commands_per_second: COMMANDS_PER_SECOND_RANGE, DEFAULT_COMMANDS_PER_SECOND = n(DEFAULT_COMMANDS_PER_SECOND);
    limits.frame_bytes: FRAME_BYTES_RANGE, DEFAULT_FRAME_BYTES = n(DEFAULT_FRAME_BYTES);
    session.stream_bytes: STREAM_BYTES_RANGE, DEFAULT_STREAM_BYTES = n(DEFAULT_STREAM_BYTES);
    session.control_messages: CONTROL_MESSAGES_RANGE, DEFAULT_CONTROL_MESSAGES = n(DEFAULT_CONTROL_MESSAGES);
    session.flush_ms: FLUSH_MS_RANGE, DEFAULT_FLUSH = n(DEFAULT_FLUSH.as_millis());
    session.ping_ms: SESSION_MS_RANGE, DEFAULT_PING = n(DEFAULT_PING.as_millis());
    session.pong_timeout_ms: SESSION_MS_RANGE, DEFAULT_PONG_TIMEOUT = n(DEFAULT_PONG_TIMEOUT.as_millis());
    session.heartbeat_ms: SESSION_MS_RANGE, DEFAULT_HEARTBEAT = n(DEFAULT_HEARTBEAT.as_millis());
    session.stall_timeout_ms: SESSION_MS_RANGE, DEFAULT_STALL_TIMEOUT = n(DEFAULT_STALL_TIMEOUT.as_millis());
    server.request_timeout_ms: REQUEST_TIMEOUT_MS_RANGE, REQUEST_TIMEOUT = n(REQUEST_TIMEOUT.as_millis());
    server.body_timeout_ms: REQUEST_TIMEOUT_MS_RANGE, DEFAULT_BODY_TIMEOUT = n(DEFAULT_BODY_TIMEOUT.as_millis());
    server.grace_ms: SHUTDOWN_MS_RANGE, DEFAULT_GRACE = n(DEFAULT_GRACE.as_millis());
    server.drain_ms: SHUTDOWN_MS_RANGE, DEFAULT_DRAIN = n(DEFAULT_DRAIN.as_millis());
    limits.unproven_per_address: CONNECTIONS_RANGE, DEFAULT_UNPROVEN_PER_ADDRESS = n(DEFAULT_UNPROVEN_PER_ADDRESS);
    limits.accepts_per_second: ACCEPTS_PER_SECOND_RANGE;
    server.workers: WORKERS_RANGE;
    cluster.lease_ms: LEASE_MS_RANGE, DEFAULT_LEASE = n(DEFAULT_LEASE.as_millis());
    cluster.silence_ms: SILENCE_MS_RANGE, DEFAULT_SILENCE = n(DEFAULT_SILENCE.as_millis());
    cluster.window_ms: WINDOW_MS_RANGE, DEFAULT_WINDOW = n(DEFAULT_WINDOW.as_millis());
    cluster.window_bytes: WINDOW_BYTES_RANGE, DEFAULT_WINDOW_BYTES = n(DEFAULT_WINDOW_BYTES);
    cluster.pending_bytes: PENDING_BYTES_RANGE, DEFAULT_PENDING_BYTES = n(DEFAULT_PENDING_BYTES);
    cluster.found_ms: FOUND_MS_RANGE, DEFAULT_FOUND = n(DEFAULT_FOUND.as_millis());
};

/// Ranges of keys of a feed definition: a value outside is refused with the range in words.
const DEFINITIONS: &str = "
    FRESH_MS LINGER_MS_RANGE ROTATE_MS_RANGE UPSTREAM_MS_RANGE PRODUCTS_REFRESH_MS_RANGE
";

/// How commands other than `serve` work; each tells its own in its help or its output.
const TOOLS: &str = "
    DOCTOR_WAIT_DEFAULT DOCTOR_PACE DOCTOR_CLOCK_OFF DOCTOR_CLOCK_WRONG DOCTOR_CERTIFICATE_ENDS
    MAX_BENCH_CONNECTIONS MAX_BENCH_SECONDS WATCH_SYMBOLS WATCH_FRAMES WATCH_FRAME_BYTES WATCH_REDRAW
    WATCH_PING WATCH_SILENCE WATCH_BACKOFF WATCH_LONGEST_AFTER STOP_TIMEOUT SIMULATOR_LAG
    SIMULATOR_CLOCK_STEP REPLAY_SPEED REPLAY_JITTER REPLAY_BATCH REPLAY_LATE REPLAY_PROGRESS RECORD_FRAMES
    RECORD_FLUSH SIMULATE_FLUSH_TICKS
";

/// How the gateway works inside: no client, producer or operator has to know the number.
const INSIDE: &str = "
    JOURNEY_STEPS LOOK_EVERY
    MAX_SHARDS BAR_GRACE MAX_STAMP_AHEAD CLOCK_WINDOW RECORDED_AFTER FAR_OFF FAR_OFF_ALONE CLOCK_STEP
    CLOCK_SLEW CLOCK_CARRIED CLOCK_TICK TICKER_MINUTES VWAP_DIGITS PERCENT_DIGITS MAX_DECIMAL_SCALE
    STORE_CACHE_BYTES SHARD_TURN_EVENTS FRAME_BUDGET WRITE_BUFFER NOTSENT_LOWAT PACE_LOAD_PERCENT
    PACE_WINDOW LAST_LOOK RECONNECT_SPREAD SSE_RETRY_MS BACKLOG DISCONNECT_TIMEOUT ECHO_BYTES HTTP_JOIN_UNITS
    HTTP_ACCOUNTS_SWEEP UPSTREAM_BURST_FRAMES UPSTREAM_REMEMBERED_TRADES UPSTREAM_RENUMBERED_AFTER
    PACE_KEEPALIVE_FRAMES PACE_RECOVERS_AFTER MAX_VENUE_WORDS FEED_STABLE_AFTER CHANNELS LOG_RETRY
    LOG_FLUSH FAULT_DRAIN AHEAD_LOOK REDIS_BLOCK REDIS_LAST_LOOK REDIS_BUFFER_BYTES REDIS_BURST_MESSAGES REDIS_READ_ENTRIES
    REDIS_CHECK_EVERY REDIS_DOUBTFUL_TRADES
";

/// How the nodes of a cluster work together, behind what an operator and a client see of it.
const CLUSTER: &str = "
    MAX_BATCH_ENTRIES MAX_FEED_WORDS MAX_LOG_NAME CHECK_TOPICS SLICE_TOPICS SLICE_EVENTS MAX_SLICE_BYTES REMEMBERED_CHECKS
    MAX_BATCH_BYTES LOG_READ_BATCHES LOG_ANSWER LOG_WAIT_MARGIN LOG_REPLICA_LOOK WINDOW_SECTIONS LOG_ENTRY_BYTES MAX_NODES MAX_NODE_NAME
    CLUSTER_NOTES INBOX_ENTRY_BYTES INBOX_BYTES INBOX_READ_ENTRIES INBOX_KEY_TTL IMAGE_PIECES
    IMAGE_PIECE_BYTES IMAGE_TTL CLUSTER_CLOCK_OFF
    LOG_BACKOFF LOG_BACKOFF_LONGEST LOG_BLOCK LOG_LOOK ASTRAY_GRACE APPLY_PATIENCE APPLY_PAUSE LIFE_SIGN
    BATCH_BYTES_AT_ONCE LEAD_LOOK CATCH_UP_TIME FEED_WORDS_EVERY BEAT_EVERY BEAT_TTL SILENCE_LOOK WANT_LOOK WANT_REFRESH
    WANT_TTL MAX_WANT_BYTES INBOX_PART_TICKS INBOX_WAITING INBOX_BLOCK INBOX_CONFIRM PUSHED_BEHIND_BYTES PUSHED_BATCHES
    IMAGES_WAITING IMAGE_CHUNK_BYTES IMAGE_FIRST IMAGE_NEXT IMAGE_TAKEN IMAGE_PAUSE IMAGE_LEADER_WAITS MAX_SLICE_PIECES
    META_WAIT RESIGN_TIMEOUT
";

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn n(number: impl Display) -> String {
    thousands(&number.to_string())
}

fn range<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", thousands(&range.start().to_string()), thousands(&range.end().to_string()))
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// That time in words, when it is a week.
fn week(time: Duration) -> String {
    assert_eq!(time, Duration::from_secs(7 * 24 * 3_600));
    "a week".into()
}

/// That time in words, when it is a second.
fn one_second(time: Duration) -> String {
    assert_eq!(time, Duration::from_secs(1));
    "a second".into()
}

fn days(time: Duration) -> String {
    format!("{} days", time.as_secs() / 86_400)
}

fn kib(bytes: impl Display) -> String {
    format!("{} KiB", bytes.to_string().parse::<u64>().unwrap() / 1_024)
}

fn mib(bytes: impl Display) -> String {
    format!("{} MiB", bytes.to_string().parse::<u64>().unwrap() / 1_048_576)
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of all limits.
fn limits() -> BTreeSet<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/limits")];
    let mut all = vec![read("src/limits.rs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let names = all.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("pub const "));
    names.map(|rest| rest.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn every_limit_is_described_with_the_value_that_it_has() {
    let mut wrong = Vec::new();
    // However the lines are wrapped.
    let flat = |path: &str| read(path).split_whitespace().collect::<Vec<_>>().join(" ");
    let texts = [OPERATIONS, PROTOCOL, FEEDS].map(|path| (path, flat(path)));
    for (document, name, value, words) in SAID {
        let (value, text) = (value(), &texts.iter().find(|(path, _)| path == document).unwrap().1);
        if !text.contains(words) {
            wrong.push(format!("{document} does not say {words:?}, which tells {name}"));
        }
        if !words.contains(&value) {
            wrong.push(format!("{name} is {value}, and {document} says {words:?}"));
        }
    }
    let operations = read(OPERATIONS);
    for (key, _, default, _, range) in KEYS {
        let row =
            operations.lines().find(|line| line.starts_with(&format!("| `{key}` | "))).unwrap_or_default();
        let cells: Vec<_> = row.split(" | ").collect();
        let (default, range) = (default(), range());
        if cells.len() < 4 || !(default.is_empty() || cells[1] == default) || cells[2] != range {
            wrong.push(format!(
                "{OPERATIONS}: `{key}` has the default {default:?} and the range {range:?}: {row}"
            ));
        }
    }
    let keys = KEYS.iter().flat_map(|(_, default, _, range, _)| [*default, *range]);
    let others = [DEFINITIONS, TOOLS, INSIDE, CLUSTER].into_iter().flat_map(str::split_whitespace);
    let named: BTreeSet<String> = SAID
        .iter()
        .map(|it| it.1)
        .chain(keys)
        .chain(others)
        .map(str::to_owned)
        .filter(|it| !it.is_empty())
        .collect();
    let limits = limits();
    for name in limits.difference(&named) {
        wrong.push(format!("{name} has no sentence: describe it, and add it here"));
    }
    for name in named.difference(&limits) {
        wrong.push(format!("{name} is no limit any more"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
