//! Which keys the configuration has, found by serde's derived readers: each reports the names of its fields. So no key is overlooked, whether or
//! not it has a default.

use std::cell::RefCell;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor,
        value::{Error, StrDeserializer},
    },
};

/// What a reader wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A section with these keys.
    Section(&'static [&'static str]),
    Switch,
    /// One of these texts.
    Choice(&'static [&'static str]),
    Other,
}

/// Every key of `T` that is no section, with what it takes, in order of declaration.
pub(super) fn keys<T: for<'de> Deserialize<'de>>() -> Vec<(String, Shape)> {
    let mut keys = Vec::new();
    collect::<T>(&mut Vec::new(), &mut keys);
    keys
}

fn collect<T: for<'de> Deserialize<'de>>(path: &mut Vec<&'static str>, keys: &mut Vec<(String, Shape)>) {
    match shape::<T>(path) {
        Shape::Section(names) => {
            for name in names {
                path.push(name);
                collect::<T>(path, keys);
                path.pop();
            }
        }
        shape => keys.push((path.join("."), shape)),
    }
}

/// What `T` wants to read at a path.
pub(super) fn shape<T: for<'de> Deserialize<'de>>(path: &[&'static str]) -> Shape {
    let found = RefCell::new(Shape::Other);
    let stopped = T::deserialize(Probe { path, found: &found });
    assert!(stopped.is_err(), "a probe holds nothing to read");
    found.into_inner()
}

/// Leads a reader along a path, notes what it wants to read there, and stops it.
struct Probe<'a> {
    path: &'a [&'static str],
    found: &'a RefCell<Shape>,
}

impl Probe<'_> {
    fn stop<T>(&self, shape: Shape) -> Result<T, Error> {
        *self.found.borrow_mut() = shape;
        Err(Error::custom("found"))
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        self.stop(Shape::Other)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        self.stop(Shape::Switch)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.stop(Shape::Choice(variants))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.path.split_first() {
            None => self.stop(Shape::Section(fields)),
            Some((name, path)) => visitor.visit_map(OneField { name: Some(name), value: Probe { path, found: self.found } }),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

/// A section of which one key is set.
struct OneField<'a> {
    name: Option<&'static str>,
    value: Probe<'a>,
}

impl<'de> MapAccess<'de> for OneField<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.name.take().map(|name| seed.deserialize(StrDeserializer::<Error>::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Probe { path: self.value.path, found: self.value.found })
    }
}
