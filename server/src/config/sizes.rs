//! Lets numbers of bytes be written with units: any text under a key that ends in `_bytes` or `_limit` is parsed as a size (`2GiB`).

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Num, Value},
};
use glaux_engine::session::parse_bytes;

/// A provider whose sizes are numbers.
#[derive(Debug)]
pub(super) struct Sizes<P>(pub(super) P);

impl<P: Provider> Provider for Sizes<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut profiles = self.0.data()?;
        for dict in profiles.values_mut() {
            convert(dict);
        }
        Ok(profiles)
    }

    fn profile(&self) -> Option<Profile> {
        self.0.profile()
    }
}

/// Text that is no size is left as it is: the field that wants a number then says so.
fn convert(dict: &mut Dict) {
    for (key, value) in dict.iter_mut() {
        match value {
            Value::Dict(_, inner) => convert(inner),
            Value::Array(_, items) => {
                for item in items {
                    if let Value::Dict(_, inner) = item {
                        convert(inner);
                    }
                }
            }
            Value::String(tag, text) if key.ends_with("_bytes") || key.ends_with("_limit") => {
                if let Ok(bytes) = parse_bytes(text) {
                    *value = Value::Num(*tag, Num::U64(bytes));
                }
            }
            _ => {}
        }
    }
}
