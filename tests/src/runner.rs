//! Runs one `.slt` file against an engine of its own, over a lake of its own.
//!
//! Beside SQL a file may hold these, so that it tells its whole story:
//!
//! ```text
//! @write PATH [OPTIONS] SELECT ...   a Parquet file of the query's rows at a path of the lake (OPTIONS: see `lake::WriteOptions`)
//! @text PATH TEXT                    a file of that text
//! @fixture PATH NAME                 a copy of tests/fixtures/NAME
//! @remove PATH                       removes a file
//! @requests                          the requests of the statement before, in order (lakes on S3 only)
//! @usage                             the figures of the statement before that are not zero
//! @bill                              what the statement before costs
//! ```
//!
//! `{lake}` in a statement is the URL of the lake's root, `{http}` the same over plain HTTP (lakes on S3 only). Files below `slt/s3/` have their lake on the S3 endpoint, all others in a
//! folder. The clock stands at 2025-06-15 12:00 UTC.

mod database;
pub mod render;

use std::path::{Path, PathBuf};

pub use database::EmbeddedDatabase;
use sqllogictest::{Normalizer, Runner, default_column_validator};

/// Where the `.slt` files are.
#[must_use]
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")
}

/// Every `.slt` file, by its path below [`corpus`].
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![corpus()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the corpus can be read") {
            let path = entry.expect("the corpus can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Runs one file; with `GLAUX_SLT_COMPLETE` set, writes what was seen into it instead.
///
/// # Errors
/// The first record that differs.
pub async fn run(file: &Path) -> Result<(), String> {
    let is_s3 = file.strip_prefix(corpus()).is_ok_and(|relative| relative.starts_with("s3"));
    let database = EmbeddedDatabase::start(is_s3).await;
    let mut database = Some(database);
    let mut runner = Runner::new(move || {
        let database = database.take();
        async move { database.ok_or_else(|| database::Failed("a file has one connection".to_owned())) }
    });
    runner.with_normalizer(exact);
    runner.with_validator(same);
    if std::env::var_os("GLAUX_SLT_COMPLETE").is_some() {
        let updated = runner.update_test_file(file, "|", same, exact, default_column_validator).await;
        return updated.map_err(|error| error.to_string());
    }
    runner.run_file_async(file).await.map_err(|error| error.display(false).to_string())
}

/// Whether the rows are those expected, `|` between values.
fn same(normalizer: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let actual = actual.iter().map(|row| normalizer(&row.join("|")));
    actual.eq(expected.iter().map(normalizer))
}

/// Values count as they are, but for space at the end of a line.
#[expect(clippy::ptr_arg, reason = "the runner's signature")]
fn exact(text: &String) -> String {
    text.trim_end().to_owned()
}
