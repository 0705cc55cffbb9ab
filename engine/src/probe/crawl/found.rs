//! A table as found in a lake: its columns from sampled files, its partition keys from folders. The catalog is not consulted.

use std::collections::BTreeMap;

use glaux_catalog::{
    format::{Compression, FileFormat, Kind},
    ident,
    model::Column,
};
use object_store::ObjectMeta;

use super::{
    difference::{Change, Difference},
    format::Delimited,
    group::Candidate,
    keys::{self, Found},
    merge::Columns,
    sample::{Sampled, Sampler},
    text,
    tree::Folder,
};
use crate::error::{Result, printable};

/// Files of one table that are read at most.
const MOST_FILES: usize = 1000;

/// Files that are named where several are meant.
const NAMED: usize = 3;

/// Files of an unexpected kind that are read to find out what they are.
const LOOKED_AT: usize = 16;

/// What a folder turns out to be.
#[derive(Debug)]
pub(super) enum Look<'a> {
    Table(Box<FoundTable<'a>>),
    /// It is no table, for this reason.
    NoTable(String),
}

/// A table in a lake.
#[derive(Debug)]
pub(super) struct FoundTable<'a> {
    /// With a `/` at its end.
    pub location: String,
    pub format: FileFormat,
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
    /// The folder that it is.
    pub folder: &'a Folder,
    /// Files among its own that no query of the table can read: how many, with the name of one.
    pub unreadable: Vec<(u64, String)>,
}

/// Looks at a folder that may be a table. What of it is not used goes to `differences`.
pub(super) async fn look<'a>(
    candidate: &Candidate<'a>,
    url: &str,
    sample: usize,
    sampler: &Sampler<'_>,
    differences: &mut Vec<Difference>,
) -> Result<Look<'a>> {
    let location = if candidate.path.is_empty() { url.to_owned() } else { format!("{url}{}/", candidate.path) };
    let folder = candidate.folder;
    let layout = keys::layout(folder, candidate.unnamed);
    let mut tell = |object, name: &str, change, detail: String| {
        differences.push(Difference { object, name: name.to_owned(), change, detail, ..Difference::default() });
    };
    for (path, why) in &layout.ignored {
        tell("folder", path, Change::Ignored, (*why).to_owned());
    }
    for path in &layout.beside {
        let path = if path.is_empty() { "." } else { path };
        let detail = "it has files beside the folders of partitions, which belong to no partition";
        tell("folder", path, Change::Ignored, detail.to_owned());
    }
    if let Some(reason) = keys_fault(&layout.names) {
        return Ok(Look::NoTable(reason));
    }
    let read = if layout.names.is_empty() { vec![folder] } else { layout.folders.clone() };
    let mut totals = BTreeMap::new();
    read.iter().for_each(|folder| folder.totals(&mut totals));
    let Some((&kind, &(mut files, _))) = totals.iter().max_by_key(|(_, (count, bytes))| (*count, *bytes)) else {
        return Ok(Look::NoTable("none of its partitions has files".to_owned()));
    };
    let mut sampled = sampler.read(chosen(&read, kind, sample)).await?;
    let count = sampled.len();
    let mut unreadable = Vec::new();
    let main = most(sampled.iter().filter(|one| one.fault.is_none()));
    // Names that tell nothing may hide anything, among most files too.
    for (other, (count, _)) in totals.iter().filter(|(other, _)| **other != kind || other.format.is_none()) {
        let mut held = Vec::new();
        read.iter().for_each(|folder| folder.held(*other, &mut held));
        match strays(*other, &held, main.map(|(format, _)| format), sampler).await? {
            Ok(alike) if *other != kind => {
                sampled.extend(alike);
                files += count;
            }
            Ok(_) => {}
            Err(such) => {
                let count = if *other == kind { 1 } else { *count };
                let some = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
                let detail = format!("{some} in another format than most, such as {such}");
                let format = other.format.map_or_else(|| "unknown".to_owned(), |format| format.to_string());
                tell("files", &format, Change::Ignored, detail);
                unreadable.push((count, such));
            }
        }
    }
    for one in &sampled {
        if let Some(fault) = &one.fault {
            tell("file", &one.url, Change::Ignored, fault.clone());
            unreadable.push((1, one.url.clone()));
        }
    }
    let mut unnameable = Vec::new();
    read.iter().for_each(|folder| folder.all_unnameable(&mut unnameable));
    unreadable.extend(unnameable.iter().map(|path| (1, printable(&format!("{url}{path}")).into_owned())));
    let Some((format, text)) = main else {
        return Ok(Look::NoTable(NOTHING.to_owned()));
    };
    let mut usable: Vec<Sampled> = sampled.into_iter().filter(|one| one.fault.is_none()).collect();
    for other in usable.iter().filter(|one| (one.format, one.text) != (Some(format), text)) {
        tell("file", &other.url, Change::Conflict, "its layout differs from most".to_owned());
    }
    usable.retain(|one| (one.format, one.text) == (Some(format), text));
    let keys = keys::typed(&layout.names, &layout.partitions);
    let (mut columns, left_out) = columns(&usable, &layout.names);
    for (name, why) in left_out {
        tell("column", &name, Change::Ignored, why);
    }
    if columns.0.is_empty() {
        return Ok(Look::NoTable(NOTHING.to_owned()));
    }
    if format != FileFormat::Parquet {
        columns = of_text(columns);
    }
    Ok(Look::Table(Box::new(FoundTable {
        location,
        format,
        compression: usable.first().and_then(|one| one.compression).unwrap_or(Compression::None),
        text,
        columns,
        keys,
        keys_are_named: layout.is_named.iter().all(|named| *named),
        partitions: layout.partitions,
        files,
        sampled: count,
        folder,
        unreadable,
    })))
}

/// What is said of a folder of whose columns nothing is known.
const NOTHING: &str = "its columns could not be determined";

/// Why these cannot be the keys of a table.
fn keys_fault(names: &[String]) -> Option<String> {
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    if let Some((_, name)) = twice {
        return Some(format!("two levels of its folders have the key \"{name}\""));
    }
    let faulty = names.iter().find_map(|name| Some((name, name_fault(name)?)));
    faulty.map(|(name, why)| format!("invalid partition key \"{}\": {why}", name.escape_default()))
}

/// Why the catalog does not take a name as it is.
fn name_fault(name: &str) -> Option<String> {
    ident::checked("column", name).err().map(|error| error.message().to_owned())
}

/// The columns of files, and those that no table can have, by name, with the reason.
fn columns(usable: &[Sampled], keys: &[String]) -> (Columns, BTreeMap<String, String>) {
    let mut columns = Columns::default();
    let mut left_out: BTreeMap<String, String> = BTreeMap::new();
    for one in usable {
        for (name, hive_type) in &one.columns {
            if keys.contains(name) {
                left_out.insert(name.clone(), "it is also a partition key; the values of the folders are used".to_owned());
            } else if let Some(why) = name_fault(name) {
                left_out.insert(name.clone(), why);
            } else {
                columns.add(name, hive_type, &one.url);
            }
        }
        for (name, why) in &one.left_out {
            left_out.entry(name.clone()).or_insert_with(|| why.clone());
        }
    }
    (columns, left_out)
}

/// Whether files whose names tell of another kind than most are of the main format all the same: what was learned of them, or else one that is not.
async fn strays(
    kind: Kind,
    held: &[&ObjectMeta],
    main: Option<FileFormat>,
    sampler: &Sampler<'_>,
) -> Result<std::result::Result<Vec<Sampled>, String>> {
    let named = || held.first().map_or_else(String::new, |file| format!("{}{}", sampler.store_url, file.location));
    if kind.format.is_some() && kind.format == main {
        return Ok(Ok(Vec::new()));
    }
    if kind.format.is_some() {
        return Ok(Err(named()));
    }
    let looked_at = sampler.read(held.iter().copied().take(LOOKED_AT).collect()).await?;
    Ok(match looked_at.iter().find(|one| one.fault.is_some() || one.format != main) {
        Some(stray) => Err(stray.url.clone()),
        None => Ok(looked_at),
    })
}

/// The files to read: so many of each partition, evenly over the partitions if there are too many.
fn chosen<'a>(folders: &[&'a Folder], kind: Kind, sample: usize) -> Vec<&'a ObjectMeta> {
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
type Laid = (Option<FileFormat>, Option<Delimited>);

/// The format and layout of most files.
fn most<'a>(sampled: impl Iterator<Item = &'a Sampled>) -> Option<(FileFormat, Option<Delimited>)> {
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
