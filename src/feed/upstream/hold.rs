//! What a venue means when it says "later" or "not from here", to its stream and to its product list alike.
//!
//! A venue that is asked again before the time it named takes that for an attack: Binance bans the address, first for
//! minutes and then for days.

use std::time::Duration;

use jiff::fmt::rfc2822;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::http::HeaderMap;

use crate::{clock::Instant, dialect::Venue, limits::RETRY_AFTER_MOST, market::UnixMicros};

/// Until when nothing is asked of a venue.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<Option<Instant>>);

impl Hold {
    /// The venue is left alone for so long, at least.
    pub(super) fn extend(&self, now: Instant, time: Duration) {
        let until = now + time.min(RETRY_AFTER_MOST);
        let mut held = self.0.lock();
        *held = (*held).max(Some(until));
    }

    /// How much longer to leave the venue alone.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let until = *self.0.lock();
        until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Waits until it may be asked again.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(super) async fn passed(&self) {
        // It may have been extended meanwhile.
        while let Some(left) = self.left(Instant::now()) {
            tokio::time::sleep(left).await;
        }
    }
}

/// What an answer's `Retry-After` says: seconds, or a time of day.
pub(super) fn retry_after(headers: &HeaderMap, wall: UnixMicros) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp().as_microsecond();
    u64::try_from(at.saturating_sub(wall.0)).ok().map(Duration::from_micros)
}

/// How long an answer with that status asks to be left alone for.
pub(super) fn asked_by(status: u16, headers: &HeaderMap, wall: UnixMicros) -> Option<Duration> {
    // 418 is how Binance bans an address.
    matches!(status, 418 | 429 | 503).then(|| retry_after(headers, wall)).flatten()
}

/// What a status may mean that keeps us out, and where else to go; nothing where it says that itself.
pub(super) fn kept_out_by(status: u16, venue: Venue, has_credentials: bool) -> Option<String> {
    let what = match status {
        451 => "the venue may not be used from this place",
        401 | 403 if !has_credentials => {
            "the venue refuses this address, though the feed sends no credentials: it may block the address or its \
             country, or a proxy on the way does"
        }
        _ => return None,
    };
    Some(venue.elsewhere().map_or_else(|| what.to_owned(), |other| format!("{what}; {other}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_in_both_forms() {
        let wall = UnixMicros(1_700_000_000_000_000);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", Some(30)),
            ("Tue, 14 Nov 2023 22:13:10 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            assert_eq!(retry_after(&headers, wall), seconds.map(Duration::from_secs), "{text}");
            assert_eq!(asked_by(429, &headers, wall), seconds.map(Duration::from_secs), "{text}");
            assert_eq!(asked_by(404, &headers, wall), None);
        }
        assert_eq!(retry_after(&HeaderMap::new(), wall), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_hold_is_kept_and_no_longer_than_the_limit() {
        let (hold, start) = (Hold::default(), Instant::now());
        hold.passed().await;
        assert_eq!(start, Instant::now(), "nothing was asked for");
        hold.extend(start, Duration::from_secs(100));
        hold.extend(start, Duration::from_secs(5));
        hold.passed().await;
        assert!(start.elapsed() >= Duration::from_secs(100), "a shorter one does not end a longer one");
        hold.extend(Instant::now(), RETRY_AFTER_MOST * 100);
        assert_eq!(hold.left(Instant::now()), Some(RETRY_AFTER_MOST));
    }
}
