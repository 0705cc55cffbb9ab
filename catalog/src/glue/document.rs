//! Glue's answers to GetDatabases, GetTables and GetPartitions (and those for one object), as printed by the AWS command line and SDKs: one
//! document or several, such as one on each line.
//!
//! Each object keeps the fields that are not declared here.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    io::Read,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::Rest;
use crate::{
    error::{Error, Result},
    model::{Column, Properties},
};

/// A time of Glue: text, or seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GlueTime {
    Seconds(f64),
    Text(String),
}

impl GlueTime {
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        Self::Text(at.to_rfc3339_opts(SecondsFormat::AutoSi, false))
    }

    /// # Errors
    /// `Invalid` for text that is not an ISO 8601 time with a zone, and for seconds out of range.
    pub fn read(&self) -> Result<DateTime<Utc>> {
        let read = match self {
            Self::Seconds(seconds) => DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64),
            Self::Text(text) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
        };
        let shown = || match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
        };
        read.ok_or_else(|| {
            Error::invalid(format!("\"{}\" is not a time", shown()))
                .with_hint("Use seconds since 1970, or a time such as 2024-06-01T12:00:00+00:00")
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueDatabase {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Properties>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<GlueTime>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueColumn {
    pub name: String,
    #[serde(default, rename = "Type", skip_serializing_if = "Option::is_none")]
    pub hive_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueSerde {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serialization_library: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Properties>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueStorage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<GlueColumn>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_of_buckets: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serde_info: Option<GlueSerde>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_columns: Option<Vec<String>>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueTable {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<GlueTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<GlueTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<GlueStorage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_keys: Option<Vec<GlueColumn>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_original_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Properties>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GluePartition {
    pub values: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<GlueTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<GlueStorage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Properties>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The part of a descriptor that many partitions share: all but the location and the parameters.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SharedStorage {
    pub(super) storage: GlueStorage,
    #[serde(skip)]
    pub(super) columns: OnceLock<Columns>,
}

/// Columns, and the fields of them that only Glue has.
pub(super) type Columns = (Vec<Column>, BTreeMap<String, Rest>);

impl SharedStorage {
    /// Takes the shared part out of a descriptor.
    pub(super) fn take(storage: &mut GlueStorage) -> Self {
        let own = GlueStorage { location: storage.location.take(), ..GlueStorage::default() };
        let mut shared = std::mem::replace(storage, own);
        if let Some(parameters) = shared.rest.remove("Parameters") {
            storage.rest.insert("Parameters".to_owned(), parameters);
        }
        Self { storage: shared, columns: OnceLock::new() }
    }
}

/// The content of one or several files.
#[derive(Debug, Default)]
pub struct Documents {
    pub databases: Vec<GlueDatabase>,
    pub tables: Vec<GlueTable>,
    /// Partitions, with the shared part of their descriptors.
    pub partitions: Vec<(GluePartition, Arc<SharedStorage>)>,
    /// The number of incomplete answers, which end with a token for the rest.
    pub cut_off: usize,
    shared: HashMap<String, Arc<SharedStorage>>,
}

impl Documents {
    /// Reads all documents of a file.
    ///
    /// # Errors
    /// `Invalid` for what is not JSON or not an answer of Glue, with the position.
    pub fn read(&mut self, reader: impl Read) -> Result<()> {
        let pages = serde_json::Deserializer::from_reader(reader).into_iter::<Page>();
        let mut count = 0;
        for page in pages {
            count += 1;
            let page = page.map_err(|error| {
                Error::invalid(format!("document {count} is not a Glue document: {error}")).with_hint(
                    "Use the output of `aws glue get-databases`, `get-tables`, `get-partitions` or `glaux catalog export`",
                )
            })?;
            self.take(page, count)?;
        }
        if count == 0 {
            return Err(Error::invalid("the file is empty")
                .with_hint("Use the output of `aws glue get-tables` or `glaux catalog export`"));
        }
        Ok(())
    }

    fn take(&mut self, page: Page, number: usize) -> Result<()> {
        let is_answer = page.is_answer;
        self.databases.extend(page.databases);
        self.tables.extend(page.tables);
        for partition in page.partitions {
            self.add(partition)?;
        }
        let mut rest = page.rest;
        if is_answer {
            rest.remove("ResponseMetadata");
            self.cut_off += usize::from(rest.remove("NextToken").is_some_and(|token| !token.is_null()));
            return match rest.keys().next() {
                None => Ok(()),
                Some(key) => Err(Error::invalid(format!("document {number} has an unknown field \"{key}\""))),
            };
        }
        // A single object, as printed by tools that take answers apart.
        let kind = |key: &str| rest.contains_key(key);
        let bare = if kind("Values") {
            serde_json::from_value(Value::Object(rest)).map(|partition| self.add(partition))
        } else if kind("Name") && (kind("DatabaseName") || kind("StorageDescriptor")) {
            serde_json::from_value(Value::Object(rest)).map(|table| {
                self.tables.push(table);
                Ok(())
            })
        } else if kind("Name") {
            serde_json::from_value(Value::Object(rest)).map(|database| {
                self.databases.push(database);
                Ok(())
            })
        } else {
            return Err(Error::invalid(format!("document {number} is not a database, table or partition of Glue")).with_hint(
                "Use the output of `aws glue get-databases`, `get-tables`, `get-partitions` or `glaux catalog export`",
            ));
        };
        bare.map_err(|error| Error::invalid(format!("document {number} is not a Glue document: {error}")))?
    }

    fn add(&mut self, mut partition: GluePartition) -> Result<()> {
        let storage = partition.storage_descriptor.as_mut();
        let shared = storage.map(SharedStorage::take).unwrap_or_default();
        let key = serde_json::to_string(&shared)
            .map_err(|error| Error::internal("a document could not be encoded").with_source(error))?;
        let shared = self.shared.entry(key).or_insert_with(|| Arc::new(shared));
        self.partitions.push((partition, Arc::clone(shared)));
        Ok(())
    }
}

/// One document, parsed without an intermediate form.
#[derive(Default)]
struct Page {
    databases: Vec<GlueDatabase>,
    tables: Vec<GlueTable>,
    partitions: Vec<GluePartition>,
    /// Whether it is an answer, and not a single object.
    is_answer: bool,
    rest: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Page {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PageVisitor;

        impl<'de> Visitor<'de> for PageVisitor {
            type Value = Page;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer of Glue")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
                let mut page = Page::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "DatabaseList" => page.databases = map.next_value()?,
                        "TableList" => page.tables = map.next_value()?,
                        "Partitions" => page.partitions = map.next_value()?,
                        "Database" => page.databases.push(map.next_value()?),
                        "Table" => page.tables.push(map.next_value()?),
                        "Partition" => page.partitions.push(map.next_value()?),
                        _ => {
                            page.rest.insert(key, map.next_value()?);
                            continue;
                        }
                    }
                    page.is_answer = true;
                }
                Ok(page)
            }
        }

        deserializer.deserialize_map(PageVisitor)
    }
}
