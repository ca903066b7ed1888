//! What a dialect promises of any bytes.

use tickcast::{
    dialect::{Message, Venue},
    market::UnixMicros,
};

/// Longest text of an error, in bytes: its words and what frames them.
const LONGEST_ERROR: usize = 2_000;

/// Reads the bytes as one frame of the venue and checks what came of it.
///
/// # Panics
/// When a promise is broken: that is the finding.
pub fn kept(venue: Venue, frame: &[u8]) {
    let mut said = vec![Message::Shutdown];
    match venue.parse(frame, UnixMicros(1), &mut said) {
        Ok(()) => assert!((2..=frame.len() + 1).contains(&said.len()), "as many messages as the frame can hold"),
        Err(error) => {
            assert_eq!(said, [Message::Shutdown], "an error leaves nothing behind");
            assert!(error.to_string().len() <= LONGEST_ERROR, "an error quotes no more than it needs");
        }
    }
}
