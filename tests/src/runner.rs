//! Runs one `.slt` file over a lake of its own, on an engine of its own in process, and again on a server of its own over Flight SQL.
//!
//! Beside SQL a file may hold these, so that it tells its whole story:
//!
//! ```text
//! @write PATH [OPTIONS] SELECT ...   a Parquet file of the query's rows at a path of the lake (OPTIONS: see `lake::WriteOptions`)
//! @text PATH TEXT                    a file of that text
//! @bytes PATH TEXT                   a file of that text, in which `\n`, `\r`, `\t`, `\\` and `\xHH` are bytes
//! @gzip PATH TEXT                    the same, compressed
//! @footer PATH EDIT...               another footer of a file written before (EDITs: see `footer`)
//! @fixture PATH NAME                 a copy of tests/fixtures/NAME
//! @remove PATH                       removes a file, or in a folder also a directory with all below it
//! @requests                          the requests of the statement before, in order (lakes on S3 only)
//! @usage                             the figures of the statement before that are not zero
//! @bill                              what the statement before costs
//! ```
//!
//! `connection ada@analysts+more` before a statement has it asked by the user `ada` in these groups; without it an administrator asks.
//!
//! `{lake}` in a statement is the URL of the lake's root, `{http}` the same over plain HTTP (lakes on S3 only). Files below `slt/s3/` have
//! their lake on the S3 endpoint, all others in a folder. In process the clock stands at 2025-06-15 12:00 UTC; a server's does not, and so
//! the time of a statement is `{now}` in results (a whole value in Hive's form, or seconds anywhere), and what depends on the day has a
//! `skipif flight`.

mod callers;
mod database;
mod embedded;
mod remote;
pub mod render;
mod text;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use callers::Caller;
use database::{Database, Executor, Failed};
use embedded::Embedded;
use remote::{Remote, Served};
use sqllogictest::{Normalizer, Runner, default_column_validator};

use crate::{instance::Instance, lake::Lake};

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

/// Whether the files are to be rewritten to what is seen.
#[must_use]
pub fn completes() -> bool {
    std::env::var_os("GLAUX_SLT_COMPLETE").is_some()
}

/// Runs one file on an engine in process; with `GLAUX_SLT_COMPLETE` set, writes what was seen into it instead.
///
/// # Errors
/// The first record that differs.
pub async fn run(file: &Path) -> Result<(), String> {
    let instance = Arc::new(Instance::start(lake(file).await).await);
    let connect = |caller: Option<Caller>| std::future::ready(Ok(Embedded::new(&instance, caller)));
    run_on(callers::of(file)?, connect, file, completes()).await
}

/// Runs one file on a server, over Flight SQL.
///
/// # Errors
/// The first record that differs.
pub async fn run_over_flight(file: &Path) -> Result<(), String> {
    let callers = callers::of(file)?;
    let served = Arc::new(Served::start(lake(file).await, &callers));
    run_on(callers, |caller| Remote::connect(Arc::clone(&served), caller), file, false).await
}

async fn lake(file: &Path) -> Lake {
    let is_s3 = file.strip_prefix(corpus()).is_ok_and(|relative| relative.starts_with("s3"));
    if is_s3 { Lake::on_s3().await } else { Lake::in_folder() }
}

/// Runs one file, with a connection for each of its callers.
async fn run_on<E, C>(
    callers: Vec<Option<Caller>>,
    mut connect: impl FnMut(Option<Caller>) -> C,
    file: &Path,
    complete: bool,
) -> Result<(), String>
where
    E: Executor,
    C: Future<Output = Result<E, Failed>>,
{
    let mut callers = callers.into_iter();
    let mut runner = Runner::new(move || {
        let connecting = callers.next().map(&mut connect);
        async move {
            match connecting {
                Some(connecting) => connecting.await.map(Database::new),
                None => Err(Failed("the file has more connections than were found in it".to_owned())),
            }
        }
    });
    runner.with_normalizer(exact);
    runner.with_validator(same);
    if complete {
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
