//! A TOML file whose every value knows its line.

use std::{
    fs,
    io::{self, Read as _},
    ops::Range,
    path::Path,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ConfigError, Origin, settings::Value};
use crate::{dialect::without_mark, limits::MAX_CONFIG_BYTES};

/// Longest piece of a file that an error repeats, in characters.
const MAX_FOUND: usize = 60;

/// A file's text and its tables.
#[derive(Debug)]
pub(super) struct Document<'a> {
    name: &'a str,
    text: &'a str,
    table: DeTable<'a>,
}

/// Reads a file, with or without a byte order mark, but not one that is too long to be meant or in UTF-16.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path)?.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_CONFIG_BYTES) {
        let text = str::from_utf8(without_mark(&bytes)?);
        return text.map(str::to_owned).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is longer than {MAX_CONFIG_BYTES} bytes")))
}

impl<'a> Document<'a> {
    /// Parses `text`; errors call it `name`.
    pub(super) fn parse(name: &'a str, text: &'a str) -> Result<Self, Vec<ConfigError>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let document = Self { name, text, table: table.into_inner() };
        if errors.is_empty() {
            return Ok(document);
        }
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            origin: document.at(&error.span().unwrap_or_default()),
            why: error.message().to_owned(),
        };
        Err(errors.into_iter().map(syntax).collect())
    }

    /// The top table.
    pub(super) const fn table(&self) -> &DeTable<'a> {
        &self.table
    }

    /// The place of a span.
    pub(super) fn at(&self, span: &Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Origin::File { file: self.name.to_owned(), line: before.matches('\n').count() + 1 }
    }

    /// What is written at a span, on one line.
    pub(super) fn found(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let mut short: String = text.lines().next().unwrap_or_default().chars().take(MAX_FOUND).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }

    /// The value as the settings take it.
    pub(super) fn value(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other, |number| Value::Integer(number.to_string())),
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map_or(Value::Other, Value::List),
            DeValue::Boolean(value) => Value::Switch(*value),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Value::Other,
        }
    }

    /// The dotted path of the innermost key or value around a span, below `top`.
    pub(super) fn path(&self, top: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
        let mut path = String::new();
        let mut here = top;
        loop {
            let next = match here.get_ref() {
                DeValue::Table(table) => table.iter().find_map(|(key, value)| {
                    let inside = contains(&key.span(), span) || contains(&extent(value), span);
                    inside.then(|| (format!(".{}", key.get_ref()), value))
                }),
                DeValue::Array(items) => items
                    .iter()
                    .enumerate()
                    .find(|(_, item)| contains(&extent(item), span))
                    .map(|(i, item)| (format!("[{i}]"), item)),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => None,
            };
            match next {
                Some((step, value)) => {
                    path.push_str(&step);
                    here = value;
                }
                None if path.is_empty() => return None,
                None => return Some(path.trim_start_matches('.').to_owned()),
            }
        }
    }

    /// The span of the value at a dotted path below `top`, or of as much of the path as exists.
    pub(super) fn span_of(&self, top: &Spanned<DeValue<'_>>, path: &str) -> Range<usize> {
        let mut here = top;
        for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let next = match here.get_ref() {
                DeValue::Table(table) => table.get(step),
                DeValue::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => None,
            };
            match next {
                Some(value) => here = value,
                None => break,
            }
        }
        here.span()
    }
}

fn contains(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The span of a value with all that is in it: a `[[table]]`'s own span is its header only.
fn extent(value: &Spanned<DeValue<'_>>) -> Range<usize> {
    let mut span = value.span();
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, inner) in table {
                let inside = extent(inner);
                span = span.start.min(key.span().start)..span.end.max(inside.end);
            }
        }
        DeValue::Array(items) => {
            for item in items {
                let inside = extent(item);
                span = span.start.min(inside.start)..span.end.max(inside.end);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
    span
}
