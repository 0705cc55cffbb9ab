//! Directories that the last repair of a table found not to be partitions, attached to the table so that they can be queried.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::directory::Ignored;
use crate::{
    error::{Error, Result},
    metastore::Attachments,
    model::{Attachment, Table},
};

/// The prefix of the attachments.
const FINDINGS: &str = "repair/findings/";
/// Findings in one attachment.
const CHUNK: usize = 10_000;

/// A directory that is not a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the table's root, without a `/` at either end.
    pub path: String,
    /// The reason, as text.
    pub reason: String,
    /// When the last repair found it.
    pub found_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    at: DateTime<Utc>,
    directories: Vec<(String, String)>,
}

/// What the last complete repair of a table found, by path.
///
/// # Errors
/// `NotFound` if the table was dropped in the meantime; `CorruptData`.
pub async fn findings(attachments: &dyn Attachments, table: &Table) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for Attachment { bytes, .. } in attachments.attachments(table, FINDINGS).await? {
        let Stored { at, directories } = serde_json::from_slice(&bytes).map_err(|error| {
            Error::corrupt(format!("the findings of the last repair of table \"{}\" cannot be decoded", table.name))
                .with_hint(format!("Run MSCK REPAIR TABLE {} again", table.name))
                .with_source(error)
        })?;
        found.extend(directories.into_iter().map(|(path, reason)| Finding { path, reason, found_at: at }));
    }
    Ok(found)
}

/// The changes of attachments that replace the stored findings by these.
pub(super) fn encode(ignored: &[Ignored], at: DateTime<Utc>, kept: &[Attachment]) -> Result<Vec<(String, Option<Bytes>)>> {
    let mut changes = Vec::new();
    for (number, chunk) in ignored.chunks(CHUNK).enumerate() {
        let directories = chunk.iter().map(|ignored| (ignored.path.clone(), ignored.reason.to_string())).collect();
        let bytes = serde_json::to_vec(&Stored { at, directories })
            .map_err(|error| Error::internal("findings could not be encoded").with_source(error))?;
        changes.push((format!("{FINDINGS}{number:06}"), Some(Bytes::from(bytes))));
    }
    let stale = kept.iter().filter(|kept| kept.name.starts_with(FINDINGS)).skip(changes.len());
    let stale: Vec<_> = stale.map(|kept| (kept.name.clone(), None)).collect();
    changes.extend(stale);
    Ok(changes)
}
