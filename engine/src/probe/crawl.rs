//! What Glue's crawler does: finds the tables below a URL (`tree`, `group`), finds their columns and partition keys (`sample`, `text`, `merge`,
//! `keys`, `found`), compares them with the catalog, and changes it as the policy allows (`compare`). The result is the list of differences
//! (`difference`).
//!
//! The lake is listed once. Of files, footers and first lines are read, which count as metadata. Each table is changed by itself.

mod compare;
mod difference;
mod format;
mod found;
mod group;
mod keys;
mod merge;
mod partitions;
mod sample;
mod text;
mod tree;

use std::sync::Arc;

use arrow::array::RecordBatch;
use glaux_catalog::discovery::OpenLocation;

use self::{
    compare::Comparison,
    difference::{Change, Difference},
    found::Look,
    group::Grouping,
    sample::Sampler,
};
use super::ProbeContext;
use crate::{
    error::{Error, Result, printable},
    location::normalise_location,
    sql::Crawl,
};

/// Files that are held of each folder at least, so that folders can be compared.
const HELD: usize = 2;

/// Why what has such a name is left out.
const UNNAMEABLE: &str = "its name cannot be part of a location: it has control characters, or is not UTF-8";

/// Carries out a crawl.
///
/// # Errors
/// `Invalid` for a URL that is no folder, `NotFound` for the database and for a URL without files; those of the store and of the catalog. What was
/// changed before stays changed: each table is changed in one transaction.
pub(crate) async fn crawl(crawl: &Crawl, context: &ProbeContext<'_>) -> Result<RecordBatch> {
    let url = normalise_location(&crawl.url)?;
    let database = crawl.database.clone().unwrap_or_else(|| context.database.to_owned());
    context.metastore.database(&database).await?;
    let scan = context.scan;
    let resolved = scan.stores.resolve(&url)?;
    let location = OpenLocation { lister: Arc::clone(&resolved.lister), prefix: resolved.path.to_string() };
    let sample = usize::try_from(crawl.sample.max(1)).unwrap_or(1);
    let tree = tree::list(&location, scan.listing.concurrency, sample.max(HELD)).await?;
    let mut unnameable = Vec::new();
    tree.all_unnameable(&mut unnameable);
    if !tree.has_data() && unnameable.is_empty() {
        return Err(Error::not_found(format!("there are no data files below \"{url}\""))
            .with_hint("Empty files, and files whose names begin with _ or ., are ignored"));
    }
    let sampler = Sampler {
        scan,
        store: resolved.store,
        store_url: Arc::from(resolved.store_url.as_str()),
        root: url.clone(),
        concurrency: scan.listing.concurrency,
    };
    let mut grouping = Grouping::default();
    grouping.find(&tree, String::new(), 0, crawl.table_level, &sampler).await?;
    let mut differences: Vec<Difference> = grouping
        .beside
        .iter()
        .map(|path| Difference {
            object: "folder",
            name: format!("{url}{path}"),
            change: Change::Ignored,
            detail: "it has files beside the folders of tables".to_owned(),
            ..Difference::default()
        })
        .collect();
    differences.extend(unnameable.iter().map(|path| Difference {
        object: if path.ends_with('/') { "folder" } else { "file" },
        name: printable(&format!("{url}{path}")).into_owned(),
        change: Change::Ignored,
        detail: UNNAMEABLE.to_owned(),
        ..Difference::default()
    }));
    let mut comparison = Comparison::begin(crawl, &database, &url, context).await?;
    for candidate in &grouping.tables {
        let mut notes = Vec::new();
        let rows = match found::look(candidate, &url, sample, &sampler, &mut notes).await? {
            Look::Table(found) => comparison.table(&found).await?,
            Look::NoTable(detail) => {
                let place = format!("{url}{}", candidate.path);
                let name = format!("{}/", place.trim_end_matches('/'));
                vec![Difference { object: "table", name, change: Change::Ignored, detail, ..Difference::default() }]
            }
        };
        // What is not a table is reported by its place.
        let table = rows.first().map(|row| if row.table.is_empty() { row.name.clone() } else { row.table.clone() });
        let table = table.unwrap_or_default();
        differences.extend(rows);
        differences.extend(notes.into_iter().map(|note| Difference { table: table.clone(), ..note }));
    }
    differences.extend(comparison.missing_tables(&tree).await?);
    difference::batch(&differences)
}
