//! Directories that the last repair of a table could not take for partitions, kept with the table so that they can be asked for.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Ignored;
use crate::{
    error::{Error, Result},
    metastore::Metastore,
    model::{Attachment, Table},
};

/// What the attachments' names begin with.
const FINDINGS: &str = "repair/findings/";
/// Findings in one attachment.
const CHUNK: usize = 10_000;

/// A directory that is no partition's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the table's root, without a `/` at either end.
    pub path: String,
    /// Why, in words.
    pub reason: String,
    /// When the last repair told of it.
    pub found_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    at: DateTime<Utc>,
    directories: Vec<(String, String)>,
}

/// What the last whole repair of a table found, by path.
///
/// # Errors
/// `NotFound` if the table was dropped meanwhile; `CorruptData`.
pub async fn findings(metastore: &dyn Metastore, table: &Table) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for Attachment { bytes, .. } in metastore.attachments(table, FINDINGS).await? {
        let Stored { at, directories } = serde_json::from_slice(&bytes).map_err(|error| {
            Error::corrupt(format!("what was found wrong with table \"{}\" does not decode", table.name))
                .with_hint(format!("MSCK REPAIR TABLE {} finds it anew", table.name))
                .with_source(error)
        })?;
        found.extend(directories.into_iter().map(|(path, reason)| Finding { path, reason, found_at: at }));
    }
    Ok(found)
}

/// The changes that put these findings in place of those that are kept.
pub(super) fn encode(ignored: &[Ignored], at: DateTime<Utc>, kept: &[Attachment]) -> Result<Vec<(String, Option<Bytes>)>> {
    let mut changes = Vec::new();
    for (number, chunk) in ignored.chunks(CHUNK).enumerate() {
        let directories = chunk.iter().map(|ignored| (ignored.path.clone(), ignored.reason.to_string())).collect();
        let bytes = serde_json::to_vec(&Stored { at, directories })
            .map_err(|error| Error::internal("findings do not encode").with_source(error))?;
        changes.push((format!("{FINDINGS}{number:06}"), Some(Bytes::from(bytes))));
    }
    let stale = kept.iter().filter(|kept| kept.name.starts_with(FINDINGS)).skip(changes.len());
    let stale: Vec<_> = stale.map(|kept| (kept.name.clone(), None)).collect();
    changes.extend(stale);
    Ok(changes)
}
