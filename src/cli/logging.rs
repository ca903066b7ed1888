//! Where log lines go: stderr, for people or for machines, with times in UTC.
//!
//! Logging never waits and never fails: lines go through a bounded [`Sink`], and lines that are not taken in time are
//! dropped and counted. Panics are told the same way, because the message of the standard hook would wait for stderr.

mod sink;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd,
    panic,
    sync::OnceLock,
    thread,
};

use prometheus::IntCounter;
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

pub use sink::Sink;

use crate::{
    config::{Log, LogFormat},
    limits::LOG_FLUSH,
    metrics::ProcessMetrics,
};

/// What the process says on stderr, once it has a log.
static LOG: OnceLock<Sink> = OnceLock::new();

/// Installs the process's log.
///
/// # Errors
/// When one is installed already, or stderr or a thread is not available.
pub fn install(log: &Log) -> anyhow::Result<()> {
    let ansi = io::stderr().is_terminal();
    let filter = EnvFilter::try_new(&log.level)?;
    let sink = Sink::start("log", unlocked(&io::stderr())?, ProcessMetrics::get().log_lines_dropped.clone())?;
    let sink = LOG.get_or_init(|| sink);
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(|| sink.clone())
        .with_ansi(ansi)
        // A complaint on stderr about stderr is no help, and waits for it.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Human => builder.compact().finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    panic::set_hook(Box::new(told));
    Ok(())
}

/// The stream without the lock that the standard library puts around it: a write to a full pipe without a reader holds
/// that lock for ever.
fn unlocked(stream: &impl AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// A panic, counted and as a line of the log.
fn told(panic: &panic::PanicHookInfo<'_>) {
    ProcessMetrics::get().panics.inc();
    let thread = thread::current();
    let thread = thread.name().unwrap_or("?");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("?");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, place, "panicked: {message}\n{trace}");
    } else {
        tracing::error!(thread, place, "panicked: {message}");
    }
}

/// Waits a moment until what was logged is written: to be called before the process ends.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(LOG_FLUSH);
    }
}

/// Says something on stderr behind all that was logged, and waits a moment until it is written.
pub fn last_words(text: &str) {
    let unlogged = || Sink::start("stderr", unlocked(&io::stderr())?, uncounted());
    let Some(sink) = LOG.get().cloned().or_else(|| unlogged().ok()) else { return };
    sink.push(text.as_bytes());
    sink.flush(LOG_FLUSH);
}

/// Says something on stdout when it can be said; does not wait for that.
pub fn announce(text: &[u8]) {
    if let Ok(sink) = unlocked(&io::stdout()).and_then(|out| Sink::start("stdout", out, uncounted())) {
        sink.push(text);
    }
}

/// For what is no log.
fn uncounted() -> IntCounter {
    IntCounter::new("tickcast_uncounted", "Shown nowhere.").expect("the name is valid")
}
