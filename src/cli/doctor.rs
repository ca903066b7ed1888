//! `tickcast doctor`: says in words how far the way to a venue is good, and what to do where it is not. The examination
//! itself is the feed's ([`crate::feed::upstream::Finding`]); here is which feed is meant, what is printed, and the exit code.

mod choice;
mod print;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::{
    choice::{Choice, choose},
    print::Printer,
};
use super::{EXIT_USAGE, signals};
use crate::{
    clock::Clock,
    config::{AnyFeed, FeedConfig},
    feed::{
        Publisher,
        upstream::{Finding, Outcome, Step},
    },
    hub::{Hub, HubConfig},
    limits::{DOCTOR_WAIT_DEFAULT, DOCTOR_WAIT_SECONDS},
    metrics::Metrics,
};

/// What to examine.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well, warnings included; the first step that failed: 64 configuration, 10 dns, \
                        11 proxy, 12 tcp, 13 tls, 14 clock, 15 products, 16 handshake, 17 login, 18 subscription, 19 data, \
                        20 pace; 130 interrupted."
)]
pub struct DoctorArgs {
    /// The feed: its name in the configuration, or a definition file with one feed
    #[arg(long, value_name = "NAME_OR_FILE")]
    feed: String,
    /// Configuration file [default: $TICKCAST_CONFIG, else ./tickcast.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many seconds to wait for the first trade and quote of each symbol
    #[arg(long, value_name = "N", default_value_t = DOCTOR_WAIT_DEFAULT, value_parser = clap::value_parser!(u64).range(DOCTOR_WAIT_SECONDS))]
    wait: u64,
    /// Print JSON lines: one for each step, and one for the verdict
    #[arg(long)]
    json: bool,
}

/// The first step that failed; its findings are printed already.
#[derive(Debug, thiserror::Error)]
#[error("{} does not work", .0.as_str())]
pub(super) struct Failed(Step);

impl Failed {
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(code(self.0))
    }
}

/// The exit code of a step that failed first.
const fn code(step: Step) -> u8 {
    match step {
        Step::Configuration => EXIT_USAGE,
        Step::Dns => 10,
        Step::Proxy => 11,
        Step::Tcp => 12,
        Step::Tls => 13,
        Step::Clock => 14,
        Step::Products => 15,
        Step::Handshake => 16,
        Step::Login => 17,
        Step::Subscription => 18,
        Step::Data => 19,
        Step::Pace => 20,
    }
}

/// Examines a feed, and prints what it finds.
///
/// # Errors
/// The first step that failed, an interruption, or stdout that cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut printer = Printer::new(args.json);
    let ended = match choose(args)? {
        Choice::Feed(feed) => examine(*feed, Duration::from_secs(args.wait), &mut printer),
        Choice::Mistake(finding) => {
            printer.finding(&finding);
            Ok(())
        }
    };
    printer.verdict(ended.is_ok())?;
    ended?;
    match printer.first_failure() {
        None => Ok(()),
        Some(step) => Err(Failed(step).into()),
    }
}

fn examine(feed: FeedConfig, wait: Duration, printer: &mut Printer) -> anyhow::Result<()> {
    let FeedConfig { name, feed, .. } = feed;
    printer.begin(name.as_str(), feed.kind());
    let upstream = match feed {
        AnyFeed::Upstream(upstream) => upstream,
        other @ (AnyFeed::Simulator(_) | AnyFeed::Replay(_) | AnyFeed::Push(_) | AnyFeed::Redis(_)) => {
            printer.finding(&nothing(&other));
            return Ok(());
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = signals::stop().context("signals cannot be received")?;
        let hub = Hub::new(HubConfig::default(), "doctor".into(), Clock::system(), Arc::new(Metrics::new()));
        let publisher = Publisher::new(name, Arc::new(hub), CancellationToken::new());
        let mut tell = |finding| printer.finding(&finding);
        tokio::select! {
            () = upstream.examine(&publisher, wait, &mut tell) => Ok(()),
            () = stop.cancelled() => Err(signals::Interrupted.into()),
        }
    });
    // A name that is still looked up keeps no one waiting.
    runtime.shutdown_background();
    ended
}

/// What is said of a feed that goes to no venue.
fn nothing(feed: &AnyFeed) -> Finding {
    let what = match feed {
        AnyFeed::Simulator(_) => {
            "it makes its ticks up, and there is nothing to examine: `tickcast check` looks at its definition"
        }
        AnyFeed::Replay(_) => {
            "it plays recordings, and there is nothing to examine: `tickcast check` says what they hold"
        }
        AnyFeed::Push(_) => {
            "producers send it ticks, and there is nothing to examine: `tickcast check` looks at its definition, and /feedz of \
             the running gateway says what came"
        }
        AnyFeed::Redis(_) => {
            "it reads Redis, and only venues are examined: its log says why it does not connect, and /feedz of the running gateway \
             what came"
        }
        AnyFeed::Upstream(_) => "it is a venue's",
    };
    Finding::ok(Step::Configuration, what)
}

/// Whether a step needs something done.
const fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_exit_codes_are_those_of_the_documents_and_of_the_help() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
        let document = std::fs::read_to_string(path).unwrap();
        let help = <crate::cli::Cli as clap::CommandFactory>::command();
        let help = help.find_subcommand("doctor").unwrap().get_after_help().unwrap().to_string();
        for step in Step::ALL {
            let (name, code) = (step.as_str(), code(step));
            let row = document.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.ends_with(&format!("| {code} |"))), "{name}: {row:?}");
            assert!(help.contains(&format!("{code} {name}")), "{name}: {help}");
        }
    }

    #[test]
    fn every_step_has_an_exit_code_of_its_own() {
        let codes: BTreeSet<_> = Step::ALL.map(code).into_iter().collect();
        assert_eq!(codes.len(), Step::ALL.len());
        assert!([0, 1, 70, 130].iter().all(|taken| !codes.contains(taken)));
    }
}
