//! `tickcast check`: everything that `serve` would refuse, without touching a port.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;

use super::{ServeArgs, output::print};
use crate::config::{self, AnyFeed, Config, FeedConfig};

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A configuration, or a feed definition: a file with `[[feed]]` tables only. Without it, what `serve` would read
    #[arg(conflicts_with = "config")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Checks and prints a summary.
///
/// # Errors
/// [`ConfigErrors`](crate::config::ConfigErrors) with every mistake.
pub fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let mut flags = args.serve.flags();
    flags.config = args.file.clone().or(flags.config);
    if let Some(file) = args.file.as_deref().filter(|file| config::is_definition(file)) {
        let feeds = Config::load_definition(file, config::environment())?;
        print(|out| {
            writeln!(out, "{}: ok", file.display())?;
            summary(out, &feeds)
        })?;
        return Ok(());
    }
    let directory = std::env::current_dir().context("the working directory is gone")?;
    let config = Config::load(&flags, config::environment(), &directory)?;
    let name = flags.config.map_or_else(|| "configuration".into(), |file| file.display().to_string());
    let server = &config.server;
    print(|out| {
        writeln!(out, "{name}: ok")?;
        writeln!(out, "  server {}, {}", server.bind, counted(server.workers, "worker"))?;
        summary(out, &config.feeds)
    })?;
    Ok(())
}

/// One line a feed.
fn summary(out: &mut dyn Write, feeds: &[FeedConfig]) -> io::Result<()> {
    for feed in feeds {
        write!(out, "  feed {}: {}", feed.name, feed.feed.kind())?;
        if feed.symbols > 0 {
            write!(out, ", {}", counted(feed.symbols, "symbol"))?;
        }
        if let AnyFeed::Upstream(upstream) = &feed.feed
            && upstream.has_patterns()
        {
            write!(out, ", patterns")?;
        }
        writeln!(out)?;
    }
    match feeds.iter().map(|feed| feed.symbols).sum() {
        0 => writeln!(out, "  {}", counted(feeds.len(), "feed")),
        symbols => writeln!(out, "  {}, {}", counted(feeds.len(), "feed"), counted(symbols, "symbol")),
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
