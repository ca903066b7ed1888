//! Every key of the configuration except the feeds: its name, range and default, and what does not go together.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tracing_subscriber::EnvFilter;

use super::{Auth, Log, LogFormat, Origin, settings::Settings};
use crate::{
    hub::{FailoverTimes, HubConfig},
    limits,
    market::Interval,
    server::{Driver, HostPattern, Network, OriginPattern, ServerConfig},
    session::{SessionConfig, Simulated},
    store::StoreConfig,
};

/// The key of [`bind`].
pub(super) const BIND: &str = "server.bind";

/// Where clients connect.
pub(super) fn bind(settings: &mut Settings) -> SocketAddr {
    let expected = "an address and port like 127.0.0.1:8080 or [::1]:8080";
    let found = settings.parsed(BIND, expected, |text| text.parse().ok());
    found.unwrap_or_else(|| ServerConfig::default().bind)
}

/// `[server]`, and the part of `[limits]` that is the server's.
pub(super) fn server(settings: &mut Settings) -> ServerConfig {
    let default = ServerConfig::default();
    let bind = bind(settings);
    let workers = settings.integer("server.workers", &limits::WORKERS_RANGE, default.workers);
    let hosts = settings.list(
        "server.hosts",
        "a name like ticks.example.com or *.example.com, without scheme and port",
        HostPattern::parse,
    );
    at_most(settings, "server.hosts", hosts.as_ref().map_or(0, Vec::len), limits::MAX_HOSTS);
    let expected = "an origin like https://example.com, https://*.example.com, tauri://localhost or null";
    let origins = settings.list("server.origins", expected, OriginPattern::parse);
    at_most(settings, "server.origins", origins.as_ref().map_or(0, Vec::len), limits::MAX_ORIGINS);
    let expected = "a network like 10.0.0.0/8 or an address like 192.0.2.7";
    let proxies = settings.list("server.trusted_proxies", expected, Network::parse);
    let most = limits::MAX_TRUSTED_PROXIES;
    at_most(settings, "server.trusted_proxies", proxies.as_ref().map_or(0, Vec::len), most);
    let connections = &limits::CONNECTIONS_RANGE;
    let shutdown = &limits::SHUTDOWN_MS_RANGE;
    let driver = settings.parsed("server.driver", "socket or actix", Driver::parse).unwrap_or(default.driver);
    ServerConfig {
        bind,
        workers,
        driver,
        hosts: hosts.unwrap_or(default.hosts),
        origins: origins.unwrap_or(default.origins),
        trusted_proxies: proxies.map_or(default.trusted_proxies, |networks| networks.into_iter().collect()),
        connections: settings.integer("limits.connections", connections, default.connections),
        connections_per_ip: settings.integer(
            "limits.connections_per_ip",
            connections,
            default.connections_per_ip,
        ),
        unproven_per_address: settings.integer(
            "limits.unproven_per_address",
            connections,
            default.unproven_per_address,
        ),
        accepts_per_second: settings.integer(
            "limits.accepts_per_second",
            &limits::ACCEPTS_PER_SECOND_RANGE,
            default.accepts_per_second,
        ),
        loopback_counts: settings.switch("limits.loopback_counts", default.loopback_counts),
        request_timeout: settings.millis(
            "server.request_timeout_ms",
            &limits::REQUEST_TIMEOUT_MS_RANGE,
            default.request_timeout,
        ),
        body_timeout: settings.millis(
            "server.body_timeout_ms",
            &limits::REQUEST_TIMEOUT_MS_RANGE,
            default.body_timeout,
        ),
        grace: settings.millis("server.grace_ms", shutdown, default.grace),
        drain: settings.millis("server.drain_ms", shutdown, default.drain),
    }
}

/// Refuses a list that is too long.
fn at_most(settings: &mut Settings, key: &str, found: usize, most: usize) {
    if found > most {
        let name = key.split_once('.').map_or(key, |(_, name)| name).replace('_', " ");
        settings.contradicts(&[key], format!("found {found} {name}, expected at most {most}"));
    }
}

/// `[session]`, and the part of `[limits]` that is a session's.
pub(super) fn session(settings: &mut Settings) -> SessionConfig {
    let default = SessionConfig::default();
    let times = &limits::SESSION_MS_RANGE;
    let config = SessionConfig {
        symbols_per_session: settings.integer(
            "limits.symbols_per_session",
            &limits::SYMBOLS_PER_SESSION_RANGE,
            default.symbols_per_session,
        ),
        commands_per_second: settings.integer(
            "limits.commands_per_second",
            &limits::COMMANDS_PER_SECOND_RANGE,
            default.commands_per_second,
        ),
        frame_bytes: settings.integer("limits.frame_bytes", &limits::FRAME_BYTES_RANGE, default.frame_bytes),
        stream_bytes: settings.integer(
            "session.stream_bytes",
            &limits::STREAM_BYTES_RANGE,
            default.stream_bytes,
        ),
        control_messages: settings.integer(
            "session.control_messages",
            &limits::CONTROL_MESSAGES_RANGE,
            default.control_messages,
        ),
        flush: settings.millis("session.flush_ms", &limits::FLUSH_MS_RANGE, default.flush),
        ping: settings.millis("session.ping_ms", times, default.ping),
        pong_timeout: settings.millis("session.pong_timeout_ms", times, default.pong_timeout),
        heartbeat: settings.millis("session.heartbeat_ms", times, default.heartbeat),
        stall_timeout: settings.millis("session.stall_timeout_ms", times, default.stall_timeout),
        simulated: Simulated::default(),
    };
    let patience = config.ping + config.pong_timeout;
    if config.heartbeat > patience {
        let why = format!(
            "a heartbeat every {} ms never comes in time: a silent session ends after ping_ms + pong_timeout_ms, {} ms",
            config.heartbeat.as_millis(),
            patience.as_millis()
        );
        settings.contradicts(&["session.heartbeat_ms", "session.ping_ms", "session.pong_timeout_ms"], why);
    }
    config
}

/// `[history]` and `[failover]`.
pub(super) fn history(settings: &mut Settings) -> HubConfig {
    let default = HubConfig::default();
    HubConfig {
        trades_per_symbol: settings.integer(
            "history.trades_per_symbol",
            &limits::TRADES_PER_SYMBOL_RANGE,
            default.trades_per_symbol,
        ),
        bars: settings.integer("history.bars", &limits::BARS_RANGE, default.bars),
        intervals: settings
            .list("history.intervals", "1s, 1m, 5m, 15m, 1h or 1d", Interval::parse)
            .map_or(default.intervals, |intervals| intervals.into_iter().collect()),
        lane_events: settings.integer("history.lane_events", &limits::LANE_EVENTS_RANGE, default.lane_events),
        failover: FailoverTimes {
            grace: settings.millis("failover.grace_ms", &limits::FAILOVER_MS_RANGE, default.failover.grace),
            hold: settings.millis("failover.hold_ms", &limits::FAILOVER_MS_RANGE, default.failover.hold),
        },
    }
}

/// `[store]`, when there is one. A relative path is relative to `base` when the file has it, else to `directory`.
pub(super) fn store(settings: &mut Settings, base: &Path, directory: &Path) -> Option<StoreConfig> {
    let path = file(settings, "store.path", base, directory);
    let interval = settings.millis(
        "store.interval_ms",
        &limits::STORE_INTERVAL_MS_RANGE,
        limits::DEFAULT_STORE_INTERVAL,
    );
    let Some(path) = path else {
        if settings.origin("store.path").is_none() {
            let why = "there is no store.path, so nothing is saved".to_owned();
            settings.contradicts(&["store.interval_ms"], why);
        }
        return None;
    };
    Some(StoreConfig { path, interval })
}

/// A path. A relative one is relative to `base` when the file has it, else to `directory`.
pub(super) fn file(
    settings: &mut Settings,
    key: &'static str,
    base: &Path,
    directory: &Path,
) -> Option<PathBuf> {
    let path = settings.parsed(key, "the name of a file", |text| {
        (!text.is_empty() && !text.ends_with('/')).then(|| text.to_owned())
    })?;
    let is_in_file = matches!(settings.origin(key), Some(Origin::File { .. }));
    let folder = if is_in_file { base } else { directory };
    Some(folder.join(path))
}

/// `[auth]`. Without authentication the gateway listens on loopback only, unless the mode is written out.
pub(super) fn auth(settings: &mut Settings, server: &ServerConfig) -> Auth {
    let expected = r#""none", the only mode there is: nobody is asked who they are"#;
    let _only = settings.parsed("auth.mode", expected, |text| (text == "none").then_some(()));
    if !server.bind.ip().is_loopback() && settings.origin("auth.mode").is_none() {
        let why = format!(
            "{} can be reached from other machines, and nobody is asked who they are: write mode = \"none\" under \
             [auth] (or set TICKCAST_AUTH__MODE=none) to allow that, or bind to a loopback address",
            server.bind
        );
        settings.contradicts(&["server.bind"], why);
    }
    Auth::None
}

/// `[log]`.
pub(super) fn log(settings: &mut Settings) -> Log {
    let format = settings.parsed("log.format", r#""human" or "json""#, |text| match text {
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    let expected = "error, warn, info, debug, trace or off, and target=level pairs, with commas between them";
    let level = settings.parsed("log.level", expected, level);
    let default = Log::default();
    Log { format: format.unwrap_or(default.format), level: level.unwrap_or(default.level) }
}

/// A filter that can be installed. A single word that is no level would silently mean a target of that name.
fn level(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let word_is_level =
        |word: &str| word.contains('=') || LEVELS.contains(&word.to_ascii_lowercase().as_str());
    if text.contains('[') {
        return EnvFilter::try_new(text).is_ok().then(|| text.to_owned());
    }
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    let filter = words.join(",");
    (words.into_iter().all(word_is_level) && EnvFilter::try_new(&filter).is_ok()).then_some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_not_taken_for_a_target() {
        for good in
            ["info", "WARN", "off", "info,tickcast=debug", "warn, tickcast::hub=trace", "[span]=debug"]
        {
            assert!(level(good).is_some(), "{good}");
        }
        for bad in ["", "inof", "info,debgu", "tickcast=loud"] {
            assert_eq!(level(bad), None, "{bad}");
        }
    }
}
