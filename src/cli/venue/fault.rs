//! The faults that a mock venue can play.

use clap::ValueEnum;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The connection is reset.
    Drop,
    /// The connection stays open, but nothing is sent, read or answered.
    Stall,
    /// Text that is not JSON comes instead of the frame.
    Garbage,
    /// Half of the frame's bytes come, then the connection ends.
    HalfFrame,
    /// The frame comes twice.
    Duplicate,
    /// The frame after it comes first.
    OutOfOrder,
    /// The connection ends without a close frame.
    #[value(name = "close-1006")]
    Close1006,
    /// The venue restarts: close frame 1012.
    #[value(name = "close-1012")]
    Close1012,
    /// The connection is reset; the next one is accepted and never answered.
    SlowAccept,
    /// The connection is reset; the next one refuses the credentials.
    AuthFailure,
    /// The connection is reset; the next one is refused with "too many requests".
    RateLimit,
}

impl Fault {
    /// Whether it ends the present connections.
    #[must_use]
    pub const fn ends_connections(self) -> bool {
        !matches!(self, Self::Garbage | Self::Duplicate | Self::OutOfOrder)
    }
}

/// A fault of first values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ValueFault {
    /// The answer is 429 with `Retry-After: 1`.
    TooMany,
    /// The answer is not JSON.
    Garbage,
    /// There is no answer.
    Slow,
    /// The answer is endless blanks.
    Huge,
    /// The answer is as old as the request, and comes after the tape has played another quote.
    Old,
}

/// A fault at a data frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// What happens.
    pub fault: Fault,
    /// The number of the data frame, from 1.
    pub at: usize,
}

impl Planned {
    /// `drop@500`, or `drop` for the hundredth frame.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, at) = text.split_once('@').unwrap_or((text, "100"));
        let fault = Fault::from_str(name, false).map_err(|_unknown| {
            let known: Vec<_> = Fault::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            format!("{name:?} is no fault; known are {}", known.join(", "))
        })?;
        let at = at.parse().ok().filter(|at| *at > 0).ok_or(format!("{at:?} is no number from 1 on"))?;
        Ok(Self { fault, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_names_and_places() {
        assert_eq!(Planned::parse("drop"), Ok(Planned { fault: Fault::Drop, at: 100 }));
        assert_eq!(Planned::parse("close-1012@7"), Ok(Planned { fault: Fault::Close1012, at: 7 }));
        assert!(Planned::parse("flood").unwrap_err().contains("half-frame"));
        assert!(Planned::parse("drop@0").is_err() && Planned::parse("drop@x").is_err());
    }
}
