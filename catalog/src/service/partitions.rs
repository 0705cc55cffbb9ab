//! Partitions out and in: an index piece by piece as the reader takes it, and a change that is made only once all of it has come.

use futures::{StreamExt, stream};
use glaux_proto::catalog::v1::{
    self as proto,
    change_partitions_request::{End, Header, Part},
};
use tonic::{Status, Streaming};

use super::{Call, Messages};
use crate::{
    error::{Error, ErrorKind, Result},
    metastore::{PartitionChange, PartitionChangeSummary},
    model::{Partition, Table},
    wire::{
        definition::{present, read_table},
        failure::status,
        index::{Pieces, Selection},
        partition as arrow,
    },
};

/// Partitions that one change may speak of: they are held in memory until the last has come.
const MAX_CHANGES: usize = 4_000_000;

pub(super) async fn get(call: &Call, asked: proto::GetPartitionsRequest) -> Result<Messages<proto::GetPartitionsResponse>> {
    let proto::GetPartitionsRequest { table, filters, max_partitions, after, since } = asked;
    let table = call.present(&present(table, "table")?).await?;
    if since > 0
        && let Some(difference) = difference(call, &table, since).await?
    {
        return Ok(difference);
    }
    let index = call.store.partition_index(&table).await?;
    let filters = filters.into_iter().map(|filter| (filter.key, filter.any_of.into_iter().map(|value| value.text).collect()));
    let selection = Selection {
        filters: filters.collect(),
        limit: usize::try_from(max_partitions).ok().filter(|limit| *limit > 0),
        after: Some(after).filter(|after| !after.is_empty()),
    };
    let first = proto::GetPartitionsResponse { version: table.version, ..Default::default() };
    Ok(messages(first, Pieces::new(&index, &selection)?))
}

/// The bytes of names that go into one message.
const GONE_BYTES: usize = 1 << 20;

/// What changes after a version were about, as it is now; `None` if that is not known, or not less than everything.
async fn difference(call: &Call, table: &Table, since: i64) -> Result<Option<Messages<proto::GetPartitionsResponse>>> {
    // First what there is, and then what has changed: all of it is of one version, and what has changed in between the next question is told of.
    let index = call.store.partition_index(table).await?;
    let Some(changed) = call.store.changed_partitions(table, since).await? else { return Ok(None) };
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    for name in changed {
        match index.find(&name).and_then(|row| u32::try_from(row).ok()) {
            Some(row) => rows.push(row),
            None => gone.push(name),
        }
    }
    if gone.iter().map(String::len).sum::<usize>() > GONE_BYTES {
        return Ok(None);
    }
    rows.sort_unstable();
    let first = proto::GetPartitionsResponse { version: table.version, is_difference: true, gone, ..Default::default() };
    Ok(Some(messages(first, Pieces::of_rows(&index, rows, None)?)))
}

/// The first message with the first piece, and the others with one each.
fn messages(first: proto::GetPartitionsResponse, mut pieces: Pieces) -> Messages<proto::GetPartitionsResponse> {
    let mut message = proto::GetPartitionsResponse { count: pieces.count() as u64, ..first };
    let messages = std::iter::from_fn(move || {
        let (arrow_ipc, last) = match pieces.next_piece()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(status(&error))),
        };
        let next = if last { pieces.next.take().unwrap_or_default() } else { String::new() };
        Some(Ok(proto::GetPartitionsResponse { arrow_ipc, next, ..std::mem::take(&mut message) }))
    });
    stream::iter(messages).boxed()
}

pub(super) async fn find(call: &Call, asked: proto::FindPartitionsRequest) -> Result<Messages<proto::FindPartitionsResponse>> {
    let table = call.seen(asked.table).await?;
    let values = arrow::decode_values(asked.values)?;
    let mut found = call.store.partitions(&table, &values).await?.into_iter();
    let messages = std::iter::from_fn(move || {
        let some: Vec<_> = found.by_ref().take(arrow::CHUNK).collect();
        let encoded = (!some.is_empty()).then(|| arrow::encode(&some))?;
        Some(encoded.map(|partitions| proto::FindPartitionsResponse { partitions }).map_err(|error| status(&error)))
    });
    Ok(stream::iter(messages).boxed())
}

/// A change, put together from its parts.
pub(super) async fn gather(
    call: &Call,
    parts: &mut Streaming<proto::ChangePartitionsRequest>,
) -> Result<(Table, PartitionChange), Status> {
    let refuse = |error: Error| status(&error);
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Header(Header { table, skip_existing })) = first else {
        return Err(refuse(Error::invalid("a change of partitions begins with a header").with_hint("Send the header first")));
    };
    // Looked up first, so that nobody sends a million partitions in vain.
    let table = call.seen(table).await.map_err(refuse)?;
    let mut change = PartitionChange { skip_existing, ..PartitionChange::default() };
    while let Some(message) = parts.message().await? {
        match present(message.part, "part").map_err(refuse)? {
            Part::Drop(bytes) => change.drop.extend(arrow::decode_drops(bytes).map_err(refuse)?),
            Part::Rename(bytes) => change.rename.extend(arrow::decode_renames(bytes).map_err(refuse)?),
            Part::Replace(bytes) => change.replace.extend(arrow::decode(bytes).map_err(refuse)?),
            Part::Add(bytes) => change.add.extend(arrow::decode(bytes).map_err(refuse)?),
            Part::End(end) if end == end_of(&change) => return Ok((table, change)),
            Part::End(_) | Part::Header(_) => break,
        }
        if change.drop.len() + change.rename.len() + change.replace.len() + change.add.len() > MAX_CHANGES {
            return Err(refuse(too_many()));
        }
    }
    let error = Error::invalid(format!("a change of the partitions of table \"{}\" came in parts", table.name));
    Err(refuse(error.with_hint("Nothing was changed; send all of it, and its end")))
}

/// A table with its partitions, put together from its parts.
pub(super) async fn gather_table(
    parts: &mut Streaming<proto::InstallTableRequest>,
) -> Result<(Table, Vec<Partition>, bool), Status> {
    use proto::install_table_request::{End, Header, Part};
    let refuse = |error: Error| status(&error);
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Header(Header { table, replace })) = first else {
        return Err(refuse(Error::invalid("installing a table begins with a header").with_hint("Send the header first")));
    };
    let table = read_table(table).map_err(refuse)?;
    let mut partitions = Vec::new();
    while let Some(message) = parts.message().await? {
        match present(message.part, "part").map_err(refuse)? {
            Part::Add(bytes) => partitions.extend(arrow::decode(bytes).map_err(refuse)?),
            Part::End(End { adds }) if adds == partitions.len() as u64 => return Ok((table, partitions, replace)),
            Part::End(_) | Part::Header(_) => break,
        }
        if partitions.len() > MAX_CHANGES {
            return Err(refuse(too_many()));
        }
    }
    let error = Error::invalid(format!("table \"{}\" came in parts", table.name));
    Err(refuse(error.with_hint("Nothing was changed; send all of it, and its end")))
}

/// How many there are of each.
pub(crate) fn end_of(change: &PartitionChange) -> End {
    End {
        drops: change.drop.len() as u64,
        renames: change.rename.len() as u64,
        replaces: change.replace.len() as u64,
        adds: change.add.len() as u64,
    }
}

fn too_many() -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("a change speaks of more than {MAX_CHANGES} partitions"))
        .with_hint("Nothing was changed; make it in several steps")
}

pub(super) fn summary(summary: PartitionChangeSummary) -> proto::ChangePartitionsResponse {
    let PartitionChangeSummary { dropped, renamed, replaced, added } = summary;
    let [dropped, renamed, replaced, added] = [dropped, renamed, replaced, added].map(|count| count as u64);
    proto::ChangePartitionsResponse { dropped, renamed, replaced, added }
}
