//! `tickcast watch`: a terminal client of any gateway that speaks the protocol, as a table or as JSON lines.
//!
//! The connection ([`link`]) reads frames and comes back after a break as the close code advises; the [`model`] is
//! what they add up to; [`screen`] draws it. None of them knows the gateway's insides.

mod grid;
mod lines;
mod link;
mod model;
mod protocol;
mod reconnect;
mod screen;
mod table;

use std::io::IsTerminal as _;

use clap::Args;
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::tungstenite::http::Uri;

use super::{resync::asking_for_resync, signals};
use crate::limits::{WATCH_FRAMES, WATCH_SILENCE};

/// What to watch, and how.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Symbols, `*` for all, or prefixes like `BTC-*`
    #[arg(default_value = "*", value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// The gateway's WebSocket address
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws", value_parser = ws_url)]
    pub url: Uri,
    /// Channels, with commas between them
    #[arg(long = "channel", value_name = "CHANNELS", default_value = "quotes,trades", value_delimiter = ',')]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub channels: Vec<String>,
    /// Print each message as one JSON line (the default when the output is no terminal)
    #[arg(long)]
    pub json: bool,
    /// End after N JSON lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

fn ws_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|why| format!("{why}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("ws"), Some(_)) => Ok(url),
        (Some("wss"), Some(_)) => {
            Err("watch does not speak TLS: connect to the gateway itself with ws://".into())
        }
        _ => Err("expected an address like ws://127.0.0.1:8080/v1/ws".into()),
    }
}

/// Watches until the user, the reader of the output or the gateway ends it.
///
/// # Errors
/// When the gateway says not to come back, or the terminal cannot be used.
pub fn run(args: &WatchArgs) -> anyhow::Result<()> {
    // Another numbering is no reason to leave.
    let url: Uri = asking_for_resync(&args.url.to_string()).parse()?;
    let as_lines = args.json || args.count.is_some() || !std::io::stdout().is_terminal();
    // One thread beside this one, so that signals are seen while a reader of the output takes nothing.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(async {
        let (updates, inbox) = mpsc::channel(WATCH_FRAMES);
        let link = tokio::spawn(link::run(url, link::commands(args), updates));
        let result = if as_lines {
            lines::run(inbox, args.count, signals::stop()?).await
        } else {
            table::run(args.url.to_string(), inbox).await
        };
        // The inbox is gone now: the link says goodbye and ends.
        let _ended = timeout(WATCH_SILENCE, link).await;
        result
    });
    // A read of the terminal that is still under way must not keep the program.
    runtime.shutdown_background();
    result
}
