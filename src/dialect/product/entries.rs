//! Lists and maps of products, entry by entry: one that cannot be read costs the others nothing, and no more are kept
//! than there may be.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{MAX_PRODUCTS, ParseError, Product, ProductList};

/// How one entry is read; of an object's entry the key is known, too.
pub(super) type Reader = fn(&str, &RawValue) -> Result<Product, ParseError>;

/// Reads every entry of a JSON list.
pub(super) fn of_list(list: &[u8], reader: Reader, into: &mut ProductList) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(list);
    json.deserialize_seq(Entries { reader, into })?;
    json.end()
}

/// Reads every value of a JSON object.
pub(super) fn of_map(map: &[u8], reader: Reader, into: &mut ProductList) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(map);
    json.deserialize_map(Entries { reader, into })?;
    json.end()
}

struct Entries<'l> {
    reader: Reader,
    into: &'l mut ProductList,
}

impl Entries<'_> {
    fn take<E: de::Error>(&mut self, key: &str, entry: &RawValue) -> Result<(), E> {
        if self.into.products.len() + self.into.skipped >= MAX_PRODUCTS {
            return Err(E::custom(format_args!("more than {MAX_PRODUCTS} products")));
        }
        self.into.push((self.reader)(key, entry));
        Ok(())
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("products")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<&RawValue>()? {
            self.take("", entry)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((key, entry)) = entries.next_entry::<String, &RawValue>()? {
            self.take(&key, entry)?;
        }
        Ok(())
    }
}
