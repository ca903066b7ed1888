//! Messages on their way into frames.

use crate::dialect::{Encoding, Packing};

/// Written messages, joined as a frame of the dialect takes them.
#[derive(Debug)]
pub struct Messages {
    encoding: Encoding,
    packing: Packing,
    bytes: Vec<u8>,
    count: u32,
    /// Where each ends, when each is a frame of its own.
    ends: Vec<usize>,
}

impl Messages {
    /// None yet.
    #[must_use]
    pub const fn new(encoding: Encoding, packing: Packing) -> Self {
        Self { encoding, packing, bytes: Vec::new(), count: 0, ends: Vec::new() }
    }

    /// How they are written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds what `write` appends as one message.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.packing == Packing::Array && self.encoding == Encoding::Json && self.count > 0 {
            self.bytes.push(b',');
        }
        write(&mut self.bytes);
        self.count += 1;
        if self.packing == Packing::One {
            self.ends.push(self.bytes.len());
        }
    }

    /// Adds one message.
    pub fn push(&mut self, message: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(message));
    }

    /// Adds others behind these.
    pub fn append(&mut self, others: &Self) {
        others.each(|count, bytes| {
            self.push(bytes);
            self.count += count - 1;
        });
    }

    /// Hands out what belongs into one frame together, and how many messages that is.
    pub fn each(&self, mut part: impl FnMut(u32, &[u8])) {
        match self.packing {
            Packing::Array if self.count > 0 => part(self.count, &self.bytes),
            Packing::Array => {}
            Packing::One => {
                let mut from = 0;
                for &end in &self.ends {
                    part(1, &self.bytes[from..end]);
                    from = end;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(messages: &Messages) -> Vec<(u32, Vec<u8>)> {
        let mut parts = Vec::new();
        messages.each(|count, bytes| parts.push((count, bytes.to_vec())));
        parts
    }

    #[test]
    fn messages_are_joined_or_apart_as_the_dialect_packs_them() {
        for (packing, expected) in [
            (Packing::Array, vec![(3, b"1,2,3".to_vec())]),
            (Packing::One, vec![(1, b"1".to_vec()), (1, b"2".to_vec()), (1, b"3".to_vec())]),
        ] {
            let mut messages = Messages::new(Encoding::Json, packing);
            assert!(parts(&messages).is_empty());
            messages.push(b"1");
            let mut others = Messages::new(Encoding::Json, packing);
            others.push(b"2");
            others.push(b"3");
            messages.append(&others);
            assert_eq!((messages.len(), parts(&messages)), (3, expected));
        }
    }
}
