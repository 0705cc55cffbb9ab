//! Files whose bytes are not what their footers promise: an error that names the file, or the right rows, and nothing kept of it.

use std::ops::Range;

use bytes::Bytes;
use glaux_engine::ErrorKind;
use glaux_tests::{instance::Instance, lake::BUCKET};
use libtest_mimic::{Failed, Trial};
use parquet::file::{
    metadata::ParquetMetaData,
    reader::{FileReader, SerializedFileReader},
};

use super::{Case, cases, fails, is_right, lines, query, start};
use crate::scan::{endpoint, rows, sorted};

fn metadata(file: &Bytes) -> Result<ParquetMetaData, Failed> {
    Ok(SerializedFileReader::new(file.clone())?.metadata().clone())
}

pub(super) async fn footers_that_lie() -> Result<(), Failed> {
    for case in cases().filter(|case| !case.warm) {
        let instance = start(case).await;
        let whole = endpoint(&instance).get(BUCKET, &case.key()).ok_or("the file is there")?;
        let at = whole.len() - 8;
        let length = u32::from_le_bytes(whole[at..at + 4].try_into()?);
        for lie in [0, 1, length - 1, length + 1, length / 2, length + 70_000, whole.len() as u32, u32::MAX] {
            let mut lying = whole.to_vec();
            lying[at..at + 4].copy_from_slice(&lie.to_le_bytes());
            instance.lake.put(&case.key(), lying);
            fails(&instance, &query(case), case, &[ErrorKind::CorruptData]).await?;
            fails(&instance, &format!("SELECT count(*) FROM {}", case.table), case, &[ErrorKind::CorruptData]).await?;
        }
        for damage in [at + 4..at + 8, at - 40..at - 8, at - length as usize..at - length as usize + 16] {
            let mut damaged = whole.to_vec();
            damaged[damage].fill(0xEE);
            instance.lake.put(&case.key(), damaged);
            fails(&instance, &query(case), case, &[ErrorKind::CorruptData]).await?;
        }
        instance.lake.put(&case.key(), whole.to_vec());
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

pub(super) async fn garbage_in_pages() -> Result<(), Failed> {
    for case in cases().filter(|case| !case.warm).map(|case| Case { options: "group=5000 page=500 codec=zstd", ..case }) {
        let instance = start(case).await;
        let whole = endpoint(&instance).get(BUCKET, &case.key()).ok_or("the file is there")?;
        let groups = metadata(&whole)?;
        for group in groups.row_groups() {
            // The words: the head of their first page, and all of them.
            let (start, length) = group.column(1).byte_range();
            let (start, end) = (usize::try_from(start)?, usize::try_from(start + length)?);
            for damage in [start..start + 30, start..end] {
                for garbage in [0x00, 0xFF, 0xA5] {
                    let mut damaged = whole.to_vec();
                    damaged[damage.clone()].fill(garbage);
                    instance.lake.put(&case.key(), damaged);
                    fails(&instance, &query(case), case, &[ErrorKind::CorruptData]).await?;
                }
            }
            // Other columns are none the worse.
            let sum = instance.run(&format!("SELECT sum(id), count(x) FROM {}", case.table)).await;
            assert_eq!(sum.lines(), [format!("{}|{}", (0..case.rows).sum::<i64>(), case.rows)]);
        }
        instance.lake.put(&case.key(), whole.to_vec());
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

/// Queries that page indexes and bloom filters can help: the right rows, or an error; never others.
async fn right_or_corrupt(instance: &Instance, case: Case, sql: &str, expected: &[String], how: &str) -> Result<bool, Failed> {
    match instance.try_run(sql).await {
        Ok(outcome) if sorted(outcome.lines()) == expected => Ok(true),
        Ok(outcome) => Err(format!("{case:?}: {sql} gives {} wrong rows with {how}", outcome.report.usage.rows).into()),
        Err(failure) => {
            let error = failure.error;
            if error.kind() != ErrorKind::CorruptData || !format!("{error:?}").contains(&case.key()) {
                return Err(format!("{case:?}, {how}: CorruptData naming {}, not {error:?}", case.url()).into());
            }
            Ok(false)
        }
    }
}

/// One trial a case: all of them together take long.
fn damaged(name: &str, options: &'static str, regions: fn(&ParquetMetaData) -> Vec<Range<u64>>) -> Vec<Trial> {
    let trial = |case: Case| {
        let Case { table, cached, warm, .. } = case;
        let how = format!("{table}{}{}", if cached { "_cached" } else { "" }, if warm { "_warm" } else { "" });
        let run = move || crate::block_on(crate::in_time(damaged_as(case, regions)));
        Trial::test(format!("scan_faults/{name}/{how}"), run)
    };
    cases().map(|case| trial(Case { options, ..case })).collect()
}

async fn damaged_as(case: Case, regions: fn(&ParquetMetaData) -> Vec<Range<u64>>) -> Result<(), Failed> {
    let instance = start(case).await;
    let whole = endpoint(&instance).get(BUCKET, &case.key()).ok_or("the file is there")?;
    let regions = regions(&metadata(&whole)?);
    assert!(!regions.is_empty(), "{}: nothing to damage", case.options);
    let point = arrow::util::display::array_value_to_string(rows(0..case.rows).column(1), 700)?;
    let table = case.table;
    let mut queries = vec![
        (format!("SELECT id, word, x FROM {table} WHERE id BETWEEN 700 AND 720"), lines(700..721)),
        (format!("SELECT id, word, x FROM {table} WHERE id = 700"), lines(700..701)),
        (format!("SELECT id, word, x FROM {table} WHERE word = '{point}'"), lines(700..701)),
        (format!("SELECT id, word, x FROM {table} WHERE id = 700 AND word = '{point}'"), lines(700..701)),
        (format!("SELECT id, word, x FROM {table} ORDER BY id LIMIT 3"), lines(0..3)),
        // What needs no index does not mind.
        (query(case), lines(0..case.rows)),
    ];
    let from = regions.iter().map(|region| region.start).min().unwrap_or_default();
    let to = regions.iter().map(|region| region.end).max().unwrap_or_default();
    for damage in regions.into_iter().chain(std::iter::once(from..to)) {
        for garbage in [0x00, 0x15, 0xFF, 0xA5] {
            let mut file = whole.to_vec();
            file[usize::try_from(damage.start)?..usize::try_from(damage.end)?].fill(garbage);
            instance.lake.put(&case.key(), file);
            let how = format!("{damage:?} filled with {garbage:#x}");
            for (sql, expected) in &queries {
                right_or_corrupt(&instance, case, sql, expected, &how).await?;
            }
        }
    }
    instance.lake.put(&case.key(), whole.to_vec());
    queries.pop();
    for (sql, expected) in &queries {
        if !right_or_corrupt(&instance, case, sql, expected, "no damage").await? {
            return Err(format!("{case:?}: {sql} fails on the whole file").into());
        }
    }
    is_right(&instance, case, 0..case.rows).await
}

fn range(offset: Option<i64>, length: Option<i32>) -> Option<Range<u64>> {
    let start = u64::try_from(offset?).ok()?;
    Some(start..start + u64::try_from(length?).ok()?)
}

pub(super) fn garbage_in_page_indexes() -> Vec<Trial> {
    damaged("garbage_in_page_indexes", "group=10000 page=500 codec=zstd", |footer| {
        let chunks = footer.row_group(0).columns().iter().take(2);
        chunks
            .flat_map(|chunk| {
                [
                    range(chunk.column_index_offset(), chunk.column_index_length()),
                    range(chunk.offset_index_offset(), chunk.offset_index_length()),
                ]
            })
            .flatten()
            .collect()
    })
}

pub(super) fn garbage_in_bloom_filters() -> Vec<Trial> {
    damaged("garbage_in_bloom_filters", "group=10000 page=500 codec=zstd bloom statistics=none", |footer| {
        // The header of the words' filter; its bits cannot be told from those of another one.
        let chunk = footer.row_group(0).column(1);
        let filter = range(chunk.bloom_filter_offset(), chunk.bloom_filter_length());
        filter.into_iter().map(|filter| filter.start..filter.start + 12).collect()
    })
}
