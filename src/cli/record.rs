//! `tickcast record`: what venues send, frame by frame as it came, as a recording that can be replayed.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{output::print, signals};
use crate::{
    clock::Clock,
    config::{AnyFeed, Config, FeedConfig, Log, environment},
    feed::{
        Publisher,
        record::Output,
        supervise,
        upstream::{Frame, tap},
    },
    hub::{Hub, HubConfig},
    limits::{MAX_RECORDED_SECONDS, RECORD_FLUSH},
    metrics::Metrics,
};

/// What to record.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Definition file with one feed of a venue
    #[arg(long, value_name = "FILE")]
    feed: PathBuf,
    /// Where it goes; a name ending in .gz or .zst is compressed
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Stop after N seconds; without it, at a signal
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_RECORDED_SECONDS))]
    seconds: Option<u64>,
}

/// Records until the time is over or a signal comes.
///
/// # Errors
/// [`ConfigErrors`](crate::config::ConfigErrors) of the definition, or what kept the file from being written.
pub fn run(args: &RecordArgs) -> anyhow::Result<()> {
    let mut feeds = Config::load_definition(&args.feed, environment())?;
    let Some((feed, true)) = feeds.pop().map(|feed| (feed, feeds.is_empty())) else {
        bail!("{}: expected a definition with exactly one feed", args.feed.display());
    };
    super::logging::install(&Log::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let count = runtime.block_on(async {
        // A second signal ends the process at once: the file then has what was flushed.
        let stop = signals::stop().context("signals cannot be received")?;
        if let Some(seconds) = args.seconds {
            let ends = stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                ends.cancel();
            });
        }
        let out = Output::create(&args.out, args.force);
        record(feed, out.with_context(|| unwritable(&args.out))?, stop)
            .await
            .with_context(|| unwritable(&args.out))
    })?;
    print(|out| writeln!(out, "{}: {count} frames", args.out.display()))?;
    Ok(())
}

fn unwritable(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Records a feed of a venue until `stop`, and ends the file; returns how many frames came.
///
/// # Errors
/// When the feed is of another kind, or the file cannot be written.
pub async fn record(feed: FeedConfig, out: Output, stop: CancellationToken) -> anyhow::Result<u64> {
    let FeedConfig { name, feed, .. } = feed;
    let AnyFeed::Upstream(mut upstream) = feed else {
        bail!("{name}: only what a venue sends can be recorded, this is a {}", feed.kind());
    };
    let (tap, frames) = tap();
    upstream.record(tap);
    let halt = stop.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let written = write_all(frames, out);
        // A full disk ends the recording.
        halt.cancel();
        written
    });
    let metrics = Arc::new(Metrics::new());
    let hub = Arc::new(Hub::new(HubConfig::default(), "record".into(), Clock::system(), metrics));
    supervise(*upstream, Publisher::new(name, hub, stop)).await;
    Ok(writing.await??)
}

fn write_all(mut frames: mpsc::Receiver<Frame>, mut out: Output) -> io::Result<u64> {
    let count = write(&mut frames, &mut out)?;
    out.finish()?;
    Ok(count)
}

/// Writes what comes, and flushes it at the latest [`RECORD_FLUSH`] after it came.
fn write(frames: &mut mpsc::Receiver<Frame>, out: &mut impl Write) -> io::Result<u64> {
    let runtime = Handle::current();
    let mut count = 0;
    let mut due = None;
    loop {
        let next = match due {
            None => Ok(frames.blocking_recv()),
            Some(due) if due <= Instant::now() => Err(()),
            Some(due) => runtime.block_on(async { timeout_at(due, frames.recv()).await.map_err(|_late| ()) }),
        };
        match next {
            Ok(Some(frame)) => {
                line(&frame, out)?;
                count += 1;
                due = due.or_else(|| Some(Instant::now() + RECORD_FLUSH));
            }
            Ok(None) => return Ok(count),
            Err(()) => {
                out.flush()?;
                due = None;
            }
        }
    }
}

/// `NANOSECONDS FRAME`
fn line(Frame { tr, bytes }: &Frame, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{}000 ", tr.0)?;
    // JSON has no line ends outside of its texts, and inside they are escaped: what is left is white space.
    let flat: Vec<u8> =
        bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    out.write_all(&flat)?;
    out.write_all(b"\n")
}
