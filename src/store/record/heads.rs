//! The number of the newest event of each channel, as the file keeps it: by the channels' ids, so that a gateway with
//! other channels reads the same.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use crate::market::Channel;

/// Heads by [`Channel::index`]; in the file a map of [`Channel::id`] to number, without the channels that have no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Heads(pub(in crate::store) [u64; Channel::COUNT]);

impl Heads {
    const NONE: Self = Self([0; Channel::COUNT]);

    fn set<E: Error>(&mut self, id: u8, head: u64) -> Result<(), E> {
        let channel = Channel::from_id(id);
        let channel = channel.ok_or_else(|| E::custom(format_args!("an unknown channel, {id}")))?;
        self.0[channel.index()] = head;
        Ok(())
    }
}

impl Serialize for Heads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = || Channel::ALL.into_iter().filter(|channel| self.0[channel.index()] > 0);
        let mut map = serializer.serialize_map(Some(known().count()))?;
        for channel in known() {
            map.serialize_entry(&channel.id(), &self.0[channel.index()])?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Heads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrList;

        impl<'de> Visitor<'de> for MapOrList {
            type Value = Heads;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers by channel")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Heads, A::Error> {
                let mut heads = Heads::NONE;
                while let Some((id, head)) = map.next_entry()? {
                    heads.set(id, head)?;
                }
                Ok(heads)
            }

            /// Format 1 had a list: a channel's place in it is what has become its id.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Heads, A::Error> {
                let mut heads = Heads::NONE;
                let mut id = 0_u8;
                while let Some(head) = list.next_element()? {
                    heads.set(id, head)?;
                    id = id.checked_add(1).ok_or_else(|| A::Error::custom("too many channels"))?;
                }
                Ok(heads)
            }
        }

        deserializer.deserialize_any(MapOrList)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_kept_by_the_ids_of_channels() {
        let mut heads = Heads::NONE;
        for (channel, head) in Channel::ALL.into_iter().zip(1..) {
            heads.0[channel.index()] = head;
        }
        heads.0[Channel::Quotes.index()] = 0;
        let bytes = rmp_serde::to_vec(&heads).unwrap();
        assert_eq!(rmp_serde::from_slice::<Heads>(&bytes).unwrap(), heads);
        let one = Heads({
            let mut one = [0; Channel::COUNT];
            one[Channel::Corrections.index()] = 300;
            one
        });
        assert_eq!(rmp_serde::to_vec(&one).unwrap(), [0x81, 10, 0xcd, 1, 44], "a map of id to number");
        assert!(rmp_serde::from_slice::<Heads>(&[0x81, 63, 1]).is_err(), "no channel has that id");
    }

    #[test]
    fn the_list_of_format_1_is_in_the_order_of_its_channels() {
        let list: Vec<u64> = (100..110).collect();
        let heads: Heads = rmp_serde::from_slice(&rmp_serde::to_vec(&list).unwrap()).unwrap();
        for (name, head) in
            [("trades", 100), ("status", 102), ("ticker", 103), ("bars.1s", 104), ("bars.1d", 109)]
        {
            assert_eq!(heads.0[Channel::parse(name).unwrap().index()], head, "{name}");
        }
        assert_eq!(heads.0[Channel::Corrections.index()], 0);
    }
}
