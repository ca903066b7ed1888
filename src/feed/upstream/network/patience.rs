//! A deadline that does not count the time in which the process was stopped: what has arrived meanwhile is read before
//! anybody is judged for it.

use std::{pin::pin, time::Duration};

use tokio::time::sleep_until;

use crate::{
    clock::Instant,
    limits::{LATE, LOOK_EVERY},
};

/// Finds out when the process was held up, for those who look often enough.
#[derive(Debug, Clone, Copy)]
pub(in crate::feed::upstream) struct HeldUp {
    looked: Instant,
}

impl HeldUp {
    /// Begins now.
    pub(in crate::feed::upstream) fn new(now: Instant) -> Self {
        Self { looked: now }
    }

    /// When to look again.
    pub(in crate::feed::upstream) fn next(&self) -> Instant {
        self.looked + LOOK_EVERY
    }

    /// Looks. Returns how late that is, where it is more than [`LATE`].
    pub(in crate::feed::upstream) fn look(&mut self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.next());
        self.looked = now;
        if late > LATE { late } else { Duration::ZERO }
    }
}

/// The future's output, unless it takes longer than `time` of those in which the process runs.
///
/// # Errors
/// The time is over.
///
/// # Cancel safety
/// That of the future.
pub async fn within<F: Future>(time: Duration, future: F) -> Result<F::Output, Late> {
    let mut future = pin!(future);
    let start = Instant::now();
    let (mut deadline, mut held_up) = (start + time, HeldUp::new(start));
    loop {
        let wake = deadline.min(held_up.next());
        tokio::select! {
            biased;
            done = &mut future => return Ok(done),
            () = sleep_until(wake) => {}
        }
        let now = Instant::now();
        let left = deadline.saturating_duration_since(held_up.looked);
        held_up.look(now);
        if now.saturating_duration_since(wake) > LATE {
            // What was left when the process stopped is left again, and enough to read what waits.
            deadline = now + left.max(LATE);
        } else if now >= deadline {
            return Err(Late);
        }
    }
}

/// The time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late;

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_is_over_is_over() {
        let start = Instant::now();
        let never = within(Duration::from_secs(10), std::future::pending::<()>());
        assert_eq!(never.await, Err(Late));
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        assert_eq!(within(Duration::from_secs(10), sleep(Duration::from_secs(9))).await, Ok(()));
    }

    #[test]
    fn who_looks_often_enough_knows_of_a_pause() {
        let start = Instant::now();
        let mut held_up = HeldUp::new(start);
        let mut now = start;
        for _ in 0..10 {
            now += LOOK_EVERY;
            assert_eq!(held_up.look(now), Duration::ZERO);
        }
        assert_eq!(held_up.next(), now + LOOK_EVERY);
        assert_eq!(held_up.look(now + LOOK_EVERY + LATE), Duration::ZERO, "somewhat late is usual");
        let pause = Duration::from_secs(40);
        now = held_up.next() + pause;
        assert_eq!(held_up.look(now), pause);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_process_is_not_counted() {
        // What is waited for takes three turns, and the process stands still in the first.
        let work = async {
            for _turn in 0..3 {
                sleep(Duration::from_secs(2)).await;
            }
            "read"
        };
        let start = Instant::now();
        let waiting = tokio::spawn(within(Duration::from_secs(8), work));
        tokio::task::yield_now().await;
        advance(Duration::from_secs(60)).await;
        assert_eq!(waiting.await.unwrap(), Ok("read"));
        assert!(start.elapsed() > Duration::from_secs(60));
        // And it still ends: what was left before the pause is left behind it.
        let start = Instant::now();
        let waiting = tokio::spawn(within(Duration::from_secs(8), std::future::pending::<()>()));
        tokio::task::yield_now().await;
        advance(Duration::from_secs(60)).await;
        assert_eq!(waiting.await.unwrap(), Err(Late));
        assert!(start.elapsed() <= Duration::from_secs(69), "{:?}", start.elapsed());
    }
}
