//! Classifies paths below a table's root: in the directory of a partition, above one, hidden, or in a directory that is reported.
//!
//! It works on text and lists nothing. A reader is fast for paths in order, as what neighbours share is parsed once.

use std::fmt;

use crate::{
    model::{Column, PartitionValues},
    partition::{HIVE_DEFAULT_PARTITION, check_value, escape, parse_segment},
};

/// A partition's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The directory as named in the store, relative to the table's root, without a `/` at either end.
    pub path: String,
    /// Whether the path is the Hive name of its values.
    pub usual: bool,
}

impl Found {
    /// The raw, decoded values.
    #[must_use]
    pub(crate) fn values(&self) -> PartitionValues {
        self.path.split('/').filter_map(parse_segment).map(|(_, value)| value).collect()
    }
}

/// A directory that is not a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Relative to the table's root, without a `/` at either end.
    pub path: String,
    pub reason: IgnoredReason,
}

/// Why a directory is not a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoredReason {
    /// Its name is not of the form `key=value`.
    NotKeyValue,
    /// Its name has that form without a value.
    NoValue,
    /// Its name has characters that cannot be part of a location.
    NoLocation,
    /// Its key is not the partition key of its level.
    OtherKey,
    /// Its key is not in lower case; Athena's `MSCK REPAIR TABLE` does not find it either.
    KeyCase,
    /// Its value is not of its key's type.
    OtherType { key: String, hive_type: String },
    /// Another directory has the same values, and its name is their Hive name.
    SameValues,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKeyValue => f.write_str("its name is not of the form key=value"),
            Self::NoValue => write!(f, "its value is empty; the directory of NULLs is key={HIVE_DEFAULT_PARTITION}"),
            Self::NoLocation => f.write_str("its name cannot be part of a location: it has control characters, or is not UTF-8"),
            Self::OtherKey => f.write_str("its key is not the partition key of its level"),
            Self::KeyCase => f.write_str("its key is not in lower case"),
            Self::OtherType { key, hive_type } => write!(f, "its value is not of type \"{hive_type}\", key \"{key}\""),
            Self::SameValues => f.write_str("another directory has the same values"),
        }
    }
}

/// The class of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Classified {
    /// It is in the partition whose directory ends at byte `end`; `usual` says whether the directory has the Hive name of its values.
    Partition {
        end: usize,
        usual: bool,
    },
    /// It is above the partitions; `levels` of its directories belong to partition keys.
    Above {
        levels: usize,
    },
    /// The directory that ends at byte `end` is hidden.
    Hidden {
        end: usize,
    },
    Ignored {
        end: usize,
        reason: IgnoredReason,
    },
}

/// Classifies paths; fast for paths in order.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    keys: &'a [Column],
    /// The last path, as far as its directories belong to partition keys, with the end of each, and whether they have Hive names up to there.
    path: String,
    levels: Vec<(usize, bool)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(keys: &'a [Column]) -> Self {
        Self { keys, path: String::new(), levels: Vec::new() }
    }

    /// Classifies a path by its directories: all segments but the last, which names a file (or is empty).
    pub(super) fn read(&mut self, path: &str) -> Classified {
        self.keep_shared(path);
        while self.levels.len() < self.keys.len() {
            let start = self.levels.last().map_or(0, |(end, _)| end + 1);
            let Some(length) = path.get(start..).and_then(|rest| rest.find('/')) else {
                return Classified::Above { levels: self.levels.len() };
            };
            let end = start + length;
            match segment(&self.keys[self.levels.len()], &path[start..end]) {
                Segment::Value { usual } => {
                    let usual = usual && self.levels.last().is_none_or(|(_, usual)| *usual);
                    self.path.truncate(start);
                    self.path.push_str(&path[start..end]);
                    self.path.push('/');
                    self.levels.push((end, usual));
                }
                Segment::Hidden => return Classified::Hidden { end },
                Segment::Ignored(reason) => return Classified::Ignored { end, reason },
            }
        }
        match self.levels.last() {
            Some((end, usual)) => Classified::Partition { end: *end, usual: *usual },
            None => Classified::Above { levels: 0 },
        }
    }

    /// Forgets the directories that this path does not share.
    fn keep_shared(&mut self, path: &str) {
        while let Some((end, _)) = self.levels.last() {
            if path.as_bytes().starts_with(&self.path.as_bytes()[..=*end]) {
                return;
            }
            self.levels.pop();
        }
    }
}

/// The class of a directory's name at the level of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Value { usual: bool },
    Hidden,
    Ignored(IgnoredReason),
}

impl Segment {
    /// A directory whose name cannot be part of a location.
    pub(super) fn unnameable(name: &str) -> Self {
        if is_hidden(name) { Self::Hidden } else { Self::Ignored(IgnoredReason::NoLocation) }
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

pub(super) fn segment(key: &Column, name: &str) -> Segment {
    if is_hidden(name) {
        return Segment::Hidden;
    }
    match parse_segment(name) {
        // A location with control characters could not be stored.
        _ if name.contains(|c: char| c.is_ascii_control()) => Segment::unnameable(name),
        None if name.strip_suffix('=').is_some_and(|name| !name.is_empty()) => Segment::Ignored(IgnoredReason::NoValue),
        None => Segment::Ignored(IgnoredReason::NotKeyValue),
        Some((found, _)) if found != key.name && found.to_lowercase() == key.name => Segment::Ignored(IgnoredReason::KeyCase),
        Some((found, _)) if found != key.name => Segment::Ignored(IgnoredReason::OtherKey),
        Some((found, None)) => Segment::Value { usual: is_usual(name, &found, None) },
        Some((found, Some(value))) => match check_value(key, &value) {
            Ok(()) => Segment::Value { usual: is_usual(name, &found, Some(&value)) },
            Err(_) => Segment::Ignored(IgnoredReason::OtherType { key: key.name.clone(), hive_type: key.hive_type.to_string() }),
        },
    }
}

/// Whether a name is the Hive name of this key and value.
fn is_usual(name: &str, key: &str, value: Option<&str>) -> bool {
    // If neither needs escapes, a name with escapes is longer.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b' '));
    match value {
        Some(value) if plain(key) && plain(value) => name.len() == key.len() + 1 + value.len(),
        Some(value) => name == format!("{}={}", escape(key), escape(value)),
        None => name.len() > key.len() && name.starts_with(&escape(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive_type::HiveType;

    fn keys() -> Vec<Column> {
        vec![Column::new("year", HiveType::Int), Column::new("region", HiveType::String)]
    }

    #[test]
    fn paths_are_read_alike_in_any_order() {
        let keys = keys();
        let partition = |end, usual| Classified::Partition { end, usual };
        let other_type = IgnoredReason::OtherType { key: "year".to_owned(), hive_type: "int".to_owned() };
        let paths = [
            ("year=1/region=a/x", partition(15, true)),
            ("year=1/region=a/b=1/x", partition(15, true)),
            ("year=1/region=a:b/x", partition(17, false)),
            ("year=1/region=a%3Ab/x", partition(19, true)),
            ("year=1/region=a%3ab/x", partition(19, false)),
            ("year=1/region=__HIVE_DEFAULT_PARTITION__/", partition(40, true)),
            ("year=10/region=a/x", partition(16, true)),
            ("year=1/x", Classified::Above { levels: 1 }),
            ("year=1/_tmp/region=a/x", Classified::Hidden { end: 11 }),
            ("_tmp/year=1/region=a/x", Classified::Hidden { end: 4 }),
            ("year=latest/region=a/x", Classified::Ignored { end: 11, reason: other_type }),
            ("Year=1/region=a/x", Classified::Ignored { end: 6, reason: IgnoredReason::KeyCase }),
            ("month=1/region=a/x", Classified::Ignored { end: 7, reason: IgnoredReason::OtherKey }),
            ("year=/region=a/x", Classified::Ignored { end: 5, reason: IgnoredReason::NoValue }),
            ("year=1/region=\u{1}/x", Classified::Ignored { end: 15, reason: IgnoredReason::NoLocation }),
            ("year=1/plain/x", Classified::Ignored { end: 12, reason: IgnoredReason::NotKeyValue }),
            ("x", Classified::Above { levels: 0 }),
        ];
        let mut reader = Reader::new(&keys);
        for (path, class) in &paths {
            assert_eq!(reader.read(path), *class, "{path}");
            for (other, _) in &paths {
                reader.read(other);
                assert_eq!(reader.read(path), *class, "{path} after {other}");
            }
        }
    }

    #[test]
    fn values_are_those_of_the_path() {
        let found = Found { path: "year=01/region=us%2Fwest".to_owned(), usual: true };
        assert_eq!(found.values(), [Some("01".to_owned()), Some("us/west".to_owned())]);
    }
}
