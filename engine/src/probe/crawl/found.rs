//! A table as it lies in a lake: its columns out of samples, its keys out of folders. The catalog is not asked.

use glaux_catalog::model::Column;
use object_store::ObjectMeta;

use super::{
    difference::{Change, Difference},
    format::{Compression, Delimited, Format, Kind},
    group::{Candidate, main_kind},
    keys::{self, Found, Layout},
    merge::Columns,
    sample::{Sampled, Sampler},
    text,
};
use crate::error::Result;

/// Files of one table that are read at most.
const MOST_FILES: usize = 1000;

/// Files that are named where several are meant.
const NAMED: usize = 3;

/// A table in a lake.
#[derive(Debug)]
pub(super) struct FoundTable {
    /// With a `/` at its end.
    pub location: String,
    pub format: Format,
    pub compression: Compression,
    pub text: Option<Delimited>,
    /// Without those that are also keys.
    pub columns: Columns,
    pub keys: Vec<Column>,
    /// Whether the folders say the keys' names.
    pub keys_are_named: bool,
    pub partitions: Vec<Found>,
    pub files: u64,
    /// How many of them were read.
    pub sampled: usize,
}

/// Looks at a folder that is a table. What of it cannot be used is told under the name that `differences` are for; `None` if nothing can.
pub(super) async fn look(
    candidate: &Candidate<'_>,
    url: &str,
    sample: usize,
    sampler: &Sampler<'_>,
    differences: &mut Vec<Difference>,
) -> Result<Option<FoundTable>> {
    let location = if candidate.path.is_empty() { url.to_owned() } else { format!("{url}{}/", candidate.path) };
    let folder = candidate.folder;
    let layout = keys::layout(folder, candidate.unnamed);
    let mut tell = |object, name: &str, change, found: &str, detail: String| {
        differences.push(Difference {
            object,
            name: name.to_owned(),
            change,
            found: Some(found.to_owned()),
            detail,
            ..Difference::default()
        });
    };
    for (path, why) in &layout.ignored {
        tell("folder", path, Change::Ignored, "", (*why).to_owned());
    }
    for path in &layout.beside {
        let path = if path.is_empty() { "." } else { path };
        tell(
            "folder",
            path,
            Change::Ignored,
            "",
            "it has files beside the folders of partitions, which no partition reads".to_owned(),
        );
    }
    let Some(kind) = main_kind(folder) else { return Ok(None) };
    let mut totals = std::collections::BTreeMap::new();
    folder.totals(&mut totals);
    for (other, (count, _)) in totals.iter().filter(|(other, _)| **other != kind) {
        let mut held = Vec::new();
        folder.held(*other, &mut held);
        let such = held.first().map_or_else(String::new, |file| format!(", such as {}{}", sampler.store_url, file.location));
        tell("files", &other.format.to_string(), Change::Ignored, "", format!("{count} files of another format than most{such}"));
    }
    let sampled = sampler.read(chosen(&layout, candidate, kind, sample)).await?;
    let count = sampled.len();
    for faulty in sampled.iter().filter(|one| one.fault.is_some()) {
        tell("file", &faulty.url, Change::Ignored, "", faulty.fault.clone().unwrap_or_default());
    }
    let mut usable: Vec<Sampled> = sampled.into_iter().filter(|one| one.fault.is_none()).collect();
    let Some((format, text)) = most(&usable) else { return Ok(None) };
    for other in usable.iter().filter(|one| (one.format, one.text) != (Some(format), text)) {
        tell("file", &other.url, Change::Conflict, "", "it is laid out otherwise than most".to_owned());
    }
    usable.retain(|one| (one.format, one.text) == (Some(format), text));
    let keys = keys::typed(&layout.names, &layout.partitions);
    let mut columns = Columns::default();
    for one in &usable {
        for (name, hive_type) in one.columns.iter().filter(|(name, _)| !layout.names.contains(name)) {
            columns.add(name, hive_type, &one.url);
        }
    }
    for name in layout.names.iter().filter(|name| usable.iter().any(|one| one.columns.iter().any(|(column, _)| column == *name)))
    {
        tell("column", name, Change::Ignored, "", "it is also a partition key; the folders' values count".to_owned());
    }
    let mut left_out: Vec<&(String, String)> = usable.iter().flat_map(|one| &one.left_out).collect();
    left_out.sort_unstable();
    left_out.dedup_by(|one, other| one.0 == other.0);
    for (name, why) in left_out {
        tell("column", name, Change::Ignored, "", why.clone());
    }
    if columns.0.is_empty() {
        return Ok(None);
    }
    if format != Format::Parquet {
        columns = of_text(columns);
    }
    Ok(Some(FoundTable {
        location,
        format,
        compression: usable.first().and_then(|one| one.compression).unwrap_or(Compression::None),
        text,
        columns,
        keys,
        keys_are_named: layout.is_named.iter().all(|named| *named),
        partitions: layout.partitions,
        files: totals.get(&kind).map_or(0, |(count, _)| *count),
        sampled: count,
    }))
}

/// The files to read: so many of each partition, evenly over the partitions if there are too many.
fn chosen<'a>(layout: &Layout<'a>, candidate: &Candidate<'a>, kind: Kind, sample: usize) -> Vec<&'a ObjectMeta> {
    let folders = if layout.folders.is_empty() { vec![candidate.folder] } else { layout.folders.clone() };
    let step = (folders.len() * sample).div_ceil(MOST_FILES).max(1);
    let mut chosen = Vec::new();
    // The last partition, mostly the newest, is always among them.
    for folder in folders.iter().rev().step_by(step) {
        let mut held = Vec::new();
        folder.held(kind, &mut held);
        let take = sample.min(held.len()).min(MOST_FILES);
        match take {
            0 => {}
            1 => chosen.extend(held.last()),
            // First and last ones, and evenly between.
            _ => chosen.extend((0..take).rev().map(|at| held[at * (held.len() - 1) / (take - 1)])),
        }
    }
    chosen.truncate(MOST_FILES);
    chosen.reverse();
    chosen
}

/// A format, and how text is laid out.
type Laid = (Option<Format>, Option<Delimited>);

/// The format and layout of most files.
fn most(sampled: &[Sampled]) -> Option<(Format, Option<Delimited>)> {
    let mut counts: Vec<(Laid, usize)> = Vec::new();
    for one in sampled {
        match counts.iter_mut().find(|(known, _)| *known == (one.format, one.text)) {
            Some((_, count)) => *count += 1,
            None => counts.push(((one.format, one.text), 1)),
        }
    }
    let ((format, text), _) = counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some((format?, text))
}

/// Columns of text, of types that all the files' values are read as.
fn of_text(columns: Columns) -> Columns {
    let mut merged = Columns::default();
    for seen in columns.0 {
        let (hive_type, files) = seen.all();
        let hive_type = hive_type.reduce(|one, other| text::as_text(&one, &other));
        for file in files.iter().take(NAMED) {
            merged.add(&seen.name, hive_type.as_ref().unwrap_or(&glaux_catalog::HiveType::String), file);
        }
    }
    merged
}
