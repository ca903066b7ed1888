//! The bench's own programs: on which core they run, and how they say that they are ready and learn that they are done.

use std::{
    io::Read as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A program on one core, or on any with two.
pub(crate) fn on_core(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// Prints where this server listens, and ends the program when its input ends.
pub(crate) fn ready(port: u16) {
    let ended = ready_as(port, std::process::id());
    thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        std::process::exit(0);
    });
}

/// Prints which process listens where. The flag turns true when this program's input ends.
pub(crate) fn ready_as(port: u16, pid: u32) -> Arc<AtomicBool> {
    println!("ready {port} {pid}");
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    thread::spawn(move || {
        let _end = std::io::stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::Relaxed);
    });
    ended
}
