//! What a recorder writes around a venue's frames: receive times, and lines that are not received frames.
//!
//! | envelope | one line |
//! | --- | --- |
//! | bare | the frame |
//! | stamped | receive clock in nanoseconds, a space, the frame; what tickcast itself records |
//! | cryptofeed 1 | `SECONDS: FRAME`; `ADDR <-> SECONDS`, `ADDR <- SECONDS: FRAME`, `URL -> SECONDS: BODY`, `configuration: …` |
//! | cryptofeed 2 | an object with `t` = `recv`, `send`, `connect`, `http`, `header`; the frame is text in `data` |
//!
//! A file has one envelope; the first line that fits one tells which.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decoded::Skipped;
use crate::{
    dialect::{Text, field},
    market::UnixMicros,
};

/// A recorder's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    Bare,
    Stamped,
    CryptofeedOne,
    CryptofeedTwo,
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// A frame, and its receive time if there is one.
    Frame(Option<UnixMicros>, Cow<'a, [u8]>),
    /// Not a frame of the venue; holds the rule that ignores it.
    Other(&'static str),
}

#[derive(Deserialize)]
struct CryptofeedTwo<'a> {
    #[serde(borrow)]
    t: Text<'a>,
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The rules for what is no frame from the venue.
pub(super) const RULES: [&str; 4] = ["config", "connect", "send", "rest"];

impl Envelope {
    /// The envelope that this line has, if any.
    pub(super) fn detect(line: &[u8]) -> Option<Self> {
        if let Some(b'{' | b'[') = line.first() {
            let two = serde_json::from_slice::<CryptofeedTwo<'_>>(line)
                .is_ok_and(|line| matches!(&*line.t, "header" | "http" | "connect" | "send" | "recv"));
            return Some(if two { Self::CryptofeedTwo } else { Self::Bare });
        }
        let stamp = line.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        match (stamp, line.get(stamp)) {
            (0, _) => note(line).map(|_rule| Self::CryptofeedOne),
            (_, Some(b' ')) => Some(Self::Stamped),
            (_, Some(b':')) => Some(Self::CryptofeedOne),
            _neither => None,
        }
    }

    /// Takes the envelope off a line.
    pub(super) fn open(self, line: &[u8]) -> Result<Content<'_>, Skipped> {
        match self {
            Self::Bare => Ok(Content::Frame(None, line.into())),
            Self::Stamped => {
                let (at, frame) = stamp(line, b" ", 1_000_000_000)?;
                Ok(Content::Frame(Some(at), frame.into()))
            }
            Self::CryptofeedOne => {
                if let Some(rule) = note(line) {
                    return Ok(Content::Other(rule));
                }
                let (at, frame) = stamp(line, b": ", 1)?;
                Ok(Content::Frame(Some(at), frame.into()))
            }
            Self::CryptofeedTwo => cryptofeed_two(line),
        }
    }
}

/// A receive clock and the frame after it.
fn stamp<'a>(line: &'a [u8], between: &[u8], per_second: i64) -> Result<(UnixMicros, &'a [u8]), Skipped> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let frame = line.get(digits..).and_then(|rest| rest.strip_prefix(between));
    let (Ok(clock), Some(frame)) = (str::from_utf8(line.get(..digits).unwrap_or_default()), frame) else {
        return Err(Skipped::new("envelope", "does not start with a receive clock like the lines before"));
    };
    Ok((field::decimal_time("receive clock", clock, per_second)?, frame))
}

/// The rule for a line of cryptofeed's first format that is no received frame.
fn note(line: &[u8]) -> Option<&'static str> {
    if line.starts_with(b"configuration: ") {
        return Some("config");
    }
    match line.split(|byte| *byte == b' ').nth(1) {
        Some(b"<->") => Some("connect"),
        Some(b"<-") => Some("send"),
        Some(b"->") => Some("rest"),
        Some(_) | None => None,
    }
}

fn cryptofeed_two(line: &[u8]) -> Result<Content<'_>, Skipped> {
    let line: CryptofeedTwo<'_> = serde_json::from_slice(line)?;
    match &*line.t {
        "recv" => {}
        "send" => return Ok(Content::Other("send")),
        "connect" => return Ok(Content::Other("connect")),
        "http" => return Ok(Content::Other("rest")),
        "header" => return Ok(Content::Other("config")),
        _other => return Ok(Content::Other("unknown")),
    }
    let (Some(ts), Some(data)) = (line.ts, line.data) else {
        return Err(Skipped::new("envelope", "a received frame without ts or data"));
    };
    let at = field::decimal_time("ts", ts.get(), 1)?;
    let frame: String = serde_json::from_str(data.get())?;
    Ok(Content::Frame(Some(at), frame.into_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: i64) -> Content<'static> {
        Content::Frame(Some(UnixMicros(at)), br#"{"a":"b c: d"}"#.into())
    }

    #[test]
    fn each_envelope_is_known_by_its_line_and_comes_off() {
        for (line, envelope, content) in [
            (r#"{"a":"b c: d"}"#, Envelope::Bare, Content::Frame(None, br#"{"a":"b c: d"}"#.into())),
            (r#"1600000000000001999 {"a":"b c: d"}"#, Envelope::Stamped, frame(1_600_000_000_000_001)),
            (r#"1600000000.25: {"a":"b c: d"}"#, Envelope::CryptofeedOne, frame(1_600_000_000_250_000)),
            ("wss://h/stream?a@b <-> 1600000000.25", Envelope::CryptofeedOne, Content::Other("connect")),
            (r#"wss://h <- 1600000000.25: {"x":1}"#, Envelope::CryptofeedOne, Content::Other("send")),
            ("https://h/x -> 1600000000.25: []", Envelope::CryptofeedOne, Content::Other("rest")),
            ("configuration: {}", Envelope::CryptofeedOne, Content::Other("config")),
            (r#"{"t":"header","format":2}"#, Envelope::CryptofeedTwo, Content::Other("config")),
            (r#"{"t":"send","ts":1.5,"data":"{}"}"#, Envelope::CryptofeedTwo, Content::Other("send")),
            (
                r#"{"t":"recv","conn":"c","ts":1600000000.5,"data":"{\"a\":\"b c: d\"}"}"#,
                Envelope::CryptofeedTwo,
                frame(1_600_000_000_500_000),
            ),
        ] {
            assert_eq!(Envelope::detect(line.as_bytes()), Some(envelope), "{line}");
            assert_eq!(envelope.open(line.as_bytes()).unwrap(), content, "{line}");
        }
    }

    #[test]
    fn lines_without_an_envelope_are_errors_of_their_kind() {
        for line in ["", "abc", "12", "12.5", "\u{e9} <> x"] {
            assert_eq!(Envelope::detect(line.as_bytes()), None, "{line:?}");
        }
        for (envelope, line, kind) in [
            (Envelope::Stamped, "12", "envelope"),
            (Envelope::Stamped, "{}", "envelope"),
            (Envelope::Stamped, "12 {}", "time"),
            (Envelope::CryptofeedOne, "1600000000 {}", "envelope"),
            (Envelope::CryptofeedOne, "1.2.3: {}", "time"),
            (Envelope::CryptofeedTwo, "{}", "shape"),
            (Envelope::CryptofeedTwo, r#"{"t":"recv","ts":1600000000}"#, "envelope"),
            (Envelope::CryptofeedTwo, r#"{"t":"recv","ts":1600000000,"data":{}}"#, "shape"),
        ] {
            assert_eq!(envelope.open(line.as_bytes()).unwrap_err().kind, kind, "{line}");
        }
    }
}
