//! How the machine's clock stands beside the venue's, as the `Date` of its answers tells it: to a second.

use jiff::fmt::rfc2822;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::http::HeaderMap;

use crate::market::UnixMicros;

/// What the newest answer with a `Date` said.
#[derive(Debug, Default)]
pub(super) struct Dated(Mutex<Option<i64>>);

impl Dated {
    /// An answer came when our clock said `wall`.
    pub(super) fn note(&self, headers: &HeaderMap, wall: UnixMicros) {
        if let Some(date) = date(headers) {
            *self.0.lock() = Some(ahead(date, wall));
        }
    }

    /// By how many microseconds our clock is ahead of the venue's, if an answer told.
    pub(super) fn ahead(&self) -> Option<i64> {
        *self.0.lock()
    }
}

fn date(headers: &HeaderMap) -> Option<UnixMicros> {
    let text = headers.get("date")?.to_str().ok()?;
    Some(UnixMicros(rfc2822::parse(text).ok()?.timestamp().as_microsecond()))
}

/// A whole second stands for all that follows until the next one.
const fn ahead(date: UnixMicros, wall: UnixMicros) -> i64 {
    let ahead = wall.0.saturating_sub(date.0);
    match ahead {
        0..1_000_000 => 0,
        1_000_000.. => ahead - 1_000_000,
        _ => ahead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_the_clocks_apart_to_a_second() {
        let dated = Dated::default();
        let mut headers = HeaderMap::new();
        dated.note(&headers, UnixMicros(0));
        assert_eq!(dated.ahead(), None);
        headers.insert("date", "Tue, 14 Nov 2023 22:13:20 GMT".parse().unwrap());
        for (wall, ahead) in [
            (1_700_000_000_000_000, 0),
            (1_700_000_000_999_999, 0),
            (1_700_000_003_500_000, 2_500_000),
            (1_699_999_990_000_000, -10_000_000),
        ] {
            dated.note(&headers, UnixMicros(wall));
            assert_eq!(dated.ahead(), Some(ahead));
        }
        headers.insert("date", "yesterday".parse().unwrap());
        dated.note(&headers, UnixMicros(0));
        assert_eq!(dated.ahead(), Some(-10_000_000), "what is no date says nothing");
    }
}
