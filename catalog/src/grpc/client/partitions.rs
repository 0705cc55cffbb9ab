//! Partitions of a catalog service, in streams of messages: indexes and partitions received, changes sent.

use std::{collections::BTreeMap, sync::Arc};

use glaux_proto::catalog::v1::{self as proto, change_partitions_request as changing, install_table_request as installing};

use super::connection::{CallError, Connection, Purpose, extra_time, messages_of};
use crate::{
    error::Result,
    grpc::message::{definition as message, index::Assembly, partition as arrow},
    metastore::{PartitionChange, PartitionChangeSummary, index_cache::Indexed},
    model::{Partition, PartitionValues, Table},
    partition::{PartitionEntry, PartitionIndex},
};

/// Values in one request: its message is smaller than services accept by default.
const VALUES: usize = 100_000;

/// The index of a table, updated from an older one if the service knows the changes since then.
pub(super) async fn index(connection: &Connection, table: &Table, older: Option<&Indexed>) -> Result<Indexed> {
    if let Some(older) = older {
        let (version, index, gone) = fetch(connection, table, older.version).await?;
        let updated = match gone {
            None => Some(index),
            // If the update fails, the whole index is fetched.
            Some(gone) => older.index.updated(&changes(&index, gone)).ok(),
        };
        if let Some(index) = updated {
            return Ok(Indexed { version, index: Arc::new(index) });
        }
    }
    let (version, index, _) = fetch(connection, table, 0).await?;
    Ok(Indexed { version, index: Arc::new(index) })
}

/// A version with its partitions; or with those added or changed since another version, and the names of those dropped.
async fn fetch(connection: &Connection, table: &Table, since: i64) -> Result<(i64, PartitionIndex, Option<Vec<String>>)> {
    let attempt = || async {
        let asked = proto::GetPartitionsRequest { table: Some(message::table_ref(table)), since, ..Default::default() };
        let request = connection.request_without_deadline(asked);
        let mut messages = connection.answer(connection.timeout(), connection.client().get_partitions(request)).await?;
        let mut assembly = Assembly::new(&table.partition_keys);
        let (mut version, mut count, mut gone) = (table.version, 0, None);
        while let Some(piece) = connection.next(&mut messages).await? {
            (version, count) = (version.max(piece.version), count + piece.count);
            if piece.is_difference {
                gone = Some(piece.gone);
            }
            assembly.add(piece.arrow_ipc)?;
        }
        let index = assembly.finish()?;
        if index.len() as u64 != count {
            return Err(CallError::Lost(format!("received {} of {count} partitions", index.len())));
        }
        Ok((version, index, gone))
    };
    connection.call(Purpose::Read, attempt).await
}

/// Changes of an index: the current entries of some partitions, and the names of those dropped.
fn changes(now: &PartitionIndex, gone: Vec<String>) -> BTreeMap<String, Option<PartitionEntry>> {
    let entry = |row| PartitionEntry { location: now.own_location(row).map(str::to_owned), own: now.own(row).cloned() };
    let there = now.names().enumerate().map(|(row, name)| (name, Some(entry(row))));
    there.chain(gone.into_iter().map(|name| (name, None))).collect()
}

pub(super) async fn partitions(connection: &Connection, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
    let mut found = Vec::new();
    // Without values there is a request too, as the table may not exist.
    let chunks = if values.is_empty() { vec![values] } else { values.chunks(VALUES).collect() };
    for values in chunks {
        let encoded = arrow::encode_values(values)?;
        let attempt = || async {
            let asked = proto::FindPartitionsRequest { table: Some(message::table_ref(table)), values: encoded.clone() };
            let request = connection.request_without_deadline(asked);
            let mut messages = connection.answer(connection.timeout(), connection.client().find_partitions(request)).await?;
            let mut found = Vec::new();
            while let Some(some) = connection.next(&mut messages).await? {
                found.extend(arrow::decode(some.partitions)?);
            }
            Ok::<_, CallError>(found)
        };
        found.extend(connection.call(Purpose::Read, attempt).await?);
    }
    Ok(found)
}

pub(super) async fn change(connection: &Connection, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
    use changing::{Header, Part};
    let end = arrow::end_of(&change);
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
    let timeout = connection.timeout() + extra_time(size);
    let attempt = || async {
        let messages = messages_of(&parts, |part| proto::ChangePartitionsRequest { part: Some(part) });
        connection.answer(timeout, connection.client().change_partitions(connection.request(messages, timeout))).await
    };
    let answer = connection.call(Purpose::Change, attempt).await?;
    let [dropped, renamed, replaced, added] =
        [answer.dropped, answer.renamed, answer.replaced, answer.added].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(PartitionChangeSummary { dropped, renamed, replaced, added })
}

pub(super) async fn install(connection: &Connection, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
    use installing::{End, Header, Part};
    let adds = partitions.len() as u64;
    let mut parts = vec![Part::Header(Header { table: Some(message::table(table)), replace })];
    for some in partitions.chunks(arrow::CHUNK) {
        parts.push(Part::Add(arrow::encode(some)?));
    }
    parts.push(Part::End(End { adds }));
    drop(partitions);
    let timeout = connection.timeout() + extra_time(adds);
    let attempt = || async {
        let messages = messages_of(&parts, |part| proto::InstallTableRequest { part: Some(part) });
        connection.answer(timeout, connection.client().install_table(connection.request(messages, timeout))).await
    };
    message::read_table(connection.call(Purpose::Change, attempt).await?.table)
}
