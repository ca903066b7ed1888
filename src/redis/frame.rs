//! Where an answer of Redis ends, before it is parsed.
//!
//! The library parses; this looks at lengths only, so that no answer is kept that is longer than it may be. RESP2 is what
//! a connection speaks that has not asked for more.

use super::LinkError;
use crate::limits::{REDIS_ANSWER_BYTES, REDIS_ANSWER_VALUES, REDIS_LINE_BYTES};

/// Finds the end of one answer in a buffer that grows.
#[derive(Debug)]
pub(super) struct Frame {
    /// How far the answer has been looked at.
    at: usize,
    /// Values that still have to come.
    due: usize,
    /// Values so far.
    seen: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Self { at: 0, due: 1, seen: 0 }
    }
}

impl Frame {
    /// The length of the answer that `buffer` begins with, once it is there whole. The buffer may only grow until then.
    ///
    /// # Errors
    /// What is not RESP2, or too long.
    pub(super) fn whole(&mut self, buffer: &[u8]) -> Result<Option<usize>, LinkError> {
        while self.due > 0 {
            let rest = &buffer[self.at.min(buffer.len())..];
            let Some(end) = rest.iter().take(REDIS_LINE_BYTES + 2).position(|byte| *byte == b'\n') else {
                if rest.len() > REDIS_LINE_BYTES {
                    return Err(long("a line", REDIS_LINE_BYTES, "bytes"));
                }
                return Ok(None);
            };
            let line = rest[..end]
                .strip_suffix(b"\r")
                .ok_or_else(|| wrong("a line that does not end with CR LF"))?;
            let (kind, text) = line.split_first().ok_or_else(|| wrong("an empty line"))?;
            let mut length = end + 1;
            let mut nested = 0;
            match kind {
                b'+' | b'-' | b':' => {}
                b'$' => {
                    if let Some(bytes) = count(text, REDIS_ANSWER_BYTES, "bytes")? {
                        length += bytes + 2;
                    }
                }
                b'*' => nested = count(text, REDIS_ANSWER_VALUES, "values")?.unwrap_or(0),
                other => return Err(wrong(&format!("a value of type {:?}", char::from(*other)))),
            }
            if self.at + length > REDIS_ANSWER_BYTES {
                return Err(long("an answer", REDIS_ANSWER_BYTES, "bytes"));
            }
            if rest.len() < length {
                return Ok(None);
            }
            self.seen += nested;
            if self.seen > REDIS_ANSWER_VALUES {
                return Err(long("an answer", REDIS_ANSWER_VALUES, "values"));
            }
            self.at += length;
            self.due = self.due - 1 + nested;
        }
        let Self { at, .. } = std::mem::take(self);
        Ok(Some(at))
    }
}

/// A length; `None` for the -1 of what is not there.
fn count(text: &[u8], most: usize, of: &str) -> Result<Option<usize>, LinkError> {
    if text == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
    match number {
        Some(number) if number <= most => Ok(Some(number)),
        Some(_) => Err(long("an answer", most, of)),
        None => Err(wrong("a length that is no number")),
    }
}

fn long(what: &str, most: usize, of: &str) -> LinkError {
    LinkError::Oversize(format!("{what} of more than {most} {of}"))
}

fn wrong(what: &str) -> LinkError {
    LinkError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_ends_however_it_comes() {
        let answers: [&[u8]; 8] = [
            b"+OK\r\n",
            b":-12\r\n",
            b"-ERR no\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$5\r\na\r\nb\n\r\n",
            b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*0\r\n",
            b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n",
        ];
        for answer in answers {
            let buffer = [answer, b"+NEXT\r\n"].concat();
            assert_eq!(Frame::default().whole(&buffer), Ok(Some(answer.len())));
            let mut frame = Frame::default();
            for length in 0..answer.len() {
                assert_eq!(frame.whole(&answer[..length]), Ok(None), "{answer:?} at {length}");
            }
            assert_eq!(frame.whole(answer), Ok(Some(answer.len())));
            assert_eq!(frame.whole(b"+OK\r\n"), Ok(Some(5)), "and it is ready for the next");
            assert!(::redis::parse_redis_value(answer).is_ok());
        }
    }

    proptest::proptest! {
        /// What a stranger may send in the name of Redis.
        #[test]
        fn no_bytes_make_it_panic_and_what_it_takes_for_an_answer_the_library_can_read(
            bytes in proptest::collection::vec(proptest::sample::select(b"+-:$*1029\r\n_ab".to_vec()), 0..60),
        ) {
            if let Ok(Some(length)) = Frame::default().whole(&bytes) {
                proptest::prop_assert!(length <= bytes.len());
                let _read_or_refused = ::redis::parse_redis_value(&bytes[..length]);
            }
        }
    }

    #[test]
    fn what_is_too_long_or_not_resp_is_refused_before_it_is_kept() {
        let long = [b"+".as_slice(), &vec![b'x'; REDIS_LINE_BYTES + 1]].concat();
        let many = [b"*2\r\n".as_slice(), format!("*{REDIS_ANSWER_VALUES}\r\n").as_bytes()].concat();
        let half = REDIS_ANSWER_BYTES / 2;
        let mut sum = format!("*3\r\n${half}\r\n").into_bytes();
        sum.extend(vec![b'x'; half]);
        sum.extend(format!("\r\n${half}\r\n").as_bytes());
        let bad: [&[u8]; 9] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"%1\r\n",
            b"\r\n",
            b"+OK\n",
            b"$x\r\n",
            b"$99999999999\r\n",
            &long,
            &many,
            &sum,
        ];
        for buffer in bad {
            let start = String::from_utf8_lossy(&buffer[..buffer.len().min(30)]);
            assert!(Frame::default().whole(buffer).is_err(), "{start}");
        }
    }
}
