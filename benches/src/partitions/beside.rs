//! The same table and the same query asked of others, each in a process of its own: what it takes until the table is known, what the query takes
//! then and when it is asked again, and what each of these asks of the store. DataFusion reads every footer to define a table whose columns it is not
//! told.

use std::{path::PathBuf, time::Duration};

use glaux_engine::accounting::RequestKind;
use glaux_tests::{lake::BUCKET, s3_endpoint::S3Endpoint};

use crate::{
    Result,
    contestant::{Contestant, Setting, Table, Taken, Who},
};

/// The table, as those define it who are told.
const TABLE: Table =
    Table { name: "t", columns: &[("n", "BIGINT")], keys: &[("dt", "DATE"), ("h", "INT")], glob: "*/*/*.parquet" };

/// With more partitions than this the others take minutes: they are not asked.
pub(super) const MOST: usize = 100_000;

/// One statement: its time and CPU time by the contestant's own clock, its requests by the endpoint's log.
struct Step {
    taken: Taken,
    lists: usize,
    gets: usize,
}

pub(super) fn compare(endpoint: &S3Endpoint, partitions: usize, query: &str, python: Option<PathBuf>) -> Result<()> {
    println!("\n{partitions} partitions beside others: defining the table, the query, and the query again");
    println!(
        "  {:<22} {:>10} {:>5} {:>6} {:>10} {:>5} {:>5} {:>10} {:>5} {:>5} {:>10}",
        "", "defined", "LIST", "GET", "first", "LIST", "GET", "again", "LIST", "GET", "its CPU"
    );
    let setting = Setting { endpoint: Some(endpoint.url()), python, options: Vec::new() };
    let sql = query.replace(" FROM t ", " FROM {t} ");
    let mut expected = None;
    for who in [Who::Glaux, Who::DataFusion, Who::Tuned].into_iter().chain(Who::PEERS) {
        match measure(endpoint, who, &setting, &sql) {
            Ok(None) => {}
            Ok(Some((name, [defined, first, again]))) => {
                println!(
                    "  {name:<22} {:>10} {:>5} {:>6} {:>10} {:>5} {:>5} {:>10} {:>5} {:>5} {:>10}",
                    seconds(defined.taken.wall),
                    defined.lists,
                    defined.gets,
                    seconds(first.taken.wall),
                    first.lists,
                    first.gets,
                    seconds(again.taken.wall),
                    again.lists,
                    again.gets,
                    seconds(again.taken.cpu),
                );
                let rows = again.taken.rows;
                if expected.get_or_insert_with(|| rows.clone()) != &rows {
                    return Err(format!("{name} answers {rows:?}, not {expected:?}").into());
                }
            }
            Err(error) => println!("  {:<22} FAILED: {error}", who.name()),
        }
    }
    Ok(())
}

fn measure(endpoint: &S3Endpoint, who: Who, setting: &Setting, sql: &str) -> Result<Option<(String, [Step; 3])>> {
    let data_dir = tempfile::tempdir()?;
    let Some(mut contestant) = Contestant::start(who, setting, data_dir.path())? else { return Ok(None) };
    let mut step = |ask: &dyn Fn(&mut Contestant) -> Result<Taken>| -> Result<Step> {
        _ = endpoint.take_log();
        let taken = ask(&mut contestant)?;
        let log = endpoint.take_log();
        let count = |kind| log.iter().filter(|request| request.kind == kind).count();
        Ok(Step { taken, lists: count(RequestKind::List), gets: count(RequestKind::Get) })
    };
    let url = format!("s3://{BUCKET}/{}/", TABLE.name);
    let defined = step(&|contestant| contestant.open(&TABLE, &url, false))?;
    let first = step(&|contestant| contestant.run(TABLE.name, sql))?;
    let again = step(&|contestant| contestant.run(TABLE.name, sql))?;
    let name = match who {
        Who::Tuned => format!("{} tuned", contestant.version),
        _ => contestant.version.clone(),
    };
    Ok(Some((name, [defined, first, again])))
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
