//! Files and directories as they come out, read back; nothing is seen of what was given up.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Int64Type, Schema},
};
use futures::TryStreamExt;
use glaux_catalog::{HiveType, model::Column};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn batch(ids: std::ops::Range<i64>) -> RecordBatch {
    let years = ids.clone().map(|id| (id % 4 != 0).then_some(2020 + i32::try_from(id % 4).unwrap()));
    let names = ids.clone().map(|id| format!("a/b={}", id % 2));
    RecordBatch::try_from_iter_with_nullable([
        ("year", Arc::new(Int32Array::from_iter(years)) as ArrayRef, true),
        ("id", Arc::new(Int64Array::from_iter_values(ids)), false),
        ("name", Arc::new(StringArray::from_iter_values(names)), false),
    ])
    .unwrap()
}

fn keys() -> Vec<Column> {
    vec![Column::new("year", HiveType::Int), Column::new("name", HiveType::String)]
}

fn writer(store: &Arc<InMemory>, keys: &[Column], files: &ParquetOptions, options: WriteOptions) -> TableWriter {
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as _;
    TableWriter::parquet(store, Path::from("lake/t"), &batch(0..1).schema(), keys, files, options).unwrap()
}

async fn names(store: &InMemory) -> Vec<String> {
    let mut names: Vec<_> = store.list(None).map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

async fn read(store: &InMemory, path: &Path) -> (Arc<Schema>, Vec<i64>) {
    let bytes = store.get(path).await.unwrap().bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    let ids = batches.iter().flat_map(|batch| batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec());
    (schema, ids.collect())
}

#[tokio::test]
async fn rows_go_to_the_directories_of_their_keys_in_order() {
    let store = Arc::new(InMemory::new());
    let mut table = writer(&store, &keys(), &ParquetOptions::default(), WriteOptions::default());
    table.write(&batch(0..50)).await.unwrap();
    table.write(&batch(50..100)).await.unwrap();
    let files = table.finish().await.unwrap();
    assert_eq!(
        names(&store).await,
        [
            "lake/t/year=2021/name=a%2Fb%3D1/part-00000.parquet",
            "lake/t/year=2022/name=a%2Fb%3D0/part-00000.parquet",
            "lake/t/year=2023/name=a%2Fb%3D1/part-00000.parquet",
            "lake/t/year=__HIVE_DEFAULT_PARTITION__/name=a%2Fb%3D0/part-00000.parquet",
        ]
    );
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [25, 25, 25, 25]);
    assert_eq!(files[0].values, [Some("2021".to_owned()), Some("a/b=1".to_owned())]);
    assert_eq!(files[3].values[0], None);
    for file in &files {
        let (schema, ids) = read(&store, &file.path).await;
        assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["id"]);
        assert!(ids.is_sorted() && ids.len() == 25);
        assert_eq!(store.head(&file.path).await.unwrap().size, file.bytes);
    }
}

#[tokio::test]
async fn few_open_files_and_little_memory_lose_no_row() {
    let store = Arc::new(InMemory::new());
    let files = ParquetOptions { row_group_rows: 10, ..ParquetOptions::default() };
    let options = WriteOptions { max_open_files: 2, memory_limit: 1, ..WriteOptions::default() };
    let mut table = writer(&store, &keys(), &files, options);
    for part in 0..5 {
        table.write(&batch(part * 20..(part + 1) * 20)).await.unwrap();
    }
    let files = table.finish().await.unwrap();
    assert_eq!(names(&store).await.len(), files.len());
    let mut found = BTreeMap::new();
    for file in &files {
        for id in read(&store, &file.path).await.1 {
            assert!(found.insert(id, file.values[0].clone()).is_none(), "{id} twice");
        }
    }
    let expected = (0..100).map(|id| (id, (id % 4 != 0).then(|| (2020 + id % 4).to_string())));
    assert_eq!(found, expected.collect());
    assert!(files.len() > 4);
}

#[tokio::test]
async fn a_table_without_keys_is_cut_into_files_of_a_size() {
    let store = Arc::new(InMemory::new());
    let files = ParquetOptions { target_file_bytes: 1, ..ParquetOptions::default() };
    let options = WriteOptions { file_prefix: "flat".to_owned(), ..WriteOptions::default() };
    let mut table = writer(&store, &[], &files, options);
    table.write(&batch(0..10)).await.unwrap();
    table.write(&batch(10..30)).await.unwrap();
    table.write(&batch(0..0)).await.unwrap();
    let files = table.finish().await.unwrap();
    assert_eq!(names(&store).await, ["lake/t/flat-00000.parquet", "lake/t/flat-00001.parquet"]);
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [10, 20]);
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let store = Arc::new(InMemory::new());
    let options = WriteOptions { max_open_files: 1, ..WriteOptions::default() };
    let mut table = writer(&store, &keys(), &ParquetOptions::default(), options);
    table.write(&batch(0..10)).await.unwrap();
    assert!(!table.written().is_empty(), "some files are complete already");
    assert!(names(&store).await.is_empty(), "and nobody sees them");
    table.seal().await.unwrap();
    table.publish().await.unwrap();
    assert_eq!(names(&store).await.len(), table.written().len());
    assert!(table.abort().await.is_empty());
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn null_and_the_empty_string_share_a_directory() {
    let rows = RecordBatch::try_from_iter([
        ("k", Arc::new(StringArray::from(vec![Some(""), None, Some("")])) as ArrayRef),
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ])
    .unwrap();
    let store = Arc::new(InMemory::new());
    let keys = [Column::new("k", HiveType::String)];
    let (files, options) = (ParquetOptions::default(), WriteOptions::default());
    let mut table =
        TableWriter::parquet(Arc::clone(&store) as _, Path::from("t"), &rows.schema(), &keys, &files, options).unwrap();
    table.write(&rows).await.unwrap();
    let files = table.finish().await.unwrap();
    assert_eq!(names(&store).await, ["t/k=__HIVE_DEFAULT_PARTITION__/part-00000.parquet"]);
    assert_eq!((files[0].rows, &files[0].values), (3, &vec![None]));
}

#[tokio::test]
async fn large_objects_go_in_parts_and_appear_whole() {
    let store = Arc::new(InMemory::new());
    let bytes: bytes::Bytes = (0..20_000_003_u32).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into();
    for finish in [false, true] {
        let mut upload = upload::Upload::new(upload::Destination {
            store: Arc::clone(&store) as _,
            path: Path::from("large"),
            publishing: upload::Publishing::Completion,
            slots: Arc::new(tokio::sync::Semaphore::new(2)),
        });
        for chunk in bytes.chunks(3_000_001) {
            upload.push(bytes::Bytes::copy_from_slice(chunk)).await.unwrap();
            assert!(names(&store).await.is_empty(), "half an object is visible");
        }
        upload.seal().await.unwrap();
        assert!(names(&store).await.is_empty(), "an object is visible before it is published");
        if finish {
            upload.publish().await.unwrap();
        } else {
            upload.discard().await.unwrap();
        }
    }
    assert_eq!(store.get(&Path::from("large")).await.unwrap().bytes().await.unwrap(), bytes);
}

#[test]
fn keys_that_are_not_columns_are_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let keys = [Column::new("month", HiveType::Int)];
    let (files, options) = (ParquetOptions::default(), WriteOptions::default());
    let error = TableWriter::parquet(store, Path::from("t"), &batch(0..1).schema(), &keys, &files, options).unwrap_err();
    assert!(error.message().contains("month"), "{error}");
}
