//! A catalog service that asks who calls: each sees and changes what the grants say, whatever their own engine believes.

use std::{io::Write, path::Path, process::Stdio};

use arrow_flight::{Action, FlightInfo, RenewFlightEndpointRequest};
use glaux_catalog::{
    TableName,
    grpc::RemoteMetastore,
    metastore::{Attachments, Definitions, Grants, PartitionChange},
    model::{Access, Grant, GrantObject, Grantee, Partition, TableType},
};
use glaux_engine::{Error, ErrorKind};
use glaux_tests::{flight::Client, server::Server};
use libtest_mimic::{Failed, Trial};
use prost::Message;
use tonic::{Code, Request};

use super::{Shared, as_user, glaux, options};

const PASSWORD: &str = "a long password";

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "catalog";
        strangers_are_not_let_in,
        readers_read_and_change_nothing,
        workgroups_are_seen_by_those_who_may_use_them,
        what_is_hidden_cannot_be_had_by_its_id,
        a_snapshot_leads_nowhere_else,
        a_remote_engine_names_no_closed_place,
        a_view_brings_no_location,
        what_ingest_notes_is_written_by_no_client,
        a_ticket_is_judged_when_it_is_fetched,
        a_server_that_judges_its_users_must_see_all_grants,
    ]
}

/// A server with the administrator `root` and the users `ada` and `bea`.
fn server() -> Server {
    let server = Server::start(None, "[auth]\nidentity = \"users\"\n");
    add(&server.data_dir(), "root", &["--admin"]);
    add(&server.data_dir(), "ada", &[]);
    add(&server.data_dir(), "bea", &[]);
    // A server looks for changed users a second later at the soonest.
    server.restart()
}

fn add(data: &Path, user: &str, more: &[&str]) {
    let mut command = glaux(data);
    command.args(["user", "add", user, "--password-stdin"]).args(more).stdin(Stdio::piped());
    let mut child = command.spawn().expect("glaux can be started");
    writeln!(child.stdin.take().expect("a pipe"), "{PASSWORD}").expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

async fn strangers_are_not_let_in() -> Result<(), Failed> {
    let server = server();
    for remote in [options(&server), as_user(&server, "ada", "a wrong password"), as_user(&server, "eve", PASSWORD)] {
        let error = RemoteMetastore::connect(&remote).await.expect_err("a stranger");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("GLAUX_CATALOG_TOKEN")), "{error:?}");
    }
    let root = RemoteMetastore::connect(&as_user(&server, "root", PASSWORD)).await?.hello().await?;
    assert_eq!((root.user.as_str(), root.administrator), ("root", true));
    let ada = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?.hello().await?;
    assert_eq!((ada.user.as_str(), ada.administrator), ("ada", false));
    Ok(())
}

async fn readers_read_and_change_nothing() -> Result<(), Failed> {
    let server = server();
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    let ada = Shared::on(&as_user(&server, "ada", PASSWORD)).await?;
    let make = |name: &str| {
        format!("CREATE EXTERNAL TABLE {name} (n INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '/lake/{name}/'")
    };
    root.run(&make("t")).await?;
    root.run("ALTER TABLE t ADD PARTITION (p = 1)").await?;
    assert_eq!(ada.run("SHOW PARTITIONS t").await?, ["p=1"]);
    for sql in [
        "ALTER TABLE t ADD PARTITION (p = 2)",
        "ALTER TABLE t DROP PARTITION (p = 1)",
        "ALTER TABLE t SET TBLPROPERTIES ('k' = 'v')",
        "ALTER TABLE t ADD COLUMNS (m INT)",
        "DROP TABLE t",
        "CREATE DATABASE d",
        "CREATE VIEW v AS SELECT 1 AS a",
        "GRANT INSERT ON CATALOG TO USER ada",
        &make("u"),
    ] {
        // The engine holds itself for an administrator; the service knows better.
        let error = ada.run(sql).await.expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::Denied, "{sql}: {error:?}");
        assert!(error.hint().is_some(), "{sql}: {error:?}");
    }
    assert_eq!(root.run("SHOW TABLES").await?, ["t"]);
    assert_eq!(root.run("SHOW PARTITIONS t").await?, ["p=1"]);
    root.run("GRANT INSERT ON TABLE t TO USER ada").await?;
    ada.run("ALTER TABLE t ADD PARTITION (p = 2)").await?;
    assert_eq!(root.run("SHOW PARTITIONS t").await?, ["p=1", "p=2"]);
    assert_eq!(ada.run("CREATE DATABASE d").await.expect_err("not that").kind(), ErrorKind::Denied);
    Ok(())
}

async fn workgroups_are_seen_by_those_who_may_use_them() -> Result<(), Failed> {
    let server = server();
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    let ada = Shared::on(&as_user(&server, "ada", PASSWORD)).await?;
    root.run("CREATE WORKGROUP etl COMMENT 'loads' WITH (allowed_users = ARRAY['loader'], budget_per_day_usd = 0.5)").await?;
    root.run("CREATE WORKGROUP bi").await?;
    let names = "SELECT name FROM system.workgroups ORDER BY name";
    assert_eq!(root.run(names).await?, ["bi", "etl", "primary"]);
    assert_eq!(ada.run(names).await?, ["bi", "primary"]);
    assert_eq!(root.run("SHOW WORKGROUPS LIKE 'e*'").await?, ["etl|ENABLED|loads"]);
    // The engine holds itself for an administrator; the service knows better.
    for sql in ["DESCRIBE WORKGROUP etl", "CREATE WORKGROUP w", "ALTER WORKGROUP bi DISABLE", "DROP WORKGROUP bi"] {
        let error = ada.run(sql).await.expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::Denied, "{sql}: {error:?}");
        assert!(error.hint().is_some(), "{sql}: {error:?}");
    }
    ada.run("SET SESSION workgroup = 'etl'").await?;
    assert_eq!(ada.run("SELECT 1").await.expect_err("another's workgroup").kind(), ErrorKind::Denied);
    // The service knows its users.
    add(&server.data_dir(), "bob", &["--workgroup", "bi"]);
    let error = root.run("DROP WORKGROUP bi").await.expect_err("it is in use");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("it is assigned to user \"bob\""), "{error:?}");
    root.run("DROP WORKGROUP etl").await?;
    assert_eq!(root.run(names).await?, ["bi", "primary"]);
    Ok(())
}

async fn what_is_hidden_cannot_be_had_by_its_id() -> Result<(), Failed> {
    let server = server();
    let root = RemoteMetastore::connect(&as_user(&server, "root", PASSWORD)).await?;
    let engine = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    for name in ["secret", "open"] {
        engine
            .run(&format!(
                "CREATE EXTERNAL TABLE {name} (n INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '/lake/{name}/'"
            ))
            .await?;
        engine.run(&format!("ALTER TABLE {name} ADD PARTITION (p = 1)")).await?;
    }
    let hide = Grant {
        object: GrantObject::Table(TableName::new("default", "secret")),
        grantee: Grantee::User("ada".to_owned()),
        access: Access::None,
    };
    root.set_grant(hide).await?;
    engine.run("GRANT INSERT ON TABLE open TO USER ada").await?;
    let ada = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?;
    assert_eq!(ada.table_names("default").await?, ["open"]);
    assert_eq!(ada.table_versions().await?.len(), 1);
    assert_eq!(ada.grants().await?.len(), 1, "her own, of what she sees");
    let secret = root.table(&TableName::new("default", "secret")).await?;
    // With the name of a table that she may change, and the id of the one that she may not see.
    let mut forged = secret.clone();
    forged.name = TableName::new("default", "open");
    assert_eq!(ada.table_by_id(secret.id).await.expect_err("hidden").kind(), ErrorKind::NotFound);
    assert_eq!(ada.partition_index(&forged).await.expect_err("hidden").kind(), ErrorKind::NotFound);
    assert_eq!(ada.partitions(&forged, &[vec![Some("1".to_owned())]]).await.expect_err("hidden").kind(), ErrorKind::NotFound);
    let change = PartitionChange { skip_existing: true, ..PartitionChange::default() };
    assert_eq!(ada.change_partitions(&forged, change).await.expect_err("hidden").kind(), ErrorKind::NotFound);
    // Nor renamed to where she may write.
    forged.name = TableName::new("default", "mine");
    ada.replace_table(forged).await.expect_err("hidden");
    let mut forged = ada.table(&TableName::new("default", "open")).await?;
    forged.id = secret.id;
    let told = |error: Error| format!("{error:?}");
    let hidden = told(ada.replace_table(forged.clone()).await.expect_err("hidden"));
    forged.id = 987_654_321;
    assert_eq!(hidden, told(ada.replace_table(forged).await.expect_err("there is none")), "ids are not told");
    assert_eq!(root.table(&secret.name).await?, secret);
    Ok(())
}

/// A snapshot of a table's files is written by whoever may write the table: it may name no files but the table's.
async fn a_snapshot_leads_nowhere_else() -> Result<(), Failed> {
    let server = server();
    let lake = super::lake(2).await;
    let engine = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    for (name, partition) in [("secret", 1), ("open", 2)] {
        let create = format!(
            "CREATE EXTERNAL TABLE {name} (n BIGINT) STORED AS PARQUET LOCATION '{{lake}}/t/p={partition}/' \
             TBLPROPERTIES ('listing' = 'snapshot')"
        );
        engine.run(&lake.expand(&create)).await?;
        engine.run(&format!("REFRESH TABLE {name}")).await?;
    }
    engine.run("DENY ALL ON TABLE secret TO USER ada").await?;
    engine.run("GRANT INSERT ON TABLE open TO USER ada").await?;
    assert_eq!(engine.run("SELECT n FROM open").await?, ["2"]);
    let root = RemoteMetastore::connect(&as_user(&server, "root", PASSWORD)).await?;
    let ada = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?;
    let (secret, open) =
        (root.table(&TableName::new("default", "secret")).await?, ada.table(&TableName::new("default", "open")).await?);
    let forge = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("p=1", "p=2").into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    let taken = root.attachments(&secret, "files/").await?;
    let forged = taken.into_iter().map(|kept| (kept.name, Some(forge(&kept.bytes).into()))).collect();
    ada.set_attachments(&open, forged).await?;
    let fresh = Shared::on(&as_user(&server, "ada", PASSWORD)).await?;
    let refused = fresh.run("SELECT n FROM open").await.expect_err("the snapshot names another table's file");
    assert_eq!(refused.kind(), ErrorKind::CorruptData, "{refused:?}");
    Ok(())
}

/// The engine beside the client holds itself for an administrator; the service knows better.
async fn a_remote_engine_names_no_closed_place() -> Result<(), Failed> {
    let server = server();
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    for sql in [
        "CREATE EXTERNAL TABLE secret (n BIGINT) STORED AS PARQUET LOCATION '/lake/secret/'",
        "DENY ALL ON TABLE secret TO USER ada",
        "CREATE EXTERNAL TABLE mine (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '/lake/mine/'",
        "CREATE DATABASE own LOCATION '/lake/own/'",
        "GRANT INSERT ON SCHEMA default TO USER ada",
        "GRANT INSERT ON SCHEMA own TO USER ada",
    ] {
        root.run(sql).await?;
    }
    let ada = Shared::on(&as_user(&server, "ada", PASSWORD)).await?;
    ada.run("CREATE EXTERNAL TABLE own.fine (n BIGINT) STORED AS PARQUET LOCATION '/lake/own/fine/'").await?;
    let data = server.data_dir().display().to_string();
    for at in ["/lake/secret/", "/etc/", "s3://lake/", &data, "/lake/own/../secret/"] {
        for sql in [
            format!("CREATE EXTERNAL TABLE own.x (n BIGINT) STORED AS PARQUET LOCATION '{at}'"),
            format!("ALTER TABLE mine SET LOCATION '{at}'"),
            format!("ALTER TABLE mine ADD PARTITION (p = 1) LOCATION '{at}'"),
        ] {
            assert_eq!(ada.run(&sql).await.expect_err(&sql).kind(), ErrorKind::Denied, "{sql}");
        }
    }
    // Written by hand, as no statement would write them.
    let catalog = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?;
    let mine = catalog.table(&TableName::new("default", "mine")).await?;
    for at in [
        "/lake/secret",
        "FILE:///lake/secret//",
        " /lake/secret/ ",
        "file:/lake/own/../secret",
        "s3a://lake/x",
        "",
        "/",
        "../x",
        "hdfs://x/y",
    ] {
        let mut moved = mine.clone();
        moved.storage.location = at.to_owned();
        catalog.replace_table(moved.clone()).await.expect_err(at);
        moved.name = TableName::new("own", "x");
        catalog.create_table(moved.clone()).await.expect_err(at);
        catalog.install_table(moved, Vec::new(), true).await.expect_err(at);
        let mut partition = Partition::new(vec![Some("3".to_owned())], mine.created_at);
        partition.location = Some(at.to_owned());
        let change = PartitionChange { add: vec![partition.clone()], ..PartitionChange::default() };
        catalog.change_partitions(&mine, change).await.expect_err(at);
        catalog.install_table(mine.clone(), vec![partition], true).await.expect_err(at);
        let mut database = catalog.database("own").await?;
        database.location = Some(at.to_owned());
        catalog.replace_database(database).await.expect_err(at);
    }
    assert_eq!(root.run("SHOW TABLES").await?, ["mine", "secret"]);
    assert_eq!(root.run("SHOW PARTITIONS mine").await?, Vec::<String>::new());
    Ok(())
}

async fn a_view_brings_no_location() -> Result<(), Failed> {
    let server = server();
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    for sql in [
        "CREATE EXTERNAL TABLE secret (n BIGINT) STORED AS PARQUET LOCATION '/lake/secret/'",
        "DENY ALL ON TABLE secret TO USER ada",
        "CREATE DATABASE own LOCATION '/lake/own/'",
        "GRANT INSERT ON SCHEMA own TO USER ada",
        "CREATE EXTERNAL TABLE own.mine (n BIGINT) STORED AS PARQUET LOCATION '/lake/own/mine/'",
        "CREATE VIEW own.v AS SELECT 1 AS n",
    ] {
        root.run(sql).await?;
    }
    let ada = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?;
    let mut table = ada.table(&TableName::new("own", "mine")).await?;
    "file:///lake/secret/".clone_into(&mut table.storage.location);
    let mut view = table.clone();
    view.name = TableName::new("own", "w");
    view.table_type = TableType::VirtualView;
    view.view_text = Some("SELECT 1 AS n".to_owned());
    let outcomes = [
        ada.create_table(view.clone()).await,
        ada.install_table(view.clone(), Vec::new(), false).await,
        ada.install_table(view, Vec::new(), true).await,
    ];
    for outcome in outcomes {
        assert_eq!(outcome.expect_err("a location").kind(), ErrorKind::Invalid);
    }
    // A view that is there, and a table in its place.
    table.name = TableName::new("own", "v");
    let refused = ada.install_table(table, Vec::new(), true).await.expect_err("a closed location");
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
    assert_eq!(root.run("SELECT n FROM own.v").await?, ["1"]);
    Ok(())
}

/// It is believed when a table's files are removed.
async fn what_ingest_notes_is_written_by_no_client() -> Result<(), Failed> {
    let server = server();
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    root.run("CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '/lake/t/'").await?;
    root.run("GRANT INSERT ON TABLE t TO USER ada").await?;
    let ada = RemoteMetastore::connect(&as_user(&server, "ada", PASSWORD)).await?;
    let table = ada.table(&TableName::new("default", "t")).await?;
    for change in [Some("file:///lake/t/".into()), None] {
        let changes = vec![("files/x".to_owned(), Some("x".into())), ("managed/folder".to_owned(), change)];
        let refused = ada.set_attachments(&table, changes).await.expect_err("ingest's own");
        assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
    }
    assert!(ada.attachments(&table, "").await?.is_empty());
    ada.set_attachments(&table, vec![("files/x".to_owned(), Some("x".into()))]).await?;
    Ok(())
}

async fn a_ticket_is_judged_when_it_is_fetched() -> Result<(), Failed> {
    let server = server();
    let lake = super::lake(1).await;
    let root = Shared::on(&as_user(&server, "root", PASSWORD)).await?;
    root.run(&super::create(&lake)).await?;
    root.run("MSCK REPAIR TABLE t").await?;
    let mut ada = Client::login(&server, "ada", PASSWORD).await?;
    let planned = ada.sql.execute("SELECT n FROM t".to_owned(), None).await?;
    let other = ada.sql.execute("SELECT n FROM t".to_owned(), None).await?;
    let described = ada.sql.execute("DESCRIBE t".to_owned(), None).await?;
    let listed = ada.sql.execute("SHOW TABLES".to_owned(), None).await?;
    let renew = |info: &FlightInfo, ada: &Client| {
        let renewal = RenewFlightEndpointRequest { endpoint: info.endpoint.first().cloned() };
        let mut request = Request::new(Action { r#type: "RenewFlightEndpoint".to_owned(), body: renewal.encode_to_vec().into() });
        let token = ada.sql.token().and_then(|token| format!("Bearer {token}").parse().ok()).expect("a token");
        request.metadata_mut().insert("authorization", token);
        request
    };
    let mut rpc = ada.sql.inner().clone();
    rpc.do_action(renew(&planned, &ada)).await?;
    root.run("DENY ALL ON TABLE t TO USER ada").await?;
    assert_eq!(rpc.do_action(renew(&planned, &ada)).await.expect_err("denied").code(), Code::PermissionDenied);
    assert_eq!(ada.fetch(planned).await.expect_err("denied").code, Code::PermissionDenied);
    assert_eq!(ada.fetch(described).await.expect_err("denied").code, Code::PermissionDenied);
    assert_eq!(ada.fetch(listed).await?.lines(), Vec::<String>::new());
    root.run("REVOKE ALL ON TABLE t FROM USER ada").await?;
    assert_eq!(ada.fetch(other).await?.lines(), ["1"]);
    Ok(())
}

async fn a_server_that_judges_its_users_must_see_all_grants() -> Result<(), Failed> {
    let owner = server();
    let data = tempfile::tempdir()?;
    let config = |user: &str| {
        let file = data.path().join("config.toml");
        let text = format!(
            "[auth]\nidentity = \"users\"\n[catalog]\nurl = \"grpc://{}\"\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\n",
            owner.flight()
        );
        std::fs::write(&file, text).map(|()| file)
    };
    let file = config("ada")?;
    let addresses = ["--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let output = glaux(data.path()).arg("--config").arg(&file).arg("serve").args(addresses).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(8) && said.contains("is not an administrator") && !said.contains(PASSWORD), "{said}");
    let file = config("root")?;
    let shown = glaux(data.path()).arg("--config").arg(&file).args(["config", "show"]).output()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("catalog.url = \"grpc://") && shown.contains("catalog.password = \"***\""), "{shown}");
    assert!(!shown.contains(PASSWORD));
    Ok(())
}
