//! The raw frames of a venue's recording.

use std::{path::Path, sync::Arc};

use super::{
    envelope::{Content, Envelope},
    input::{self, Lines, Next},
};
use crate::market::UnixMicros;

/// A frame, and its receive time if the recording has one.
pub type RawFrame = (Option<UnixMicros>, Vec<u8>);

/// Reads frame after frame.
pub struct Frames {
    name: String,
    lines: Lines,
    envelope: Option<Envelope>,
}

impl Frames {
    /// Opens a recording of a venue's frames. Blocks on the file, as reading does.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let bytes = input::open(path, Arc::default()).map_err(|error| format!("{name}: {error}"))?;
        let lines = Lines::new(bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, lines, envelope: None })
    }

    /// Whether the file breaks off. Known after the last frame.
    #[must_use]
    pub fn broke_off(&self) -> bool {
        self.lines.broke_off()
    }

    /// The next frame. Lines that are not received frames are ignored.
    ///
    /// # Errors
    /// Names the line that cannot be read.
    pub fn advance(&mut self) -> Result<Option<RawFrame>, String> {
        loop {
            let next = self.lines.advance();
            let place = |why: &dyn std::fmt::Display| format!("{}:{}: {why}", self.name, self.lines.number());
            match next.map_err(|why| place(&why))? {
                Next::End => return Ok(None),
                Next::Oversize => return Err(place(&"the line is too long")),
                Next::Line => {}
            }
            let line = self.lines.line();
            if line.is_empty() {
                continue;
            }
            let known = self.envelope.or_else(|| Envelope::detect(line));
            let Some(envelope) = known else {
                return Err(place(&"neither a frame nor a line of a known recorder"));
            };
            let content = envelope.open(line).map_err(|skipped| place(&skipped.why))?;
            self.envelope = known;
            if let Content::Frame(at, frame) = content {
                return Ok(Some((at, frame.into_owned())));
            }
        }
    }
}
