//! The answers to `XREAD` and `XINFO STREAM`.

use redis::Value;

use super::position::{EntryId, StreamState};
use crate::redis::LinkError;

/// One entry of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    /// Names and values in turn.
    parts: Vec<Vec<u8>>,
}

impl Entry {
    /// Names and values.
    pub(super) fn fields(&self) -> Vec<(&[u8], &[u8])> {
        self.parts.chunks_exact(2).map(|pair| (pair[0].as_slice(), pair[1].as_slice())).collect()
    }
}

/// A stream's key, and what was read of it.
pub(super) type StreamEntries = (Vec<u8>, Vec<Entry>);

/// The entries that were read, by stream.
pub(super) fn streams(answer: Value) -> Result<Vec<StreamEntries>, LinkError> {
    let Some(streams) = list(answer)? else { return Ok(Vec::new()) };
    let read = |stream| {
        let [key, entries] = two(stream)?;
        let entries = list(entries)?.unwrap_or_default().into_iter().map(entry).collect::<Result<_, _>>()?;
        Ok((bytes(key)?, entries))
    };
    streams.into_iter().map(read).collect()
}

fn entry(value: Value) -> Result<Entry, LinkError> {
    let [id, fields] = two(value)?;
    // An entry that was deleted while it was read has none.
    let parts = list(fields)?.unwrap_or_default().into_iter().map(bytes).collect::<Result<_, _>>()?;
    Ok(Entry { id: entry_id(id)?, parts })
}

/// What `XINFO STREAM` says.
pub(super) fn stream_state(answer: Value) -> Result<StreamState, LinkError> {
    let mut state = StreamState { length: 0, last: EntryId::ZERO, first: None, added: None };
    let mut parts = list(answer)?.unwrap_or_default().into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        match (bytes(name)?.as_slice(), value) {
            (b"length", Value::Int(length)) => state.length = u64::try_from(length).unwrap_or(0),
            (b"entries-added", Value::Int(added)) => state.added = u64::try_from(added).ok(),
            (b"last-generated-id", id) => state.last = entry_id(id)?,
            (b"first-entry", Value::Array(first)) => {
                state.first = first.into_iter().next().map(entry_id).transpose()?;
            }
            _ => {}
        }
    }
    Ok(state)
}

fn list(value: Value) -> Result<Option<Vec<Value>>, LinkError> {
    if value == Value::Nil {
        return Ok(None);
    }
    let Value::Array(values) = value else { return Err(unexpected("a list")) };
    Ok(Some(values))
}

fn two(value: Value) -> Result<[Value; 2], LinkError> {
    let values = list(value)?.unwrap_or_default();
    values.try_into().map_err(|_more| unexpected("a pair"))
}

fn bytes(value: Value) -> Result<Vec<u8>, LinkError> {
    let Value::BulkString(bytes) = value else { return Err(unexpected("a text")) };
    Ok(bytes)
}

fn entry_id(value: Value) -> Result<EntryId, LinkError> {
    let bytes = bytes(value)?;
    let text = str::from_utf8(&bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| unexpected("the id of an entry"))
}

fn unexpected(wanted: &str) -> LinkError {
    LinkError::Protocol(format!("a stream was read, and {wanted} was expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn entries_are_read_by_stream() {
        let fields = Value::Array(vec![bulk("tick"), bulk("{}"), bulk("x"), bulk("1")]);
        let entries = Value::Array(vec![
            Value::Array(vec![bulk("5-1"), fields]),
            Value::Array(vec![bulk("6-0"), Value::Nil]),
        ]);
        let answer = Value::Array(vec![Value::Array(vec![bulk("ticks"), entries])]);
        let read = streams(answer).unwrap();
        assert_eq!((read.len(), read[0].0.as_slice()), (1, b"ticks".as_slice()));
        let entries = &read[0].1;
        assert_eq!(entries[0].fields(), [(b"tick".as_slice(), b"{}".as_slice()), (b"x", b"1")]);
        assert_eq!((entries[0].id.to_string().as_str(), entries[1].fields().len()), ("5-1", 0));
        assert_eq!(streams(Value::Nil), Ok(Vec::new()));
        for bad in [Value::Int(1), Value::Array(vec![bulk("x")]), Value::Array(vec![Value::Array(vec![])])] {
            assert!(streams(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_state_is_read_with_and_without_the_count() {
        let mut parts = vec![bulk("length"), Value::Int(2), bulk("last-generated-id"), bulk("9-0")];
        parts.extend([bulk("first-entry"), Value::Array(vec![bulk("8-0"), Value::Array(Vec::new())])]);
        let old = stream_state(Value::Array(parts.clone())).unwrap();
        assert_eq!((old.length, old.last.to_string().as_str(), old.added), (2, "9-0", None));
        assert_eq!(old.first.unwrap().to_string(), "8-0");
        parts.extend([bulk("entries-added"), Value::Int(7)]);
        assert_eq!(stream_state(Value::Array(parts)).unwrap().added, Some(7));
        let empty = Value::Array(vec![bulk("first-entry"), Value::Nil]);
        assert_eq!(stream_state(empty).unwrap().first, None);
    }
}
