//! Plain data: what the catalog holds, in the words of Hive and Glue.

mod attachment;
mod column;
mod database;
mod grant;
mod partition;
mod storage_descriptor;
mod table;
mod workgroup;

pub use attachment::Attachment;
pub use column::Column;
pub use database::Database;
pub use grant::{Access, Grant, GrantObject, Grantee};
pub use partition::{Partition, PartitionValues};
pub use storage_descriptor::{SerDe, StorageDescriptor};
pub use table::{Table, TableType};
pub use workgroup::{
    SettingKind, SettingValue, WORKGROUP_SETTINGS, Workgroup, WorkgroupSetting, WorkgroupSettings, WorkgroupState,
};

/// Properties of databases, tables, partitions and SerDes: Glue's `Parameters`, in key order.
pub type Properties = std::collections::BTreeMap<String, String>;
