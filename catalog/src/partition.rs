//! Hive partitions: `path` escapes and parses their names (`key=value/`), `value` parses raw strings by their types, `index` is a table's
//! partitions as a tree of typed values, `projection` computes them from a table's properties.

mod index;
mod path;
mod projection;
mod text;
mod value;

pub use index::{Level, LevelMask, PartitionEntry, PartitionIndex, PartitionIndexBuilder, PartitionOwn};
pub use path::{HIVE_DEFAULT_PARTITION, escape, hive_name, parse_name, parse_segment, unescape};
pub use projection::{KeyFilter, MOST_PARTITIONS, Projection};
pub(crate) use value::check_count;
pub use value::{canonical, check_value, parse_values, typed_array};
