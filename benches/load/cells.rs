//! What is measured: the workloads, and who runs each.

use std::time::Duration;

use tickcast::cli::bench::Report;

use crate::run::{Design, Load, measure};

/// The whole bench.
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    pub(crate) measure: Duration,
    pub(crate) only: Option<String>,
    pub(crate) soak: Duration,
}

/// One workload and its runs by design.
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// One design's runs of a workload.
pub(crate) struct Row {
    pub(crate) design: String,
    /// Deliveries a second that were offered.
    pub(crate) offered: f64,
    pub(crate) runs: Vec<Report>,
}

/// Offered deliveries a second at which designs are looked for their maximum. With fewer, chance decides within seconds how
/// many ticks a simulated market has.
const LADDER: [f64; 8] = [100e3, 300e3, 1e6, 2e6, 3e6, 4e6, 6e6, 8e6];

/// From which maximum on it is looked at in steps of that size.
const FINE_FROM: f64 = 2e6;
const FINE_STEP: f64 = 500e3;

/// A maximum is held when the 99th percentile stays below this, and what is offered arrives.
const HELD: (u64, f64) = (50_000, 0.97);

const fn socket(flush_ms: u64) -> Design {
    Design::Tickcast { driver: "socket", flush_ms: Some(flush_ms), workers: 1 }
}

const ACTIX: Design = Design::Tickcast { driver: "actix", flush_ms: None, workers: 1 };

impl Bench {
    /// Runs everything that is wanted and possible here.
    pub(crate) fn run(&self) -> anyhow::Result<Vec<Cell>> {
        use Design::{Bare, Before, Bun, Nats, Usual};
        const DEFAULT: Design = Design::DEFAULT;
        let w1 = |offered: f64| self.w1(offered);
        let mut cells = Vec::new();
        self.cell(
            &mut cells,
            "W1 100 k/s",
            &w1(100e3),
            &[DEFAULT, Before, socket(0), socket(10), ACTIX, Bun, Nats, Usual, Bare],
        )?;
        self.cell(
            &mut cells,
            "W1 1 M/s",
            &w1(1e6),
            &[DEFAULT, Before, socket(0), socket(10), ACTIX, Bun, Bare],
        )?;
        self.cell(
            &mut cells,
            "W2 200/s to 5,000",
            &self.w2(200.0),
            &[DEFAULT, Before, socket(0), ACTIX, Bun, Bare],
        )?;
        self.cell(&mut cells, "W3 idle", &self.w3(), &[DEFAULT, Before, ACTIX, Bun, Bare])?;
        self.maximum(&mut cells)?;
        self.slow(&mut cells)?;
        self.thin(&mut cells)?;
        self.formats(&mut cells)?;
        self.scaling(&mut cells)?;
        self.derived(&mut cells)?;
        Ok(cells)
    }

    fn base(&self) -> Load {
        Load {
            rate: 1_000.0,
            symbols: 500,
            connections: 1_000,
            each: 50,
            mode: "stream".into(),
            msgpack: false,
            stalled: 0.0,
            slow: 0.0,
            slow_bytes: 20_000,
            measure: self.measure,
            warmup: Duration::from_secs(2),
            channel: "quotes".into(),
            trades_share: 0.0,
            settings: Vec::new(),
        }
    }

    /// 1,000 clients with 50 of 500 symbols each: a tick goes to a hundred.
    fn w1(&self, offered: f64) -> Load {
        Load { rate: offered / 100.0, ..self.base() }
    }

    fn w2(&self, rate: f64) -> Load {
        Load { rate, symbols: 1, connections: 5_000, each: 1, ..self.base() }
    }

    fn w3(&self) -> Load {
        Load { symbols: 500, connections: 15_000, each: 1, rate: 1.0, ..self.base() }
    }

    /// All designs in turn, round after round.
    fn cell(&self, cells: &mut Vec<Cell>, name: &str, load: &Load, designs: &[Design]) -> anyhow::Result<()> {
        let loads: Vec<_> = designs.iter().map(|design| (*design, design.name(), load.clone())).collect();
        self.runs(cells, name, &loads)
    }

    fn runs(&self, cells: &mut Vec<Cell>, name: &str, runs: &[(Design, String, Load)]) -> anyhow::Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        let here: Vec<_> = runs.iter().filter(|(design, ..)| design.is_here()).collect();
        let mut rows: Vec<Row> = here
            .iter()
            .map(|(_, name, load)| Row { design: name.clone(), offered: load.offered(), runs: Vec::new() })
            .collect();
        for round in 1..=self.rounds {
            for ((design, label, load), row) in here.iter().zip(&mut rows) {
                eprintln!("{name}, round {round}: {label}");
                // What fails is left out of the medians and told; the cells that were measured are not lost with it.
                match measure(*design, load) {
                    Ok(report) => row.runs.push(report),
                    Err(why) => eprintln!("{name}, round {round}: {label} FAILED: {why:#}"),
                }
            }
        }
        rows.retain(|row| !row.runs.is_empty());
        cells.push(Cell { name: name.into(), rows });
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// Climbs until a design no longer holds; then, round after round, in small steps from there. The median is its maximum.
    fn maximum(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let name = "W1 maximum";
        if !self.wants(name) {
            return Ok(());
        }
        let designs =
            [Design::DEFAULT, Design::Before, ACTIX, Design::Bun, Design::Nats, Design::Usual, Design::Bare];
        let mut found: Vec<(Design, Vec<(f64, Report)>)> = Vec::new();
        for design in designs.into_iter().filter(|design| design.is_here()) {
            if let Some(best) = self.climb(design, LADDER) {
                found.push((design, vec![best]));
            }
        }
        for round in 1..=self.rounds {
            eprintln!("{name}, round {round}");
            for (design, held) in &mut found {
                let coarse = held[0].0;
                // What a design cannot by far is known by the first climb.
                if coarse < FINE_FROM {
                    continue;
                }
                let steps = (-1..).map(|step| coarse + f64::from(step) * FINE_STEP);
                if let Some(best) = self.climb(*design, steps) {
                    held.push(best);
                }
            }
        }
        let rows = found.into_iter().map(|(design, mut held)| {
            // The first climb had steps of another size.
            if held.len() > 1 {
                held.remove(0);
            }
            held.sort_by(|a, b| a.0.total_cmp(&b.0));
            let offered = held[held.len() / 2].0;
            eprintln!(
                "{name}: {}: {:?}",
                design.name(),
                held.iter().map(|(offered, _)| *offered).collect::<Vec<_>>()
            );
            let runs = held
                .into_iter()
                .filter(|(other, _)| other.total_cmp(&offered).is_eq())
                .map(|(_, report)| report)
                .collect();
            Row { design: design.name(), offered, runs }
        });
        cells.push(Cell { name: name.into(), rows: rows.collect() });
        Ok(())
    }

    /// The last step that a design holds, before the first that it does not.
    fn climb(&self, design: Design, steps: impl IntoIterator<Item = f64>) -> Option<(f64, Report)> {
        let mut best = None;
        for offered in steps {
            eprintln!("W1 maximum: {} at {offered}/s", design.name());
            // The better of two runs: a maximum is what a design can, not what the machine lets it at the moment. A server
            // that does not even let clients in does not hold.
            let mut runs = (0..2).filter_map(|_| measure(design, &self.w1(offered)).ok());
            let Some(held) = runs.find(|report| holds(report, offered)) else { break };
            best = Some((offered, held));
        }
        best
    }

    /// What stalled and thin clients cost the others.
    fn slow(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let quiet = self.w1(1e6);
        let measure = if self.soak.is_zero() { self.measure } else { self.soak };
        let loaded = Load { stalled: 0.1, slow: 0.1, measure, ..quiet.clone() };
        let merged = Load { mode: "merge".into(), ..quiet.clone() };
        if !self.soak.is_zero() {
            let runs = [
                (Design::DEFAULT, "stream, 10 % stalled, 10 % thin".to_owned(), loaded.clone()),
                (
                    Design::DEFAULT,
                    "merge, 10 % stalled, 10 % thin".to_owned(),
                    Load { mode: "merge".into(), ..loaded },
                ),
            ];
            return self.runs(cells, "W4 slow clients, 1 M/s, long", &runs);
        }
        let runs = [
            (Design::DEFAULT, "stream, all healthy".to_owned(), quiet),
            (Design::DEFAULT, "stream, 10 % stalled, 10 % thin".to_owned(), loaded.clone()),
            (Design::DEFAULT, "merge, all healthy".to_owned(), merged),
            (
                Design::DEFAULT,
                "merge, 10 % stalled, 10 % thin".to_owned(),
                Load { mode: "merge".into(), ..loaded },
            ),
        ];
        self.runs(cells, "W4 slow clients, 1 M/s", &runs)
    }

    /// Ages at clients that read 20 kB/s of some 200 kB/s.
    fn thin(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let measure = Duration::from_secs(15);
        let thin = Load {
            rate: 15_000.0,
            connections: 20,
            slow: 1.0,
            mode: "merge".into(),
            measure,
            warmup: Duration::from_secs(5),
            ..self.base()
        };
        let runs = [
            (Design::DEFAULT, "tickcast, merge".to_owned(), thin.clone()),
            (Design::DEFAULT, "tickcast, stream".to_owned(), Load { mode: "stream".into(), ..thin.clone() }),
            (Design::Usual, "usual actix design".to_owned(), thin.clone()),
            (Design::Bun, "Bun".to_owned(), thin),
        ];
        let once = Self { rounds: 1, only: self.only.clone(), ..*self };
        once.runs(cells, "thin clients, 20 kB/s of 200 kB/s", &runs)
    }

    fn formats(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let json = self.w1(1e6);
        let msgpack = Load { msgpack: true, ..json.clone() };
        let runs = [
            (Design::DEFAULT, "JSON".to_owned(), json),
            (Design::DEFAULT, "MessagePack".to_owned(), msgpack),
        ];
        self.runs(cells, "encodings, 1 M/s", &runs)
    }

    /// What tickers, bars and the store cost: beside a fan-out, and alone with hardly any client.
    fn derived(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let setting = |key: &str, value: &str| vec![(format!("TICKCAST_{key}"), value.to_owned())];
        let rows = |load: Load| {
            let load = Load { channel: "trades".into(), trades_share: 1.0, ..load };
            let none = Load { settings: setting("HISTORY__INTERVALS", ""), ..load.clone() };
            let stored = Load { settings: setting("STORE__PATH", "kept.redb"), ..load.clone() };
            let ticker = Load { channel: "ticker".into(), ..load.clone() };
            let rows = [
                ("ticker, no bars", none),
                ("ticker and six bars", load),
                ("and the store", stored),
                ("subscribed to tickers", ticker),
            ];
            rows.map(|(label, load)| (Design::DEFAULT, label.to_owned(), load))
        };
        self.runs(cells, "derived channels, 1 M/s of 10,000 trades/s", &rows(self.w1(1e6)))?;
        let few = Load { rate: 100e3, connections: 10, each: 1, ..self.base() };
        self.runs(cells, "derived channels, 100,000 trades/s to 10 clients of one symbol each", &rows(few))
    }

    /// Symbols, subscribers of each and workers at the same number of deliveries.
    fn scaling(&self, cells: &mut Vec<Cell>) -> anyhow::Result<()> {
        let load = |symbols: usize, connections: usize, each: usize| {
            let listeners = (connections * each) as f64 / symbols as f64;
            // The simulator makes no more than 200,000 ticks a second.
            let rate = 200e3 / listeners;
            let label = format!("{symbols} symbols, {listeners} subscribers each");
            (Design::DEFAULT, label, Load { rate, symbols, connections, each, ..self.base() })
        };
        let runs = [load(100, 1_000, 10), load(1_000, 1_000, 100), load(10_000, 1_000, 1_000)];
        self.runs(cells, "scaling with symbols, 200 k/s", &runs)?;
        let runs = [load(10, 10, 1), load(10, 100, 1), load(10, 1_000, 10), load(10, 5_000, 10)];
        self.runs(cells, "scaling with subscribers, 200 k/s", &runs)?;
        let two = Design::Tickcast { driver: "socket", flush_ms: None, workers: 2 };
        let runs = [
            (Design::DEFAULT, "1 worker".to_owned(), self.w1(1e6)),
            (two, "2 workers, sharing both cores with the generator".to_owned(), self.w1(1e6)),
        ];
        self.runs(cells, "workers, 1 M/s", &runs)
    }
}

impl Load {
    /// Deliveries a second if all arrive.
    fn offered(&self) -> f64 {
        self.rate * self.connections as f64 * self.each as f64 / self.symbols as f64
    }
}

fn holds(report: &Report, offered: f64) -> bool {
    report.healthy.p99_us < HELD.0 && report.deliveries_per_second >= offered * HELD.1
}
