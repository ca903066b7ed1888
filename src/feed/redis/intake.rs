//! Turns what was read into what is published: under our source, within the feed's room for symbols, without what came before,
//! and with a loss in front of the first tick behind a hole.

use std::collections::HashMap;

use super::payload::Placed;
use crate::{
    dialect::Sequence,
    feed::{
        Publisher, SymbolRoom,
        upstream::{Sequencer, Verdict},
    },
    market::{Channel, Loss, LossWhy, Source, Symbol, Tick},
    metrics::RedisMetrics,
};

/// One feed's ticks, over all its connections.
#[derive(Debug)]
pub(super) struct Intake {
    room: SymbolRoom,
    source: Option<Source>,
    /// Whether ticks without a number are told apart by what they say, as those of a venue are. Two ticks of a producer
    /// may well say the same.
    compares: bool,
    sequencer: Sequencer,
    /// Symbols of which ticks may be missing that have no numbers: trades and quotes.
    interrupted: HashMap<Symbol, [Option<LossWhy>; 2]>,
    burst: Vec<Tick>,
}

impl Intake {
    pub(super) fn new(room: SymbolRoom, source: Option<Source>, compares: bool) -> Self {
        let (sequencer, interrupted, burst) = (Sequencer::default(), HashMap::new(), Vec::new());
        Self { room, source, compares, sequencer, interrupted, burst }
    }

    /// Forgets what came so far: the next ticks are for another hub.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::new(SymbolRoom::new(self.room.most()), self.source, self.compares);
    }

    /// From here on ticks of all symbols of the feed may be missing.
    pub(super) fn interrupt(&mut self, out: &Publisher, why: LossWhy) {
        let symbols = out.symbols();
        self.sequencer.interrupt(symbols.iter().copied(), why);
        self.interrupted = symbols.into_iter().map(|symbol| (symbol, [Some(why); 2])).collect();
    }

    /// Publishes what is new and leaves `ticks` empty. `is_doubtful`: some of them may have been published before the gateway
    /// was started.
    pub(super) fn take(
        &mut self,
        (out, metrics): (&Publisher, &RedisMetrics),
        ticks: &mut Vec<Placed>,
        is_doubtful: bool,
    ) {
        for (mut tick, sequence) in ticks.drain(..) {
            self.give_source(&mut tick);
            let symbol = tick.symbol();
            if let Err(full) = self.room.declare(out, symbol) {
                out.refuse_tick();
                out.count_skipped("symbol", &full);
                continue;
            }
            if is_doubtful && out.has_published(&tick) {
                metrics.repeated.inc();
                continue;
            }
            match self.judge(&tick, sequence) {
                Verdict::New => {}
                Verdict::NewAfter(loss) => self.burst.push(Tick::Loss(loss)),
                Verdict::Repeated | Verdict::Late => {
                    metrics.repeated.inc();
                    continue;
                }
            }
            self.burst.push(tick);
        }
        out.publish(&mut self.burst);
    }

    fn judge(&mut self, tick: &Tick, sequence: Option<Sequence>) -> Verdict {
        let place = match tick {
            Tick::Trade(_) => 0,
            Tick::Quote(_) => 1,
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => return Verdict::New,
        };
        let mark = self.interrupted.get_mut(&tick.symbol()).and_then(|marks| marks[place].take());
        if sequence.is_some() || self.compares {
            return self.sequencer.check(tick, sequence);
        }
        let channel = [Channel::Trades, Channel::Quotes][place];
        let loss = mark.map(|why| Loss { symbol: tick.symbol(), channel, why, events: None });
        loss.map_or(Verdict::New, Verdict::NewAfter)
    }

    fn give_source(&self, tick: &mut Tick) {
        let Some(source) = self.source else { return };
        match tick {
            Tick::Trade(trade) => trade.source = source,
            Tick::Quote(quote) => quote.source = source,
            Tick::Correction(correction) => correction.source = source,
            Tick::Status(status) => status.source = source,
            Tick::Loss(_) => {}
        }
    }
}
