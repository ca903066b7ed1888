//! From bytes of a client to whole messages, strictly by RFC 6455. No I/O: both drivers feed it.
//!
//! Parsing and unmasking of a frame are actix-http's. What it leaves open is decided here: a frame is judged by its
//! header, before its payload is waited for; messages are put together from fragments under one limit; texts and
//! close frames are checked.

use actix_http::ws::{OpCode, Parser};
use bytes::{Bytes, BytesMut};

use crate::{
    limits::MAX_FRAGMENTS,
    session::{CloseReason, Excess, Text, Violation},
};

/// Longest payload of a ping, pong or close frame (RFC 6455, section 5.5).
const MAX_CONTROL: u64 = 125;

/// A whole message or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// With the code to echo; `None` when the client gave none.
    Close(Option<u16>),
}

/// Puts messages together.
#[derive(Debug)]
pub(crate) struct Inbound {
    most: usize,
    buffer: BytesMut,
    /// The message whose first fragment came.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    text: bool,
    fragments: usize,
    bytes: BytesMut,
}

impl Inbound {
    /// Messages may have up to `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, buffer: BytesMut::new(), open: None }
    }

    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// The reason to close the connection with; nothing that follows can be understood.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, CloseReason> {
        loop {
            let held = self.open.as_ref().map_or(0, |open| open.bytes.len());
            judge_header(&self.buffer, self.most - held)?;
            // What the parser could refuse was judged already.
            let frame = Parser::parse(&mut self.buffer, true, self.most)
                .map_err(|_bad| CloseReason::Protocol(Violation::Opcode))?;
            let Some((fin, opcode, payload)) = frame else {
                if self.buffer.is_empty() {
                    // An idle session keeps no buffer.
                    self.buffer = BytesMut::new();
                }
                return Ok(None);
            };
            let payload = payload.unwrap_or_default();
            match opcode {
                OpCode::Ping => return Ok(Some(Message::Ping(payload.freeze()))),
                OpCode::Pong => return Ok(Some(Message::Pong)),
                OpCode::Close => return close(&payload).map(Some),
                OpCode::Text | OpCode::Binary => {
                    if self.open.is_some() {
                        return Err(CloseReason::Protocol(Violation::Interleaved));
                    }
                    let text = opcode == OpCode::Text;
                    if fin {
                        return whole(text, payload).map(Some);
                    }
                    self.open = Some(Open { text, fragments: 1, bytes: payload });
                }
                OpCode::Continue => {
                    let Some(open) = &mut self.open else {
                        return Err(CloseReason::Protocol(Violation::Continuation));
                    };
                    open.fragments += 1;
                    if open.fragments > MAX_FRAGMENTS {
                        return Err(CloseReason::TooLarge(Excess::Fragments));
                    }
                    open.bytes.extend_from_slice(&payload);
                    if fin && let Some(open) = self.open.take() {
                        return whole(open.text, open.bytes).map(Some);
                    }
                }
                OpCode::Bad => return Err(CloseReason::Protocol(Violation::Opcode)),
            }
        }
    }
}

fn whole(text: bool, bytes: BytesMut) -> Result<Message, CloseReason> {
    if !text {
        return Ok(Message::Binary(bytes.freeze()));
    }
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(Message::Text(bytes.freeze())),
        Err(_) => Err(CloseReason::NotUtf8(Text::Message)),
    }
}

fn close(payload: &[u8]) -> Result<Message, CloseReason> {
    if payload.len() > 2 && std::str::from_utf8(&payload[2..]).is_err() {
        return Err(CloseReason::NotUtf8(Text::Reason));
    }
    if payload.len() == 1 {
        return Err(CloseReason::Protocol(Violation::CloseLength));
    }
    match Parser::try_parse_close_payload(payload) {
        Ok(reason) => Ok(Message::Close(reason.map(|reason| reason.code.into()))),
        Err(_) => Err(CloseReason::Protocol(Violation::CloseCode)),
    }
}

/// Judges a frame as soon as its header is there, so that no payload is awaited that is refused anyway.
/// `room` is how many bytes its message may still have.
fn judge_header(buffer: &[u8], room: usize) -> Result<(), CloseReason> {
    let [first, second, rest @ ..] = buffer else { return Ok(()) };
    let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    let masked = second & 0x80 != 0;
    let len = match (second & 0x7F, rest) {
        (126, [a, b, ..]) => u64::from(u16::from_be_bytes([*a, *b])),
        (127, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (126 | 127, _) => 0,
        (len, _) => u64::from(len),
    };
    let is_control = opcode & 0x8 != 0;
    let known = matches!(opcode, 0x0..=0x2 | 0x8..=0xA);
    let violation = if reserved != 0 {
        Some(Violation::ReservedBits)
    } else if !known {
        Some(Violation::Opcode)
    } else if !masked {
        Some(Violation::Unmasked)
    } else if is_control && !fin {
        Some(Violation::FragmentedControl)
    } else if is_control && (len > MAX_CONTROL || second & 0x7F > 125) {
        // A short form is known from the second byte on, so a long control frame is seen before its length is.
        Some(Violation::LongControl)
    } else if len > i64::MAX.unsigned_abs() {
        Some(Violation::Length)
    } else {
        None
    };
    if let Some(violation) = violation {
        return Err(CloseReason::Protocol(violation));
    }
    if !is_control && len > room as u64 {
        return Err(CloseReason::TooLarge(Excess::Bytes));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
            len @ 126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                bytes.push(0x80 | 127);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        bytes.extend(payload.iter().enumerate().map(|(i, b)| b ^ MASK[i % 4]));
        bytes
    }

    fn all(bytes: &[u8], most: usize) -> (Vec<Message>, Option<CloseReason>) {
        let mut inbound = Inbound::new(most);
        inbound.push(bytes);
        let mut messages = Vec::new();
        loop {
            match inbound.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, None),
                Err(why) => return (messages, Some(why)),
            }
        }
    }

    #[test]
    fn fragments_with_a_ping_between_them() {
        let bytes = [frame(0x01, b"he"), frame(0x89, b"x"), frame(0x00, b"l"), frame(0x80, b"lo")].concat();
        let expected = vec![Message::Ping("x".into()), Message::Text("hello".into())];
        assert_eq!(all(&bytes, 100), (expected, None));
    }

    #[test]
    fn violations_close_with_the_right_code() {
        let protocol = [
            (vec![0x81, 0x01, b'x'], Violation::Unmasked),
            (frame(0xC1, b"x"), Violation::ReservedBits),
            (frame(0xA1, b"x"), Violation::ReservedBits),
            (frame(0x91, b"x"), Violation::ReservedBits),
            (frame(0x83, b""), Violation::Opcode),
            (frame(0x87, b""), Violation::Opcode),
            (frame(0x8B, b""), Violation::Opcode),
            (frame(0x8F, b""), Violation::Opcode),
            (frame(0x09, b""), Violation::FragmentedControl),
            (frame(0x08, b""), Violation::FragmentedControl),
            (frame(0x89, &[0; 126]), Violation::LongControl),
            (vec![0x89, 0xFE], Violation::LongControl),
            (frame(0x80, b"x"), Violation::Continuation),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), Violation::Interleaved),
            (vec![0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::Length),
            (frame(0x88, &[3]), Violation::CloseLength),
        ];
        for (bytes, violation) in protocol {
            assert_eq!(all(&bytes, 1_000_000).1, Some(CloseReason::Protocol(violation)), "{bytes:02x?}");
        }
        let never = Some(CloseReason::Protocol(Violation::CloseCode));
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535] {
            assert_eq!(all(&frame(0x88, &code.to_be_bytes()), 100).1, never, "{code}");
        }
        for code in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4999] {
            let (messages, why) = all(&frame(0x88, &code.to_be_bytes()), 100);
            assert_eq!((messages, why), (vec![Message::Close(Some(code))], None));
        }
        assert_eq!(all(&frame(0x88, b""), 100).0, [Message::Close(None)]);
        assert_eq!(all(&frame(0x88, b"\x03\xe8\xff"), 100).1, Some(CloseReason::NotUtf8(Text::Reason)));
        assert_eq!(all(&frame(0x81, b"\xff"), 100).1, Some(CloseReason::NotUtf8(Text::Message)));
        let cut = [frame(0x01, b"\xc3"), frame(0x80, b"")].concat();
        assert_eq!(all(&cut, 100).1, Some(CloseReason::NotUtf8(Text::Message)));
        let across = [frame(0x01, b"\xc3"), frame(0x80, b"\xa4")].concat();
        assert_eq!(all(&across, 100).0, [Message::Text("ä".into())]);
    }

    #[test]
    fn too_large_is_known_from_the_header_and_over_fragments() {
        assert_eq!(all(&[0x82, 0xFE, 0x01, 0x00], 255).1, Some(CloseReason::TooLarge(Excess::Bytes)));
        let pieces = [frame(0x02, &[0; 60]), frame(0x00, &[0; 60])].concat();
        assert_eq!(all(&pieces, 100).1, Some(CloseReason::TooLarge(Excess::Bytes)));
        let mut many = frame(0x02, b"");
        (0..MAX_FRAGMENTS).for_each(|_| many.extend(frame(0x00, b"")));
        assert_eq!(all(&many, 100).1, Some(CloseReason::TooLarge(Excess::Fragments)));
        assert_eq!(all(&frame(0x82, &[7; 100]), 100).0.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_and_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "[a-z]{0,200}",
            cut in 1_usize..20,
        ) {
            let mut stream = frame(0x81, text.as_bytes());
            stream.extend(bytes);
            let whole = all(&stream, 1_000);
            let mut inbound = Inbound::new(1_000);
            let mut pieces = (Vec::new(), None);
            'pieces: for piece in stream.chunks(cut) {
                inbound.push(piece);
                loop {
                    match inbound.next() {
                        Ok(Some(message)) => pieces.0.push(message),
                        Ok(None) => break,
                        Err(why) => {
                            pieces.1 = Some(why);
                            break 'pieces;
                        }
                    }
                }
            }
            prop_assert_eq!(pieces, whole);
        }
    }
}
