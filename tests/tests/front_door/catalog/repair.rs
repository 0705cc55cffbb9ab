//! Repairs that the service carries out for its clients: told of as they go, in the name of who asked, ended when nobody listens.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use glaux_catalog::{
    TableName,
    discovery::RepairMode,
    grpc::{CatalogServiceServer, OpenGate, RemoteMetastore, RemoteOptions, Service},
    metastore::{Definitions, MemoryMetastore},
};
use glaux_engine::ErrorKind;
use glaux_tests::{
    lake::{BUCKET, Lake},
    s3_endpoint::Fault,
    server::Server,
};
use libtest_mimic::{Failed, Trial};

use super::{Shared, create, glaux, lake, options, server};

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "catalog";
        the_service_repairs_for_command_lines,
        a_repair_tells_how_far_it_is,
        a_repair_ends_when_nobody_listens,
        a_service_without_storage_says_so,
    ]
}

fn table() -> TableName {
    TableName::new("default", "t")
}

async fn the_service_repairs_for_command_lines() -> Result<(), Failed> {
    let (server, lake, data) = (server(), lake(3).await, tempfile::tempdir()?);
    let engine = Shared::on(&options(&server)).await?;
    engine.run(&create(&lake)).await?;
    let url = format!("grpc://{}", server.flight());
    let repair = |arguments: &[&str]| {
        let mut command = glaux(data.path());
        let output =
            command.args(["--catalog", &url, "catalog", "repair"]).args(arguments).output().expect("glaux can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, told, said) = repair(&["t"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{told}");
    assert!(
        told.starts_with("Partitions not in metastore:\tt:p=1\tt:p=2\tt:p=3\nRepair: Added partition to metastore t:p=1\n"),
        "{told}"
    );
    assert_eq!(engine.run("SHOW PARTITIONS t").await?, ["p=1", "p=2", "p=3"]);
    engine.run("ALTER TABLE t ADD PARTITION (p = 9)").await?;
    engine.run("ALTER TABLE t DROP PARTITION (p = 1)").await?;
    let (code, told, _) = repair(&["default.t", "--sync"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("Dropped partition from metastore t:p=9") && told.contains("Added partition to metastore t:p=1"),
        "{told}"
    );
    assert_eq!(engine.run("SHOW PARTITIONS t").await?, ["p=1", "p=2", "p=3"]);
    let (code, _, said) = repair(&["no_such_table"]);
    assert!(code != Some(0) && said.contains("\"default.no_such_table\" does not exist"), "{said}");
    // It is a query like others over there.
    let mut client = glaux_tests::flight::Client::login(&server, "ada", "").await?;
    let history = client.run("SELECT count(*) FROM system.queries WHERE statement LIKE 'MSCK REPAIR TABLE%'").await?;
    assert_eq!(history.lines(), ["3"]);
    // Without a service there is nobody to ask.
    let output = glaux(data.path()).args(["catalog", "repair", "t"]).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("use a statement") && said.contains("MSCK REPAIR TABLE t"), "{said}");
    Ok(())
}

/// A server over S3 with a table of so many partitions, which are not in the catalog.
async fn on_s3(partitions: usize) -> Result<(Server, Lake, RemoteMetastore), Failed> {
    let lake = Lake::on_s3().await;
    let Lake::S3(endpoint) = &lake else { return Err("this lake is on S3".into()) };
    endpoint.put_many(BUCKET, (0..partitions).map(|p| format!("t/p={p:05}/a.parquet")), "never read");
    let server = Server::start(Some(&lake), "");
    let mut client = glaux_tests::flight::Client::login(&server, "ada", "").await?;
    client.run(&create(&lake)).await?;
    let service = RemoteMetastore::connect(&options(&server)).await?;
    Ok((server, lake, service))
}

async fn a_repair_tells_how_far_it_is() -> Result<(), Failed> {
    let (_server, lake, service) = on_s3(2500).await?;
    let Lake::S3(endpoint) = &lake else { return Err("this lake is on S3".into()) };
    let gate = endpoint.hang(Fault::on(glaux_engine::accounting::RequestKind::List).nth(3));
    let mut steps = service.repair(&table(), RepairMode::Add, false).await?;
    let mut seen = Vec::new();
    // It is told of while it goes on: some pages are there, another is waited for.
    while let Some(step) = steps.try_next().await? {
        let is_under_way = step.found >= 1000;
        seen.push(step);
        if is_under_way {
            break;
        }
    }
    let last = seen.last().ok_or("nothing is told")?;
    assert!(last.lines.is_none() && last.pages >= 1, "{last:?}");
    gate.release();
    seen.extend(steps.try_collect::<Vec<_>>().await?);
    let last = seen.last().ok_or("nothing is told")?;
    assert_eq!((last.found, last.added, last.dropped), (2500, 2500, 0));
    assert!(last.lines.as_ref().is_some_and(|lines| lines.len() == 1002), "{:?}", last.lines.as_ref().map(Vec::len));
    assert!(seen.is_sorted_by_key(|step| (step.pages, step.found, step.added)), "{seen:?}");
    let t = service.table(&table()).await?;
    assert_eq!(service.partition_index(&t).await?.len(), 2500);
    Ok(())
}

async fn a_repair_ends_when_nobody_listens() -> Result<(), Failed> {
    let (server, lake, service) = on_s3(100).await?;
    let Lake::S3(endpoint) = &lake else { return Err("this lake is on S3".into()) };
    let _gate = endpoint.hang(Fault::on(glaux_engine::accounting::RequestKind::List));
    let mut steps = service.repair(&table(), RepairMode::Add, false).await?;
    steps.next().await.ok_or("nothing is told")??;
    drop(steps);
    let mut client = glaux_tests::flight::Client::login(&server, "ada", "").await?;
    let ended = "SELECT state FROM system.queries WHERE statement LIKE 'MSCK REPAIR TABLE%' AND state = 'CANCELLED'";
    while client.run(ended).await?.lines().is_empty() {
        tokio::task::yield_now().await;
    }
    let t = service.table(&table()).await?;
    assert!(service.partition_index(&t).await?.is_empty());
    Ok(())
}

async fn a_service_without_storage_says_so() -> Result<(), Failed> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = CatalogServiceServer::new(Service::new(Arc::new(OpenGate(Arc::new(MemoryMetastore::new())))));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let serving = tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let remote = RemoteMetastore::connect(&RemoteOptions::new(format!("grpc://{address}"))).await?;
    let error = remote.repair(&table(), RepairMode::Sync, false).await.err().ok_or("it repairs")?;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("has no access to storage") && error.hint().is_some(), "{error:?}");
    serving.abort();
    Ok(())
}
