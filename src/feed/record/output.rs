//! A recording's file: it replaces no existing one unless forced, is compressed as its name says, can be read up to the last
//! flush even after a crash, and is whole once finished.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

/// A file that is being written.
pub struct Output {
    packed: Packed,
    is_regular: bool,
}

enum Packed {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Output {
    /// Creates the file, compressed as its name's ending says: `.gz`, `.zst`, else not at all. With `force` an existing file
    /// is emptied. Pipes and devices already exist and are written to.
    ///
    /// # Errors
    /// When it exists, or cannot be made.
    pub fn create(path: &Path, force: bool) -> io::Result<Self> {
        let file = open(path, force)?;
        let is_regular = file.metadata()?.is_file();
        let file = BufWriter::new(file);
        let packed = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Packed::Gzip(GzEncoder::new(file, Compression::default())),
            Some("zst") => Packed::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            _ => Packed::Plain(file),
        };
        Ok(Self { packed, is_regular })
    }

    /// Finishes the file, with its checksums.
    ///
    /// # Errors
    /// When something could not be written, now or before.
    pub fn finish(self) -> io::Result<()> {
        let file = match self.packed {
            Packed::Plain(file) => file,
            Packed::Gzip(encoder) => encoder.finish()?,
            Packed::Zstd(encoder) => encoder.finish()?,
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Some file systems tell only now that there was no room.
        if self.is_regular { file.sync_all() } else { Ok(()) }
    }
}

/// A flush ends a block of the compressed stream, so that a reader gets everything before it.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packed {
            Packed::Plain(file) => file.write(bytes),
            Packed::Gzip(encoder) => encoder.write(bytes),
            Packed::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packed {
            Packed::Plain(file) => file.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}

fn open(path: &Path, force: bool) -> io::Result<File> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            let is_file = fs::metadata(path).is_ok_and(|existing| existing.is_file());
            if force || !is_file {
                return OpenOptions::new().write(true).truncate(is_file).open(path);
            }
            Err(io::Error::new(ErrorKind::AlreadyExists, "it exists already; --force replaces it"))
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn unpacked(path: &Path) -> (Vec<u8>, io::Result<usize>) {
        let file = File::open(path).unwrap();
        let mut bytes = Vec::new();
        let end = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes),
            Some("zst") => zstd::Decoder::new(file).unwrap().read_to_end(&mut bytes),
            _ => io::BufReader::new(file).read_to_end(&mut bytes),
        };
        (bytes, end)
    }

    #[test]
    fn what_was_flushed_can_be_read_though_the_file_was_never_ended() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.ns", "a.ns.gz", "a.ns.zst"] {
            let path = folder.path().join(name);
            let mut out = Output::create(&path, false).unwrap();
            for round in 0..5 {
                writeln!(out, "line {round}").unwrap();
                out.flush().unwrap();
            }
            writeln!(out, "not flushed").unwrap();
            let (read, end) = unpacked(&path);
            assert_eq!(read, b"line 0\nline 1\nline 2\nline 3\nline 4\n", "{name}");
            assert_eq!(end.is_ok(), name == "a.ns", "{name} says that it was not ended");
            out.finish().unwrap();
            let (read, end) = unpacked(&path);
            assert!(end.is_ok() && read.ends_with(b"not flushed\n"), "{name}");
        }
    }

    #[test]
    fn an_existing_file_is_kept_unless_it_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("yesterday.zst");
        fs::write(&path, "much work").unwrap();
        let why = Output::create(&path, false).err().unwrap();
        assert!(why.to_string().contains("--force"), "{why}");
        assert_eq!(fs::read(&path).unwrap(), b"much work");
        Output::create(&path, true).unwrap().finish().unwrap();
        assert_eq!(unpacked(&path).0, b"");
        let dangling = folder.path().join("link");
        std::os::unix::fs::symlink("gone", &dangling).unwrap();
        assert!(Output::create(&dangling, false).is_err());
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_end() {
        let path = Path::new("/dev/full");
        for flush in [true, false] {
            let mut out = Output::create(path, false).unwrap();
            out.write_all(b"x").unwrap();
            let why = if flush { out.flush() } else { out.finish() }.unwrap_err();
            assert_eq!(why.kind(), ErrorKind::StorageFull);
        }
    }
}
