//! A bounded queue of lines in front of a stream that may be slow, stuck or gone.
//!
//! Pushing copies the line and never waits for the stream: a thread of its own writes. A line for which there is no
//! room, or that the stream refuses, is dropped and counted; the queue keeps the oldest lines, which tell how it began.

use std::{
    io::{self, ErrorKind, Write},
    mem,
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;
use tokio::time::Instant;

use crate::limits::{LOG_QUEUE_BYTES, LOG_RETRY};

/// The queue's input. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct Sink(Arc<SinkState>);

#[derive(Debug)]
struct SinkState {
    queue: Mutex<Queue>,
    changed: Condvar,
    dropped: IntCounter,
}

#[derive(Debug, Default)]
struct Queue {
    /// Whole lines, one behind the other.
    waiting: Vec<u8>,
    /// Whether some that were taken out are not yet written.
    is_writing: bool,
}

impl Sink {
    /// Starts the thread that writes; it lives as long as the process. `dropped` counts lines.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start(name: &str, out: impl Write + Send + 'static, dropped: IntCounter) -> io::Result<Self> {
        let shared = Arc::new(SinkState { queue: Mutex::default(), changed: Condvar::new(), dropped });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || writer.write_on(out))?;
        Ok(Self(shared))
    }

    /// Queues one line, or several that belong together, with the line end. Never waits for the stream.
    pub fn push(&self, line: &[u8]) {
        let mut queue = self.0.queue.lock();
        if queue.waiting.len() + line.len() > LOG_QUEUE_BYTES {
            drop(queue);
            self.0.dropped.inc();
            return;
        }
        queue.waiting.extend_from_slice(line);
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written or dropped, at most for `patience`. Returns whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut queue = self.0.queue.lock();
        while queue.is_writing || !queue.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.0.changed.wait_for(&mut queue, left).timed_out() {
                return !queue.is_writing && queue.waiting.is_empty();
            }
        }
        true
    }
}

/// For `tracing`, which writes each event at once.
impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkState {
    fn write_on(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        let mut told = self.dropped.get();
        loop {
            self.take(&mut lines);
            let left = write(&mut out, &lines);
            let lost = lines[left..].iter().filter(|byte| **byte == b'\n').count();
            self.dropped.inc_by(u64::try_from(lost).unwrap_or(u64::MAX));
            let dropped = self.dropped.get();
            if lost == 0 && dropped > told {
                tracing::warn!(
                    lines = dropped - told,
                    "the log was not taken in time: lines are missing here"
                );
                told = dropped;
            }
        }
    }

    /// Waits for lines and takes them all.
    fn take(&self, lines: &mut Vec<u8>) {
        lines.clear();
        let mut queue = self.queue.lock();
        queue.is_writing = false;
        self.changed.notify_all();
        while queue.waiting.is_empty() {
            self.changed.wait(&mut queue);
        }
        mem::swap(lines, &mut queue.waiting);
        queue.is_writing = true;
    }
}

/// Writes as much as the stream takes before it fails; returns how many bytes that was.
fn write(out: &mut impl Write, lines: &[u8]) -> usize {
    let mut done = 0;
    while done < lines.len() {
        match out.write(&lines[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            // Another process has made the stream that we share a non-blocking one.
            Err(why) if why.kind() == ErrorKind::WouldBlock => thread::sleep(LOG_RETRY),
            Err(_) => break,
        }
    }
    let _flushed = out.flush();
    done
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn counter() -> IntCounter {
        IntCounter::new("test_dropped", "Test.").unwrap()
    }

    /// A stream that takes a chunk whenever it is allowed to, and fails once no permit can come any more.
    struct Gate {
        allowed: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.allowed.recv().map_err(|_gone| io::Error::from(ErrorKind::BrokenPipe))?;
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>, Sink, IntCounter) {
        let ((allow, allowed), (written, out)) = (mpsc::channel(), mpsc::channel());
        let dropped = counter();
        let sink = Sink::start("test", Gate { allowed, written }, dropped.clone()).unwrap();
        (allow, out, sink, dropped)
    }

    #[test]
    fn a_stream_that_takes_nothing_stops_nobody_and_costs_a_bounded_memory() {
        let (allow, out, sink, dropped) = gate();
        let line = [b'x'; 1_023].iter().copied().chain([b'\n']).collect::<Vec<_>>();
        let lines = 3 * LOG_QUEUE_BYTES / line.len();
        for _ in 0..lines {
            sink.push(&line);
        }
        assert!(!sink.flush(Duration::from_millis(1)), "nothing can be written");
        let missing = usize::try_from(dropped.get()).unwrap();
        assert!(missing >= LOG_QUEUE_BYTES / line.len(), "{missing} of {lines}");
        // Two queues at most: what is being written, and what waits.
        let mut written = 0;
        while written + missing < lines {
            allow.send(()).unwrap();
            written += out.recv().unwrap().len() / line.len();
        }
        assert_eq!(written + missing, lines);
        assert!(sink.flush(Duration::from_secs(20)));
    }

    #[test]
    fn a_stream_that_is_gone_is_counted_by_lines() {
        let (allow, _out, sink, dropped) = gate();
        drop(allow);
        sink.push(b"one\n");
        sink.push(b"two\nthree\n");
        assert!(sink.flush(Duration::from_secs(20)), "there is nothing to wait for");
        assert_eq!(dropped.get(), 3);
    }

    #[test]
    fn the_last_line_is_out_when_flush_returns() {
        let (allow, out, sink, dropped) = gate();
        for round in 0..100 {
            allow.send(()).unwrap();
            sink.push(format!("line {round}\n").as_bytes());
            assert!(sink.flush(Duration::from_secs(20)));
            assert_eq!(out.try_recv().unwrap(), format!("line {round}\n").as_bytes());
        }
        assert_eq!(dropped.get(), 0);
    }

    #[test]
    fn a_stream_that_asks_for_patience_gets_it() {
        struct Busy(u32, mpsc::Sender<u8>);
        impl Write for Busy {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 % 3 {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    1 => Err(ErrorKind::Interrupted.into()),
                    _ => {
                        self.1.send(bytes[0]).unwrap();
                        Ok(1)
                    }
                }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (written, out) = mpsc::channel();
        let dropped = counter();
        let sink = Sink::start("test", Busy(0, written), dropped.clone()).unwrap();
        sink.push(b"abc\n");
        assert!(sink.flush(Duration::from_secs(20)));
        assert_eq!(out.try_iter().collect::<Vec<_>>(), b"abc\n");
        assert_eq!(dropped.get(), 0);
    }
}
