//! Whether new values come at all, as plain answers tell it: beside what they hold, and only while none come.

use crate::{dialect::Encoding, hub::Hub};

/// Adds the word as a member behind others of an object.
pub(super) fn append(hub: &Hub, body: &mut Vec<u8>) {
    if let Some(word) = hub.source_word() {
        body.extend_from_slice(b",\"source\":");
        Encoding::Json.encode_into(&*word, body);
    }
}
