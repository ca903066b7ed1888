//! What goes around messages: the array, if the dialect packs them so, and a server's WebSocket frames (RFC 6455, section 5.2: unmasked, unfragmented)
//! or blocks of an event stream.

use super::Framing;
use crate::dialect::{Encoding, Packing};

/// Room kept before the first message for the frame header (10 bytes at most) and the array header (5 at most).
const HEADROOM: usize = 16;

/// What a block of an event stream starts with, before the array.
const DATA: &[u8] = b"data: ";

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// What stands between two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// In front of the first one, too, where the array begins in the end: no message asks whether it is the first.
    Comma,
    Nothing,
    /// Each is a frame of its own.
    Frames,
}

/// One data frame under construction at the end of a buffer: an array of messages, its length known last.
#[derive(Debug)]
pub(super) struct DataFrame<'a> {
    out: &'a mut Vec<u8>,
    framing: Framing,
    between: Between,
    messages: u32,
}

impl<'a> DataFrame<'a> {
    /// Starts a frame; `out` must be empty, since the frame will not begin at its front.
    pub(super) fn begin(out: &'a mut Vec<u8>, framing: Framing) -> Self {
        debug_assert!(out.is_empty(), "a frame begins behind unused headroom");
        out.resize(HEADROOM, 0);
        let between = match (framing, framing.protocol().packing()) {
            (Framing::WebSocket(_), Packing::One) => Between::Frames,
            (Framing::WebSocket(protocol), Packing::Array) if protocol.encoding() == Encoding::MsgPack => {
                Between::Nothing
            }
            _ => Between::Comma,
        };
        Self { out, framing, between, messages: 0 }
    }

    /// Appends one message, or several that are joined already.
    #[inline]
    pub(super) fn push(&mut self, count: u32, messages: &[u8]) {
        match self.between {
            Between::Comma => self.out.push(b','),
            Between::Nothing => {}
            Between::Frames => self.begin_message(messages.len()),
        }
        self.out.extend_from_slice(messages);
        self.messages += count;
    }

    /// The header of a message that is a frame of its own.
    #[cold]
    fn begin_message(&mut self, len: usize) {
        let mut header = [0; 10];
        let len = frame_header(opcode(self.framing.encoding()), len, &mut header);
        self.out.extend_from_slice(&header[..len]);
    }

    /// How many frames it is.
    pub(super) fn frames(&self) -> u32 {
        if self.between == Between::Frames { self.messages } else { self.messages.min(1) }
    }

    /// Bytes of messages so far.
    pub(super) fn len(&self) -> usize {
        self.out.len() - HEADROOM
    }

    /// Writes the headers. Returns where in the buffer the frame begins, if there was any message; without one nothing is
    /// left of it. A block of an event stream still needs its [end](end_block).
    pub(super) fn finish(self) -> Option<usize> {
        if self.messages == 0 {
            self.out.clear();
            return None;
        }
        let encoding = match self.framing {
            Framing::WebSocket(_) if self.between == Between::Frames => return Some(HEADROOM),
            Framing::WebSocket(protocol) => protocol.encoding(),
            Framing::Sse => {
                self.out.extend_from_slice(b"]\n");
                self.out[HEADROOM] = b'[';
                self.out[HEADROOM - DATA.len()..HEADROOM].copy_from_slice(DATA);
                return Some(HEADROOM - DATA.len());
            }
            Framing::Poll => return Some(HEADROOM + 1),
        };
        let mut array = [0; 5];
        let array = match encoding {
            Encoding::Json => {
                self.out[HEADROOM] = b'[';
                self.out.push(b']');
                &[]
            }
            Encoding::MsgPack => {
                let len = array_header(self.messages, &mut array);
                &array[..len]
            }
        };
        let body = self.out.len() - HEADROOM;
        let mut header = [0_u8; HEADROOM];
        let frame = frame_header(opcode(encoding), body + array.len(), &mut header);
        header[frame..frame + array.len()].copy_from_slice(array);
        let used = frame + array.len();
        let from = HEADROOM - used;
        self.out[from..HEADROOM].copy_from_slice(&header[..used]);
        Some(from)
    }
}

/// Messages in JSON are texts.
const fn opcode(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Json => TEXT,
        Encoding::MsgPack => BINARY,
    }
}

/// MessagePack array header of the shortest form; returns its length.
fn array_header(count: u32, out: &mut [u8]) -> usize {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count), _) if count < 16 => {
            out[0] = 0x90 | count;
            1
        }
        (_, Ok(count)) => {
            out[0] = 0xDC;
            out[1..3].copy_from_slice(&count.to_be_bytes());
            3
        }
        _ => {
            out[0] = 0xDD;
            out[1..5].copy_from_slice(&count.to_be_bytes());
            5
        }
    }
}

/// Frame header of the shortest form; returns its length.
fn frame_header(opcode: u8, len: usize, out: &mut [u8]) -> usize {
    out[0] = FIN | opcode;
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if len < 126 => {
            out[1] = len;
            2
        }
        (_, Ok(len)) => {
            out[1] = 126;
            out[2..4].copy_from_slice(&len.to_be_bytes());
            4
        }
        _ => {
            out[1] = 127;
            out[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    }
}

fn control(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    debug_assert!(payload.len() <= 125, "control frames are short");
    let mut header = [0; 2];
    let len = frame_header(opcode, payload.len().min(125), &mut header);
    out.extend_from_slice(&header[..len]);
    out.extend_from_slice(&payload[..payload.len().min(125)]);
}

/// A whole text or binary message as it is.
#[cfg(feature = "test-endpoints")]
pub(super) fn message(out: &mut Vec<u8>, text: bool, payload: &[u8]) {
    let mut header = [0; 10];
    let len = frame_header(if text { TEXT } else { BINARY }, payload.len(), &mut header);
    out.extend_from_slice(&header[..len]);
    out.extend_from_slice(payload);
}

/// The rest of a block, with the position that the client has behind it.
pub(super) fn end_block(out: &mut Vec<u8>, position: Option<&str>) {
    if let Some(position) = position {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(position.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// A comment in an event stream.
pub(super) fn comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b":\n\n");
}

/// When a client opens an event stream again, in milliseconds from its end.
pub(super) fn retry(out: &mut Vec<u8>, ms: u64) {
    out.extend_from_slice(format!("retry: {ms}\n\n").as_bytes());
}

/// A ping frame.
pub(super) fn ping(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, PING, payload);
}

/// A pong frame.
pub(super) fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, PONG, payload);
}

/// A close frame; without a code when there is none.
pub(super) fn close(out: &mut Vec<u8>, code: Option<u16>, text: &str) {
    let mut payload = Vec::with_capacity(2 + text.len());
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(text.as_bytes());
    }
    control(out, CLOSE, &payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(encoding: Encoding, messages: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut frame = DataFrame::begin(&mut out, Framing::WebSocket(encoding.into()));
        for message in messages {
            frame.push(1, message);
        }
        let start = frame.finish();
        out[start.unwrap_or(0)..].to_vec()
    }

    #[test]
    fn json_frames_of_every_header_length() {
        assert_eq!(frame(Encoding::Json, &[b"{}", b"{}"]), b"\x81\x07[{},{}]");
        for len in [123_usize, 124, 65_533, 65_534, 100_000] {
            let message = vec![b'1'; len];
            let bytes = frame(Encoding::Json, &[&message]);
            let header = bytes.iter().position(|b| *b == b'[').unwrap();
            let expected = if len + 2 < 126 {
                2
            } else if len + 2 < 65_536 {
                4
            } else {
                10
            };
            assert_eq!((header, bytes.len()), (expected, expected + len + 2), "{len}");
        }
    }

    #[test]
    fn message_pack_arrays_of_every_header_length() {
        for count in [1_usize, 15, 16, 70_000] {
            let nil: &[u8] = &[0xC0];
            let bytes = frame(Encoding::MsgPack, &vec![nil; count]);
            let header = match bytes[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            let values: Vec<()> = rmp_serde::from_slice(&bytes[header..]).unwrap();
            assert_eq!(values.len(), count);
        }
    }

    #[test]
    fn nothing_is_left_of_an_empty_frame() {
        assert!(frame(Encoding::Json, &[]).is_empty());
    }

    #[test]
    fn blocks_of_an_event_stream_and_bare_messages() {
        let mut out = Vec::new();
        let mut frame = DataFrame::begin(&mut out, Framing::Sse);
        frame.push(1, b"{}");
        frame.push(2, b"{},{}");
        let start = frame.finish().unwrap();
        end_block(&mut out, Some("AQ"));
        comment(&mut out);
        retry(&mut out, 1_500);
        assert_eq!(&out[start..], b"data: [{},{},{}]\nid: AQ\n\n:\n\nretry: 1500\n\n");
        let mut out = Vec::new();
        let mut frame = DataFrame::begin(&mut out, Framing::Poll);
        frame.push(1, b"{}");
        frame.push(1, b"{}");
        let start = frame.finish().unwrap();
        assert_eq!(&out[start..], b"{},{}");
    }

    #[test]
    fn control_frames() {
        let mut out = Vec::new();
        ping(&mut out, b"x");
        pong(&mut out, b"");
        close(&mut out, Some(4201), "bye");
        close(&mut out, None, "");
        assert_eq!(&out[..], b"\x89\x01x\x8a\x00\x88\x05\x10\x69bye\x88\x00");
    }
}
