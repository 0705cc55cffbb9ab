//! The `table_schema` of GetTables: a table's columns as a query's result would have them, described for clients, and encoded as an IPC
//! message. Which tables there are is not asked here.

use arrow::{
    datatypes::{DataType, Field, Schema},
    ipc::writer::IpcWriteOptions,
};
use arrow_flight::{IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use glaux_catalog::{HiveType, ident::CATALOG_NAME, model::Column};
use glaux_engine::{Error, Result};

use super::type_name::{TypeDescription, describe_as, key};

/// The columns of one table, all nullable, with where they belong, what their types are, and their comments.
#[derive(Debug)]
pub(super) struct TableSchema<'a> {
    pub(super) database: &'a str,
    pub(super) table: &'a str,
    fields: Vec<Field>,
}

impl<'a> TableSchema<'a> {
    pub(super) fn new(database: &'a str, table: &'a str) -> Self {
        Self { database, table, fields: Vec::new() }
    }

    /// A column of a definition. Its declared length is not in its Arrow type; the metadata has it.
    pub(super) fn push_column(&mut self, column: &Column) {
        let field = Field::new(&column.name, column.hive_type.to_arrow(), true);
        let mut description = TypeDescription::of(field.data_type());
        if let HiveType::Char(length) | HiveType::Varchar(length) = column.hive_type {
            description.name = column.hive_type.trino_name();
            description.precision = i32::try_from(length).ok();
        }
        self.push(&field, &description, column.comment.as_deref());
    }

    /// A column of a table that has an Arrow schema of its own.
    pub(super) fn push_field(&mut self, name: &str, data_type: &DataType) {
        let field = Field::new(name, data_type.clone(), true);
        self.push(&field, &TypeDescription::of(data_type), None);
    }

    fn push(&mut self, field: &Field, description: &TypeDescription, comment: Option<&str>) {
        let mut field = describe_as(field, description);
        let metadata = field.metadata_mut();
        metadata.insert(key::CATALOG_NAME.to_owned(), CATALOG_NAME.to_owned());
        for key in [key::DB_SCHEMA_NAME, key::SCHEMA_NAME] {
            metadata.insert(key.to_owned(), self.database.to_owned());
        }
        metadata.insert(key::TABLE_NAME.to_owned(), self.table.to_owned());
        if let Some(comment) = comment {
            metadata.insert(key::REMARKS.to_owned(), comment.to_owned());
        }
        self.fields.push(field);
    }

    pub(super) fn schema(self) -> Schema {
        Schema::new(self.fields)
    }

    /// An encapsulated message that holds the schema.
    pub(super) fn encode(self, options: &IpcWriteOptions) -> Result<Bytes> {
        let message: Result<IpcMessage, _> = SchemaAsIpc::new(&self.schema(), options).try_into();
        match message {
            Ok(IpcMessage(bytes)) => Ok(bytes),
            Err(error) => Err(Error::internal("the schema of a table cannot be encoded").with_source(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_say_where_they_belong_and_what_they_are() {
        let mut schema = TableSchema::new("sales", "orders");
        schema.push_column(&Column::new("id", HiveType::BigInt));
        schema.push_column(&Column { comment: Some("who paid".to_owned()), ..Column::new("payer", HiveType::Varchar(40)) });
        schema.push_column(&Column::new("code", HiveType::Char(3)));
        schema.push_field("at", &HiveType::Timestamp.to_arrow());
        let schema = schema.schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "payer", "code", "at"]);
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
        let of = |name: &str, key: &str| schema.field_with_name(name).unwrap().metadata().get(key).map(String::as_str);
        for name in names {
            assert_eq!(of(name, key::CATALOG_NAME), Some("awsdatacatalog"));
            assert_eq!([of(name, key::DB_SCHEMA_NAME), of(name, key::SCHEMA_NAME)], [Some("sales"); 2]);
            assert_eq!(of(name, key::TABLE_NAME), Some("orders"));
            assert_eq!(of(name, key::IS_READ_ONLY), Some("1"));
        }
        assert_eq!(
            (of("id", key::TYPE_NAME), of("id", key::PRECISION), of("id", key::SCALE)),
            (Some("bigint"), Some("19"), Some("0"))
        );
        assert_eq!((of("payer", key::TYPE_NAME), of("payer", key::PRECISION)), (Some("varchar(40)"), Some("40")));
        assert_eq!((of("code", key::TYPE_NAME), of("code", key::PRECISION)), (Some("char(3)"), Some("3")));
        assert_eq!((of("payer", key::REMARKS), of("id", key::REMARKS)), (Some("who paid"), None));
        assert_eq!(of("at", key::TYPE_NAME), Some("timestamp"));
    }

    #[test]
    fn the_message_is_encapsulated_and_reads_back() {
        let schema = || {
            let mut schema = TableSchema::new("d", "t");
            schema.push_column(&Column::new("a", "array<struct<x:int>>".parse().unwrap()));
            schema
        };
        let bytes = schema().encode(&IpcWriteOptions::default()).unwrap();
        assert_eq!(bytes[..4], [0xff; 4], "the continuation marker");
        let read = Schema::try_from(IpcMessage(bytes)).unwrap();
        assert_eq!(read, schema().schema());
    }
}
