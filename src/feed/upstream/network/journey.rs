//! The steps of one attempt to connect: what was done, how it ended and how long it took. For those who want to know why
//! it failed, and for `tickcast doctor`.

use std::{fmt::Display, time::Duration};

use parking_lot::Mutex;

use super::error::ConnectError;
use crate::{clock::Instant, limits::JOURNEY_STEPS};

/// A kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Which proxy is meant for the address, if any.
    Route,
    /// A name to its addresses.
    Resolve,
    /// One TCP connection.
    Dial,
    /// The proxy is asked for a connection.
    Proxy,
    /// Encryption and certificates.
    Tls,
    /// What is spoken first on the connection: a handshake, or a request and its answer.
    Talk,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its kind.
    pub stage: Stage,
    /// What was to be done, like `connect to 192.0.2.1:443`.
    pub what: String,
    /// Whether it is about the proxy and not about the venue.
    pub is_proxy: bool,
    /// What came of it, or why it failed. None while it is under way, and for good when the attempt was given up first.
    pub result: Option<Result<String, String>>,
    /// How long it took; so far, while it is under way.
    pub took: Duration,
}

/// The steps of an attempt, in the order in which they began.
#[derive(Debug, Default)]
pub struct Journey(Mutex<Vec<Timed>>);

#[derive(Debug)]
struct Timed {
    step: Step,
    began: Instant,
}

/// A step that is under way.
#[derive(Debug)]
#[must_use = "a step that is dropped was given up"]
pub(in crate::feed::upstream) struct Begun<'a> {
    journey: &'a Journey,
    at: Option<usize>,
}

impl Journey {
    /// The steps so far.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let now = Instant::now();
        let kept = self.0.lock();
        let so_far = |one: &Timed| match one.step.result {
            Some(_) => one.step.clone(),
            None => Step { took: now.saturating_duration_since(one.began), ..one.step.clone() },
        };
        kept.iter().map(so_far).collect()
    }

    /// What an attempt failed at whose time was over: all that was still under way.
    #[must_use]
    pub fn late(&self, time: Duration) -> ConnectError {
        let kept = self.0.lock();
        let under_way: Vec<_> =
            kept.iter().map(|one| &one.step).filter(|step| step.result.is_none()).collect();
        let doing: Vec<_> = under_way.iter().map(|step| step.what.as_str()).collect();
        let failed = kept.iter().filter(|one| one.step.stage == Stage::Dial);
        let failed: Vec<_> = failed
            .filter_map(|one| {
                Some(format!("; {}: {}", one.step.what, one.step.result.as_ref()?.as_ref().err()?))
            })
            .collect();
        ConnectError::Late {
            doing: if doing.is_empty() { "it".into() } else { doing.join(", ") },
            failed: failed.concat(),
            after_ms: time.as_millis(),
            is_proxy: under_way.iter().any(|step| step.is_proxy),
        }
    }

    /// A step begins.
    pub(in crate::feed::upstream) fn begin(&self, stage: Stage, what: String, is_proxy: bool) -> Begun<'_> {
        let step = Step { stage, what, is_proxy, result: None, took: Duration::ZERO };
        let mut kept = self.0.lock();
        let at = (kept.len() < JOURNEY_STEPS).then(|| {
            kept.push(Timed { step, began: Instant::now() });
            kept.len() - 1
        });
        Begun { journey: self, at }
    }
}

impl Begun<'_> {
    /// It has ended well.
    pub(in crate::feed::upstream) fn done(self, what: String) {
        self.set(Ok(what));
    }

    /// It has failed. Returns why.
    pub(in crate::feed::upstream) fn failed(self, why: &dyn Display) -> String {
        let why = why.to_string();
        self.set(Err(why.clone()));
        why
    }

    /// It has ended like this.
    pub(in crate::feed::upstream) fn end<T, E: Display>(self, result: Result<T, E>) -> Result<T, E> {
        self.set(match &result {
            Ok(_) => Ok(String::new()),
            Err(why) => Err(why.to_string()),
        });
        result
    }

    fn set(self, result: Result<String, String>) {
        let mut kept = self.journey.0.lock();
        if let Some(one) = self.at.and_then(|at| kept.get_mut(at)) {
            one.step.result = Some(result);
            one.step.took = Instant::now().saturating_duration_since(one.began);
        }
    }
}
