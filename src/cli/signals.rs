//! Signals that ask a command to end: SIGTERM, SIGINT and SIGHUP, also as process 1, for which the system's own
//! answer to them is to do nothing.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::logging;

/// Exit code of a command that a signal ended before it was done, as a shell has it for an interrupt.
pub(super) const EXIT_INTERRUPTED: u8 = 130;

/// A signal came before the work was done.
#[derive(Debug, thiserror::Error)]
#[error("stopped by a signal before it was done")]
pub(super) struct Interrupted;

/// The signals, caught from the time this is made.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None when the process was started to outlive its terminal.
    hangup: Option<Signal>,
}

impl Signals {
    /// Catches them. Must be called on a tokio runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Cancelled by the first signal, whatever else is going on; the second one ends the process.
pub(super) fn stop() -> io::Result<CancellationToken> {
    let mut signals = Signals::catch()?;
    let stop = CancellationToken::new();
    let first = stop.clone();
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::info!(signal, "stopping; a second signal stops at once");
        first.cancel();
        let signal = signals.next().await;
        tracing::warn!(signal, "stopped at once");
        logging::flush();
        std::process::exit(EXIT_INTERRUPTED.into());
    });
    Ok(stop)
}

/// Whether the process was started to outlive its terminal, as `nohup` does.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask & 1 != 0)
}

/// The set of ignored signals in a `/proc/…/status`; signal 1 is the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_leaves_is_seen() {
        let status = |mask: &str| format!("Name:\ttickcast\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert_eq!(ignored(&status("0000000000001001")), Some(0x1001));
        assert_eq!(ignored(&status("0000000000001000")), Some(0x1000));
        assert_eq!(ignored("Name:\tx\n"), None);
    }
}
