//! The start of a foreign text: the byte order mark that some programs write before UTF-8 is skipped; another encoding is
//! refused.

/// The text begins as UTF-16 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is UTF-16, and only UTF-8 can be read: save or convert it as UTF-8")]
pub struct Utf16;

impl From<Utf16> for std::io::Error {
    fn from(why: Utf16) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, why)
    }
}

/// The text without the byte order mark of UTF-8 at its start. Looks at the first three bytes only.
///
/// # Errors
/// When the text begins with a byte order mark of UTF-16, or as ASCII does in it: with a NUL as one of two bytes.
pub const fn without_mark(text: &[u8]) -> Result<&[u8], Utf16> {
    match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] | [1..=0x7f, 0, ..] => Err(Utf16),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_means_nothing_and_another_encoding_is_told() {
        for (text, rest) in [
            (&b"\xef\xbb\xbf{}"[..], &b"{}"[..]),
            (b"\xef\xbb\xbf", b""),
            (b"{}", b"{}"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"", b""),
        ] {
            assert_eq!(without_mark(text), Ok(rest), "{text:?}");
        }
        let utf16 = |text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
            [mark, &text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat()
        };
        for text in ["{}", "币", "key = 1"] {
            assert_eq!(without_mark(&utf16(text, b"\xff\xfe", u16::to_le_bytes)), Err(Utf16), "{text}");
            assert_eq!(without_mark(&utf16(text, b"\xfe\xff", u16::to_be_bytes)), Err(Utf16), "{text}");
        }
        assert_eq!(without_mark(&utf16("{}", b"", u16::to_le_bytes)), Err(Utf16));
        assert_eq!(without_mark(&utf16("{}", b"", u16::to_be_bytes)), Err(Utf16));
    }
}
