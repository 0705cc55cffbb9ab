//! TPC-H's eight tables, one file each.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::DataType;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ArrowReaderMetadata},
    basic::Compression,
    file::properties::WriterProperties,
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, RegionGenerator,
    SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator, RegionArrow,
    SupplierArrow,
};

use crate::Result;

pub(super) const NAMES: [&str; 8] = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// Raised when what is written changes.
const LAYOUT: u32 = 1;

/// Rows a row group.
const GROUP: usize = 122_880;

/// Finds the tables below a folder, or makes them: one folder each.
pub(super) fn find_or_make(dir: &Path, scale: f64) -> Result<PathBuf> {
    let folder = dir.join(format!("tpch-{LAYOUT}-{scale}"));
    if !folder.exists() {
        super::super::lake::made_whole(&folder, "TPC-H's tables", |new| write(new, scale))?;
    }
    Ok(fs::canonicalize(folder)?)
}

/// A table's columns, with their types in Hive's words.
pub(super) fn columns(folder: &Path, table: &str) -> Result<Vec<[String; 2]>> {
    let metadata = ArrowReaderMetadata::load(&File::open(file(folder, table))?, Default::default())?;
    let typed = |field: &arrow::datatypes::FieldRef| {
        let hive = match field.data_type() {
            DataType::Int32 => "INT".to_owned(),
            DataType::Int64 => "BIGINT".to_owned(),
            DataType::Date32 => "DATE".to_owned(),
            DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
            DataType::Utf8 | DataType::Utf8View => "STRING".to_owned(),
            other => return Err(format!("{} is of type {other}", field.name()).into()),
        };
        Ok([field.name().clone(), hive])
    };
    metadata.schema().fields().iter().map(typed).collect()
}

fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(table).join("part-0.parquet")
}

fn write(folder: &Path, scale: f64) -> Result<()> {
    for table in NAMES {
        let rows: Box<dyn RecordBatchIterator> = match table {
            "customer" => Box::new(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))),
            "lineitem" => Box::new(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
            "nation" => Box::new(NationArrow::new(NationGenerator::new(scale, 1, 1))),
            "orders" => Box::new(OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
            "part" => Box::new(PartArrow::new(PartGenerator::new(scale, 1, 1))),
            "partsupp" => Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1))),
            "region" => Box::new(RegionArrow::new(RegionGenerator::new(scale, 1, 1))),
            _ => Box::new(SupplierArrow::new(SupplierGenerator::new(scale, 1, 1))),
        };
        let path = file(folder, table);
        fs::create_dir_all(folder.join(table))?;
        let properties =
            WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(GROUP)).build();
        let mut writer = ArrowWriter::try_new(File::create(path)?, Arc::clone(rows.schema()), Some(properties))?;
        for batch in rows {
            writer.write(&batch)?;
        }
        writer.close()?;
    }
    Ok(())
}
