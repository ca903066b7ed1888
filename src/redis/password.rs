//! The password's file, read again at each connect, so that a changed password needs no restart.

use std::path::Path;

use crate::limits::REDIS_PASSWORD_BYTES;

/// What the file holds, without the line's end.
///
/// # Errors
/// Says what is wrong with the file, and nothing of what is in it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let about = path.metadata().map_err(|why| format!("{shown}: {why}"))?;
    if !about.is_file() {
        return Err(format!("{shown}: is not a file"));
    }
    if about.len() > REDIS_PASSWORD_BYTES {
        return Err(format!("{shown}: is longer than {REDIS_PASSWORD_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|why| format!("{shown}: {why}"))?;
    let text = String::from_utf8(bytes).map_err(|_secret| format!("{shown}: is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(['\n', '\r']) {
        return Err(format!("{shown}: expected the password on one line"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_read_and_no_message_repeats_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for text in ["hush", "hush\n", "hush\r\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).as_deref(), Ok("hush"));
        }
        let long = "hush".repeat(2_000);
        for text in ["", "\n", "hush\nhush\n", &long] {
            std::fs::write(&path, text).unwrap();
            let why = read(&path).unwrap_err();
            assert!(why.starts_with(&path.display().to_string()) && !why.contains("hush"), "{why}");
        }
        assert!(read(folder.path()).unwrap_err().ends_with("is not a file"));
        assert!(read(&folder.path().join("gone")).is_err());
    }
}
