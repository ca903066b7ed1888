//! JSON that means the same and is written differently: characters of its texts are escaped, as any producer may.
//!
//! Shared by unit tests, integration tests and fuzz targets.

/// Writes characters of all texts of the JSON, keys included, as escapes; `choice` says which and how, so that a seed
/// gives the same again. `None` when it is not UTF-8 or ends inside a text.
pub(crate) fn escaped(json: &[u8], mut choice: impl FnMut() -> u32) -> Option<Vec<u8>> {
    let mut out = String::with_capacity(json.len() * 2);
    let mut chars = std::str::from_utf8(json).ok()?.chars();
    let mut is_text = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                is_text = !is_text;
                out.push(c);
            }
            // What is escaped already stays so.
            '\\' if is_text => {
                out.push(c);
                out.push(chars.next()?);
            }
            _ if !is_text => out.push(c),
            _ => character(c, choice(), &mut out),
        }
    }
    (!is_text).then(|| out.into_bytes())
}

fn character(c: char, choice: u32, out: &mut String) {
    match (choice % 4, c) {
        (0, '/') => out.push_str("\\/"),
        (1, _) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        (2, _) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}"))),
        _ => out.push(c),
    }
}
