//! The end of the time that a part of an exchange has, judged after what has arrived was read.

use std::{cell::RefCell, future::Future as _, pin::Pin, task::Context, time::Duration};

use tokio::time::{Sleep, sleep};

use crate::{
    clock::Instant,
    limits::{LAST_LOOK, LATE},
};

/// The end of a time.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: Pin<Box<Sleep>>,
    /// It has come, and the socket was given the time to tell what has arrived.
    is_last_look: bool,
}

/// Whether a time has passed; it begins when this is first asked, and the task is woken at its end.
pub(super) fn is_over(deadline: &RefCell<Option<Deadline>>, time: Duration, cx: &mut Context<'_>) -> bool {
    let mut deadline = deadline.borrow_mut();
    let Deadline { timer, is_last_look } =
        deadline.get_or_insert_with(|| Deadline { timer: Box::pin(sleep(time)), is_last_look: false });
    if timer.as_mut().poll(cx).is_pending() {
        return false;
    }
    let now = Instant::now();
    let late = now.saturating_duration_since(timer.deadline());
    if *is_last_look && late <= LATE {
        return true;
    }
    // After a pause of the process, however short, timers may come before the sockets: a stop interrupts the wait for those.
    *is_last_look = true;
    timer.as_mut().reset(now + if late > LATE { LATE } else { LAST_LOOK });
    timer.as_mut().poll(cx).is_ready()
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_comes_late_itself_judges_nobody_yet() {
        let timer = RefCell::default();
        let is_over = || poll_fn(|cx| Poll::Ready(is_over(&timer, SECOND, cx)));
        assert!(!is_over().await, "it has just begun");
        // The process was stopped: no timer fired in time.
        tokio::time::advance(SECOND * 10).await;
        assert!(!is_over().await, "what has arrived is read first");
        tokio::time::advance(LATE + Duration::from_millis(1)).await;
        assert!(is_over().await, "nothing has");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_in_time_is_over() {
        let timer = RefCell::default();
        let is_over = || poll_fn(|cx| Poll::Ready(is_over(&timer, SECOND, cx)));
        assert!(!is_over().await);
        tokio::time::advance(SECOND + Duration::from_millis(1)).await;
        assert!(!is_over().await, "the socket may not have told yet");
        tokio::time::advance(LAST_LOOK + Duration::from_millis(1)).await;
        assert!(is_over().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_ends_just_behind_the_deadline_judges_nobody_before_it_has_read() {
        let timer = RefCell::default();
        let is_over = || poll_fn(|cx| Poll::Ready(is_over(&timer, SECOND, cx)));
        assert!(!is_over().await);
        tokio::time::advance(SECOND + LATE - Duration::from_millis(1)).await;
        assert!(!is_over().await, "stopped for less than what is late");
        // And stopped again at once.
        tokio::time::advance(SECOND).await;
        assert!(!is_over().await);
        tokio::time::advance(LATE + Duration::from_millis(1)).await;
        assert!(is_over().await, "nothing has come");
    }
}
