//! The answers of Redis that have a form of their own: entries of streams, and what `XINFO` says.

use crate::{
    cluster::{Position, log::LogError},
    redis::Value,
};

/// An entry of a stream: its id, and its field `b`, empty where somebody else has written something else.
pub(super) type StreamEntry = (Position, Vec<u8>);

/// The name of a stream and some of its entries.
pub(super) type NamedStream = (Vec<u8>, Vec<StreamEntry>);

/// The entries of each stream that `XREAD` answers with; nothing after a wait for nothing.
pub(super) fn streams(call: &'static str, value: Value) -> Result<Vec<NamedStream>, LogError> {
    let bad = |what: &str| LogError::Unreadable { call, what: what.into() };
    if value == Value::Nil {
        return Ok(Vec::new());
    }
    let Value::Array(streams) = value else { return Err(bad("a list of streams")) };
    let stream = |value: Value| {
        let Value::Array(parts) = value else { return Err(bad("a stream")) };
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next()) {
            (Some(Value::BulkString(name)), Some(list)) => Ok((name, entries(call, list)?)),
            _ => Err(bad("a stream's name")),
        }
    };
    streams.into_iter().map(stream).collect()
}

/// Entries of one stream, as `XRANGE` answers.
pub(super) fn entries(call: &'static str, value: Value) -> Result<Vec<StreamEntry>, LogError> {
    let Value::Array(entries) = value else {
        return Err(LogError::Unreadable { call, what: "a list of entries".into() });
    };
    entries.into_iter().map(|value| entry(call, value)).collect()
}

fn entry(call: &'static str, value: Value) -> Result<StreamEntry, LogError> {
    let bad = |what: &str| LogError::Unreadable { call, what: what.into() };
    let Value::Array(parts) = value else { return Err(bad("an entry")) };
    let mut parts = parts.into_iter();
    let at = parts.next().and_then(|id| id_of(&id)).ok_or_else(|| bad("an entry's id"))?;
    let Some(Value::Array(fields)) = parts.next() else { return Err(bad("an entry's fields")) };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Value::BulkString(name), Value::BulkString(bytes)) = (name, value)
            && name == b"b"
        {
            return Ok((at, bytes));
        }
    }
    Ok((at, Vec::new()))
}

/// Length, newest id and oldest id of a stream.
pub(super) fn stream_info(
    call: &'static str,
    value: Value,
) -> Result<(u64, Position, Option<Position>), LogError> {
    let bad = |what: &str| LogError::Unreadable { call, what: what.into() };
    let Value::Array(words) = value else { return Err(bad("what XINFO says")) };
    let (mut length, mut newest, mut oldest) = (None, None, None);
    let mut words = words.into_iter();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let Value::BulkString(name) = name else { continue };
        match (name.as_slice(), value) {
            (b"length", Value::Int(number)) => length = u64::try_from(number).ok(),
            (b"last-generated-id", value) => newest = id_of(&value),
            (b"first-entry", Value::Array(parts)) => oldest = parts.first().and_then(id_of),
            _ => {}
        }
    }
    match (length, newest) {
        (Some(length), Some(newest)) => Ok((length, newest, oldest)),
        _ => Err(bad("length and last-generated-id")),
    }
}

/// An id, which Redis gives as a text.
pub(super) fn id_of(value: &Value) -> Option<Position> {
    let bytes = if let Value::SimpleString(text) = value {
        text.as_bytes()
    } else if let Value::BulkString(bytes) = value {
        bytes.as_slice()
    } else {
        return None;
    };
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn list<const N: usize>(values: [Value; N]) -> Value {
        Value::Array(values.into())
    }

    fn at(term: u64, seq: u64) -> Position {
        Position { term, seq }
    }

    #[test]
    fn entries_are_read_and_foreign_ones_are_empty() {
        let ours = list([text("7-1"), list([text("b"), text("x")])]);
        let theirs = list([text("7-2"), list([text("price"), text("1"), text("odd")])]);
        let answer = list([list([text("log"), list([ours, theirs])])]);
        let read = streams("read", answer).unwrap();
        assert_eq!(read, [(b"log".to_vec(), vec![(at(7, 1), b"x".to_vec()), (at(7, 2), vec![])])]);
        assert_eq!(streams("read", Value::Nil).unwrap(), []);
        for bad in [
            Value::Int(1),
            list([Value::Int(1)]),
            list([list([text("log")])]),
            list([list([text("log"), list([Value::Nil])])]),
            list([list([text("log"), list([list([text("x-y"), list([])])])])]),
            list([list([text("log"), list([list([text("1-1"), Value::Nil])])])]),
        ] {
            assert_eq!(streams("read", bad.clone()).unwrap_err().kind(), "unreadable", "{bad:?}");
        }
    }

    #[test]
    fn a_stream_tells_its_ends() {
        let first = list([text("7-3"), list([text("b"), text("x")])]);
        let words = list([
            text("length"),
            Value::Int(2),
            text("last-generated-id"),
            text("9-0"),
            text("first-entry"),
            first,
        ]);
        assert_eq!(stream_info("state", words), Ok((2, at(9, 0), Some(at(7, 3)))));
        let empty = list([
            text("length"),
            Value::Int(0),
            text("last-generated-id"),
            text("9-0"),
            text("first-entry"),
            Value::Nil,
        ]);
        assert_eq!(stream_info("state", empty), Ok((0, at(9, 0), None)));
        assert!(stream_info("state", list([text("length"), Value::Int(2)])).is_err());
    }
}
