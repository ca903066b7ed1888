//! Turns what a connection brings into what is published: without repetitions, and with a loss where ticks are missing.

use super::{
    UpstreamPlan,
    link::SequencedTick,
    sequencer::{Sequencer, Verdict},
};
use crate::{
    feed::Publisher,
    limits::RECORDED_AFTER,
    market::{LossWhy, Quote, Source, Symbol, Tick},
    metrics::UpstreamMetrics,
};

/// The connection that brings the ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The connection in use.
    Link,
    /// The one that takes over. The other has already brought most of its ticks.
    Successor,
}

/// One feed's ticks, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Intake {
    sequencer: Sequencer,
    burst: Vec<Tick>,
}

impl Intake {
    /// From here on ticks of these symbols may be missing.
    pub(super) fn interrupt(&mut self, symbols: impl IntoIterator<Item = Symbol>, why: LossWhy) {
        self.sequencer.interrupt(symbols, why);
    }

    /// Takes the numbers of the venue's newest trades, and tells a loss where trades have not come.
    pub(super) fn mark(
        &mut self,
        (out, metrics): (&Publisher, &UpstreamMetrics),
        marks: impl Iterator<Item = (Symbol, u64)>,
    ) {
        for (symbol, last_trade) in marks {
            if let Some(loss) = self.sequencer.mark(symbol, last_trade) {
                metrics.loss(loss.channel, loss.why, loss.events);
                self.burst.push(Tick::Loss(loss));
            }
        }
        out.publish(&mut self.burst);
    }

    /// Whether the stream has brought a quote of the symbol since it was interrupted last.
    pub(super) fn has_quote(&self, symbol: Symbol) -> bool {
        self.sequencer.has_quote(symbol)
    }

    /// Publishes quotes that were requested beside the stream, for symbols that the stream has brought no quote of.
    pub(super) fn first_values(
        &mut self,
        (plan, out, metrics): (&UpstreamPlan, &Publisher, &UpstreamMetrics),
        quotes: Vec<Quote>,
        is_wanted: impl Fn(Symbol) -> bool,
    ) {
        for mut quote in quotes {
            if !is_wanted(quote.symbol) {
                continue;
            }
            let source = plan.source.unwrap_or(quote.source);
            self.sequencer.resume((quote.symbol, source), || out.published(quote.symbol));
            match self.sequencer.snapshot(&quote) {
                Verdict::New => {}
                Verdict::NewAfter(loss) => {
                    metrics.loss(loss.channel, loss.why, loss.events);
                    self.burst.push(Tick::Loss(loss));
                }
                Verdict::Repeated | Verdict::Late => {
                    metrics.late.inc();
                    continue;
                }
            }
            quote.source = source;
            self.burst.push(Tick::Quote(quote));
        }
        out.publish(&mut self.burst);
    }

    /// Publishes what is new and leaves `ticks` empty. Symbols that `is_wanted` refuses are passed over.
    pub(super) fn take(
        &mut self,
        (plan, out, metrics): (&UpstreamPlan, &Publisher, &UpstreamMetrics),
        ticks: &mut Vec<SequencedTick>,
        from: Origin,
        is_wanted: impl Fn(Symbol) -> bool,
    ) {
        if ticks.is_empty() {
            return;
        }
        let mut delay = None;
        for (mut tick, sequence) in ticks.drain(..) {
            if !is_wanted(tick.symbol()) {
                out.count_ignored("not_subscribed");
                continue;
            }
            delay = finish(&mut tick, plan).map(|way| (tick.symbol(), way)).or(delay);
            if let Some((symbol, source)) = origin(&tick) {
                self.sequencer.resume((symbol, source), || out.published(symbol));
            }
            match self.sequencer.check(&tick, sequence) {
                Verdict::New => {}
                Verdict::NewAfter(loss) => {
                    metrics.loss(loss.channel, loss.why, loss.events);
                    self.burst.push(Tick::Loss(loss));
                }
                Verdict::Repeated | Verdict::Late if from == Origin::Successor => {
                    metrics.overlap.inc();
                    continue;
                }
                Verdict::Repeated => {
                    metrics.repeated.inc();
                    continue;
                }
                Verdict::Late => {
                    metrics.late.inc();
                    continue;
                }
            }
            self.burst.push(tick);
        }
        out.publish(&mut self.burst);
        if let Some((symbol, way)) = delay
            && way.abs() <= RECORDED_AFTER
        {
            // Measured by the venue's clock if that is ahead of ours. A stamp that is far off measures no latency.
            let ahead = out.offset(symbol).unwrap_or(0).saturating_neg().max(0);
            metrics.latency(way.saturating_add(ahead));
        }
    }
}

/// The symbol and source of a tick that can be missing.
const fn origin(tick: &Tick) -> Option<(Symbol, Source)> {
    match tick {
        Tick::Trade(trade) => Some((trade.symbol, trade.source)),
        Tick::Quote(quote) => Some((quote.symbol, quote.source)),
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}

/// Gives a tick the definition's source. Returns how long it was on its way, in microseconds.
fn finish(tick: &mut Tick, plan: &UpstreamPlan) -> Option<i64> {
    let (source, way) = match tick {
        Tick::Trade(trade) => (&mut trade.source, trade.te.map(|te| trade.tr.0.saturating_sub(te.0))),
        // A snapshot's time is not when it was sent.
        Tick::Quote(quote) if quote.is_snapshot => (&mut quote.source, None),
        Tick::Quote(quote) => (&mut quote.source, quote.te.map(|te| quote.tr.0.saturating_sub(te.0))),
        Tick::Status(status) => (&mut status.source, None),
        Tick::Correction(correction) => (&mut correction.source, None),
        Tick::Loss(_) => return None,
    };
    *source = plan.source.unwrap_or(*source);
    way
}
