//! What goes over the line in many messages: definitions, indexes and partitions coming, changes and attachments going.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::{Stream, stream};
use glaux_proto::catalog::v1::{self as proto, change_partitions_request as changing, install_table_request as installing};

use super::call::{Line, Purpose, Trouble};
use crate::{
    error::Result,
    metastore::{PartitionChange, PartitionChangeSummary, index_cache::Indexed},
    model::{Attachment, Partition, PartitionValues, Table},
    partition::{PartitionEntry, PartitionIndex},
    service::{Gathered, end_of},
    wire::{attachment, definition as message, index::Assembly, partition as arrow},
};

/// Values in one question: below the largest message that services take by default.
const QUESTION: usize = 100_000;

pub(super) async fn tables(line: &Line, database: &str) -> Result<Vec<Table>> {
    let attempt = || async {
        let asked = proto::ListTablesRequest { database: database.to_owned() };
        let mut messages = line.answer(line.timeout(), line.client().list_tables(line.endless_request(asked))).await?;
        let mut tables = Vec::new();
        while let Some(some) = line.next(&mut messages).await? {
            for table in some.tables {
                tables.push(message::read_table(Some(table))?);
            }
        }
        Ok::<_, Trouble>(tables)
    };
    line.carried(Purpose::Read, attempt).await
}

/// The index of a table, from what has changed since an older one if the service knows.
pub(super) async fn index(line: &Line, table: &Table, older: Option<&Indexed>) -> Result<Indexed> {
    if let Some(older) = older {
        let (version, index, gone) = fetch(line, table, older.version).await?;
        let updated = match gone {
            None => Some(index),
            // One that does not come about is fetched whole.
            Some(gone) => older.index.updated(&changes(&index, gone)).ok(),
        };
        if let Some(index) = updated {
            return Ok(Indexed { version, index: Arc::new(index) });
        }
    }
    let (version, index, _) = fetch(line, table, 0).await?;
    Ok(Indexed { version, index: Arc::new(index) })
}

/// A version, and its partitions; or those that were added or changed since another version, and the names of those that are gone.
async fn fetch(line: &Line, table: &Table, since: i64) -> Result<(i64, PartitionIndex, Option<Vec<String>>)> {
    let attempt = || async {
        let asked = proto::GetPartitionsRequest { table: Some(message::table_ref(table)), since, ..Default::default() };
        let mut messages = line.answer(line.timeout(), line.client().get_partitions(line.endless_request(asked))).await?;
        let mut assembly = Assembly::new(&table.partition_keys);
        let (mut version, mut count, mut gone) = (table.version, 0, None);
        while let Some(piece) = line.next(&mut messages).await? {
            (version, count) = (version.max(piece.version), count + piece.count);
            if piece.is_difference {
                gone = Some(piece.gone);
            }
            assembly.add(piece.arrow_ipc)?;
        }
        let index = assembly.finish()?;
        if index.len() as u64 != count {
            return Err(Trouble::Lost(format!("{} of {count} partitions came", index.len())));
        }
        Ok((version, index, gone))
    };
    line.carried(Purpose::Read, attempt).await
}

/// What has changed: these partitions are as they are here, and those are gone.
fn changes(now: &PartitionIndex, gone: Vec<String>) -> BTreeMap<String, Option<PartitionEntry>> {
    let entry = |row| PartitionEntry { location: now.own_location(row).map(str::to_owned), own: now.own(row).cloned() };
    let there = now.names().enumerate().map(|(row, name)| (name, Some(entry(row))));
    there.chain(gone.into_iter().map(|name| (name, None))).collect()
}

pub(super) async fn partitions(line: &Line, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
    let mut found = Vec::new();
    // Nothing to ask is asked too, to be told whether there is the table.
    let questions = if values.is_empty() { vec![values] } else { values.chunks(QUESTION).collect() };
    for values in questions {
        let question = arrow::encode_values(values)?;
        let attempt = || async {
            let asked = proto::FindPartitionsRequest { table: Some(message::table_ref(table)), values: question.clone() };
            let mut messages = line.answer(line.timeout(), line.client().find_partitions(line.endless_request(asked))).await?;
            let mut found = Vec::new();
            while let Some(some) = line.next(&mut messages).await? {
                found.extend(arrow::decode(some.partitions)?);
            }
            Ok::<_, Trouble>(found)
        };
        found.extend(line.carried(Purpose::Read, attempt).await?);
    }
    Ok(found)
}

pub(super) async fn change(line: &Line, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
    use changing::{Header, Part};
    let end = end_of(&change);
    let size = end.drops + end.renames + end.replaces + end.adds;
    let mut parts = vec![Part::Header(Header { table: Some(message::table_ref(table)), skip_existing: change.skip_existing })];
    for some in change.drop.chunks(arrow::CHUNK) {
        parts.push(Part::Drop(arrow::encode_drops(some)?));
    }
    for some in change.rename.chunks(arrow::CHUNK) {
        parts.push(Part::Rename(arrow::encode_renames(some)?));
    }
    for some in change.replace.chunks(arrow::CHUNK) {
        parts.push(Part::Replace(arrow::encode(some)?));
    }
    for some in change.add.chunks(arrow::CHUNK) {
        parts.push(Part::Add(arrow::encode(some)?));
    }
    parts.push(Part::End(end));
    drop(change);
    let timeout = line.timeout() + patience(size);
    let attempt = || async {
        let messages = cloned(&parts, |part| proto::ChangePartitionsRequest { part: Some(part) });
        line.answer(timeout, line.client().change_partitions(line.request(messages, timeout))).await
    };
    let answer = line.carried(Purpose::Change, attempt).await?;
    let [dropped, renamed, replaced, added] =
        [answer.dropped, answer.renamed, answer.replaced, answer.added].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(PartitionChangeSummary { dropped, renamed, replaced, added })
}

pub(super) async fn install(line: &Line, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
    use installing::{End, Header, Part};
    let adds = partitions.len() as u64;
    let mut parts = vec![Part::Header(Header { table: Some(message::table(table)), replace })];
    for some in partitions.chunks(arrow::CHUNK) {
        parts.push(Part::Add(arrow::encode(some)?));
    }
    parts.push(Part::End(End { adds }));
    drop(partitions);
    let timeout = line.timeout() + patience(adds);
    let attempt = || async {
        let messages = cloned(&parts, |part| proto::InstallTableRequest { part: Some(part) });
        line.answer(timeout, line.client().install_table(line.request(messages, timeout))).await
    };
    message::read_table(line.carried(Purpose::Change, attempt).await?.table)
}

pub(super) async fn attachments(line: &Line, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
    let attempt = || async {
        let asked = proto::GetAttachmentsRequest { table: Some(message::table_ref(table)), prefix: prefix.to_owned() };
        let mut messages = line.answer(line.timeout(), line.client().get_attachments(line.endless_request(asked))).await?;
        let mut gathered = Gathered::default();
        while let Some(some) = line.next(&mut messages).await? {
            some.pieces.into_iter().for_each(|piece| gathered.add(piece));
        }
        Ok::<_, Trouble>(gathered.whole)
    };
    let whole = line.carried(Purpose::Read, attempt).await?;
    Ok(whole.into_iter().map(|(name, bytes)| Attachment { name, bytes: bytes.unwrap_or_default() }).collect())
}

pub(super) async fn set_attachments(line: &Line, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
    let pieces = changes.into_iter().flat_map(|(name, bytes)| attachment::pieces(name, bytes));
    let some = |pieces| proto::SetAttachmentsRequest { table: None, pieces, end: false };
    let mut messages: Vec<_> = attachment::grouped(pieces).map(some).collect();
    messages.push(proto::SetAttachmentsRequest { table: None, pieces: Vec::new(), end: true });
    if let Some(first) = messages.first_mut() {
        first.table = Some(message::table_ref(table));
    }
    let timeout = line.timeout() + patience(messages.len() as u64 * 1_000);
    let attempt = || async {
        let messages = cloned(&messages, |message| message);
        line.answer(timeout, line.client().set_attachments(line.request(messages, timeout))).await
    };
    line.carried(Purpose::Change, attempt).await.map(drop)
}

/// Messages to send, of which the large parts are shared.
fn cloned<P, M>(parts: &[P], message: impl Fn(P) -> M + Send + 'static) -> impl Stream<Item = M> + Send + 'static
where
    P: Clone + Send + 'static,
    M: Send + 'static,
{
    // Of its own: what is sent outlives the call that sends it.
    let own: Vec<P> = parts.to_vec();
    stream::iter(own.into_iter().map(message))
}

/// How much longer a change of so many partitions may take.
fn patience(partitions: u64) -> std::time::Duration {
    std::time::Duration::from_micros(partitions * 100)
}
