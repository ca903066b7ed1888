//! What a session came to, step by step.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    super::UpstreamPlan,
    finding::{Finding, Step},
    remedy,
    session::{Said, Session},
    words::{counted, list, millis, seconds},
};
use crate::market::Symbol;

/// One subscription with a wrong symbol in it.
pub(super) fn subscription(
    plan: &UpstreamPlan,
    session: &Session<'_>,
    (own, wrong): (&[Symbol], Option<Symbol>),
    is_decided: bool,
) -> Finding {
    let step = Step::Subscription;
    let (mut accepted, mut refused, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for symbol in own {
        match session.said.get(symbol) {
            Some(Said::Accepted) => accepted.push(symbol.to_string()),
            Some(Said::Refused(words)) => refused.push(format!("{symbol} ({words:?})")),
            Some(Said::WithoutPlace) => refused.push(format!("{symbol} (no place on this connection)")),
            None => open.push(symbol.to_string()),
        }
    }
    let about_wrong = wrong.map(|wrong| match session.said.get(&wrong) {
        Some(Said::Refused(words)) => format!("the wrong one, {wrong}, is refused: {words:?}"),
        Some(Said::Accepted) => {
            format!(
                "the wrong one, {wrong}, is accepted as well: this venue does not say which symbols exist"
            )
        }
        Some(Said::WithoutPlace) | None => format!("of the wrong one, {wrong}, nothing is said"),
    });
    let said = session.words().filter(|_| !open.is_empty());
    let parts = [
        (!accepted.is_empty()).then(|| format!("accepted: {}", list(accepted.iter().cloned()))),
        (!refused.is_empty()).then(|| format!("refused: {}", list(refused.iter().cloned()))),
        (!open.is_empty()).then(|| format!("not answered: {}", list(open.iter().cloned()))),
        about_wrong,
        said.map(|words| format!("the venue's newest words: {words:?}")),
    ];
    let what = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let remedy = match (refused.is_empty(), session.words()) {
        (false, _) => remedy::NOT_LISTED,
        (true, Some(_)) => remedy::UNDECIDED,
        (true, None) => remedy::SLOW,
    };
    let finding = if accepted.is_empty() {
        Finding::failed(step, what, remedy)
    } else if !refused.is_empty() || !is_decided {
        Finding::warning(step, what, remedy)
    } else {
        Finding::ok(step, what)
    };
    let theirs = |symbol: &Symbol| plan.names().theirs(*symbol).unwrap_or_default().to_owned();
    finding
        .with("accepted", accepted)
        .with("refused", refused.len())
        .with("wrong", wrong.as_ref().map(theirs))
        .with(
            "wrong_is_refused",
            wrong.is_some_and(|wrong| matches!(session.said.get(&wrong), Some(Said::Refused(_)))),
        )
}

/// The first trade and quote of each symbol.
pub(super) fn data(
    plan: &UpstreamPlan,
    session: &Session<'_>,
    symbols: &[Symbol],
    wait: Duration,
) -> Finding {
    let step = Step::Data;
    let (mut told, mut silent, mut times) = (Vec::new(), Vec::new(), Map::new());
    for symbol in symbols {
        let heard = session.heard.get(symbol).cloned().unwrap_or_default();
        times.insert(
            symbol.to_string(),
            json!({ "trade_ms": heard.trade.map(millis), "quote_ms": heard.quote.map(millis) }),
        );
        let after = |kind: &str, time: Option<Duration>| match time {
            Some(time) => format!("{kind} after {} ms", millis(time)),
            None => format!("no {kind}"),
        };
        if heard.trade.is_none() && heard.quote.is_none() {
            silent.push(symbol.to_string());
        } else {
            told.push(format!("{symbol} {}, {}", after("trade", heard.trade), after("quote", heard.quote)));
        }
    }
    let within = format!("within {} s", wait.as_secs());
    let quiet =
        (!silent.is_empty()).then(|| format!("nothing of {} came {within}", list(silent.iter().cloned())));
    let what = told.iter().cloned().chain(quiet).collect::<Vec<_>>().join("; ");
    let finding = if told.is_empty() {
        Finding::failed(step, what, remedy::no_data(plan))
    } else if !silent.is_empty() {
        Finding::warning(step, what, remedy::QUIET)
    } else {
        Finding::ok(step, what)
    };
    finding.with("first", Value::Object(times))
}

/// Ticks and messages in time, and how long ticks are on their way.
pub(super) fn pace(plan: &UpstreamPlan, session: &Session<'_>, time: Duration) -> Finding {
    let step = Step::Pace;
    if session.first.is_none() {
        return Finding::skipped(step, "nothing came that could be measured");
    }
    let per_second = session.ticks.saturating_mul(1_000) / millis(time).max(1);
    let limit = plan.venue.frame_limit();
    let (sent, most) = session.sent();
    let pace = format!(
        "{per_second} ticks/s over {} ms; {} sent, ",
        millis(time),
        counted(sent_count(sent), "message")
    );
    let pace =
        format!("{pace}at most {most} in {} s, of {} that are kept to", limit.window.as_secs(), limit.frames);
    let mut ways = session.ways.clone();
    ways.sort_unstable();
    let (Some(least), Some(median)) = (ways.first().copied(), ways.get(ways.len() / 2).copied()) else {
        let what =
            format!("{pace}; the ticks have no times of the venue that tell how long they were on their way");
        return Finding::ok(step, what).with("ticks_per_second", per_second).with("sent", sent);
    };
    let clocks = match plan.dated.ahead() {
        Some(0) => "the clocks agree to a second".to_owned(),
        Some(ahead) => format!(
            "the machine's clock is {} {}",
            seconds(ahead),
            if ahead < 0 { "behind" } else { "ahead" }
        ),
        None => "how far the clocks are apart is not known".to_owned(),
    };
    let ms = |micros: i64| micros / 1_000;
    let what = format!(
        "{pace}; latency by both clocks {} ms at least, {} ms in the middle; {clocks}",
        ms(least),
        ms(median)
    );
    let finding = if most > limit.frames {
        Finding::failed(step, what, remedy::PACE)
    } else if least < 0 {
        Finding::warning(step, format!("{what}: ticks seem to come before they were made"), remedy::CLOCK)
    } else {
        Finding::ok(step, what)
    };
    finding
        .with("ticks_per_second", per_second)
        .with("sent", sent)
        .with("sent_in_window", most)
        .with("limit", limit.frames)
        .with("latency_least_ms", ms(least))
        .with("latency_median_ms", ms(median))
}

fn sent_count(sent: u64) -> usize {
    usize::try_from(sent).unwrap_or(usize::MAX)
}
