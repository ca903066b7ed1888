//! From the handshake to the first data, over the feed's own [`Link`]: it asks, paces, answers pings and judges answers as
//! it does in a gateway.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::super::{
    UpstreamPlan,
    broken::Break,
    link::{Link, LinkUpdate, SequencedTick},
};
use crate::{
    clock::Instant,
    feed::Publisher,
    limits::{DOCTOR_LATENCIES, DOCTOR_PACE, DOCTOR_SUBSCRIPTION, RECORDED_AFTER},
    market::{Channel, Symbol, Tick},
};

/// What came of one symbol.
#[derive(Debug, Default, Clone)]
pub(super) struct Heard {
    /// How long after it was asked for the first trade came.
    pub(super) trade: Option<Duration>,
    pub(super) quote: Option<Duration>,
}

/// What the venue said of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Accepted,
    /// In its words.
    Refused(String),
    WithoutPlace,
}

/// One connection under examination.
pub(super) struct Session<'a> {
    plan: Arc<UpstreamPlan>,
    out: &'a Publisher,
    link: Link,
    update: LinkUpdate,
    asked_at: Instant,
    /// What the venue said of each symbol, of those that are decided.
    pub(super) said: BTreeMap<Symbol, Said>,
    pub(super) heard: BTreeMap<Symbol, Heard>,
    pub(super) ticks: u64,
    /// When the first tick came.
    pub(super) first: Option<Instant>,
    /// How long ticks were on their way by both clocks, in microseconds.
    pub(super) ways: Vec<i64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(plan: Arc<UpstreamPlan>, out: &'a Publisher, link: Link) -> Self {
        Self {
            plan,
            out,
            link,
            update: LinkUpdate::default(),
            asked_at: Instant::now(),
            said: BTreeMap::new(),
            heard: BTreeMap::new(),
            ticks: 0,
            first: None,
            ways: Vec::new(),
        }
    }

    /// Waits until requests are taken. Returns how long that took.
    pub(super) async fn login(&mut self) -> Result<Duration, Break> {
        let began = Instant::now();
        // The connection itself judges a venue that does not answer.
        while !self.link.is_open() {
            self.turn(None).await?;
        }
        self.asked_at = Instant::now();
        Ok(self.asked_at - began)
    }

    /// Waits until everything that was asked for is decided, or the time for it is over. Returns whether all is.
    pub(super) async fn subscribe(&mut self) -> Result<bool, Break> {
        let deadline = Instant::now() + DOCTOR_SUBSCRIPTION;
        while !self.link.is_settled() {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.turn(Some(deadline)).await?;
        }
        Ok(true)
    }

    /// Waits for the first trade and quote of each of these symbols, for no longer than that.
    pub(super) async fn listen(&mut self, symbols: &[Symbol], wait: Duration) -> Result<(), Break> {
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline && !symbols.iter().all(|symbol| self.has_all(*symbol)) {
            self.turn(Some(deadline)).await?;
        }
        Ok(())
    }

    /// Goes on until the pace has been measured for long enough. Returns for how long it was.
    pub(super) async fn measure(&mut self) -> Result<Duration, Break> {
        let Some(first) = self.first else { return Ok(Duration::ZERO) };
        while Instant::now() < first + DOCTOR_PACE {
            self.turn(Some(first + DOCTOR_PACE)).await?;
        }
        Ok(first.elapsed())
    }

    /// Whether the symbol is subscribed.
    pub(super) fn accepts(&self, symbol: Symbol) -> bool {
        self.said.get(&symbol) == Some(&Said::Accepted)
    }

    /// The venue's newest refusal, in its words.
    pub(super) fn words(&self) -> Option<&str> {
        self.link.words()
    }

    /// Messages sent: all, and most in one window of the venue's limit.
    pub(super) fn sent(&self) -> (u64, usize) {
        self.link.sent()
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        self.link.say_goodbye().await;
    }

    fn has_all(&self, symbol: Symbol) -> bool {
        self.heard.get(&symbol).is_some_and(|heard| heard.trade.is_some() && heard.quote.is_some())
    }

    /// Does what is due, and takes what comes next.
    async fn turn(&mut self, until: Option<Instant>) -> Result<(), Break> {
        self.link.decide(&mut self.update);
        self.digest();
        // When it was late itself, it has judged nothing.
        let _late = self.link.sweep(&self.plan).await?;
        let next = self.link.next(&self.plan);
        let wake = until.map_or(next, |until| until.min(next));
        let read = tokio::select! {
            () = tokio::time::sleep_until(wake) => Ok(()),
            frame = self.link.frame() => self.link.read(frame, &self.plan, self.out, &mut self.update).await,
        };
        self.digest();
        read
    }

    fn digest(&mut self) {
        let update = std::mem::take(&mut self.update);
        self.said.extend(update.on.into_iter().map(|symbol| (symbol, Said::Accepted)));
        self.said.extend(update.refused.into_iter().map(|(symbol, words)| (symbol, Said::Refused(words))));
        self.said.extend(update.without_place.into_iter().map(|symbol| (symbol, Said::WithoutPlace)));
        for tick in update.ticks {
            self.take(&tick);
        }
    }

    fn take(&mut self, (tick, _place): &SequencedTick) {
        let way = match tick {
            Tick::Trade(trade) => trade.te.map(|te| trade.tr.0.saturating_sub(te.0)),
            Tick::Quote(quote) => quote.te.map(|te| quote.tr.0.saturating_sub(te.0)),
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => return,
        };
        let now = Instant::now();
        self.ticks += 1;
        self.first.get_or_insert(now);
        let after = now.saturating_duration_since(self.asked_at);
        let heard = self.heard.entry(tick.symbol()).or_default();
        let first = if tick.channel() == Channel::Trades { &mut heard.trade } else { &mut heard.quote };
        first.get_or_insert(after);
        // A stamp that is far off is no way.
        if let Some(way) = way.filter(|way| way.abs() <= RECORDED_AFTER)
            && self.ways.len() < DOCTOR_LATENCIES
        {
            self.ways.push(way);
        }
    }
}
