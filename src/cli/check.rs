//! `tickcast check`: everything that `serve` would refuse, without touching a port; and what the first lines of recordings
//! hold, which `serve` finds out only while it plays them.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;

use super::{ServeArgs, output::print};
use crate::{
    config::{self, AnyFeed, Config, FeedConfig},
    feed::replay::Sample,
    redis::Server,
};

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
/// [`ConfigErrors`](crate::config::ConfigErrors) with every mistake; or that a recording has nothing to play.
pub fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let mut flags = args.serve.flags();
    flags.config = args.file.clone().or(flags.config);
    if let Some(file) = args.file.as_deref().filter(|file| config::is_definition(file)) {
        let feeds = Config::load_definition(file, config::environment())?;
        let mut useless = 0;
        print(|out| {
            writeln!(out, "{}: ok", file.display())?;
            useless = summary(out, &feeds)?;
            Ok(())
        })?;
        return verdict(useless);
    }
    let directory = std::env::current_dir().context("the working directory is gone")?;
    let config = Config::load(&flags, config::environment(), &directory)?;
    let name = flags.config.map_or_else(|| "configuration".into(), |file| file.display().to_string());
    let server = &config.server;
    let mut useless = 0;
    print(|out| {
        writeln!(out, "{name}: ok")?;
        writeln!(out, "  server {}, {}", server.bind, counted(server.workers, "worker"))?;
        if let Some(cluster) = &config.cluster {
            let (name, role) = (&cluster.name, cluster.role.as_str());
            let server = Server::new(&cluster.server, Path::new("")).map_or_else(|it| it.why, |it| it.name());
            writeln!(out, "  cluster {name}, {role}, at {server}")?;
        }
        useless = summary(out, &config.feeds)?;
        Ok(())
    })?;
    verdict(useless)
}

fn verdict(useless: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        useless == 0,
        "{} cannot be played as the definition says",
        counted(useless, "recording")
    );
    Ok(())
}

/// One line a feed, and what its recordings hold. Returns how many of these cannot be what was meant.
fn summary(out: &mut dyn Write, feeds: &[FeedConfig]) -> io::Result<usize> {
    let mut useless = 0;
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
        if let AnyFeed::Redis(redis) = &feed.feed {
            write!(out, ", {}", redis.server())?;
        }
        writeln!(out)?;
        if let AnyFeed::Replay(replay) = &feed.feed {
            let samples = replay.sample(feed.name);
            useless += samples.iter().filter(|sample| sample.is_useless()).count();
            samples.iter().try_for_each(|sample| recording(out, sample))?;
        }
    }
    match feeds.iter().map(|feed| feed.symbols).sum() {
        0 => writeln!(out, "  {}", counted(feeds.len(), "feed"))?,
        symbols => writeln!(out, "  {}, {}", counted(feeds.len(), "feed"), counted(symbols, "symbol"))?,
    }
    Ok(useless)
}

/// What one file of a replay holds, as far as it was read.
fn recording(out: &mut dyn Write, sample: &Sample) -> io::Result<()> {
    let (file, findings) = (sample.file.display(), &sample.findings);
    let first = if sample.is_whole { "" } else { "the first " };
    writeln!(out, "    {file}: {first}{}: {findings}", lines(findings.lines()))?;
    if let Some(complaint) = sample.complaint() {
        return writeln!(out, "    warning: {complaint}");
    }
    let rest = findings.passed_over();
    if rest.is_empty() { Ok(()) } else { writeln!(out, "      {rest}") }
}

fn lines(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "line")
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
