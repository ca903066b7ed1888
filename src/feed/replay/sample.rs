//! Reads the first lines of a recording, to tell what it holds.

use std::path::{Path, PathBuf};

use super::{Replay, ReplayPlan, decoded::Batch, findings::Findings, recording::Recording};
use crate::{
    limits::{CHECK_BYTES, CHECK_LINES, REPLAY_BATCH},
    market::Source,
};

/// What the first lines of one file hold.
#[derive(Debug)]
pub struct Sample {
    /// The file.
    pub file: PathBuf,
    /// What was found.
    pub findings: Findings,
    /// Whether this is the whole file.
    pub is_whole: bool,
    /// The error that ended the reading.
    pub broken: Option<String>,
    /// How it was read, as `format` in the definition.
    pub format: &'static str,
}

impl Sample {
    /// What is wrong with the recording, if anything: it has no tick, or breaks off.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let nothing = (self.findings.ticks() == 0).then(|| self.findings.why_nothing(self.format));
        match (nothing, &self.broken) {
            (Some(nothing), Some(broken)) => Some(format!("{nothing}; {broken}")),
            (nothing, broken) => nothing.or_else(|| broken.clone()),
        }
    }

    /// Whether it must be a mistake: it breaks off, or has no tick and cannot have one further on.
    #[must_use]
    pub fn is_useless(&self) -> bool {
        let has_none = self.findings.ticks() == 0 && (self.is_whole || self.findings.is_strange());
        has_none || self.broken.is_some()
    }
}

impl Replay {
    /// Reads the first [`CHECK_LINES`] lines or records of each file, at most [`CHECK_BYTES`]. Blocks on the files.
    ///
    /// # Errors
    /// None: errors of a file are in its sample.
    #[must_use]
    pub fn sample(&self, feed: Source) -> Vec<Sample> {
        self.plan.files.iter().map(|file| sample(&self.plan, file, feed)).collect()
    }
}

fn sample(plan: &ReplayPlan, file: &Path, feed: Source) -> Sample {
    let mut findings = Findings::default();
    let (mut is_whole, mut broken) = (false, None);
    match Recording::open(file, &plan.format, &std::sync::Arc::default()) {
        Err(why) => broken = Some(why),
        Ok(mut recording) => {
            let (mut batch, mut length) = (Batch::default(), 0);
            while !is_whole && broken.is_none() && findings.lines() < CHECK_LINES && length < CHECK_BYTES {
                match recording.read(plan, feed, &mut batch) {
                    Ok(more) => is_whole = !more,
                    Err(why) => broken = Some(why),
                }
                let is_full = batch.messages >= REPLAY_BATCH.0 as u64 || batch.ticks.len() >= REPLAY_BATCH.1;
                let is_enough =
                    findings.lines() + batch.messages >= CHECK_LINES || length + batch.length >= CHECK_BYTES;
                if is_whole || broken.is_some() || is_full || is_enough {
                    findings.take_whole(&batch);
                    length += batch.length;
                    batch = Batch::default();
                }
            }
        }
    }
    Sample { file: file.to_owned(), findings, is_whole, broken, format: plan.format.as_str() }
}
