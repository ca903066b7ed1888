//! `tickcast serve`: configuration, log, gateway, signals.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use anyhow::Context as _;

use super::{ServeArgs, logging, signals};
use crate::{
    app::{self, Started},
    config::{Config, LogFormat, environment},
    limits::STOP_TIMEOUT,
};

/// Serves until SIGTERM, SIGINT or SIGHUP, then ends gracefully; a second signal ends at once.
///
/// # Errors
/// [`ConfigErrors`](crate::config::ConfigErrors) before anything was touched, what kept the gateway from starting, or
/// the [`Fault`](app::Fault) for which it has ended.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let directory = std::env::current_dir().context("the working directory is gone")?;
    let config = Config::load(&args.flags(), environment(), &directory)?;
    logging::install(&config.log)?;
    if config.is_demonstration {
        tracing::warn!("no feed is configured: the demonstration runs, and all its prices are made up");
    }
    let format = config.log.format;
    // Every session is a descriptor, and the usual soft limit is a thousand.
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "descriptors"),
        Err(why) => tracing::warn!("the limit of open files stays as it is: {why}"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let shutdown = signals::stop().context("signals cannot be received")?;
        app::run(config, shutdown.cancelled(), |started| announce(started, format)).await
    });
    // What still blocks a thread, such as a disk that does not answer, was waited for long enough.
    runtime.shutdown_timeout(STOP_TIMEOUT);
    ended
}

/// Tells that the gateway takes connections: to people on stdout, to machines in the log.
fn announce(started: &Started, format: LogFormat) {
    match format {
        LogFormat::Human => {
            let mut text = Vec::new();
            // A stdout that is closed or stuck is no reason not to serve.
            if banner(&mut text, started).is_ok() {
                logging::announce(&text);
            }
        }
        LogFormat::Json => tracing::info!(
            address = %started.address,
            feeds = started.feeds.join(","),
            simulated = started.simulated.join(","),
            symbols = started.symbols,
            "ready"
        ),
    }
}

/// What people see when the gateway is ready.
fn banner(out: &mut impl Write, started: &Started) -> io::Result<()> {
    let (host, everywhere) = reachable(started.address);
    let symbols = match started.symbols {
        0 => String::new(),
        1 => " (1 symbol)".to_owned(),
        many => format!(" ({many} symbols)"),
    };
    writeln!(out, "tickcast {} is ready{everywhere}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  page       http://{host}/")?;
    writeln!(out, "  WebSocket  ws://{host}/v1/ws")?;
    writeln!(out, "  metrics    http://{host}/metrics")?;
    writeln!(out, "  feeds      {}{symbols}", started.feeds.join(", "))?;
    if !started.simulated.is_empty() {
        writeln!(out, "  simulated  {}: all prices of it are made up", started.simulated.join(", "))?;
    }
    Ok(())
}

/// An address that can be clicked, and a remark when it stands for all of the machine's.
fn reachable(address: SocketAddr) -> (String, String) {
    if address.ip().is_unspecified() {
        return (
            format!("localhost:{}", address.port()),
            format!(" on every address of this machine ({address})"),
        );
    }
    (address.to_string(), String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner_of(address: &str, symbols: usize) -> String {
        let (feeds, simulated) = (vec!["demo".into(), "tape".into()], vec!["demo".into()]);
        let mut text = Vec::new();
        banner(&mut text, &Started { address: address.parse().unwrap(), feeds, simulated, symbols }).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_banner_shows_where_to_go() {
        let text = banner_of("127.0.0.1:8080", 40);
        for line in [
            "page       http://127.0.0.1:8080/\n",
            "ws://127.0.0.1:8080/v1/ws\n",
            "http://127.0.0.1:8080/metrics\n",
            "demo, tape (40 symbols)\n",
            "simulated  demo: all prices of it are made up\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(banner_of("[::1]:9", 0).contains("http://[::1]:9/\n"));
    }

    #[test]
    fn an_address_for_all_is_shown_as_one_that_works() {
        let text = banner_of("0.0.0.0:8080", 1);
        assert!(text.contains("http://localhost:8080/\n") && text.contains("(0.0.0.0:8080)"), "{text}");
    }
}
