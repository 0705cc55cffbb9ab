//! Partition keys from folders: their names, their types, and the values of each partition.

use std::collections::BTreeMap;

use glaux_catalog::{
    HiveType,
    model::{Column, PartitionValues},
    partition::{HIVE_DEFAULT_PARTITION, parse_segment},
};

use super::{text::fits, tree::Folder};

/// Which folders without `name=` are taken for values of a partition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// Those that look like numbers and dates.
    Values,
    /// Those of the first level, whatever they look like.
    First,
    /// All.
    All,
}

/// A partition's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub values: PartitionValues,
    /// Below the table's root, as it is written, without a slash at either end.
    pub path: String,
}

/// A table's partitions as they lie in folders.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    /// Without types.
    pub names: Vec<String>,
    /// Whether the folders say the name.
    pub is_named: Vec<bool>,
    pub partitions: Vec<Found>,
    /// The folder of each partition.
    pub folders: Vec<&'a Folder>,
    /// Folders that are no partitions, by path, with the reason.
    pub ignored: Vec<(String, &'static str)>,
    /// Folders above partitions with files in them, by path.
    pub beside: Vec<String>,
}

/// Whether a folder's name looks like a value: a number, a date, a time.
pub(super) fn is_value(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | ':' | '.' | 'T' | 'Z' | 'W' | ' '))
}

/// The key of folders of which some are named `key=value`: that of most of them.
pub(super) fn common_key<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (key, _) in names.filter_map(|name| parse_segment(name)) {
        *counts.entry(key.to_lowercase()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(key, _)| key)
}

/// The partitions of a table whose root this is.
pub(super) fn layout(root: &Folder, unnamed: Unnamed) -> Layout<'_> {
    let mut layout = Layout::default();
    let mut frontier: Vec<(Found, &Folder)> = vec![(Found { values: Vec::new(), path: String::new() }, root)];
    loop {
        let children = || frontier.iter().flat_map(|(_, folder)| folder.folders.keys());
        if children().next().is_none() {
            break;
        }
        let key = common_key(children());
        let depth = layout.names.len();
        let by_value = match unnamed {
            Unnamed::All => true,
            Unnamed::First => depth == 0 || children().all(|name| is_value(name)),
            Unnamed::Values => children().all(|name| is_value(name)),
        };
        // Below partitions with files, folders are their own affair.
        let with_files = frontier.iter().filter(|(_, folder)| !folder.files.is_empty()).count();
        let is_level = key.is_some() || by_value;
        if !is_level || depth > 0 && with_files * 2 > frontier.len() {
            break;
        }
        layout.is_named.push(key.is_some());
        let ordinal = layout.is_named.iter().filter(|named| !**named).count();
        layout.names.push(key.clone().unwrap_or_else(|| format!("partition_{}", ordinal.saturating_sub(1))));
        let mut next = Vec::new();
        for (parent, folder) in frontier {
            if !folder.files.is_empty() {
                layout.beside.push(parent.path.clone());
            }
            for (name, child) in &folder.folders {
                let path = if parent.path.is_empty() { name.clone() } else { format!("{}/{name}", parent.path) };
                let value = match (&key, parse_segment(name)) {
                    (Some(key), Some((found, value))) if found.to_lowercase() == *key => value,
                    (Some(_), _) => {
                        layout.ignored.push((path, "its name is not key=value with the same key as the folders beside it"));
                        continue;
                    }
                    (None, _) => Some(name.clone()).filter(|name| name != HIVE_DEFAULT_PARTITION),
                };
                let mut values = parent.values.clone();
                values.push(value);
                next.push((Found { values, path }, child));
            }
        }
        frontier = next;
    }
    if !layout.names.is_empty() {
        (layout.partitions, layout.folders) = frontier.into_iter().unzip();
    }
    layout
}

/// The keys with their types: `date` for days, `int` and `bigint` for whole numbers without leading zeros, else `string`.
pub(super) fn typed(names: &[String], partitions: &[Found]) -> Vec<Column> {
    let hive_type = |at: usize| {
        let mut values = partitions.iter().filter_map(|partition| partition.values[at].as_deref()).peekable();
        if values.peek().is_none() {
            return HiveType::String;
        }
        let mut possible = vec![HiveType::Int, HiveType::BigInt, HiveType::Date];
        for value in values {
            let digits = value.strip_prefix('-').unwrap_or(value);
            let is_plain = digits == "0" || digits.starts_with(|c: char| matches!(c, '1'..='9'));
            possible.retain(|hive_type| (is_plain || *hive_type == HiveType::Date) && fits(hive_type, value));
        }
        possible.into_iter().next().unwrap_or(HiveType::String)
    };
    names.iter().enumerate().map(|(at, name)| Column::new(name, hive_type(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[&str]) -> Vec<Found> {
        let value = |value: &&str| Some((*value).to_owned()).filter(|value| value != "NULL");
        values.iter().map(|raw| Found { values: vec![value(raw)], path: String::new() }).collect()
    }

    #[test]
    fn keys_have_the_narrowest_type_that_loses_nothing() {
        for (values, expected) in [
            (&["2024-01-01", "2024-12-31", "NULL"][..], "date"),
            (&["2024-01-01", "2024-13-01"], "string"),
            (&["1", "-20", "0"], "int"),
            (&["1", "3000000000"], "bigint"),
            (&["01", "02"], "string"),
            (&["1", "a"], "string"),
            (&["NULL"], "string"),
            (&["99999999999999999999"], "string"),
        ] {
            let keys = typed(&["k".to_owned()], &found(values));
            assert_eq!(keys[0].hive_type.to_string(), expected, "{values:?}");
        }
    }

    #[test]
    fn values_are_told_from_names() {
        for value in ["2024", "01", "2024-01-02", "2024-01-02T03", "12:30"] {
            assert!(is_value(value), "{value}");
        }
        for name in ["orders", "v1", "2024-archive", "", "-1"] {
            assert!(!is_value(name), "{name}");
        }
    }
}
