//! The command line: what `tickcast` can be asked to do.
//!
//! Each command is one file here; none of them decides anything about ticks. Exit codes: 0 for a graceful end, 1 when
//! something could not be started or reached, 64 for a wrong command line or configuration, 70 when a part of the
//! gateway has failed, 130 when a signal ended a command before it was done; and those of [`doctor`], one for each step.
//!
//! `watch`, `bench` and `venue` belong to the feature `tools`; a server can be built without it.

#[cfg(any(test, not(feature = "tools")))]
pub mod absent;
#[cfg(feature = "tools")]
pub mod bench;
pub mod check;
pub mod doctor;
pub mod healthcheck;
pub mod logging;
mod output;
pub mod record;
#[cfg(feature = "tools")]
mod resync;
pub mod serve;
mod signals;
pub mod simulate;
#[cfg(feature = "tools")]
pub mod venue;
#[cfg(feature = "tools")]
pub mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    app::Fault,
    config::{ConfigErrors, Flags},
};

/// Exit code of a wrong command line or configuration (`EX_USAGE` of sysexits).
pub const EXIT_USAGE: u8 = 64;

/// Exit code of anything that could not be started or reached.
pub const EXIT_FAILURE: u8 = 1;

/// Exit code of a gateway of which a part has failed, and which has ended in order for that (`EX_SOFTWARE` of sysexits).
pub const EXIT_FAULT: u8 = 70;

/// A live market-data streaming gateway.
///
/// Without a command it serves: ticks from feeds go out to WebSocket sessions. Without a configuration it shows a
/// demonstration on http://127.0.0.1:8080/.
#[derive(Debug, Parser)]
#[command(
    name = "tickcast",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 graceful end, 1 could not start, 64 wrong command line or configuration, \
                  70 a part has failed, 130 interrupted; \
                  `doctor` has one for each step."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default command)
    Serve(ServeArgs),
    /// Check a configuration or feed definition, without starting anything
    Check(check::CheckArgs),
    /// Examine the way to a venue step by step, and say what to do about what fails
    Doctor(doctor::DoctorArgs),
    /// Show the live data of a gateway in the terminal, or print it as JSON lines
    #[cfg(feature = "tools")]
    Watch(watch::WatchArgs),
    /// Not in this build: needs the feature `tools`
    #[cfg(not(feature = "tools"))]
    Watch(absent::AbsentArgs),
    /// Write a recording of a simulated session, without waiting
    Simulate(simulate::SimulateArgs),
    /// Put load on a gateway and measure what arrives
    #[cfg(feature = "tools")]
    Bench(bench::BenchArgs),
    /// Not in this build: needs the feature `tools`
    #[cfg(not(feature = "tools"))]
    Bench(absent::AbsentArgs),
    /// Write what venues send as a recording
    Record(record::RecordArgs),
    /// Play a recording as a venue on this machine, with faults on demand
    #[cfg(feature = "tools")]
    Venue(venue::VenueArgs),
    /// Not in this build: needs the feature `tools`
    #[cfg(not(feature = "tools"))]
    Venue(absent::AbsentArgs),
    /// Ask a running gateway whether it is ready: for container health checks
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// The flags that are a layer of the configuration.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Configuration file [default: $TICKCAST_CONFIG, else ./tickcast.toml if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where clients connect; port 0 takes any free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub bind: Option<String>,
    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub workers: Option<String>,
    /// Feed to run instead of the configured ones: a definition file, or "demo"; may be repeated
    #[arg(long = "feed", value_name = "NAME_OR_FILE")]
    pub feeds: Vec<String>,
    /// How to log: human or json [default: human]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What to log: error, warn, info, debug, trace or off, or a list like info,tickcast::feed=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log_level: Option<String>,
}

impl ServeArgs {
    /// The flags as the configuration takes them.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            bind: self.bind.clone(),
            workers: self.workers.clone(),
            feeds: self.feeds.clone(),
            log_format: self.log_format.clone(),
            log_level: self.log_level.clone(),
        }
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// Whatever the command could not do; [`report`] tells it.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let result = match &cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        #[cfg(feature = "tools")]
        Some(Command::Watch(args)) => watch::run(args),
        #[cfg(feature = "tools")]
        Some(Command::Bench(args)) => bench::run(args),
        #[cfg(feature = "tools")]
        Some(Command::Venue(args)) => venue::run(args),
        #[cfg(not(feature = "tools"))]
        Some(Command::Watch(_)) => absent::run("watch"),
        #[cfg(not(feature = "tools"))]
        Some(Command::Bench(_)) => absent::run("bench"),
        #[cfg(not(feature = "tools"))]
        Some(Command::Venue(_)) => absent::run("venue"),
        Some(Command::Simulate(args)) => simulate::run(args),
        Some(Command::Record(args)) => record::run(args),
        Some(Command::Healthcheck(args)) => healthcheck::run(args),
    };
    logging::flush();
    result
}

/// Tells an error on stderr and which exit code it has.
#[must_use]
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(failed) = error.downcast_ref::<doctor::Failed>() {
        // What failed was printed step by step.
        return failed.exit_code();
    }
    let text = match error.downcast_ref::<ConfigErrors>() {
        Some(errors) => {
            let count = errors.0.len();
            let mistakes = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
            format!("{errors}\ntickcast: {mistakes} in the configuration\n")
        }
        None => format!("tickcast: {error:#}\n"),
    };
    logging::last_words(&text);
    exit_code(error)
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if error.is::<ConfigErrors>() {
        EXIT_USAGE
    } else if error.is::<Fault>() {
        EXIT_FAULT
    } else if error.is::<signals::Interrupted>() {
        signals::EXIT_INTERRUPTED
    } else {
        EXIT_FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_what_is_meant_without_a_command() {
        let bare =
            Cli::try_parse_from(["tickcast", "--feed", "a.toml", "--feed", "demo", "--bind", "[::1]:0"]);
        let bare = bare.unwrap();
        assert!(bare.command.is_none());
        assert_eq!((bare.serve.feeds.len(), bare.serve.bind.as_deref()), (2, Some("[::1]:0")));
        let named = Cli::try_parse_from(["tickcast", "serve", "--workers", "2"]).unwrap();
        assert!(matches!(named.command, Some(Command::Serve(args)) if args.workers.as_deref() == Some("2")));
    }

    #[cfg(not(feature = "tools"))]
    #[test]
    fn commands_that_were_left_out_say_what_to_do() {
        for name in ["watch", "bench", "venue"] {
            let cli = Cli::try_parse_from(["tickcast", name, "--help", "x"]).unwrap();
            let said = run(&cli).unwrap_err().to_string();
            assert!(said.contains(&format!("no `{name}`")) && said.contains("default features"), "{said}");
        }
    }

    #[test]
    fn wrong_command_lines_are_refused() {
        for line in [
            &["tickcast", "--nonsense"][..],
            &["tickcast", "dance"],
            &["tickcast", "--bind", "x", "watch"],
            &["tickcast", "healthcheck", "ftp://x"],
            &["tickcast", "check", "a.toml", "--config", "b.toml"],
            &["tickcast", "doctor"],
            &["tickcast", "doctor", "--feed", "a", "--wait", "0"],
            &["tickcast", "doctor", "--feed", "a", "--wait", "301"],
        ] {
            assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
        }
        #[cfg(feature = "tools")]
        for line in [["--url", "https://example.com"], ["--count", "0"], ["--channel", ""]] {
            assert!(Cli::try_parse_from(["tickcast", "watch"].iter().chain(&line)).is_err(), "{line:?}");
        }
    }
}
