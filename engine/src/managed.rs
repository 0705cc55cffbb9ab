//! Managed tables: tables that an ingest created in a folder of their own. Dropping or replacing one removes the files that ingests wrote there,
//! and no other files: not those of other tables, nor files that came into the folder in another way.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    Metastore,
    discovery::{ListRequest, StoreProvider},
    model::Table,
    partition::Projection,
};
use object_store::{ObjectStoreExt, path::Path};

use crate::{
    error::{ErrorKind, Result},
    lifecycle::QueryId,
    storage::{QueryStores, RealLocation, from_store},
};

/// The attachment of a managed table, which holds its folder. Statements, imports and clients of the catalog service cannot write it: its name begins
/// with [`crate::reserved::MANAGED_ATTACHMENTS`].
const FOLDER: &str = "managed/folder";

/// Requests under way at a time.
const REMOVALS: usize = 16;

/// A managed table as it was before it was dropped or replaced.
#[derive(Debug, Clone)]
pub(crate) struct Managed {
    table: Table,
}

impl Managed {
    pub(crate) fn id(&self) -> i64 {
        self.table.id
    }

    /// The table, if it is managed and lies where it did when it was created.
    pub(crate) async fn of(table: &Table, metastore: &dyn Metastore) -> Result<Option<Self>> {
        let root = table.root();
        let mut noted = metastore.attachments(table, FOLDER).await?.into_iter();
        let is_managed = noted.any(|attachment| attachment.name == FOLDER && attachment.bytes == root.as_bytes());
        Ok(is_managed.then(|| Self { table: table.clone() }))
    }

    /// Notes that a table which has just been created is managed. `catalog` is the one that nothing guards.
    pub(crate) async fn note(table: &Table, catalog: &dyn Metastore) {
        let folder = (FOLDER.to_owned(), Some(Bytes::from(table.root())));
        if let Err(error) = catalog.set_attachments(table, vec![folder]).await {
            tracing::warn!(table = %table.name, %error, "a new table's files will stay when it is dropped");
        }
    }

    /// The managed tables of a database; none of one that does not exist.
    pub(crate) async fn in_database(database: &str, metastore: &dyn Metastore) -> Result<Vec<Self>> {
        let tables = match metastore.tables(database).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            tables => tables?,
        };
        let mut managed = Vec::new();
        for table in &tables {
            managed.extend(Self::of(table, metastore).await?);
        }
        Ok(managed)
    }

    /// Removes the table's files. It is gone by now, so that what cannot be removed is logged and stays.
    pub(crate) async fn remove_files(self, metastore: &dyn Metastore, stores: &QueryStores) {
        let folder = self.table.root();
        let removed = match is_shared(&folder, metastore).await {
            Ok(false) => remove(&folder, stores).await,
            Ok(true) => {
                tracing::warn!(table = %self.table.name, folder, "a dropped table's files stay: they are another table's, too");
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(table = %self.table.name, folder, %error, "files of a dropped table may remain");
        }
    }
}

/// Whether a table, a partition or the folder of a projection's template lies in the folder, or the folder in it.
async fn is_shared(folder: &str, metastore: &dyn Metastore) -> Result<bool> {
    let folder = RealLocation::of(folder)?;
    let overlaps = |other: &str| RealLocation::of(other).is_ok_and(|other| other.overlaps(&folder));
    // A template whose values decide where it leads may lead here.
    let may_lead_here = |template: String| RealLocation::of(&template).map_or(true, |other| other.overlaps(&folder));
    for database in metastore.databases().await? {
        for table in metastore.tables(&database.name).await? {
            if table.is_view() {
                continue;
            }
            if overlaps(&table.root()) || Projection::template_folder(&table).is_some_and(may_lead_here) {
                return Ok(true);
            }
            if table.is_partitioned() {
                let index = metastore.partition_index(&table).await?;
                let mut located = index.located().iter().filter_map(|row| index.own_location(*row as usize));
                if located.any(overlaps) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

async fn remove(folder: &str, stores: &QueryStores) -> Result<()> {
    let (location, opened) = (stores.resolve(folder)?, stores.open(folder)?);
    let prefix = if opened.prefix.is_empty() { String::new() } else { format!("{}/", opened.prefix) };
    let mut token = None;
    loop {
        let request = ListRequest { prefix: prefix.clone(), token, ..ListRequest::default() };
        let page = match opened.lister.page(request).await {
            // An ingest of no rows has made no folder.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            page => page?,
        };
        let written = page.objects.into_iter().map(|object| object.location).filter(is_of_an_ingest);
        let removals = stream::iter(written).map(|path| {
            let store = &location.store;
            async move {
                match store.delete(&path).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    removed => removed.map_err(|error| from_store(&error)),
                }
            }
        });
        removals.buffer_unordered(REMOVALS).try_collect::<()>().await?;
        match page.next_token {
            Some(next) => token = Some(next),
            None => return Ok(()),
        }
    }
}

/// Whether a file has the name that an ingest gives: its query's id and a number.
fn is_of_an_ingest(path: &Path) -> bool {
    let name = path.filename().and_then(|name| name.strip_suffix(".parquet")).and_then(|name| name.rsplit_once('-'));
    name.is_some_and(|(id, number)| {
        id.parse::<QueryId>().is_ok() && number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_ingests_are_known_by_their_names() {
        let is = |name: &str| is_of_an_ingest(&Path::from(name));
        let id = QueryId::next();
        assert!(is(&format!("t/dt=1/{id}-00000.parquet")) && is(&format!("{id}-123456.parquet")));
        for other in
            ["part-00000.parquet".to_owned(), format!("{id}.parquet"), format!("{id}-0.parquet"), format!("{id}-00000.csv")]
        {
            assert!(!is(&other), "{other}");
        }
    }
}
