//! Several on one catalog at the same time.

use std::collections::BTreeSet;

use glaux_engine::{Error, ErrorKind};
use glaux_tests::server::Server;
use libtest_mimic::{Failed, Trial};

use super::{Shared, create, glaux, lake, options, server};

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "catalog";
        definitions_are_seen_at_the_next_statement,
        command_lines_and_servers_use_it_too,
        changes_at_once_lose_nothing,
        repairs_and_drops_at_once_end_where_some_order_would,
        what_was_acknowledged_outlives_the_service,
        a_service_that_is_gone_is_named,
        a_catalog_of_a_newer_version_is_left_alone,
        a_server_says_that_its_catalog_is_new,
    ]
}

async fn definitions_are_seen_at_the_next_statement() -> Result<(), Failed> {
    let (server, lake) = (server(), lake(3).await);
    let (one, other) = (Shared::on(&options(&server)).await?, Shared::on(&options(&server)).await?);
    assert!(other.run("SHOW TABLES").await?.is_empty());
    one.run(&create(&lake)).await?;
    assert_eq!(other.run("SELECT count(*) FROM t").await?, ["0"]);
    one.run("ALTER TABLE t ADD PARTITION (p = 1)").await?;
    assert_eq!(other.run("SELECT n FROM t").await?, ["1"]);
    other.run("MSCK REPAIR TABLE t").await?;
    assert_eq!(one.run("SELECT n FROM t ORDER BY n").await?, ["1", "2", "3"]);
    one.run("ALTER TABLE t DROP PARTITION (p = 2)").await?;
    assert_eq!(other.run("SHOW PARTITIONS t").await?, ["p=1", "p=3"]);
    other.run("CREATE VIEW v AS SELECT max(n) AS most FROM t").await?;
    assert_eq!(one.run("SELECT most FROM v").await?, ["3"]);
    one.run("DROP TABLE t").await?;
    let error = other.run("SELECT n FROM t").await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("\"default.t\" does not exist") && error.hint().is_some(), "{error:?}");
    Ok(())
}

async fn a_server_says_that_its_catalog_is_new() -> Result<(), Failed> {
    let created = "note: created a new, empty catalog in";
    let first = server();
    assert!(first.log().contains(created), "{}", first.log());
    let second = Server::start(None, &format!("[catalog]\nurl = \"grpc://{}\"\n", first.flight()));
    assert!(!second.log().contains(created), "it has none of its own: {}", second.log());
    let again = first.restart();
    assert!(!again.log().contains(created), "{}", again.log());
    Ok(())
}

async fn command_lines_and_servers_use_it_too() -> Result<(), Failed> {
    let (owner, lake) = (server(), lake(2).await);
    let url = format!("grpc://{}", owner.flight());
    let data = tempfile::tempdir()?;
    let line = |arguments: &[&str]| {
        let output = glaux(data.path()).env("GLAUX_CATALOG", &url).args(arguments).output().expect("glaux can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, _, said) = line(&["sql", "-e", &create(&lake), "-e", "MSCK REPAIR TABLE t"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!data.path().join("catalog.sqlite").exists(), "there is no other catalog");
    // A second server, by its configuration file.
    let second = Server::start(Some(&lake), &format!("[catalog]\nurl = \"{url}\"\n"));
    let mut client = glaux_tests::flight::Client::login(&second, "ada", "").await?;
    assert_eq!(client.run("SELECT count(*) FROM t").await?.lines(), ["2"]);
    client.run("ALTER TABLE t DROP PARTITION (p = 1)").await?;
    // It serves the catalog that it uses.
    let through = Shared::on(&options(&second)).await?;
    assert_eq!(through.run("SELECT n FROM t").await?, ["2"]);
    let (code, out, said) = line(&["doctor"]);
    assert!(code == Some(0) && out.contains("accepts") && out.contains("1 table"), "{out}{said}");
    let (code, _, said) = line(&["catalog", "check"]);
    assert!(code == Some(4) && said.contains("data directory"), "{said}");
    let (code, out, said) = line(&["--catalog", "http://nonsense", "sql", "-e", "SHOW TABLES"]);
    assert!(code == Some(2) && out.is_empty() && said.contains("grpc://host:port"), "{said}");
    Ok(())
}

/// Runs a statement until nobody changes its table meanwhile.
async fn insist(engine: &Shared, sql: &str) -> Result<(), Error> {
    loop {
        match engine.run(sql).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            outcome => return outcome.map(drop),
        }
    }
}

async fn changes_at_once_lose_nothing() -> Result<(), Failed> {
    const EACH: usize = 10;
    let (server, lake) = (server(), lake(1).await);
    let (one, other) = (Shared::on(&options(&server)).await?, Shared::on(&options(&server)).await?);
    one.run(&create(&lake)).await?;
    let columns = async {
        for n in 0..EACH {
            insist(&one, &format!("ALTER TABLE t ADD COLUMNS (c{n} INT)")).await?;
        }
        Ok::<_, Error>(())
    };
    let properties = async {
        for n in 0..EACH {
            insist(&other, &format!("ALTER TABLE t SET TBLPROPERTIES ('k{n}' = 'v')")).await?;
            insist(&other, &format!("ALTER TABLE t ADD PARTITION (p = {})", n + 100)).await?;
        }
        Ok::<_, Error>(())
    };
    let (columns, properties) = tokio::join!(columns, properties);
    columns?;
    properties?;
    let table = one.engine.metastore().table(&glaux_catalog::TableName::new("default", "t")).await?;
    assert_eq!(table.storage.columns.len(), 1 + EACH);
    assert_eq!(table.properties.keys().filter(|key| key.starts_with('k')).count(), EACH);
    assert_eq!(other.run("SHOW PARTITIONS t").await?.len(), EACH);
    Ok(())
}

async fn repairs_and_drops_at_once_end_where_some_order_would() -> Result<(), Failed> {
    const PARTITIONS: usize = 12;
    let (server, lake) = (server(), lake(PARTITIONS).await);
    let (one, other) = (Shared::on(&options(&server)).await?, Shared::on(&options(&server)).await?);
    one.run(&create(&lake)).await?;
    for _ in 0..5 {
        let (repaired, again) = tokio::join!(insist(&one, "MSCK REPAIR TABLE t"), insist(&other, "MSCK REPAIR TABLE t"));
        repaired?;
        again?;
        assert_eq!(one.run("SHOW PARTITIONS t").await?.len(), PARTITIONS);
        assert_eq!(other.run("SELECT count(*), sum(n) FROM t").await?, ["12|78"]);
        // A repair and a drop of what it finds: the drop came first, and it is there, or last, and it is not.
        let (repaired, dropped) = tokio::join!(
            insist(&one, "MSCK REPAIR TABLE t"),
            insist(&other, "ALTER TABLE t DROP IF EXISTS PARTITION (p = 1), PARTITION (p = 2)"),
        );
        repaired?;
        dropped?;
        let left: BTreeSet<String> = one.run("SHOW PARTITIONS t").await?.into_iter().collect();
        let both = ["p=1", "p=2"].map(|name| left.contains(name));
        assert!(both == [true, true] || both == [false, false], "{left:?}");
        assert_eq!(left.len(), if both[0] { PARTITIONS } else { PARTITIONS - 2 });
    }
    Ok(())
}

async fn what_was_acknowledged_outlives_the_service() -> Result<(), Failed> {
    let first = server();
    let engine = Shared::on(&options(&first)).await?;
    engine.run("CREATE EXTERNAL TABLE t (n INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '/lake/t/'").await?;
    let (half, reached) = tokio::sync::oneshot::channel();
    let changing = async {
        let (mut half, mut done) = (Some(half), 0);
        let error = loop {
            match engine.run(&format!("ALTER TABLE t ADD PARTITION (p = {done})")).await {
                Ok(_) => done += 1,
                Err(error) => break error,
            }
            if done == 10 {
                half.take().into_iter().for_each(|half| half.send(()).expect("somebody waits"));
            }
        };
        (done, error)
    };
    let killing = async {
        reached.await.expect("it is reached");
        // A kill and a start on the same data directory, in the middle of the changes. It has another address.
        tokio::task::spawn_blocking(move || first.restart()).await.expect("it starts again")
    };
    let ((done, error), second) = tokio::join!(changing, killing);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("catalog service \"grpc://127.0.0.1:") && error.hint().is_some(), "{error:?}");
    let again = Shared::on(&options(&second)).await?;
    let found = again.run("SHOW PARTITIONS t").await?.len();
    // The last one, of which it is not known, is there or not.
    assert!(found == done || found == done + 1, "{found} of {done}");
    if error.message().contains("cannot be reached") {
        assert_eq!(found, done, "nothing was changed");
    }
    Ok(())
}

async fn a_service_that_is_gone_is_named() -> Result<(), Failed> {
    let gone = server();
    let engine = Shared::on(&options(&gone)).await?;
    let (url, remote) = (format!("grpc://{}", gone.flight()), options(&gone));
    drop(gone);
    for sql in ["SHOW TABLES", "SELECT n FROM t", "CREATE DATABASE d"] {
        let error = engine.run(sql).await.expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{sql}: {error:?}");
        assert!(error.message().contains(&url) && error.hint().is_some(), "{sql}: {error:?}");
    }
    assert_eq!(engine.run("SELECT 1").await?, ["1"]);
    assert_eq!(Shared::on(&remote).await.expect_err("nobody is there").kind(), ErrorKind::Unavailable);
    let data = tempfile::tempdir()?;
    let output = glaux(data.path()).args(["--catalog", &url, "sql", "-e", "SHOW TABLES"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(11) && said.contains(&url), "{said}");
    Ok(())
}

async fn a_catalog_of_a_newer_version_is_left_alone() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let list = || glaux(data.path()).args(["sql", "-e", "SHOW TABLES"]).output();
    assert!(list()?.status.success());
    let file = data.path().join("catalog.sqlite");
    let mut bytes = std::fs::read(&file)?;
    // SQLite's user_version.
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    std::fs::write(&file, &bytes)?;
    let output = list()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && said.contains("9999") && said.contains("newer"), "{said}");
    let output = glaux(data.path()).args(["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]).output()?;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(std::fs::read(&file)?, bytes, "it was not touched");
    Ok(())
}
