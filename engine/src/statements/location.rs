//! Locations in definitions: normalised, and checked that their store can be opened. Whether there are any files is not checked.

use super::context::StatementContext;
use crate::{
    error::{Error, Result},
    location::normalise_location,
};

/// [`normalise_location`], for a location that a definition is to have: one that no store can open is refused, with the reason.
///
/// # Errors
/// Those of [`normalise_location`]; `Unsupported` for an unknown scheme, `Invalid` for what is missing or does not fit in the URL or in the store's settings,
/// and for the root of the file system.
pub(super) fn for_definition(location: &str, context: &StatementContext<'_>) -> Result<String> {
    let location = normalise_location(location)?;
    if location == "file:///" {
        return Err(
            Error::invalid("location \"/\" is the whole file system").with_hint("Name a folder, such as /data/lake/table")
        );
    }
    context.stores.open(&location)?;
    Ok(location)
}

/// [`for_definition`], for a partition: some take a relative location as relative to the table's, others to the server's directory.
///
/// # Errors
/// Those of [`for_definition`]; `Invalid` for a relative path.
pub(super) fn for_partition(location: &str, context: &StatementContext<'_>) -> Result<String> {
    let written = location.trim();
    if !written.is_empty() && !written.contains("://") && !written.starts_with('/') && !written.starts_with("file:") {
        return Err(Error::invalid(format!("location \"{written}\" of a partition is relative"))
            .with_hint("Write the full location, such as s3://bucket/prefix/ or /data/lake/table/key=value"));
    }
    for_definition(location, context)
}
