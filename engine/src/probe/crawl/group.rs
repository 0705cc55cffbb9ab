//! Which folders are tables. By Glue's rules, as far as they are documented: folders named `key=value`, or like numbers and dates, are partitions
//! of their parent; so are folders whose files are alike; all others contain tables of their own.

use std::collections::BTreeMap;

use futures::{FutureExt, future::BoxFuture};
use glaux_catalog::format::Kind;
use object_store::ObjectMeta;

use super::{
    keys::{Unnamed, common_key, is_value},
    merge::merged,
    sample::{Sampled, Sampler},
    tree::Folder,
};
use crate::error::Result;

/// Folders that are compared to find out whether they are alike.
const COMPARED: usize = 16;

/// A folder that is a table.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    /// Below the crawled URL, without a slash at either end.
    pub path: String,
    pub folder: &'a Folder,
    pub unnamed: Unnamed,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Grouping<'a> {
    pub tables: Vec<Candidate<'a>>,
    /// Folders with files that belong to no table.
    pub beside: Vec<String>,
}

/// The kind of most of the files in and below a folder.
fn main_kind(folder: &Folder) -> Option<Kind> {
    let mut totals = BTreeMap::new();
    folder.totals(&mut totals);
    totals.into_iter().max_by_key(|(_, (count, bytes))| (*count, *bytes)).map(|(kind, _)| kind)
}

impl<'a> Grouping<'a> {
    /// Finds the tables in a folder. Samples are read only where names do not tell.
    pub(super) fn find<'f>(
        &'f mut self,
        folder: &'a Folder,
        path: String,
        level: u32,
        table_level: Option<u32>,
        sampler: &'f Sampler<'_>,
    ) -> BoxFuture<'f, Result<()>>
    where
        'a: 'f,
    {
        async move {
            if !folder.has_data() {
                return Ok(());
            }
            let table = |unnamed| Candidate { path: path.clone(), folder, unnamed };
            match table_level {
                Some(wanted) if level >= wanted => {
                    self.tables.push(table(Unnamed::All));
                    return Ok(());
                }
                Some(_) => {}
                None => {
                    if let Some(unnamed) = Self::as_table(folder, sampler).await? {
                        self.tables.push(table(unnamed));
                        return Ok(());
                    }
                }
            }
            if !folder.files.is_empty() {
                self.beside.push(path.clone());
            }
            for (name, child) in &folder.folders {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                self.find(child, path, level + 1, table_level, sampler).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// Whether a folder is one table, and how its folders are taken.
    async fn as_table(folder: &Folder, sampler: &Sampler<'_>) -> Result<Option<Unnamed>> {
        let names = || folder.folders.keys();
        if folder.folders.is_empty() || common_key(names()).is_some() || names().all(|name| is_value(name)) {
            return Ok(Some(Unnamed::Values));
        }
        let step = folder.folders.len().div_ceil(COMPARED).max(1);
        let children: Vec<&Folder> = folder.folders.values().step_by(step).collect();
        let are_divided_alike = folder.folders.len() > 1 && children.iter().all(|child| shape(child) == shape(children[0]));
        let own = main_kind_of_files(folder).and_then(|kind| folder.files.get(&kind)).and_then(|files| files.held().last());
        let own = understood(own.into_iter().collect(), sampler).await?;
        if own.is_none() && !are_divided_alike {
            return Ok(None);
        }
        let mut first: Option<Sampled> = None;
        for child in &children {
            let Some(one) = understood(representatives(child), sampler).await? else { continue };
            match &first {
                None => first = Some(one),
                Some(first) if are_alike(first, &one) => {}
                Some(_) => return Ok(None),
            }
        }
        Ok(match (own, first) {
            (Some(_), None) => Some(Unnamed::Values),
            // Files in the folder itself and alike ones in folders: one table without keys, which reads them all.
            (Some(own), Some(first)) if own.format == first.format => are_alike(&own, &first).then_some(Unnamed::Values),
            // What else lies above the folders, such as notes, says nothing of them.
            (_, Some(_)) if are_divided_alike => Some(Unnamed::First),
            _ => None,
        })
    }
}

/// What these files tell, of which there is one at most; nothing if it cannot be understood.
async fn understood(files: Vec<&ObjectMeta>, sampler: &Sampler<'_>) -> Result<Option<Sampled>> {
    Ok(sampler.read(files).await?.into_iter().find(|one| one.fault.is_none()))
}

fn main_kind_of_files(folder: &Folder) -> Option<Kind> {
    folder.files.iter().max_by_key(|(_, files)| files.count).map(|(kind, _)| *kind)
}

/// A file of a folder, or of those below it.
fn representatives(folder: &Folder) -> Vec<&ObjectMeta> {
    let mut held = Vec::new();
    if let Some(kind) = main_kind(folder) {
        folder.held(kind, &mut held);
    }
    held.pop().into_iter().collect()
}

/// The keys by which a folder is divided, as far as names tell.
fn shape(folder: &Folder) -> Vec<String> {
    let mut shape = Vec::new();
    let mut folder = folder;
    while let Some((name, next)) = folder.folders.first_key_value() {
        match common_key(folder.folders.keys()) {
            Some(key) => shape.push(key),
            None if is_value(name) => shape.push(String::new()),
            None => break,
        }
        folder = next;
    }
    shape
}

/// Whether files belong to one table: at least seven of ten columns of the one with fewer are in the other with types that go together, and so at least
/// half the columns of the one with more.
fn are_alike(one: &Sampled, other: &Sampled) -> bool {
    if one.format != other.format {
        return false;
    }
    let goes_with = |(name, hive_type): &&(String, glaux_catalog::HiveType)| {
        other.columns.iter().any(|(known, of_other)| known == name && merged(hive_type, of_other).is_some())
    };
    let shared = one.columns.iter().filter(goes_with).count();
    let (fewer, more) = (one.columns.len().min(other.columns.len()), one.columns.len().max(other.columns.len()));
    shared > 0 && shared * 10 >= fewer * 7 && shared * 2 >= more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_of_most_columns() {
        let sampled = |columns: &str| Sampled {
            columns: columns
                .split(',')
                .map(|column| column.split_once(' ').unwrap())
                .map(|(name, hive_type)| (name.to_owned(), hive_type.parse().unwrap()))
                .collect(),
            ..Sampled::default()
        };
        for (one, other, alike) in [
            ("a int,b string,c date", "a bigint,b string,c date,d double", true),
            ("a int,b string,c date", "a int,b string,x date", false),
            ("id int,name string", "id int,name string,a int,b int,c int", false),
            ("a int,b int,c int,d int", "a string,b int,c int,d int", true),
            ("a int", "a string", false),
        ] {
            assert_eq!(are_alike(&sampled(one), &sampled(other)), alike, "{one} and {other}");
            assert_eq!(are_alike(&sampled(other), &sampled(one)), alike, "{other} and {one}");
        }
    }
}
