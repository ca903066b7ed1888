//! Files as decompressed bytes and as lines of bounded length.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use crate::{dialect::without_mark, limits::MAX_RECORDED_FRAME};

/// Bytes that are read at once, from the file and from the decompressor.
const BUFFER: usize = 64 * 1024;

/// The decompressed bytes of one file.
pub(super) struct Bytes {
    plain: Plain,
    /// Whether the compression shows at the end that the file is whole.
    is_sealed: bool,
    broke_off: Arc<AtomicBool>,
}

type Plain = BufReader<Box<dyn Read + Send>>;

impl Bytes {
    /// Whether the file ended before its compressed stream did.
    pub(super) fn broke_off(&self) -> bool {
        self.broke_off.load(Ordering::Relaxed)
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.plain.read(buffer)
    }
}

/// Opens a file, compressed as its name's ending says: `.gz`, `.zst`, else not at all. `taken` counts the bytes read from
/// the file itself.
pub(super) fn open(path: &Path, taken: Arc<AtomicU64>) -> io::Result<Bytes> {
    let file = Counted { file: File::open(path)?, taken };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let plain: Box<dyn Read + Send> = match ending {
        "gz" => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file))),
        "zst" => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    let is_sealed = matches!(ending, "gz" | "zst");
    let broke_off = Arc::new(AtomicBool::new(false));
    let plain: Box<dyn Read + Send> = Box::new(Unpacked { plain, broke_off: Arc::clone(&broke_off) });
    Ok(Bytes { plain: BufReader::with_capacity(BUFFER, plain), is_sealed, broke_off })
}

/// A decompressor. If the file ends before its compressed stream, as after a recorder was killed, reading ends as usual and
/// the flag is set.
struct Unpacked {
    plain: Box<dyn Read + Send>,
    broke_off: Arc<AtomicBool>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.broke_off.load(Ordering::Relaxed) {
            return Ok(0);
        }
        match self.plain.read(buffer) {
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => {
                self.broke_off.store(true, Ordering::Relaxed);
                Ok(0)
            }
            read => read,
        }
    }
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

/// The next thing in a file of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end.
    Line,
    /// A line longer than [`MAX_RECORDED_FRAME`], skipped.
    Oversize,
    /// No more lines.
    End,
}

/// The lines of a file, in one reused buffer.
pub(super) struct Lines {
    bytes: Plain,
    is_sealed: bool,
    broke_off: Arc<AtomicBool>,
    line: Vec<u8>,
    number: u64,
    /// An error at the very start that was not returned yet.
    broken: Option<io::Error>,
    is_cut: bool,
}

/// Bytes at the start of a file that show its encoding.
const MARK: u64 = 3;

impl Lines {
    /// The lines of a text, without a byte order mark.
    ///
    /// # Errors
    /// When the start shows that it is not UTF-8. The first [`Lines::advance`] returns any other error.
    pub(super) fn new(mut bytes: Bytes) -> io::Result<Self> {
        let mut head = Vec::new();
        let broken = (&mut bytes).take(MARK).read_to_end(&mut head).err();
        let Bytes { plain, is_sealed, broke_off } = bytes;
        let head = Cursor::new(without_mark(&head)?.to_vec());
        let whole: Box<dyn Read + Send> = Box::new(head.chain(plain));
        let bytes = BufReader::with_capacity(BUFFER, whole);
        Ok(Self { bytes, is_sealed, broke_off, line: Vec::new(), number: 0, broken, is_cut: false })
    }

    /// Goes to the next line.
    pub(super) fn advance(&mut self) -> io::Result<Next> {
        self.line.clear();
        self.number += 1;
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let limit = u64::try_from(MAX_RECORDED_FRAME + 1).unwrap_or(u64::MAX);
        if (&mut self.bytes).take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(Next::End);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            self.is_cut = false;
        } else if self.line.len() > MAX_RECORDED_FRAME {
            self.line = Vec::new();
            self.bytes.skip_until(b'\n')?;
            return Ok(Next::Oversize);
        } else if self.broke_off() {
            return Ok(Next::End);
        } else {
            self.is_cut = true;
        }
        Ok(Next::Line)
    }

    /// The present line.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Whether the file ended before its compressed stream did. Its last line, which is cut off, is ignored.
    pub(super) fn broke_off(&self) -> bool {
        self.broke_off.load(Ordering::Relaxed)
    }

    /// Whether this line has no line end and the file may therefore be cut off.
    pub(super) const fn may_be_cut(&self) -> bool {
        self.is_cut && !self.is_sealed
    }

    /// Whether this line has no line end.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Its number, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}
