//! What a command prints on stdout.

use std::io::{self, ErrorKind, Write};

/// Prints. A reader that has gone is no fault of the command: its exit code tells what it came to.
///
/// # Errors
/// When stdout cannot be written for another reason: a full disk.
pub(super) fn print(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match print(&mut out).and_then(|()| out.flush()) {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
