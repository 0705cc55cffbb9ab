//! Opens the files of a scan. Nothing is known of text before it is read: each split is one unit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use glaux_catalog::model::{Column, Properties, StorageDescriptor};

use super::{compression::Compression, file::OpenText, options::TextOptions, row::TextColumn, shape::Wanted, unit::Stretch};
use crate::{
    error::Result,
    failure::from_datafusion,
    scan::{Execution, Opener, PlannedFile, Split, Unit},
};

/// What a table says of its files.
#[derive(Debug)]
pub(super) struct TextTable {
    pub storage: StorageDescriptor,
    pub properties: Properties,
    pub options: Arc<TextOptions>,
}

impl TextTable {
    /// How a file is laid out: as its partition says, or else as the table does.
    fn options(&self, file: &PlannedFile) -> Result<Arc<TextOptions>> {
        let Some(own) = file.own.as_ref().filter(|own| own.serde.is_some() || own.columns.is_some()) else {
            return Ok(Arc::clone(&self.options));
        };
        let (serde, columns) = (own.serde.as_ref(), own.columns.as_deref());
        Ok(Arc::new(TextOptions::of_partition(&self.storage, &self.properties, serde, columns)?))
    }

    /// The columns of a file's lines.
    fn columns<'a>(&'a self, file: &'a PlannedFile) -> &'a [Column] {
        let own = file.own.as_ref().and_then(|own| own.columns.as_deref());
        own.unwrap_or(&self.storage.columns)
    }
}

/// Opens the files of one execution.
#[derive(Debug)]
pub(super) struct TextOpener {
    execution: Arc<Execution>,
    table: Arc<TextTable>,
    /// The files of which several splits are read, by their addresses: what they read counts together.
    shared: Mutex<HashMap<usize, Arc<OpenText>>>,
}

impl TextOpener {
    pub(super) fn new(execution: &Arc<Execution>, table: &Arc<TextTable>) -> Self {
        Self { execution: Arc::clone(execution), table: Arc::clone(table), shared: Mutex::default() }
    }

    fn file(&self, planned: &Arc<PlannedFile>) -> Result<OpenText> {
        let (spec, io) = (&self.execution.spec, &self.execution.io);
        let compression = Compression::of_name(planned.file.meta.location.as_ref())?;
        let wanted = Wanted::new(spec, planned).map_err(from_datafusion)?;
        let lines = self.table.columns(planned);
        // Columns are found by their places, whatever they are called; those that a partition does not have are NULL.
        let column = |at: &usize| {
            let of_table = &self.table.storage.columns[*at];
            TextColumn {
                position: if *at < lines.len() { *at } else { usize::MAX },
                name: of_table.name.clone(),
                hive_type: of_table.hive_type.clone(),
            }
        };
        let columns = wanted.columns.iter().map(column).collect();
        let mut meter = io.scan.file(planned.file.url());
        meter.opened([]);
        Ok(OpenText {
            planned: Arc::clone(planned),
            io: io.clone(),
            options: self.table.options(planned)?,
            compression,
            wanted,
            columns,
            meter: Mutex::new(meter),
        })
    }

    fn open_file(&self, split: &Split) -> Result<Arc<OpenText>> {
        let named = |error: crate::error::Error| error.with_context("file", split.file.file.url());
        if split.is_whole() {
            return Ok(Arc::new(self.file(&split.file).map_err(named)?));
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let address = Arc::as_ptr(&split.file).addr();
        if let Some(open) = shared.get(&address) {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(self.file(&split.file).map_err(named)?);
        shared.insert(address, Arc::clone(&open));
        Ok(open)
    }
}

#[async_trait]
impl Opener for TextOpener {
    async fn open(&self, split: &Arc<Split>) -> Result<Vec<Box<dyn Unit>>> {
        let file = self.open_file(split)?;
        let unit = Stretch { execution: Arc::clone(&self.execution), file, range: split.range.clone() };
        Ok(vec![Box::new(unit)])
    }
}
