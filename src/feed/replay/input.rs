//! Files as decompressed bytes and as lines of bounded length.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use crate::limits::MAX_RECORDED_FRAME;

/// Bytes that are read at once, from the file and from the decompressor.
const BUFFER: usize = 64 * 1024;

/// The decompressed bytes of one file.
pub(super) type Bytes = BufReader<Box<dyn Read + Send>>;

/// Opens a file; what its name ends in says how it is compressed: `.gz`, `.zst`, else not at all. The bytes taken from
/// the file as it lies there are added to `taken`.
pub(super) fn open(path: &Path, taken: Arc<AtomicU64>) -> io::Result<Bytes> {
    let file = Counted { file: File::open(path)?, taken };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let plain: Box<dyn Read + Send> = match ending {
        "gz" => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file))),
        "zst" => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    Ok(BufReader::with_capacity(BUFFER, plain))
}

struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        Ok(count)
    }
}

/// What came next in a file of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end.
    Line,
    /// A line longer than [`MAX_RECORDED_FRAME`], read over without being kept.
    Oversize,
    /// No more lines.
    End,
}

/// Lines of a file, in one buffer that is used again.
pub(super) struct Lines {
    bytes: Bytes,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes, line: Vec::new(), number: 0 }
    }

    /// Goes to the next line.
    pub(super) fn advance(&mut self) -> io::Result<Next> {
        self.line.clear();
        self.number += 1;
        let limit = u64::try_from(MAX_RECORDED_FRAME + 1).unwrap_or(u64::MAX);
        if (&mut self.bytes).take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(Next::End);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > MAX_RECORDED_FRAME {
            self.line = Vec::new();
            self.bytes.skip_until(b'\n')?;
            return Ok(Next::Oversize);
        }
        Ok(Next::Line)
    }

    /// The present line.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its number, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}
