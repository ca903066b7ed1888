//! Where a request's head ends and where its body does, byte by byte, without understanding either.
//!
//! actix parses; this only counts along, so that the line knows which bytes belong to which request. What actix
//! refuses (a chunk without a size, a header of nonsense) ends the connection anyway, so nothing is refused here.

/// Looks for the end of a head: the first empty line. Lines end with LF, with or without a CR before it, as actix takes
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Head {
    /// Nothing came yet. Line ends before a request are passed over (RFC 9112, section 2.2) and never get here.
    #[default]
    Empty,
    /// At the start of a line.
    Start,
    /// A CR at the start of a line.
    Cr,
    /// Within a line.
    Text,
}

impl Head {
    /// Takes bytes up to the end of the head. Returns how many belong to it, and whether it is whole.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (i, byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (Self::Start | Self::Cr, b'\n') => return (i + 1, true),
                (Self::Start, b'\r') => Self::Cr,
                (Self::Text, b'\n') => Self::Start,
                _ => Self::Text,
            };
        }
        (bytes.len(), false)
    }

    /// Whether a request has begun.
    pub(super) fn has_begun(self) -> bool {
        self != Self::Empty
    }
}

/// How a request tells the end of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// All bytes up to the end of the connection are its own: an upgrade, or a tunnel.
    Stream,
}

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// That number of bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
}

/// Where in a chunked body the next byte stands (RFC 9112, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the digits of a chunk's size, which is so much until now.
    Size(u64),
    /// Behind the digits, up to the end of the line.
    Extension(u64),
    /// In the data and the line end behind it, with the bytes that are left.
    Data(u64),
    /// In the trailer, which ends like a head.
    Trailer(Head),
}

impl Body {
    /// Takes bytes up to the end of the body. Returns how many belong to it, and whether it is whole.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        match self {
            Self::Length(left) => {
                let taken = within(*left, bytes.len());
                *left -= taken as u64;
                (taken, *left == 0)
            }
            Self::Chunked(chunk) => chunk.take(bytes),
        }
    }
}

impl Chunk {
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken) {
            match self {
                Self::Data(left) => {
                    let data = within(*left, bytes.len() - taken);
                    *left -= data as u64;
                    taken += data;
                    if *left == 0 {
                        *self = Self::Size(0);
                    }
                }
                Self::Trailer(head) => {
                    let (trailer, whole) = head.take(&bytes[taken..]);
                    return (taken + trailer, whole);
                }
                Self::Size(size) | Self::Extension(size) => {
                    let size = *size;
                    taken += 1;
                    *self = match (&*self, char::from(byte).to_digit(16)) {
                        (_, _) if byte == b'\n' && size == 0 => Self::Trailer(Head::Start),
                        // The data's own line end goes with it.
                        (_, _) if byte == b'\n' => Self::Data(size.saturating_add(2)),
                        (Self::Size(_), Some(digit)) => {
                            Self::Size(size.saturating_mul(16).saturating_add(digit.into()))
                        }
                        _ => Self::Extension(size),
                    };
                }
            }
        }
        (taken, false)
    }
}

fn within(left: u64, have: usize) -> usize {
    usize::try_from(left).map_or(have, |left| left.min(have))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a text in pieces of every size; returns how many of its bytes belong to the part, if it ends.
    fn whole(text: &str, take: &mut dyn FnMut(&[u8]) -> (usize, bool), piece: usize) -> Option<usize> {
        let mut sum = 0;
        for bytes in text.as_bytes().chunks(piece) {
            let (taken, whole) = take(bytes);
            sum += taken;
            if whole {
                return Some(sum);
            }
            assert_eq!(taken, bytes.len(), "all belongs to it until it ends");
        }
        None
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line() {
        for (head, rest) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET"),
            ("GET / HTTP/1.1\nHost: a\n\n", "x"),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", "\r\n"),
            ("GET / HTTP/1.0\r\nA: \r\n\n", "\n"),
        ] {
            let text = format!("{head}{rest}");
            for piece in 1..=text.len() {
                let mut scan = Head::default();
                assert_eq!(whole(&text, &mut |bytes| scan.take(bytes), piece), Some(head.len()), "{text:?}");
            }
        }
        for half in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n\r", "\u{16}\u{3}\u{1}", "a\r\n\rb\r\n"] {
            let mut scan = Head::default();
            assert_eq!(whole(half, &mut |bytes| scan.take(bytes), 3), None, "{half:?}");
            assert_eq!(scan.has_begun(), !half.is_empty(), "{half:?}");
        }
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let chunked = Body::Chunked(Chunk::Size(0));
        for (start, body, rest) in [
            (Body::Length(5), "hello", "GET /"),
            (chunked, "5\r\nhello\r\n0\r\n\r\n", "GET /"),
            (chunked, "5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", "5"),
            (chunked, "0a \r\n0\r\n\r\n0\r\n\n\n\r\n00\r\n\r\n", "\r\n"),
            (chunked, "0\r\n\r\n", ""),
        ] {
            let text = format!("{body}{rest}");
            for piece in 1..=text.len() {
                let mut scan = start;
                assert_eq!(whole(&text, &mut |bytes| scan.take(bytes), piece), Some(body.len()), "{text:?}");
            }
            for cut in 0..body.len() {
                let mut scan = start;
                assert_eq!(whole(&body[..cut], &mut |bytes| scan.take(bytes), 2), None, "{:?}", &body[..cut]);
            }
        }
        // A size that no machine counts to: all that comes belongs to it.
        let mut scan = chunked;
        assert_eq!(scan.take(b"fffffffffffffffffff\r\nabc"), (24, false));
    }
}
