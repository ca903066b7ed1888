//! `GET /v1/bars/{symbol}`: the bars that a topic remembers and the one that forms now, page by page, and the position
//! to subscribe from. It computes nothing: there are bars of the configured intervals only, and not of older times.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::history::{self, About};
use crate::{
    dialect::Code,
    hub::{BarSpan, Hub},
    limits::{BARS_PAGE, DEFAULT_BARS_PAGE},
    market::{Channel, Interval, UnixMicros},
    server::{
        gateway::Gateway,
        parameters::{self, Parameters},
        refusal::Refusal,
    },
};

/// `?interval=1m&from=1760000000000000&to=1760003600000000&limit=100&before=18233`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    interval: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    before: Option<String>,
}

impl Query {
    fn page(&self, hub: &Hub) -> Result<(Interval, BarSpan, usize), Refusal> {
        let interval = interval(self.interval.as_deref().unwrap_or_default(), hub)?;
        let from = history::time("from", self.from.as_ref())?.unwrap_or(i64::MIN);
        let to = history::time("to", self.to.as_ref())?.unwrap_or(i64::MAX);
        if from > to {
            return Err(Refusal::parameter(format!("from: {from} is after to, {to}")));
        }
        let before = history::before(self.before.as_ref())?;
        let limit = history::limit(self.limit.as_ref(), &BARS_PAGE, DEFAULT_BARS_PAGE)?;
        Ok((interval, BarSpan { from: UnixMicros(from), to: UnixMicros(to), before }, limit))
    }
}

fn interval(name: &str, hub: &Hub) -> Result<Interval, Refusal> {
    let known = Interval::parse(name);
    if let Some(interval) = known.filter(|interval| hub.offers(Channel::Bars(*interval))) {
        return Ok(interval);
    }
    let mut computed = Interval::ALL.to_vec();
    computed.retain(|interval| hub.offers(Channel::Bars(*interval)));
    let computed: Vec<_> = computed.into_iter().map(Interval::as_str).collect();
    let there_are = if computed.is_empty() { "none".to_owned() } else { computed.join(", ") };
    let name = parameters::cut(name);
    let (code, what) = match known {
        Some(_) => (Code::UnknownChannel, format!("{name:?} is not computed here (history.intervals)")),
        None if name.is_empty() => (Code::BadParameter, "is missing".to_owned()),
        None => (Code::UnknownChannel, format!("{name:?} is unknown")),
    };
    Err(Refusal::bad(code, format!("interval: {what}, there are {there_are}")))
}

/// The newest bars of a span of time, oldest first. The first page also has the position behind its newest bar: a
/// merging subscription that starts there has no hole and no repeat.
pub(crate) async fn bars(
    gateway: web::Data<Gateway>,
    symbol: web::Path<String>,
    Parameters(query): Parameters<Query>,
) -> Result<HttpResponse, Refusal> {
    let (interval, span, limit) = query.page(&gateway.hub)?;
    let topic = history::topic(&gateway, &symbol)?;
    let about = About {
        epoch: &gateway.hub.epoch(),
        symbol: topic.symbol(),
        interval: Some(interval.as_str()),
        is_first: span.before.is_none(),
    };
    Ok(history::answer(&about, "bars", &topic.bars(interval, &span, limit)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{clock::Clock, hub::HubConfig, metrics::Metrics};

    fn hub(intervals: &[Interval]) -> Hub {
        let config = HubConfig { intervals: intervals.iter().copied().collect(), ..HubConfig::default() };
        Hub::new(config, "e".into(), Clock::manual(UnixMicros(0)), Arc::new(Metrics::new()))
    }

    fn query(text: &str) -> Query {
        web::Query::<Query>::from_query(text).unwrap().into_inner()
    }

    #[test]
    fn a_query_says_which_page() {
        let hub = hub(&[Interval::Minute]);
        let (interval, span, limit) = query("interval=1m&from=&to=").page(&hub).unwrap();
        assert_eq!((interval, span.from.0, span.to.0), (Interval::Minute, i64::MIN, i64::MAX));
        assert_eq!((span.before, limit), (None, DEFAULT_BARS_PAGE));
        let (_, span, limit) = query("interval=1m&from=-5&to=-5&before=7&limit=1").page(&hub).unwrap();
        assert_eq!((span.from.0, span.to.0, span.before, limit), (-5, -5, Some(7), 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let some = hub(&[Interval::Minute, Interval::Hour]);
        for (text, code, start) in [
            ("", 416, "interval: is missing, there are 1m, 1h"),
            ("interval=", 416, "interval: is missing"),
            ("interval=2m", 415, "interval: \"2m\" is unknown, there are 1m, 1h"),
            (
                "interval=1s",
                415,
                "interval: \"1s\" is not computed here (history.intervals), there are 1m, 1h",
            ),
            ("interval=1m&from=1.5", 416, "from: \"1.5\" is not a time"),
            ("interval=1m&to=today", 416, "to: \"today\" is not a time"),
            ("interval=1m&to=9223372036854775808", 416, "to: \"9223372036854775808\" is not a time"),
            ("interval=1m&from=6&to=5", 416, "from: 6 is after to, 5"),
            ("interval=1m&limit=0", 416, "limit: \"0\" is not a number from 1 to 1000"),
            ("interval=1m&limit=1001", 416, "limit: "),
            ("interval=1m&before=-1", 416, "before: "),
        ] {
            let bad = query(text).page(&some).unwrap_err();
            assert_eq!(bad.code, code, "{text}: {bad:?}");
            assert!(bad.msg.starts_with(start), "{text}: {bad:?}");
        }
        let bad = query("interval=1d").page(&hub(&[])).unwrap_err();
        assert!(bad.msg.ends_with("there are none"), "{bad:?}");
    }
}
