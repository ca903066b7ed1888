//! The progress of a replay: a line on a terminal, or now and then one in the log. The terminal has its own thread, so that
//! a halted terminal does not block the feed.

use std::{
    io::IsTerminal as _,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::{
    clock::Instant,
    limits::REPLAY_PROGRESS,
    market::{Source, UnixMicros},
};

/// Where the progress is shown.
#[derive(Debug)]
enum Line {
    Terminal(SyncSender<Shown>),
    Log,
    Off,
}

/// What the line on the terminal shows.
#[derive(Debug)]
struct Shown {
    bytes: u64,
    message: String,
}

/// What was played so far.
#[derive(Debug)]
pub(super) struct Progress {
    line: Line,
    feed: Source,
    total_bytes: u64,
    bytes: u64,
    ticks: u64,
    at: Option<UnixMicros>,
    /// When the last line was shown, and how many ticks there were.
    told: (Instant, u64),
}

impl Progress {
    /// On the terminal if standard error is one, else in the log; nowhere if not wanted.
    pub(super) fn new(wanted: bool, feed: Source, total_bytes: u64) -> Self {
        let line = match (wanted, std::io::stderr().is_terminal()) {
            (false, _) => Line::Off,
            (true, false) => Line::Log,
            (true, true) => on_terminal(feed, total_bytes),
        };
        Self { line, feed, total_bytes, bytes: 0, ticks: 0, at: None, told: (Instant::now(), 0) }
    }

    /// More ticks were published.
    pub(super) fn add(&mut self, ticks: usize) {
        self.ticks = self.ticks.saturating_add(u64::try_from(ticks).unwrap_or_default());
    }

    /// Bytes taken from the files in this pass.
    pub(super) const fn bytes(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// The recorded time that is being played.
    pub(super) fn at(&mut self, at: Option<UnixMicros>) {
        self.at = at.or(self.at);
    }

    /// When the next line is due, if any.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.line {
            Line::Terminal(_) => Some(self.told.0 + REPLAY_PROGRESS.0),
            Line::Log => Some(self.told.0 + REPLAY_PROGRESS.1),
            Line::Off => None,
        }
    }

    /// Shows the progress, if it is due.
    pub(super) fn tell(&mut self) {
        let now = Instant::now();
        if self.next().is_none_or(|next| now < next) {
            return;
        }
        let rate = per_second(self.ticks - self.told.1, (now - self.told.0).as_millis());
        self.told = (now, self.ticks);
        let at = self.at.and_then(|UnixMicros(at)| Timestamp::from_microsecond(at).ok());
        let at = at.map_or_else(|| "-".to_owned(), |at| at.strftime("%F %T").to_string());
        match &self.line {
            Line::Terminal(bar) => {
                // Skip this line if the last one is not drawn yet.
                let _left_out =
                    bar.try_send(Shown { bytes: self.bytes, message: format!("{at} {rate} ticks/s") });
            }
            Line::Log => tracing::info!(
                feed = %self.feed,
                bytes = self.bytes,
                total_bytes = self.total_bytes,
                ticks = self.ticks,
                ticks_per_s = rate,
                recorded = at,
                "replaying"
            ),
            Line::Off => {}
        }
    }
}

fn on_terminal(feed: Source, total_bytes: u64) -> Line {
    let (line, shown) = sync_channel(1);
    let drawing = move || draw(feed, total_bytes, &shown);
    match thread::Builder::new().name("progress".into()).spawn(drawing) {
        Ok(_draws) => Line::Terminal(line),
        Err(_no_thread) => Line::Log,
    }
}

/// Draws lines until the feed ends.
fn draw(feed: Source, total_bytes: u64, shown: &Receiver<Shown>) {
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_bad| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total_bytes).with_style(style).with_prefix(feed.to_string());
    while let Ok(Shown { bytes, message }) = shown.recv() {
        bar.set_position(bytes);
        bar.set_message(message);
    }
    bar.finish_and_clear();
}

fn per_second(ticks: u64, elapsed_ms: u128) -> u128 {
    u128::from(ticks) * 1_000 / elapsed_ms.max(1)
}
