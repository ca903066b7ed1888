//! Event times of a looped recording: each pass continues where the one before ended. Otherwise bars and tickers would
//! take all later passes for late trades.

use crate::market::UnixMicros;

/// The shift of event times.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Added to what was recorded; 0 in the first pass.
    shift: i64,
    /// First and last recorded event time of this pass.
    span: Option<(i64, i64)>,
}

impl Times {
    /// The event time of this pass.
    pub(super) fn shift(&mut self, UnixMicros(te): UnixMicros) -> UnixMicros {
        let (first, last) = self.span.get_or_insert((te, te));
        *first = (*first).min(te);
        *last = (*last).max(te);
        UnixMicros(te.saturating_add(self.shift))
    }

    /// The recording starts over.
    pub(super) fn over_again(&mut self) {
        if let Some((first, last)) = self.span.take() {
            self.shift = self.shift.saturating_add(last - first + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_goes_on_where_the_one_before_ended() {
        let mut times = Times::default();
        let mut played = Vec::new();
        for _ in 0..3 {
            played.extend([1_000, 1_500, 1_400, 2_000].map(|te| times.shift(UnixMicros(te)).0));
            times.over_again();
        }
        assert_eq!(
            played,
            [1_000, 1_500, 1_400, 2_000, 2_001, 2_501, 2_401, 3_001, 3_002, 3_502, 3_402, 4_002]
        );
    }
}
