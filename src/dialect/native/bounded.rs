//! A JSON or MessagePack document of a client as a value, up to a number of values: what is longer is refused where it
//! gets too long, before its rest is read.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::Encoding;
use crate::limits::COMMAND_VALUES;

/// Reads a document of at most [`COMMAND_VALUES`] values, those in lists and maps included.
///
/// # Errors
/// Says why it is none.
pub(super) fn parse(bytes: &[u8], encoding: Encoding) -> Result<Value, String> {
    let left = Cell::new(COMMAND_VALUES);
    let bounded = Bounded { left: &left };
    match encoding {
        Encoding::Json => {
            let mut reader = serde_json::Deserializer::from_slice(bytes);
            let value = bounded.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
            value.map_err(|why| format!("not JSON: {why}"))
        }
        Encoding::MsgPack => {
            let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
            bounded.deserialize(&mut reader).map_err(|why| format!("not MessagePack: {why}"))
        }
    }
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    left: &'a Cell<usize>,
}

impl Bounded<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| E::custom(format_args!("more than {COMMAND_VALUES} values")))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            values.insert(key, map.next_value_seed(self)?);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_as_they_are() {
        let value = serde_json::json!({"a": [1, -2, 1.5, "x", null, true, {}], "b": {"c": []}});
        let text = Encoding::Json.encode(&value);
        assert_eq!(parse(&text, Encoding::Json), Ok(value.clone()));
        let packed = rmp_serde::to_vec_named(&value).unwrap();
        assert_eq!(parse(&packed, Encoding::MsgPack), Ok(value));
        for bad in ["", "{", "[1,]", "{} x", "nul"] {
            assert!(parse(bad.as_bytes(), Encoding::Json).unwrap_err().starts_with("not JSON: "), "{bad}");
        }
    }

    #[test]
    fn what_has_too_many_values_is_refused_in_any_form() {
        let list = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
        assert!(parse(list(COMMAND_VALUES).as_bytes(), Encoding::Json).is_ok());
        let map: Map<_, _> = (0..COMMAND_VALUES).map(|i| (format!("k{i}"), Value::Null)).collect();
        let deep = format!("{{\"a\":[[],{}[]]}}", "[{}],".repeat(COMMAND_VALUES / 2));
        let packed = rmp_serde::to_vec(&vec![1_u8; COMMAND_VALUES]).unwrap();
        for (bytes, encoding) in [
            (list(COMMAND_VALUES + 1).into_bytes(), Encoding::Json),
            (Encoding::Json.encode(&map), Encoding::Json),
            (deep.into_bytes(), Encoding::Json),
            (packed, Encoding::MsgPack),
        ] {
            let why = parse(&bytes, encoding).unwrap_err();
            assert!(why.contains("more than 25000 values"), "{why}");
        }
    }
}
