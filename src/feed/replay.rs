//! Recorded ticks, played with the pauses of the recording, faster, or as fast as possible.
//!
//! A recording is one or several files, played one after the other and not merged by time. Ticks keep their event time
//! (`te`); their receive time (`tr`) is when they are played. Blocking threads read, decompress and parse one batch ahead;
//! the async side only waits and publishes.
//!
//! Refuses to repair: a line that cannot be read is counted and skipped. A file that breaks off is played up to there, and
//! then ends the feed with the error.

mod csv;
mod dbn;
mod decoded;
mod definition;
mod envelope;
mod findings;
mod frames;
mod input;
mod names;
mod native;
mod playback;
mod player;
mod progress;
mod reader;
mod recording;
mod sample;
mod stamps;
mod times;

#[cfg(test)]
mod tests;

pub use definition::Definition;
pub use findings::Findings;
pub use frames::{Frames, RawFrame};
pub use sample::Sample;

pub(in crate::feed) use csv::{TimeFormat, scaled, side, source};
pub(in crate::feed) use decoded::Skipped;
pub(in crate::feed) use names::Symbols;

use std::{path::PathBuf, sync::Arc};

use tokio::task::{JoinError, JoinHandle};

use self::{
    decoded::Batch,
    playback::Speed,
    player::{Flow, Player},
    progress::Progress,
    reader::Reader,
    times::Times,
};
use super::{End, Feed, FeedError, Publisher};
use crate::{dialect::Venue, market::Source};

/// What to read: checked, and shared with the blocking threads.
#[derive(Debug)]
struct ReplayPlan {
    files: Vec<PathBuf>,
    /// Size of all files, for the progress line.
    bytes: u64,
    format: Format,
    symbols: Symbols,
    source: Option<Source>,
}

/// What the files hold.
#[derive(Debug)]
enum Format {
    Venue(Venue),
    Native,
    Csv(Arc<csv::Layout>),
    Dbn,
}

impl Format {
    /// The name in definitions.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Venue(venue) => venue.as_str(),
            Self::Native => "native",
            Self::Csv(_) => "csv",
            Self::Dbn => "dbn",
        }
    }

    /// Every rule that may pass over a line or record.
    fn rules(&self) -> Vec<&'static str> {
        match self {
            Self::Venue(venue) => {
                let mut rules: Vec<_> = venue.rules().chain(envelope::RULES).collect();
                rules.push(recording::EMPTY);
                rules
            }
            Self::Native => vec![recording::EMPTY, native::CONTROL],
            Self::Csv(_) => vec![recording::EMPTY],
            Self::Dbn => [&["unknown"], dbn::RULES].concat(),
        }
    }
}

/// The feed.
#[derive(Debug)]
pub struct Replay {
    plan: Arc<ReplayPlan>,
    speed: Speed,
    looping: bool,
    progress: bool,
}

impl Feed for Replay {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.metrics().ignored_rules(self.plan.format.rules());
        out.declare(self.plan.symbols.ours())?;
        let mut progress = Progress::new(self.progress, out.name(), self.plan.bytes);
        let mut times = Times::default();
        loop {
            let mut findings = Findings::default();
            let end = self.pass(out, &mut progress, &mut times, &mut findings).await?;
            if end == End::Cancelled {
                return Ok(end);
            }
            if findings.ticks() == 0 {
                let (files, why) = (&self.plan.files, findings.why_nothing(self.plan.format.as_str()));
                if self.looping {
                    return Err(FeedError::Fatal(format!("nothing to play in a loop from {files:?}: {why}")));
                }
                tracing::warn!(feed = %out.name(), ?files, "nothing was played: {why}");
            }
            if !self.looping {
                return Ok(end);
            }
            times.over_again();
        }
    }
}

impl Replay {
    /// What moves the recorded quotes, where the format tells: see [`Venue::quotes_from`].
    #[must_use]
    pub fn quotes_from(&self) -> Option<&'static str> {
        match self.plan.format {
            Format::Venue(venue) => Some(venue.quotes_from()),
            Format::Native | Format::Csv(_) | Format::Dbn => None,
        }
    }

    /// Plays all files once.
    async fn pass(
        &self,
        out: &Publisher,
        progress: &mut Progress,
        times: &mut Times,
        findings: &mut Findings,
    ) -> Result<End, FeedError> {
        let mut player = Player::new(out, self.speed, progress, times);
        let mut reading = read_on(Reader::new(Arc::clone(&self.plan), out.name()));
        loop {
            let read = tokio::select! {
                biased;
                () = out.cancelled() => return Ok(End::Cancelled),
                read = &mut reading => read,
            };
            let (reader, mut batch) = match read.map_err(JoinError::try_into_panic) {
                Ok(read) => read,
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                Err(Err(lost)) => {
                    return Err(FeedError::Fatal(format!("the reading thread is gone: {lost}")));
                }
            };
            let end = batch.end.take();
            findings.take(&batch);
            if end.is_none() {
                reading = read_on(reader);
            }
            if player.play(batch).await == Flow::Stop {
                return Ok(End::Cancelled);
            }
            match end {
                None => {}
                Some(Ok(())) => return Ok(End::Finished),
                // Reading the files again would not help.
                Some(Err(why)) => return Err(FeedError::Fatal(why)),
            }
        }
    }
}

/// Reads one batch on a blocking thread. If the handle is dropped, that batch is lost.
fn read_on(reader: Reader) -> JoinHandle<(Reader, Batch)> {
    tokio::task::spawn_blocking(move || reader.read())
}
