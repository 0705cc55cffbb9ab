//! Hive partitions by name and value: `path` escapes and parses `key=value/` names, `value` types raw strings, `index` holds a table's
//! partitions as an Arrow batch.

mod index;
mod path;
mod value;

pub use index::PartitionIndex;
pub use path::{HIVE_DEFAULT_PARTITION, escape, hive_name, parse_segment, unescape};
pub use value::{canonical, parse_values, typed_array};
