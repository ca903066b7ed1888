//! One message of a list, in JSON or in MessagePack, and the texts of its numbers.

use std::fmt;

use rmp_serde::decode::Error as PackedError;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::conditions::{Codes, CodesVisitor};
use crate::{
    dialect::{ParseError, Text, field},
    limits::MAX_VENUE_NESTING,
    market::UnixMicros,
};

/// Microseconds of a second, nanoseconds of a microsecond.
const MICROS: i64 = 1_000_000;
const NANOS: i64 = 1_000;

/// The extension type of MessagePack's timestamps.
const TIMESTAMP: i8 = -1;

/// The fields that we read. The same letter means different things in different messages, so all are optional and most may
/// have any value.
#[derive(Deserialize)]
pub(super) struct Entry<'a, N> {
    #[serde(rename = "T")]
    #[serde(borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(rename = "S")]
    pub(super) symbol: Option<Text<'a>>,
    pub(super) i: Option<N>,
    pub(super) x: Option<N>,
    pub(super) p: Option<N>,
    pub(super) s: Option<N>,
    pub(super) t: Option<N>,
    pub(super) tks: Option<N>,
    pub(super) bp: Option<N>,
    pub(super) bs: Option<N>,
    pub(super) ap: Option<N>,
    pub(super) r#as: Option<N>,
    pub(super) c: Option<N>,
    pub(super) z: Option<N>,
    pub(super) oi: Option<N>,
    pub(super) ci: Option<N>,
    pub(super) cp: Option<N>,
    pub(super) cs: Option<N>,
    pub(super) cc: Option<N>,
    pub(super) sc: Option<N>,
    pub(super) sm: Option<N>,
    pub(super) code: Option<N>,
    pub(super) msg: Option<String>,
    pub(super) trades: Option<Vec<String>>,
    pub(super) quotes: Option<Vec<String>>,
}

/// A value of either encoding.
pub(super) trait Literal<'a>: Deserialize<'a> {
    /// The text of a number or a string. For anything else it is empty or odd, and so not a number.
    fn text(&self) -> &str;

    /// The trade conditions in this list; none if it is not a list.
    fn codes(&self) -> Codes;

    /// This value as a time.
    fn time(&self, field: &'static str) -> Result<UnixMicros, ParseError>;
}

/// A JSON value: the content of a string, or anything else as it is written.
pub(super) struct Json<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = <&RawValue>::deserialize(deserializer)?.get();
        Text::of_value(written).map(Self).map_err(de::Error::custom)
    }
}

impl<'a> Literal<'a> for Json<'a> {
    fn text(&self) -> &str {
        &self.0
    }

    fn codes(&self) -> Codes {
        // Bars have a number under the same key.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    fn time(&self, field: &'static str) -> Result<UnixMicros, ParseError> {
        field::rfc3339(field, self.text())
    }
}

/// A MessagePack value.
#[derive(Debug)]
pub(super) enum Packed<'a> {
    Text(Text<'a>),
    Number(String),
    Codes(Codes),
    /// Seconds and nanoseconds since the epoch.
    Time(i64, u32),
    Other,
}

impl<'a> Literal<'a> for Packed<'a> {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(text) => text,
            Self::Time(..) | Self::Codes(_) | Self::Other => "",
        }
    }

    fn codes(&self) -> Codes {
        if let Self::Codes(codes) = self { codes.clone() } else { Codes::default() }
    }

    fn time(&self, field: &'static str) -> Result<UnixMicros, ParseError> {
        let Self::Time(seconds, nanos) = *self else { return field::rfc3339(field, self.text()) };
        let micros = seconds.checked_mul(MICROS).and_then(|us| us.checked_add(i64::from(nanos) / NANOS));
        micros
            .and_then(field::plausible)
            .ok_or_else(|| field::implausible(field, &format!("{seconds}s {nanos}ns")))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Packed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Packed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Packed::Text(text.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Packed::Number(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Packed::Number(number.to_string()))
    }

    // Rust prints the shortest decimal that reads back as the same float. Each width has its own method, so that a 32-bit
    // float does not get the digits of a 64-bit one.
    fn visit_f32<E: de::Error>(self, number: f32) -> Result<Self::Value, E> {
        Ok(Packed::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Packed::Number(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, _value: bool) -> Result<Self::Value, E> {
        Ok(Packed::Other)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Packed::Other)
    }

    fn visit_bytes<E: de::Error>(self, _bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Packed::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        CodesVisitor.visit_seq(list).map(Packed::Codes)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Packed::Other)
    }

    /// An extension value.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Self::Value, D::Error> {
        let (tag, bytes) = <(i8, &[u8])>::deserialize(extension)?;
        if tag != TIMESTAMP {
            return Ok(Packed::Other);
        }
        timestamp(bytes)
            .ok_or_else(|| de::Error::invalid_length(bytes.len(), &"4, 8 or 12 bytes of timestamp"))
    }
}

/// Seconds in 32 bits; nanoseconds in 30 and seconds in 34; nanoseconds in 32 and signed seconds in 64.
fn timestamp(bytes: &[u8]) -> Option<Packed<'static>> {
    let (seconds, nanos) = if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        (i64::from(u32::from_be_bytes(bytes)), 0)
    } else if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        let both = u64::from_be_bytes(bytes);
        (i64::try_from(both & ((1 << 34) - 1)).ok()?, u32::try_from(both >> 34).ok()?)
    } else {
        let (nanos, seconds) =
            <[u8; 12]>::try_from(bytes).ok()?.split_first_chunk::<4>().map(|(nanos, seconds)| {
                (u32::from_be_bytes(*nanos), <[u8; 8]>::try_from(seconds).map(i64::from_be_bytes))
            })?;
        (seconds.ok()?, nanos)
    };
    Some(Packed::Time(seconds, nanos))
}

/// Whether a frame begins as a list or a map of MessagePack, which no JSON does.
pub(super) fn is_packed(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(0x80..=0x9f | 0xdc..=0xdf))
}

/// The entries of a frame.
pub(super) fn packed(frame: &[u8]) -> Result<Vec<Entry<'_, Packed<'_>>>, ParseError> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(frame);
    reader.set_max_depth(MAX_VENUE_NESTING);
    let mut entries = Vec::new();
    let read = Entries(&mut entries).deserialize(&mut reader).and_then(|()| {
        match IgnoredAny::deserialize(&mut reader) {
            Err(PackedError::InvalidMarkerRead(_end)) => Ok(()),
            Ok(_) | Err(_) => Err(PackedError::Uncategorized("something follows the list".into())),
        }
    });
    let count = entries.len();
    read.map_err(|why| ParseError::Packed { entry: count, why })?;
    Ok(entries)
}

/// Collects a list, so that an error knows the number of entries read. The length in the list's head is not trusted: no
/// memory is reserved for it.
struct Entries<'v, 'de>(&'v mut Vec<Entry<'de, Packed<'de>>>);

impl<'de> DeserializeSeed<'de> for Entries<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element()? {
            self.0.push(entry);
        }
        Ok(())
    }
}
