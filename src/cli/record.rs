//! `tickcast record`: what venues send, frame by frame as it came, as a recording that can be replayed.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{AnyFeed, Config, FeedConfig, Log, environment},
    feed::{
        Publisher, supervise,
        upstream::{Frame, tap},
    },
    hub::{Hub, HubConfig},
    limits::MAX_RECORDED_SECONDS,
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
    /// Stop after so long; without it, with Ctrl-C
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
        let stop = CancellationToken::new();
        let seconds = args.seconds.map(Duration::from_secs);
        let ends = stop.clone();
        tokio::spawn(async move {
            let time = async {
                match seconds {
                    Some(seconds) => tokio::time::sleep(seconds).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = time => {}
                _signal = tokio::signal::ctrl_c() => {}
            }
            ends.cancel();
        });
        record(feed, &args.out, stop).await
    })?;
    writeln!(io::stdout().lock(), "{}: {count} frames", args.out.display())?;
    Ok(())
}

/// Records a feed of a venue until `stop`; returns how many frames came.
///
/// # Errors
/// When the feed is of another kind, or the file cannot be written.
pub async fn record(feed: FeedConfig, out: &Path, stop: CancellationToken) -> anyhow::Result<u64> {
    let FeedConfig { name, feed, .. } = feed;
    let AnyFeed::Upstream(mut upstream) = feed else {
        bail!("{name}: only what a venue sends can be recorded, this is a {}", feed.kind());
    };
    let (tap, frames) = tap();
    upstream.record(tap);
    let file = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
    let halt = stop.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let written = write_compressed(frames, file, &ending);
        // A full disk ends the recording.
        halt.cancel();
        written
    });
    let metrics = Arc::new(Metrics::new());
    let hub = Arc::new(Hub::new(HubConfig::default(), "record".into(), Clock::system(), metrics));
    supervise(*upstream, Publisher::new(name, hub, stop)).await;
    writing.await?.with_context(|| format!("cannot write {}", out.display()))
}

fn write_compressed(frames: mpsc::Receiver<Frame>, file: File, ending: &str) -> io::Result<u64> {
    let file = BufWriter::new(file);
    match ending {
        "gz" => {
            let mut out = GzEncoder::new(file, Compression::default());
            let count = write(frames, &mut out)?;
            out.finish()?.flush()?;
            Ok(count)
        }
        "zst" => {
            let mut out = zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            let count = write(frames, &mut out)?;
            out.finish()?.flush()?;
            Ok(count)
        }
        _ => {
            let mut out = file;
            let count = write(frames, &mut out)?;
            out.flush()?;
            Ok(count)
        }
    }
}

/// `NANOSECONDS FRAME`, one a line.
fn write(mut frames: mpsc::Receiver<Frame>, out: &mut impl Write) -> io::Result<u64> {
    let mut count = 0;
    while let Some(Frame { tr, bytes }) = frames.blocking_recv() {
        write!(out, "{}000 ", tr.0)?;
        // JSON has no line ends outside of its texts, and inside they are escaped: what is left is white space.
        let flat: Vec<u8> =
            bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        out.write_all(&flat)?;
        out.write_all(b"\n")?;
        count += 1;
    }
    Ok(count)
}
