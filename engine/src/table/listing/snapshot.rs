//! Snapshots of a table's files: attachments of the table, from which a query reads the files without a request to the store.
//!
//! Partitions are recorded in chunks of neighbours, each an Arrow IPC stream under a name that is never used again, and a list of the chunks says
//! which partitions each holds. Nothing here lists.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt64Array},
    buffer::Buffer,
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type},
    ipc::{reader::StreamDecoder, writer::StreamWriter},
};
use bytes::Bytes;
use chrono::DateTime;
use glaux_catalog::{Metastore, contained::contained, model::Table};
use object_store::{ObjectMeta, path::Path};
use serde::{Deserialize, Serialize};

use super::{
    chunk::{Chunk, Recorded},
    kept::KeptListings,
};
use crate::error::{Error, Result};

/// The attachment with the list of chunks.
const CHUNKS: &str = "files/list";
/// Rows of a chunk, at least, where there are as many.
const CHUNK_ROWS: usize = 8192;

/// Which chunks there are.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    /// Counts up with every change, so that no two chunks have one name.
    generation: u64,
    /// The table's root when it was taken.
    root: String,
    /// By their first partitions, ascending.
    chunks: Vec<ChunkEntry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ChunkEntry {
    first: String,
    name: String,
}

/// A table's snapshot, open for looking partitions up.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    metastore: &'a dyn Metastore,
    kept: &'a KeptListings,
    table: &'a Table,
    contents: Contents,
}

impl<'a> Snapshot<'a> {
    /// Nothing if none was taken, or the table was moved since.
    pub(super) async fn open(metastore: &'a dyn Metastore, kept: &'a KeptListings, table: &'a Table) -> Result<Option<Self>> {
        let contents = contents(metastore, table).await?;
        let taken = contents.filter(|contents| contents.root == table.root());
        Ok(taken.map(|contents| Self { metastore, kept, table, contents }))
    }

    /// The chunk that a partition is in, if it is in any.
    fn position(&self, partition: &str) -> Option<usize> {
        self.contents.chunks.partition_point(|chunk| chunk.first.as_str() <= partition).checked_sub(1)
    }

    async fn chunk(&self, at: usize) -> Result<Arc<Chunk>> {
        let Some(entry) = self.contents.chunks.get(at) else { return Ok(Arc::default()) };
        if let Some(chunk) = self.kept.chunk(self.table.id, &entry.name) {
            return Ok(chunk);
        }
        let found = self.metastore.attachments(self.table, &entry.name).await?;
        let found = found.into_iter().find(|attachment| attachment.name == entry.name);
        // A refresh may have replaced it since the list was read: then its partitions are listed.
        let Some(attachment) = found else { return Ok(Arc::default()) };
        let chunk = Arc::new(Chunk(decode(&attachment.bytes).map_err(|error| damaged(self.table, error))?));
        self.kept.put_chunk(self.table.id, &entry.name, &chunk);
        Ok(chunk)
    }

    /// Calls `each` with every one of these partitions, ascending, and what was recorded of it.
    pub(super) async fn look_up(
        &self,
        partitions: impl Iterator<Item = (u32, String)> + Send,
        mut each: impl FnMut(u32, Option<&Recorded>) + Send,
    ) -> Result<()> {
        let mut open: Option<(usize, Arc<Chunk>)> = None;
        for (row, partition) in partitions {
            let Some(at) = self.position(&partition) else {
                each(row, None);
                continue;
            };
            if open.as_ref().is_none_or(|(opened, _)| *opened != at) {
                open = Some((at, self.chunk(at).await?));
            }
            each(row, open.as_ref().and_then(|(_, chunk)| chunk.find(&partition)));
        }
        Ok(())
    }
}

async fn contents(metastore: &dyn Metastore, table: &Table) -> Result<Option<Contents>> {
    let found = metastore.attachments(table, CHUNKS).await?;
    let found = found.into_iter().find(|attachment| attachment.name == CHUNKS);
    let read =
        |bytes: Bytes| serde_json::from_slice(&bytes).map_err(|error| damaged(table, Error::invalid("").with_source(error)));
    found.map(|attachment| read(attachment.bytes)).transpose()
}

fn damaged(table: &Table, error: Error) -> Error {
    Error::corrupt(format!("the file snapshot of table \"{}\" is damaged", table.name))
        .with_hint(format!("Run REFRESH TABLE {}", table.name))
        .with_source(error)
}

/// Takes the place of the whole snapshot of a table; `records` are by partition, ascending.
pub(super) async fn replace(metastore: &dyn Metastore, table: &Table, records: Vec<Recorded>) -> Result<()> {
    // One that does not decode is no longer needed.
    let before = contents(metastore, table).await.ok().flatten().unwrap_or_default();
    let generation = before.generation + 1;
    let mut changes: Vec<(String, Option<Bytes>)> = before.chunks.into_iter().map(|chunk| (chunk.name, None)).collect();
    let mut after = Contents { generation, root: table.root(), chunks: Vec::new() };
    add(&mut after, &mut changes, records)?;
    write(metastore, table, &after, changes).await
}

/// Puts the records of some partitions in place of what the snapshot has of them; `records` are by partition, ascending.
pub(super) async fn update(metastore: &dyn Metastore, kept: &KeptListings, table: &Table, records: Vec<Recorded>) -> Result<()> {
    let Some(snapshot) = Snapshot::open(metastore, kept, table).await? else {
        return replace(metastore, table, records).await;
    };
    let mut after = Contents { generation: snapshot.contents.generation + 1, root: table.root(), chunks: Vec::new() };
    let mut changes = Vec::new();
    let mut records = records.into_iter().peekable();
    let chunks = &snapshot.contents.chunks;
    for (at, entry) in chunks.iter().enumerate() {
        let end = chunks.get(at + 1).map(|next| next.first.as_str());
        let mut new = Vec::new();
        while let Some(record) = records.next_if(|record| end.is_none_or(|end| record.partition.as_str() < end)) {
            new.push(record);
        }
        if new.is_empty() {
            after.chunks.push(entry.clone());
            continue;
        }
        let mut merged = snapshot.chunk(at).await?.0.clone();
        merged.retain(|old| new.binary_search_by(|new| new.partition.cmp(&old.partition)).is_err());
        merged.extend(new);
        merged.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
        changes.push((entry.name.clone(), None));
        add(&mut after, &mut changes, merged)?;
    }
    add(&mut after, &mut changes, records.collect())?;
    write(metastore, table, &after, changes).await
}

fn add(contents: &mut Contents, changes: &mut Vec<(String, Option<Bytes>)>, records: Vec<Recorded>) -> Result<()> {
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let (mut chunk, mut rows) = (Vec::new(), 0);
        while let Some(record) = records.next_if(|_| rows < CHUNK_ROWS) {
            rows += record.files.len().max(1);
            chunk.push(record);
        }
        let name = format!("files/{:08x}-{:06}", contents.generation, contents.chunks.len());
        let first = chunk.first().map(|record| record.partition.clone()).unwrap_or_default();
        changes.push((name.clone(), Some(encode(&chunk)?)));
        contents.chunks.push(ChunkEntry { first, name });
    }
    Ok(())
}

async fn write(
    metastore: &dyn Metastore,
    table: &Table,
    contents: &Contents,
    mut changes: Vec<(String, Option<Bytes>)>,
) -> Result<()> {
    let bytes =
        serde_json::to_vec(contents).map_err(|error| Error::internal("a snapshot could not be encoded").with_source(error))?;
    changes.push((CHUNKS.to_owned(), Some(Bytes::from(bytes))));
    metastore.set_attachments(table, changes).await
}

/// A row a file; a partition without files has one row without a path.
fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("partition", false),
        text("own_location", true),
        Field::new("taken_at", DataType::Int64, false),
        text("path", true),
        Field::new("size", DataType::UInt64, false),
        Field::new("modified_at", DataType::Int64, false),
        text("e_tag", true),
    ]))
}

fn encode(records: &[Recorded]) -> Result<Bytes> {
    type Row<'a> = (&'a Recorded, Option<&'a ObjectMeta>);
    let rows = records.iter().flat_map(|record| {
        let none = record.files.is_empty().then_some((record, None));
        none.into_iter().chain(record.files.iter().map(move |file| (record, Some(file))))
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let texts = |text: fn(&Row<'_>) -> Option<String>| Arc::new(rows.iter().map(text).collect::<StringArray>()) as ArrayRef;
    let numbers =
        |number: fn(&Row<'_>) -> i64| Arc::new(rows.iter().map(|row| Some(number(row))).collect::<Int64Array>()) as ArrayRef;
    let sizes: UInt64Array = rows.iter().map(|(_, file)| Some(file.map_or(0, |file| file.size))).collect();
    let columns = vec![
        texts(|(record, _)| Some(record.partition.clone())),
        texts(|(record, _)| record.own_location.clone()),
        numbers(|(record, _)| record.taken_at.timestamp_micros()),
        texts(|(_, file)| file.map(|file| file.location.as_ref().to_owned())),
        Arc::new(sizes),
        numbers(|(_, file)| file.map_or(0, |file| file.last_modified.timestamp_micros())),
        texts(|(_, file)| file.and_then(|file| file.e_tag.clone())),
    ];
    let written = || {
        let batch = RecordBatch::try_new(schema(), columns)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &schema())?;
        writer.write(&batch)?;
        writer.into_inner()
    };
    let bytes = written().map_err(|error| Error::internal("a snapshot could not be encoded").with_source(error))?;
    Ok(Bytes::from(bytes))
}

/// Whoever may write the table may write its attachments.
fn decode(bytes: &Bytes) -> Result<Vec<Recorded>> {
    contained(|| decoded(bytes))
        .unwrap_or_else(|panic| Err(Error::corrupt("it is not an Arrow stream").with_source(Error::corrupt(panic))))
}

fn decoded(bytes: &Bytes) -> Result<Vec<Recorded>> {
    let unreadable = |error: arrow::error::ArrowError| Error::corrupt("it is not an Arrow stream").with_source(error);
    let mut records: Vec<Recorded> = Vec::new();
    // It takes no memory for bytes that are not there, whatever lengths say.
    let (mut decoder, mut buffer) = (StreamDecoder::new(), Buffer::from(bytes.clone()));
    while !buffer.is_empty() {
        let Some(batch) = decoder.decode(&mut buffer).map_err(unreadable)? else { continue };
        if batch.schema().fields() != schema().fields() {
            return Err(Error::corrupt("it has other columns"));
        }
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let optional = |column: usize, row: usize| text(column).is_valid(row).then(|| text(column).value(row).to_owned());
        let number = |column: usize, row: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
        let time = |column: usize, row: usize| DateTime::from_timestamp_micros(number(column, row)).unwrap_or_default();
        for row in 0..batch.num_rows() {
            let partition = text(0).value(row);
            if records.last().is_none_or(|last| last.partition != partition) {
                let (own_location, taken_at) = (optional(1, row), time(2, row));
                records.push(Recorded { partition: partition.to_owned(), own_location, taken_at, files: Vec::new() });
            }
            let (Some(path), Some(record)) = (optional(3, row), records.last_mut()) else { continue };
            record.files.push(ObjectMeta {
                location: Path::parse(&path).map_err(|error| Error::corrupt("a path is not one").with_source(error))?,
                last_modified: time(5, row),
                size: batch.column(4).as_primitive::<UInt64Type>().value(row),
                e_tag: optional(6, row),
                version: None,
            });
        }
    }
    decoder.finish().map_err(unreadable)?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let file = |path: &str, e_tag: Option<&str>| ObjectMeta {
            location: Path::parse(path).unwrap(),
            last_modified: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            size: 7,
            e_tag: e_tag.map(str::to_owned),
            version: None,
        };
        let record = |partition: &str, own: Option<&str>, files| Recorded {
            partition: partition.to_owned(),
            own_location: own.map(str::to_owned),
            taken_at: DateTime::from_timestamp_micros(5).unwrap(),
            files,
        };
        let records = vec![
            record("k=1", None, vec![file("t/k=1/a é.parquet", Some("\"x\"")), file("t/k=1/b", None)]),
            record("k=2", Some("s3://other/x/"), Vec::new()),
            record("k=3", None, vec![file("t/k=3/a", None)]),
        ];
        assert_eq!(decode(&encode(&records).unwrap()).unwrap(), records);
        let chunk = Chunk(records);
        assert_eq!(chunk.find("k=2").unwrap().files, []);
        assert!(chunk.find("k=9").is_none());
        assert!(decode(&Bytes::from_static(b"nothing of the kind")).is_err());
        let whole = encode(&chunk.0).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0xff;
            // Other values may still be some.
            if let Err(error) = decode(&Bytes::from(damaged)) {
                assert_eq!(error.kind(), crate::error::ErrorKind::CorruptData, "{at}");
            }
            let _ = decode(&whole.slice(..at));
        }
    }
}
