//! The text of `/metrics` as numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::util::TestGateway;

/// The name of a series without its labels, and of a histogram's series without what that adds.
pub(super) fn family(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or(series);
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// One scrape: the values of all series, and which of them count.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    values: BTreeMap<String, f64>,
    counters: BTreeSet<String>,
}

impl Samples {
    pub(super) fn of(gateway: &TestGateway) -> Self {
        // As a scrape gets it: some gauges are set for it.
        let (status, text) = gateway.get("/metrics");
        assert_eq!(status, 200);
        Self::read(&text)
    }

    pub(super) fn read(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines().filter(|line| line.contains("tickcast_")) {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                if let Some(name) = kind.strip_suffix(" counter") {
                    samples.counters.insert(name.to_owned());
                }
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                samples.values.insert(series.to_owned(), value.parse().unwrap());
            }
        }
        samples
    }

    pub(super) fn get(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }
}

/// Before, after, and back.
#[derive(Debug)]
pub(super) struct Three(pub(super) [Samples; 3]);

impl Three {
    /// The values of a series. One that is not there yet counts as 0.
    pub(super) fn values(&self, series: &str) -> [f64; 3] {
        assert!(self.0.iter().any(|samples| samples.get(series).is_some()), "there is no {series}");
        [0, 1, 2].map(|i| self.0[i].get(series).unwrap_or_default())
    }

    /// Series that were not there before.
    pub(super) fn new_series(&self) -> BTreeSet<String> {
        let [before, after, back] = &self.0;
        let later = after.values.keys().chain(back.values.keys());
        later.filter(|series| !before.values.contains_key(*series)).cloned().collect()
    }

    /// Counters that have fallen.
    pub(super) fn fallen(&self) -> Vec<String> {
        let mut fallen = Vec::new();
        for pair in self.0.windows(2) {
            for (series, value) in &pair[0].values {
                if pair[0].counters.contains(family(series))
                    && pair[1].get(series).is_none_or(|now| now < *value)
                {
                    fallen.push(series.clone());
                }
            }
        }
        fallen
    }
}

/// Takes scrapes of a gateway as a script goes on.
pub(super) struct Scrapes<'a> {
    gateway: &'a TestGateway,
    taken: Vec<Samples>,
}

impl<'a> Scrapes<'a> {
    /// The first one, once the workers have started.
    pub(super) async fn begin(gateway: &'a TestGateway) -> Self {
        gateway.metric_is("tickcast_commands_total", |_| true).await;
        let mut it = Self { gateway, taken: Vec::new() };
        it.take();
        it
    }

    /// Likewise, by scrapes that are no connections themselves.
    pub(super) async fn begin_directly(gateway: &'a TestGateway) -> Self {
        gateway.metric_is("tickcast_commands_total", |_| true).await;
        let mut it = Self { gateway, taken: Vec::new() };
        it.take_directly();
        it
    }

    pub(super) fn take(&mut self) {
        self.taken.push(Samples::of(self.gateway));
    }

    /// Without a request, which is a connection of its own. Gauges that a scrape sets are as the last one left them.
    pub(super) fn take_directly(&mut self) {
        let text = self.gateway.gateway.hub.metrics().render().unwrap();
        self.taken.push(Samples::read(&String::from_utf8(text).unwrap()));
    }

    pub(super) fn end(mut self) -> Three {
        self.take();
        self.done()
    }

    /// Once all three were taken.
    pub(super) fn done(self) -> Three {
        Three(self.taken.try_into().expect("before, after and back"))
    }
}
