//! What a data directory holds: readable by its owner alone, missed when it is gone, and tidied after a process that was killed.

use std::{path::Path, sync::Arc};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_flight::{
    error::FlightError,
    sql::{CommandStatementIngest, TableDefinitionOptions, TableExistsOption, TableNotExistOption},
};
use futures::{StreamExt, stream};
use glaux_engine::ErrorKind;
use glaux_tests::{flight::Client, instance::Instance, lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "data_directory";
        only_its_owner_reads_it,
        a_definition_is_not_lost_with_the_catalog,
        a_killed_ingest_leaves_no_file,
    ]
}

#[cfg(unix)]
async fn only_its_owner_reads_it() -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777);
    let instance = Instance::start(Lake::in_folder()).await;
    instance.run("CREATE DATABASE d").await;
    let data = instance.data_dir();
    let files = [
        "catalog.sqlite",
        "catalog.sqlite-wal",
        "catalog.sqlite-shm",
        "history.sqlite",
        "history.sqlite-wal",
        "history.sqlite-shm",
    ];
    assert_eq!(mode(&data)?, 0o700);
    for name in files {
        assert_eq!(mode(&data.join(name))?, 0o600, "{name}");
    }
    for folder in ["cache", "run", "spill"] {
        assert_eq!(mode(&data.join(folder))?, 0o700, "{folder}");
    }
    // Those of earlier versions are mended.
    for name in files {
        std::fs::set_permissions(data.join(name), PermissionsExt::from_mode(0o644))?;
    }
    let instance = instance.restart_with(|_| {}).await;
    instance.run("CREATE DATABASE e").await;
    for name in files {
        assert_eq!(mode(&data.join(name))?, 0o600, "{name}");
    }
    Ok(())
}

#[cfg(not(unix))]
async fn only_its_owner_reads_it() -> Result<(), Failed> {
    Ok(())
}

async fn a_definition_is_not_lost_with_the_catalog() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let create = "CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{lake}/t/'";
    instance.run(create).await;
    let catalog = instance.data_dir().join("catalog.sqlite");
    let aside = instance.data_dir().join("aside.sqlite");
    std::fs::rename(&catalog, &aside)?;
    for sql in ["DROP TABLE t", "CREATE DATABASE d", "GRANT SELECT ON t TO USER ada"] {
        let refused = instance.try_run(sql).await.expect_err(sql).error;
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{sql}: {refused:?}");
        assert!(refused.to_string().contains("was removed or replaced"), "{sql}: {refused:?}");
    }
    // Another file of that name is not the one either.
    std::fs::copy(&aside, &catalog)?;
    assert_eq!(instance.try_run("CREATE DATABASE d").await.expect_err("another file").error.kind(), ErrorKind::Unavailable);
    std::fs::rename(&aside, &catalog)?;
    instance.run("CREATE DATABASE d").await;
    std::fs::remove_dir_all(instance.data_dir())?;
    let refused = instance.try_run("CREATE DATABASE e").await.expect_err("all is gone").error;
    assert!(refused.hint().is_some_and(|hint| hint.contains("Restart this process")), "{refused:?}");
    Ok(())
}

/// Four mebibytes that do not compress.
fn noise() -> RecordBatch {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut value = || {
        let word = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..128).flat_map(word).collect::<Vec<u8>>()
    };
    let values: BinaryArray = (0..4096).map(|_| Some(value())).collect();
    RecordBatch::try_from_iter([("noise", Arc::new(values) as ArrayRef)]).expect("a column")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

async fn a_killed_ingest_leaves_no_file() -> Result<(), Failed> {
    let server = Server::strict("");
    let mut client = Client::login(&server, "loader", "").await?;
    let command = CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Create.into(),
            if_exists: TableExistsOption::Append.into(),
        }),
        table: "t".to_owned(),
        ..CommandStatementIngest::default()
    };
    let database = server.data_dir().join("warehouse/default");
    // Enough for a part to be on the disk, and then nothing more.
    let batches =
        stream::iter(std::iter::repeat_n(noise(), 48).map(Ok)).chain(stream::pending::<Result<RecordBatch, FlightError>>());
    let ingest = tokio::spawn(async move { client.sql.execute_ingest(command, batches).await });
    // Each table that an ingest creates has a folder of its own.
    let folder = loop {
        let mut tables = names(&database).into_iter().map(|name| database.join(name));
        if let Some(folder) = tables.find(|folder| !names(folder).is_empty()) {
            break folder;
        }
        if ingest.is_finished() {
            return Err(format!("{:?}", ingest.await).into());
        }
        tokio::task::yield_now().await;
    };
    assert!(names(&folder).iter().all(|name| name.starts_with('.')), "{:?}", names(&folder));
    std::fs::write(folder.join(".somebody-elses.parquet#1"), "x")?;
    let notes =
        |server: &Server| names(&server.data_dir().join("run")).into_iter().filter(|name| name.ends_with(".staged")).count();
    assert_eq!(notes(&server), 1);
    let server = server.restart();
    assert_eq!(names(&folder), [".somebody-elses.parquet#1"]);
    assert_eq!(notes(&server), 0);
    assert!(ingest.await?.is_err());
    let mut client = Client::login(&server, "loader", "").await?;
    assert!(client.run("SHOW TABLES").await?.lines().is_empty());
    Ok(())
}
