//! Databases, tables, versions and grants as messages, and back. A missing or unknown field is an error that names it.

use chrono::{DateTime, Utc};
use glaux_proto::catalog::v1 as proto;

use crate::{
    error::{Error, Result},
    ident::TableName,
    metastore::TableVersion,
    model::{Access, Column, Database, Grant, GrantObject, Grantee, SerDe, StorageDescriptor, Table, TableType},
};

/// A required field of a message.
///
/// # Errors
/// `Invalid` if it is missing, naming it.
pub(crate) fn present<T>(part: Option<T>, what: &str) -> Result<T> {
    part.ok_or_else(|| {
        Error::invalid(format!("the message has no \"{what}\"")).with_hint("Use the same release of glaux on both sides")
    })
}

pub(super) fn unknown(what: &str) -> Error {
    Error::invalid(format!("the message has an unknown \"{what}\"")).with_hint("Use the same release of glaux on both sides")
}

pub(super) fn time(time: DateTime<Utc>) -> proto::Time {
    proto::Time { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() }
}

pub(super) fn read_time(time: Option<proto::Time>, what: &str) -> Result<DateTime<Utc>> {
    let time = present(time, what)?;
    DateTime::from_timestamp(time.seconds, time.nanos).ok_or_else(|| Error::invalid(format!("\"{what}\" is not a valid time")))
}

pub(crate) fn database(database: Database) -> proto::Database {
    let Database { name, comment, location, properties, created_at } = database;
    proto::Database { name, comment, location, properties, created_at: Some(time(created_at)) }
}

pub(crate) fn read_database(message: Option<proto::Database>) -> Result<Database> {
    let proto::Database { name, comment, location, properties, created_at } = present(message, "database")?;
    Ok(Database { name, comment, location, properties, created_at: read_time(created_at, "created_at")? })
}

fn columns(columns: Vec<Column>) -> Vec<proto::Column> {
    let column = |Column { name, hive_type, comment }| proto::Column { name, hive_type: hive_type.to_string(), comment };
    columns.into_iter().map(column).collect()
}

fn read_columns(messages: Vec<proto::Column>) -> Result<Vec<Column>> {
    let column = |message: proto::Column| {
        let proto::Column { name, hive_type, comment } = message;
        Ok(Column { name, hive_type: hive_type.parse()?, comment })
    };
    messages.into_iter().map(column).collect()
}

fn storage(storage: StorageDescriptor) -> proto::StorageDescriptor {
    let StorageDescriptor { columns: own, location, input_format, output_format, serde, bucket_columns, bucket_count } = storage;
    let serde = proto::SerDe { library: serde.library, properties: serde.properties };
    proto::StorageDescriptor {
        columns: columns(own),
        location,
        input_format,
        output_format,
        serde: Some(serde),
        bucket_columns,
        bucket_count,
    }
}

fn read_storage(message: Option<proto::StorageDescriptor>) -> Result<StorageDescriptor> {
    let message = present(message, "storage")?;
    let proto::StorageDescriptor { columns, location, input_format, output_format, serde, bucket_columns, bucket_count } =
        message;
    let serde = serde.map_or_else(SerDe::default, |serde| SerDe { library: serde.library, properties: serde.properties });
    let columns = read_columns(columns)?;
    Ok(StorageDescriptor { columns, location, input_format, output_format, serde, bucket_columns, bucket_count })
}

pub(crate) fn table(table: Table) -> proto::Table {
    let Table {
        name,
        id,
        version,
        table_type,
        storage: place,
        partition_keys,
        comment,
        properties,
        view_text,
        view_database,
        created_at,
        updated_at,
    } = table;
    let table_type = match table_type {
        TableType::ExternalTable => proto::TableType::ExternalTable,
        TableType::VirtualView => proto::TableType::VirtualView,
    };
    proto::Table {
        database: name.database,
        name: name.table,
        id,
        version,
        table_type: table_type.into(),
        storage: Some(storage(place)),
        partition_keys: columns(partition_keys),
        comment,
        properties,
        view_text,
        view_database,
        created_at: Some(time(created_at)),
        updated_at: Some(time(updated_at)),
    }
}

pub(crate) fn read_table(message: Option<proto::Table>) -> Result<Table> {
    let message = present(message, "table")?;
    let table_type = match message.table_type() {
        proto::TableType::ExternalTable => TableType::ExternalTable,
        proto::TableType::VirtualView => TableType::VirtualView,
        proto::TableType::Unspecified => return Err(unknown("table_type")),
    };
    Ok(Table {
        name: TableName { database: message.database, table: message.name },
        id: message.id,
        version: message.version,
        table_type,
        storage: read_storage(message.storage)?,
        partition_keys: read_columns(message.partition_keys)?,
        comment: message.comment,
        properties: message.properties,
        view_text: message.view_text,
        view_database: message.view_database,
        created_at: read_time(message.created_at, "created_at")?,
        updated_at: read_time(message.updated_at, "updated_at")?,
    })
}

/// A reference to a table, with the version and location that the caller knows.
pub(crate) fn table_ref(table: &Table) -> proto::TableRef {
    proto::TableRef {
        database: table.name.database.clone(),
        name: table.name.table.clone(),
        id: table.id,
        version: table.version,
        location: table.storage.location.clone(),
    }
}

pub(crate) fn table_version(version: TableVersion) -> proto::TableVersion {
    let TableVersion { name, id, version } = version;
    proto::TableVersion { database: name.database, name: name.table, id, version }
}

pub(crate) fn read_table_version(message: proto::TableVersion) -> TableVersion {
    let proto::TableVersion { database, name, id, version } = message;
    TableVersion { name: TableName { database, table: name }, id, version }
}

pub(crate) fn grant_object(object: GrantObject) -> proto::GrantObject {
    match object {
        GrantObject::Catalog => proto::GrantObject::default(),
        GrantObject::Database(name) => proto::GrantObject { database: Some(name), table: None },
        GrantObject::Table(name) => proto::GrantObject { database: Some(name.database), table: Some(name.table) },
    }
}

pub(crate) fn read_grant_object(message: Option<proto::GrantObject>) -> Result<GrantObject> {
    match present(message, "object")? {
        proto::GrantObject { database: None, table: None } => Ok(GrantObject::Catalog),
        proto::GrantObject { database: Some(database), table: None } => Ok(GrantObject::Database(database)),
        proto::GrantObject { database: Some(database), table: Some(table) } => {
            Ok(GrantObject::Table(TableName { database, table }))
        }
        proto::GrantObject { database: None, table: Some(_) } => Err(unknown("object")),
    }
}

pub(crate) fn grantee(grantee: Grantee) -> proto::Grantee {
    let kind = match &grantee {
        Grantee::User(_) => proto::grantee::Kind::User,
        Grantee::Group(_) => proto::grantee::Kind::Group,
    };
    match grantee {
        Grantee::User(name) | Grantee::Group(name) => proto::Grantee { kind: kind.into(), name },
    }
}

pub(crate) fn read_grantee(message: Option<proto::Grantee>) -> Result<Grantee> {
    let message = present(message, "grantee")?;
    match message.kind() {
        proto::grantee::Kind::User => Ok(Grantee::User(message.name)),
        proto::grantee::Kind::Group => Ok(Grantee::Group(message.name)),
        proto::grantee::Kind::Unspecified => Err(unknown("grantee")),
    }
}

pub(crate) fn grant(grant: Grant) -> proto::Grant {
    let access = match grant.access {
        Access::None => proto::Access::None,
        Access::Read => proto::Access::Read,
        Access::Write => proto::Access::Write,
    };
    proto::Grant { object: Some(grant_object(grant.object)), grantee: Some(grantee(grant.grantee)), access: access.into() }
}

pub(crate) fn read_grant(message: proto::Grant) -> Result<Grant> {
    let access = match message.access() {
        proto::Access::None => Access::None,
        proto::Access::Read => Access::Read,
        proto::Access::Write => Access::Write,
        proto::Access::Unspecified => return Err(unknown("access")),
    };
    Ok(Grant { object: read_grant_object(message.object)?, grantee: read_grantee(message.grantee)?, access })
}
