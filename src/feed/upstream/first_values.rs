//! The first quotes of symbols whose stream sends changes only, requested over HTTP a moment after the venue has confirmed
//! the subscription.
//!
//! - If the stream has brought a quote of the symbol by then, nothing is requested. If one comes before the answer, the
//!   answer is dropped: it might be older.
//! - At most one request is open, and the number of requests in a minute is limited for the feed, over all connections.
//! - A batch that the venue refuses is requested again in halves, so that one unknown symbol costs the others nothing. Any
//!   other failure is told, counted and tried again after a growing pause, for a limited number of times. The stream never
//!   waits for any of this.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{
    UpstreamPlan,
    fetch::{FetchError, fetch_bytes},
    network::Address,
};
use crate::{
    clock::Instant,
    feed::{Backoff, Publisher},
    limits::{
        FIRST_VALUES_AFTER, FIRST_VALUES_ATTEMPTS, FIRST_VALUES_BYTES, FIRST_VALUES_PER_MINUTE,
        FIRST_VALUES_SYMBOLS,
    },
    market::{Quote, Symbol},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What came of a request.
pub(super) type Answer = Result<Vec<Quote>, FetchError>;

/// The request that is under way; it ends when this is dropped.
#[derive(Debug)]
struct UnderWay {
    symbols: Vec<Symbol>,
    answer: JoinHandle<Answer>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// Which symbols of a feed are without a quote, and what is done about it.
#[derive(Debug)]
pub(super) struct FirstValues {
    /// Symbols that were subscribed and have no quote yet, and when they are asked for.
    waiting: BTreeMap<Symbol, Instant>,
    /// Parts of batches that were refused, the newest last; they go first.
    parts: Vec<Vec<Symbol>>,
    under_way: Option<UnderWay>,
    /// When the newest requests were made, as many as a minute may have.
    asked: VecDeque<Instant>,
    /// The pause after a failure.
    not_before: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    backoff: Backoff,
}

impl FirstValues {
    /// No symbol waits; pauses after failures are as with everything else of the feed.
    pub(super) const fn new(backoff: Backoff) -> Self {
        Self {
            waiting: BTreeMap::new(),
            parts: Vec::new(),
            under_way: None,
            asked: VecDeque::new(),
            not_before: None,
            failures: 0,
            backoff,
        }
    }

    /// These are subscribed now.
    pub(super) fn expect(&mut self, symbols: impl IntoIterator<Item = Symbol>, now: Instant) {
        self.waiting.extend(symbols.into_iter().map(|symbol| (symbol, now + FIRST_VALUES_AFTER)));
    }

    /// The connection has ended: nothing of it is of interest any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.parts.clear();
        self.under_way = None;
    }

    /// When [`ask`](Self::ask) has something to do.
    pub(super) fn next(&self, plan: &UpstreamPlan, now: Instant) -> Option<Instant> {
        if self.under_way.is_some() {
            return None;
        }
        let first = self.waiting.values().min().copied()?;
        let full = self.asked.len().checked_sub(FIRST_VALUES_PER_MINUTE);
        let paced = full.map(|oldest| self.asked[oldest] + MINUTE);
        let held = plan.hold.left(now).map(|left| now + left);
        Some([paced, held, self.not_before].into_iter().flatten().fold(first, Instant::max))
    }

    /// Asks for those whose time has come and of which there is no quote yet.
    pub(super) fn ask(
        &mut self,
        plan: &Arc<UpstreamPlan>,
        out: &Publisher,
        has_quote: impl Fn(Symbol) -> bool,
    ) {
        let now = Instant::now();
        if self.next(plan, now).is_none_or(|at| at > now) {
            return;
        }
        self.waiting.retain(|symbol, _| !has_quote(*symbol));
        let names = plan.names();
        let Some(address) = &plan.first_values else { return };
        let symbols = self.batch(now);
        let theirs: Vec<_> = symbols.iter().filter_map(|symbol| names.theirs(*symbol)).collect();
        if theirs.is_empty() {
            symbols.iter().for_each(|symbol| {
                self.waiting.remove(symbol);
            });
            return;
        }
        let url = plan.venue.first_values_of(&address.url, &theirs);
        let address = Address { url, ..address.clone() };
        self.asked.push_back(now);
        if self.asked.len() > FIRST_VALUES_PER_MINUTE {
            self.asked.pop_front();
        }
        let (plan, out) = (Arc::clone(plan), out.clone());
        let answer = tokio::spawn(async move {
            let limits = (FIRST_VALUES_BYTES, plan.answer_timeout);
            let bytes = fetch_bytes(&plan, &address, limits).await?;
            Ok(plan.venue.first_values(&bytes, out.clock().now(), &*names)?)
        });
        self.under_way = Some(UnderWay { symbols, answer });
    }

    /// The symbols of the next request: a part of a refused batch, or those whose time has come.
    fn batch(&mut self, now: Instant) -> Vec<Symbol> {
        while let Some(mut part) = self.parts.pop() {
            part.retain(|symbol| self.waiting.contains_key(symbol));
            if !part.is_empty() {
                return part;
            }
        }
        let due = self.waiting.iter().filter(|(_, at)| **at <= now).map(|(symbol, _)| *symbol);
        due.take(FIRST_VALUES_SYMBOLS).collect()
    }

    /// The answer to the request; never, while there is none.
    ///
    /// # Cancel safety
    /// It is not lost when the future is dropped.
    pub(super) async fn arrival(&mut self) -> Answer {
        match &mut self.under_way {
            Some(under_way) => match (&mut under_way.answer).await {
                Ok(answer) => answer,
                Err(why) => Err(FetchError::Connect(why.to_string())),
            },
            None => std::future::pending().await,
        }
    }

    /// Takes the answer. Returns the quotes of the symbols that were asked for.
    pub(super) fn take(&mut self, answer: Answer, plan: &UpstreamPlan, out: &Publisher) -> Vec<Quote> {
        let Some(mut under_way) = self.under_way.take() else { return Vec::new() };
        let symbols = std::mem::take(&mut under_way.symbols);
        let metrics = out.upstream_metrics();
        match answer {
            Ok(mut quotes) => {
                metrics.first_values("ok");
                self.backoff.reset();
                self.failures = 0;
                // One that the answer leaves out has no book.
                symbols.iter().for_each(|symbol| {
                    self.waiting.remove(symbol);
                });
                quotes.retain(|quote| symbols.contains(&quote.symbol));
                quotes
            }
            Err(why) => {
                metrics.first_values(why.as_str());
                self.failed(symbols, &why, plan, out);
                Vec::new()
            }
        }
    }

    fn failed(&mut self, symbols: Vec<Symbol>, why: &FetchError, plan: &UpstreamPlan, out: &Publisher) {
        let (feed, now) = (out.name(), Instant::now());
        let mut pause = Duration::ZERO;
        if matches!(why, FetchError::Status { status: 400 | 414, .. }) {
            if self.divide(symbols) {
                return;
            }
        } else {
            if let FetchError::Status { retry_after: Some(time), .. } = why {
                plan.hold.extend(now, *time);
            }
            let random = &mut rand::rng();
            pause = if why.wants_peace() { self.backoff.longest(random) } else { self.backoff.next(random) };
            self.not_before = Some(now + pause);
        }
        self.failures += 1;
        if self.failures < FIRST_VALUES_ATTEMPTS {
            tracing::info!(%feed, pause_ms = pause.as_millis(), "no first quotes yet: {why}");
            return;
        }
        let count = self.waiting.len();
        tracing::warn!(%feed, "{count} symbols get no first quote, the stream will bring one: {why}");
        self.waiting.clear();
        self.parts.clear();
        self.failures = 0;
    }

    /// The venue does not take this batch. Returns whether it can be asked for in halves; a single symbol cannot, and is not
    /// asked for again.
    fn divide(&mut self, mut symbols: Vec<Symbol>) -> bool {
        if let [symbol] = symbols[..] {
            self.waiting.remove(&symbol);
            return false;
        }
        let second = symbols.split_off(symbols.len() / 2);
        self.parts.extend([second, symbols]);
        true
    }
}

#[cfg(test)]
mod tests;
