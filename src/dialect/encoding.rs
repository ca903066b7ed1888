//! The two encodings of the protocol.

use serde::Serialize;

/// How messages are written. Both are generated from the same types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON in text frames.
    Json,
    /// MessagePack in binary frames.
    MsgPack,
}

impl Encoding {
    /// How many encodings there are.
    pub const COUNT: usize = 2;

    /// Every encoding, in the order of [`Encoding::index`].
    pub const ALL: [Self; Self::COUNT] = [Self::Json, Self::MsgPack];

    /// Position in tables that have one entry for each encoding.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
        }
    }

    /// One message of this encoding, without the array around it.
    #[must_use]
    pub fn encode(self, message: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        self.encode_into(message, &mut bytes);
        bytes
    }

    /// Appends one message of this encoding, without the array around it.
    pub fn encode_into(self, message: &impl Serialize, bytes: &mut Vec<u8>) {
        // Writing to memory cannot fail, and the message types have string keys and no failing parts.
        match self {
            Self::Json => serde_json::to_writer(bytes, message).expect("message types always serialize"),
            Self::MsgPack => {
                rmp_serde::encode::write_named(bytes, message).expect("message types always serialize");
            }
        }
    }
}
