//! Partitions, sent and received: an index piece by piece as the reader takes it, and changes only when they are complete.

use futures::{StreamExt, stream};
use glaux_proto::catalog::v1::{
    self as proto,
    change_partitions_request::{Header, Part},
};
use tonic::{Status, Streaming};

use super::{lookup, state::Messages};
use crate::{
    error::{Error, ErrorKind, Result},
    grpc::{
        message::{
            definition::{present, read_table},
            index::{Pieces, Selection},
            partition as arrow,
        },
        status::status_of,
    },
    metastore::{Definitions, PartitionChange, PartitionChangeSummary},
    model::{Partition, Table},
};

/// Partitions of one change, at most: they are held in memory until the change is complete.
const MAX_CHANGES: usize = 4_000_000;

pub(super) async fn get(
    definitions: &dyn Definitions,
    asked: proto::GetPartitionsRequest,
) -> Result<Messages<proto::GetPartitionsResponse>> {
    let proto::GetPartitionsRequest { table, filters, max_partitions, after, since } = asked;
    let table = lookup::current(definitions, &present(table, "table")?).await?;
    if since > 0
        && let Some(difference) = difference(definitions, &table, since).await?
    {
        return Ok(difference);
    }
    let index = definitions.partition_index(&table).await?;
    let filters = filters.into_iter().map(|filter| (filter.key, filter.any_of.into_iter().map(|value| value.text).collect()));
    let selection = Selection {
        filters: filters.collect(),
        limit: usize::try_from(max_partitions).ok().filter(|limit| *limit > 0),
        after: Some(after).filter(|after| !after.is_empty()),
    };
    let first = proto::GetPartitionsResponse { version: table.version, ..Default::default() };
    Ok(messages(first, Pieces::new(&index, &selection)?))
}

/// Bytes of names in one message, at most.
const GONE_BYTES: usize = 1 << 20;

/// The current state of the partitions that changed after a version; `None` if they are not known, or too many.
async fn difference(
    definitions: &dyn Definitions,
    table: &Table,
    since: i64,
) -> Result<Option<Messages<proto::GetPartitionsResponse>>> {
    // The index is read before the changes, so that they include everything that is new in it. A change made in between is sent again the next time.
    let index = definitions.partition_index(table).await?;
    let Some(changed) = definitions.changed_partitions(table, since).await? else { return Ok(None) };
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

/// One message for each piece; `first` is completed with the first one.
fn messages(first: proto::GetPartitionsResponse, mut pieces: Pieces) -> Messages<proto::GetPartitionsResponse> {
    let mut message = proto::GetPartitionsResponse { count: pieces.count() as u64, ..first };
    let messages = std::iter::from_fn(move || {
        let (arrow_ipc, last) = match pieces.next_piece()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(status_of(&error))),
        };
        let next = if last { pieces.next.take().unwrap_or_default() } else { String::new() };
        Some(Ok(proto::GetPartitionsResponse { arrow_ipc, next, ..std::mem::take(&mut message) }))
    });
    stream::iter(messages).boxed()
}

pub(super) async fn find(
    definitions: &dyn Definitions,
    asked: proto::FindPartitionsRequest,
) -> Result<Messages<proto::FindPartitionsResponse>> {
    let table = lookup::as_known(definitions, asked.table).await?;
    let values = arrow::decode_values(asked.values)?;
    let mut found = definitions.partitions(&table, &values).await?.into_iter();
    let messages = std::iter::from_fn(move || {
        let some: Vec<_> = found.by_ref().take(arrow::CHUNK).collect();
        let encoded = (!some.is_empty()).then(|| arrow::encode(&some))?;
        Some(encoded.map(|partitions| proto::FindPartitionsResponse { partitions }).map_err(|error| status_of(&error)))
    });
    Ok(stream::iter(messages).boxed())
}

/// Receives a change of partitions.
pub(super) async fn receive_change(
    definitions: &dyn Definitions,
    parts: &mut Streaming<proto::ChangePartitionsRequest>,
) -> Result<(Table, PartitionChange), Status> {
    let refuse = |error: Error| status_of(&error);
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Header(Header { table, skip_existing })) = first else {
        return Err(refuse(Error::invalid("a change of partitions begins with a header").with_hint("Send the header first")));
    };
    // The table is looked up first, so that a million partitions are not sent in vain.
    let table = lookup::as_known(definitions, table).await.map_err(refuse)?;
    let mut change = PartitionChange { skip_existing, ..PartitionChange::default() };
    while let Some(message) = parts.message().await? {
        match present(message.part, "part").map_err(refuse)? {
            Part::Drop(bytes) => change.drop.extend(arrow::decode_drops(bytes).map_err(refuse)?),
            Part::Rename(bytes) => change.rename.extend(arrow::decode_renames(bytes).map_err(refuse)?),
            Part::Replace(bytes) => change.replace.extend(arrow::decode(bytes).map_err(refuse)?),
            Part::Add(bytes) => change.add.extend(arrow::decode(bytes).map_err(refuse)?),
            Part::End(end) if end == arrow::end_of(&change) => return Ok((table, change)),
            Part::End(_) | Part::Header(_) => break,
        }
        if change.drop.len() + change.rename.len() + change.replace.len() + change.add.len() > MAX_CHANGES {
            return Err(refuse(too_many()));
        }
    }
    let error = Error::invalid(format!("a change of the partitions of table \"{}\" is incomplete", table.name));
    Err(refuse(error.with_hint("Nothing was changed; send all parts, and the end")))
}

/// Receives a table with its partitions.
pub(super) async fn receive_table(
    parts: &mut Streaming<proto::InstallTableRequest>,
) -> Result<(Table, Vec<Partition>, bool), Status> {
    use proto::install_table_request::{End, Header, Part};
    let refuse = |error: Error| status_of(&error);
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
    let error = Error::invalid(format!("the partitions of table \"{}\" are incomplete", table.name));
    Err(refuse(error.with_hint("Nothing was changed; send all parts, and the end")))
}

fn too_many() -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("a change has more than {MAX_CHANGES} partitions"))
        .with_hint("Nothing was changed; split the change into smaller ones")
}

pub(super) fn summary(summary: PartitionChangeSummary) -> proto::ChangePartitionsResponse {
    let PartitionChangeSummary { dropped, renamed, replaced, added } = summary;
    let [dropped, renamed, replaced, added] = [dropped, renamed, replaced, added].map(|count| count as u64);
    proto::ChangePartitionsResponse { dropped, renamed, replaced, added }
}
