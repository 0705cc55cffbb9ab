//! Hive partitions: `path` escapes and parses their names (`key=value/`), `value` parses raw strings by their types, `index` is a table's
//! partitions as a tree of typed values, `projection` computes them from a table's properties.

mod index;
mod path;
mod projection;
mod text;
mod value;

pub use index::{Level, LevelMask, PartitionEntry, PartitionIndex, PartitionIndexBuilder, PartitionOwn};
pub(crate) use path::escape;
pub use path::{HIVE_DEFAULT_PARTITION, hive_name, parse_name, parse_segment};
pub use projection::{KeyFilter, Projection};
pub(crate) use value::check_count;
pub use value::{canonical, check_value, typed_array};
