//! GetTables over many tables: what a BI tool asks for when it connects.

use std::time::{Duration, Instant};

use arrow_flight::sql::CommandGetTables;

use super::{
    Options, Result,
    client::{self, Client},
    figures::{Figures, Samples, mebibytes, millis},
    lake,
    server::Server,
};

const DATABASES: usize = 10;
const TABLES: usize = 1_000;
const ROUNDS: usize = 5;
const GOAL: Duration = Duration::from_secs(1);

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    let columns: Vec<_> = (0..15).map(|at| format!("column_{at} {}", ["BIGINT", "STRING", "DOUBLE"][at % 3])).collect();
    let columns = columns.join(", ");
    for database in 0..DATABASES {
        instance.run(&format!("CREATE DATABASE db{database}")).await;
        for table in 0..TABLES {
            let name = format!("db{database}.t{table}");
            instance
                .run(&format!(
                    "CREATE EXTERNAL TABLE {name} ({columns}) PARTITIONED BY (d STRING) STORED AS PARQUET LOCATION '{{lake}}/{name}/'"
                ))
                .await;
        }
    }
    let server = Server::start(&options.bin, &instance.data_dir()).await?;
    let mut client = client::log_in(server.flight).await?;
    let mut figures = Figures::new("tables: GetTables over 10,000 tables of 16 columns");
    let all = CommandGetTables { table_types: vec!["TABLE".to_owned()], ..CommandGetTables::default() };
    let with_schemas = CommandGetTables { include_schema: true, ..all.clone() };
    let of_database = CommandGetTables { db_schema_filter_pattern: Some("db3".to_owned()), ..with_schemas.clone() };
    let one = CommandGetTables { table_name_filter_pattern: Some("t77".to_owned()), ..of_database.clone() };
    let by_prefix = CommandGetTables { table_name_filter_pattern: Some("t99%".to_owned()), ..with_schemas.clone() };
    for (name, command, rows) in [
        ("with schemas", with_schemas, DATABASES * TABLES),
        ("without schemas", all, DATABASES * TABLES),
        ("with schemas, one database", of_database, TABLES),
        ("with schemas, \"t99%\"", by_prefix, DATABASES * 11),
        ("with schemas, one table", one, 1),
    ] {
        let (first, samples, bytes) = ask(&mut client, &command, rows).await?;
        figures.time(&format!("{name}, first"), first, GOAL);
        figures.time(&format!("{name}, median"), samples.median(), GOAL);
        figures.line(&format!("{name}, answer"), mebibytes(bytes as u64));
    }
    let cpu = server.process().cpu()?;
    figures.line("CPU of the server in all", millis(cpu));
    Ok(figures.met())
}

async fn ask(client: &mut Client, command: &CommandGetTables, rows: usize) -> Result<(Duration, Samples, usize)> {
    let (mut first, mut samples, mut bytes) = (None, Samples::default(), 0);
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        let info = client.get_tables(command.clone()).await?;
        let fetched = client::fetch(client, info).await?;
        if fetched.rows != rows {
            return Err(format!("{} tables came instead of {rows}", fetched.rows).into());
        }
        bytes = fetched.bytes;
        match first {
            None => first = Some(started.elapsed()),
            Some(_) => samples.push(started.elapsed()),
        }
    }
    Ok((first.unwrap_or_default(), samples, bytes))
}
