//! Examples as they stand in the documents.

use std::{fmt, fs, path::PathBuf};

/// One example.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// Of the repository.
    file: String,
    line: usize,
    /// The word behind the fence; `inline` for code in a line.
    pub(super) language: String,
    pub(super) text: String,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The documents for users: both READMEs, and everything in `docs/`.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(super::root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    files.extend(["README.md", "feeds/README.md"].map(|name| super::root().join(name)));
    files.sort();
    files
}

fn read(path: &PathBuf) -> (String, String) {
    let name = path.strip_prefix(super::root()).unwrap().display().to_string();
    (name, fs::read_to_string(path).unwrap())
}

/// Every fenced block.
pub(super) fn all() -> Vec<Example> {
    let mut examples = Vec::new();
    for (file, text) in documents().iter().map(read) {
        let mut open: Option<Example> = None;
        for (i, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => examples.extend(open.take()),
                (Some(language), None) => {
                    let (file, language) = (file.clone(), language.to_owned());
                    open = Some(Example { file, line: i + 1, language, text: String::new() });
                }
                (None, Some(example)) => {
                    example.text.push_str(line);
                    example.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{file}: a block is not closed");
    }
    examples
}

/// Code within lines.
pub(super) fn inline() -> Vec<Example> {
    let mut examples = Vec::new();
    for (file, text) in documents().iter().map(read) {
        let mut is_block = false;
        for (i, line) in text.lines().enumerate() {
            is_block ^= line.starts_with("```");
            if is_block {
                continue;
            }
            examples.extend(line.split('`').skip(1).step_by(2).map(|text| Example {
                file: file.clone(),
                line: i + 1,
                language: "inline".into(),
                text: text.to_owned(),
            }));
        }
    }
    examples
}
