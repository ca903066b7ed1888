//! Where log lines go: stderr, for people or for machines, with times in UTC.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat};

/// Installs the process's log.
///
/// # Errors
/// When one is installed already.
pub fn install(log: &Log) -> anyhow::Result<()> {
    let ansi = io::stderr().is_terminal();
    let filter = EnvFilter::try_new(&log.level)?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi);
    match log.format {
        LogFormat::Human => builder.compact().finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
