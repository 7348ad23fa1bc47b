//! The texts of a state that a source found, to know by them which scroll or point in time
//! was its own.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// All texts of a state, wherever they stand in it, by their hashes: a state may have millions
/// of them, and a component may ask for one as often as it likes.
#[derive(Debug, Default)]
pub(super) struct Found {
    hasher: RandomState,
    /// Sorted.
    hashes: Vec<u64>,
}

impl Found {
    /// Those of this JSON; none if it is none.
    pub(super) fn of(data: &[u8]) -> Self {
        let mut found = Self::default();
        let mut read = serde_json::Deserializer::from_slice(data);
        if Texts(&mut found).deserialize(&mut read).is_err() {
            return Self::default();
        }
        found.hashes.sort_unstable();
        found
    }

    pub(super) fn has(&self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        self.hashes.binary_search(&hash).is_ok()
    }
}

/// Reads a value and keeps its texts.
struct Texts<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let hash = self.0.hasher.hash_one(text);
        self.0.hashes.push(hash);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Texts(self.0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Texts(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_at_every_depth_and_nothing_else_is() {
        let state = br#"{"a":"one","b":[1,-1,0.5,true,null,{"c":["two\n",[]]}],"three":{}}"#;
        let found = Found::of(state);
        let rows = [
            ("one", true),
            ("two\n", true),
            ("three", false),
            ("a", false),
            ("tw", false),
            ("1", false),
            ("", false),
        ];
        for (text, is_there) in rows {
            assert_eq!(found.has(text), is_there, "{text}");
        }
        assert!(!Found::of(br#"{"a":"one""#).has("one"), "it is no state");
    }
}
