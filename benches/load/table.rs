//! Medians and ratios, for people and for benches/README.md.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use tickcast::cli::bench::Report;

use crate::{
    cells::{Cell, Row},
    nats,
    run::bun,
};

const MARKS: (&str, &str) = ("<!-- results -->\n", "<!-- /results -->");

/// Prints the results, and writes them into the document if wanted.
pub(crate) fn print(cells: &[Cell], write: bool) -> anyhow::Result<()> {
    let text = render(cells);
    println!("{text}");
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/README.md");
        let old = fs::read_to_string(&path)?;
        if let (Some(start), Some(end)) = (old.find(MARKS.0), old.find(MARKS.1)) {
            let new = format!("{}{text}{}", &old[..start + MARKS.0.len()], &old[end..]);
            fs::write(path, new)?;
        }
    }
    Ok(())
}

fn render(cells: &[Cell]) -> String {
    let mut out = format!("Measured on {}.\n", machine());
    for cell in cells {
        let bun = cell.rows.iter().find(|row| row.design == "Bun");
        let against = if bun.is_some() { "Bun" } else { "first" };
        let reference = bun.or(cell.rows.first());
        let _text = write!(
            out,
            "\n**{}**\n\n| | offered/s | delivered/s | p50 ms | p99 ms | user µs | system µs | p50 ÷ {against} | p99 ÷ {against} | user ÷ {against} | CPU ÷ {against} | bytes each | kB RSS a session at first | at the end | connected in ms |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            cell.name
        );
        for row in &cell.rows {
            let _text = writeln!(out, "{}", line(row, reference));
        }
    }
    out
}

fn line(row: &Row, reference: Option<&Row>) -> String {
    let p50 = |row: &Row| median(row, |report| report.healthy_or_slow().0);
    let p99 = |row: &Row| median(row, |report| report.healthy_or_slow().1);
    let user = |row: &Row| median(row, |report| spent(report).0);
    let cpu = |row: &Row| median(row, |report| spent(report).0 + spent(report).1);
    let ratio = |of: &dyn Fn(&Row) -> f64| match reference {
        Some(reference) if of(reference) > 0.0 => format!("{:.2}", of(row) / of(reference)),
        _ => "–".into(),
    };
    let delivered = median(row, |report| report.deliveries_per_second);
    format!(
        "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.3} | {:.3} | {} | {} | {} | {} | {:.0} | {:.1} | {:.1} | {:.0} |",
        row.design,
        row.offered,
        delivered,
        p50(row) / 1e3,
        p99(row) / 1e3,
        user(row),
        median(row, |report| spent(report).1),
        ratio(&p50),
        ratio(&p99),
        ratio(&user),
        ratio(&cpu),
        median(row, |report| report.bytes as f64 / report.deliveries.max(1) as f64),
        median(row, |report| memory(report).0 / report.connected as f64 / 1e3),
        median(row, |report| memory(report).1 / report.connected as f64 / 1e3),
        median(row, |report| report.connect_ms as f64),
    )
}

/// User and system time of a delivery.
fn spent(report: &Report) -> (f64, f64) {
    report.gateway.map_or((0.0, 0.0), |spent| (spent.user_us_per_delivery, spent.system_us_per_delivery))
}

/// Resident memory beyond that without clients, when the measurement began and at its end.
fn memory(report: &Report) -> (f64, f64) {
    report.gateway.map_or((0.0, 0.0), |spent| {
        let more = |rss: u64| rss.saturating_sub(spent.rss_before) as f64;
        (more(spent.rss_start), more(spent.rss_after))
    })
}

trait Quantiles {
    /// p50 and p99 of the healthy clients, or of the slow ones when there are no others.
    fn healthy_or_slow(&self) -> (f64, f64);
}

impl Quantiles for Report {
    fn healthy_or_slow(&self) -> (f64, f64) {
        let ages = match self.slow {
            Some(slow) if self.healthy.max_us == 0 => slow,
            _ => self.healthy,
        };
        (ages.p50_us as f64, ages.p99_us as f64)
    }
}

fn median(row: &Row, of: impl Fn(&Report) -> f64) -> f64 {
    let mut values: Vec<f64> = row.runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = |program: &Path, flag: &str| {
        let out = Command::new(program).arg(flag).output().ok()?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let bun = version(&bun(), "--version").map_or("no Bun".into(), |version| format!("Bun {version}"));
    let nats = version(Path::new(nats::PROGRAM), "-v").unwrap_or_else(|| "no NATS".into());
    format!(
        "{} on {cores} cores of {}, Linux {}; tickcast {}, {bun}, {nats}",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        model.unwrap_or("an unknown processor"),
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
    )
}
