//! Pages of what a topic remembers, the newest first and each page in order, and the number from which a subscription
//! goes on behind a page. It only chooses: what is remembered, and for how long, is the rings' business.

use std::sync::Arc;

use super::{Event, ring::Ring};
use crate::market::{Body, UnixMicros};

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events, the oldest first.
    pub events: Vec<Arc<Event>>,
    /// Whether older ones are remembered that were asked for too: those before the number of the page's first event.
    pub has_older: bool,
    /// A subscription that has seen everything up to this number gets what lies behind the newest that could have been
    /// on the page, and nothing that is on it. It does not depend on `before`.
    pub position: u64,
}

/// Which bars are asked for.
#[derive(Debug, Clone, Copy)]
pub struct BarSpan {
    /// Bars that start then or later.
    pub from: UnixMicros,
    /// Bars that start earlier.
    pub to: UnixMicros,
    /// Bars with a lower number.
    pub before: Option<u64>,
}

impl BarSpan {
    /// Every bar.
    pub const ALL: Self = Self { from: UnixMicros(i64::MIN), to: UnixMicros(i64::MAX), before: None };

    fn holds(&self, event: &Event) -> bool {
        !starts_before(event, self.from)
            && starts_before(event, self.to)
            && self.before.is_none_or(|before| event.n < before)
    }
}

/// The newest trades with numbers below `before`; `head` is the number of the newest one of all.
pub(super) fn trades(ring: &Ring, head: u64, before: Option<u64>, limit: usize) -> Page {
    let all = ring.events();
    let end = before.map_or(all.len(), |before| all.partition_point(|event| event.n < before));
    let first = end.saturating_sub(limit);
    Page { events: all.range(first..end).cloned().collect(), has_older: first > 0, position: head }
}

/// The newest final bars of a span, and the forming one when it belongs there. `newest` is the last event of the
/// channel, final or not.
pub(super) fn bars(ring: &Ring, newest: Option<&Arc<Event>>, span: &BarSpan, limit: usize) -> Page {
    let finals = ring.events();
    // Bars never go back in time, so their starts are sorted as their numbers are.
    let to = finals.partition_point(|event| starts_before(event, span.to));
    let end = to.min(finals.partition_point(|event| span.before.is_none_or(|before| event.n < before)));
    let from = finals.partition_point(|event| starts_before(event, span.from)).min(end);
    let forms = |event: &&Arc<Event>| matches!(&event.body, Body::Bar(bar) if !bar.is_final && !bar.is_void);
    let forming = newest.filter(forms).filter(|event| limit > 0 && span.holds(event)).map(Arc::clone);
    let first = from.max(end.saturating_sub(limit - usize::from(forming.is_some())));
    // Where everything before `to` is forgotten, nothing says how much after it is: a position of 0 makes that a gap.
    let position = match newest {
        Some(newest) if starts_before(newest, span.to) => newest.n,
        Some(_) | None => to.checked_sub(1).map_or(0, |last| finals[last].n),
    };
    let events = finals.range(first..end).cloned().chain(forming).collect();
    Page { events, has_older: first > from, position }
}

fn starts_before(event: &Event, time: UnixMicros) -> bool {
    matches!(&event.body, Body::Bar(bar) if bar.start < time)
}
