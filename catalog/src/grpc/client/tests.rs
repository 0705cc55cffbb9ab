//! Tests over a connection on loopback: those of every metastore, and calls to a service that is not there, goes away or does not answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use glaux_proto::catalog::v1 as proto;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tonic::{
    Extensions, Status,
    metadata::MetadataMap,
    transport::{Server, server::TcpIncoming},
};

use super::{CatalogChange, ChangeKind, Credentials, RemoteMetastore, RemoteOptions};
use crate::{
    error::ErrorKind,
    grpc::{
        Admitted, CatalogServiceServer, Gate, OpenGate, Service, message::definition as message, protocol::PROTOCOL_HEADER,
        status::error_of,
    },
    hive_type::HiveType,
    ident::TableName,
    metastore::{
        Attachments, Definitions, DropPartition, MemoryMetastore, Metastore, PartitionChange, SqliteMetastore, TableVersion,
        conformance,
    },
    model::{Column, Partition, StorageDescriptor, Table},
};

/// A service on a port of its own, until the handle is aborted.
fn serve(gate: Arc<dyn Gate>, listener: std::net::TcpListener) -> JoinHandle<()> {
    listener.set_nonblocking(true).unwrap();
    let incoming = TcpIncoming::from(TcpListener::from_std(listener).unwrap());
    let service = CatalogServiceServer::new(Service::new(gate)).max_decoding_message_size(64 << 20);
    tokio::spawn(async move {
        Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    })
}

fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn client(address: SocketAddr) -> RemoteMetastore {
    RemoteMetastore::new(&RemoteOptions::new(format!("grpc://{address}"))).unwrap()
}

/// A client of a service over this metastore.
fn over(store: Arc<dyn Metastore>) -> RemoteMetastore {
    let (listener, address) = listener();
    serve(Arc::new(OpenGate(store)), listener);
    client(address)
}

fn table(name: &str) -> Table {
    let storage = StorageDescriptor {
        columns: vec![Column::new("n", HiveType::Int)],
        location: "s3://bucket/t".to_owned(),
        ..StorageDescriptor::default()
    };
    Table::external(TableName::new("default", name), storage, vec![Column::new("p", HiveType::Int)], chrono::DateTime::UNIX_EPOCH)
}

fn partitions(range: std::ops::Range<usize>) -> Vec<Partition> {
    range.map(|n| Partition::new(vec![Some(n.to_string())], chrono::DateTime::UNIX_EPOCH)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_over_memory() {
    conformance::run(|| Arc::new(over(Arc::new(MemoryMetastore::new())))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_over_sqlite() {
    let folder = TempDir::new().unwrap();
    let count = AtomicUsize::new(0);
    let fresh = || {
        let file = folder.path().join(format!("{}.sqlite", count.fetch_add(1, Ordering::Relaxed)));
        let remote: Arc<dyn Metastore> = Arc::new(over(Arc::new(SqliteMetastore::open(file).unwrap())));
        remote
    };
    conformance::run(fresh).await;
}

#[tokio::test]
async fn conforms_over_a_service_over_a_service() {
    conformance::run(|| Arc::new(over(Arc::new(over(Arc::new(MemoryMetastore::new())))))).await;
}

#[tokio::test]
async fn changes_and_indexes_of_many_messages_arrive_whole() {
    const COUNT: usize = 100_000;
    let store = Arc::new(MemoryMetastore::new());
    let remote = over(Arc::clone(&store) as Arc<dyn Metastore>);
    let t = remote.create_table(table("t")).await.unwrap();
    let change = PartitionChange { add: partitions(0..COUNT), ..PartitionChange::default() };
    assert_eq!(remote.change_partitions(&t, change).await.unwrap().added, COUNT);
    let t = remote.table(&t.name).await.unwrap();
    let (here, there) = (remote.partition_index(&t).await.unwrap(), store.partition_index(&t).await.unwrap());
    assert_eq!((here.len(), here.values().unwrap()), (COUNT, there.values().unwrap()));
    let asked: Vec<_> = (0..20_000).map(|n| vec![Some((n * 7).to_string())]).collect();
    assert_eq!(remote.partitions(&t, &asked).await.unwrap().len(), 14_286);
    let blob = Bytes::from(vec![7; 5 << 20]);
    remote.set_attachments(&t, vec![("large".to_owned(), Some(blob.clone()))]).await.unwrap();
    assert_eq!(remote.attachments(&t, "l").await.unwrap()[0].bytes, blob);
}

#[tokio::test]
async fn one_client_sees_at_once_what_another_has_changed() {
    let (listener, address) = listener();
    serve(Arc::new(OpenGate(Arc::new(MemoryMetastore::new()))), listener);
    let (one, other) = (client(address), client(address));
    let t = one.create_table(table("t")).await.unwrap();
    assert_eq!(other.table(&t.name).await.unwrap(), t);
    assert!(other.partition_index(&t).await.unwrap().is_empty());
    one.change_partitions(&t, PartitionChange { add: partitions(0..3), ..PartitionChange::default() }).await.unwrap();
    let seen = other.table(&t.name).await.unwrap();
    assert_eq!(other.partition_index(&seen).await.unwrap().len(), 3);
    // An index is of the version that was asked for, or of a later one.
    assert_eq!(client(address).partition_index(&t).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_watch_reports_what_there_is_and_every_change() {
    let store = Arc::new(MemoryMetastore::new());
    let remote = over(Arc::clone(&store) as Arc<dyn Metastore>);
    let t = remote.create_table(table("t")).await.unwrap();
    let mut changes = remote.watch().await.unwrap();
    let mut next = async || changes.next().await.unwrap().unwrap();
    let version = |table: &Table| Some(TableVersion { name: table.name.clone(), id: table.id, version: table.version });
    let change = |kind, table: Option<TableVersion>| CatalogChange { kind, database: "default".to_owned(), table };
    assert_eq!(next().await, (vec![change(ChangeKind::Present, None), change(ChangeKind::Present, version(&t))], true));
    remote.change_partitions(&t, PartitionChange { add: partitions(0..1), ..PartitionChange::default() }).await.unwrap();
    let changed = remote.table(&t.name).await.unwrap();
    assert_eq!(next().await.0, [change(ChangeKind::Changed, version(&changed))]);
    // Made without the service, and found at the next look.
    let made = store.create_table(table("u")).await.unwrap();
    assert_eq!(next().await.0, [change(ChangeKind::Created, version(&made))]);
    remote.drop_table(&t.name).await.unwrap();
    assert_eq!(next().await.0, [change(ChangeKind::Dropped, version(&changed))]);
}

/// Accepts connections and closes each once something was received; counts them.
fn hang_up(listener: std::net::TcpListener) -> Arc<AtomicUsize> {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            _ = socket.read(&mut [0; 1024]).await;
        }
    });
    count
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named() {
    let (listener, address) = listener();
    drop(listener);
    let remote = client(address);
    let changed = remote.create_table(table("t")).await.unwrap_err();
    for error in [remote.databases().await.unwrap_err(), changed] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), format!("catalog service \"grpc://{address}\" cannot be reached"));
        assert!(error.hint().unwrap().contains("Nothing was changed"), "{error:?}");
    }
}

#[tokio::test]
async fn reads_are_retried_and_changes_are_not() {
    let (listener, address) = listener();
    let connections = hang_up(listener);
    let remote = client(address);
    let error = remote.table_names("default").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains(&format!("\"grpc://{address}\" was lost")), "{error:?}");
    let tried = connections.swap(0, Ordering::SeqCst);
    assert!(tried >= 3, "{tried}");
    let error = remote.drop_table(&TableName::new("default", "t")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("it is not known whether the change was made"), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_service_that_does_not_answer_times_out() {
    let (listener, address) = listener();
    listener.set_nonblocking(true).unwrap();
    let silent = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        let mut sockets: Vec<TcpStream> = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            sockets.push(socket);
        }
    });
    let options = RemoteOptions { timeout: Duration::from_millis(50), ..RemoteOptions::new(format!("grpc://{address}")) };
    let remote = RemoteMetastore::new(&options).unwrap();
    let error = remote.databases().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("did not answer within 50ms"), "{error:?}");
    let error = remote.drop_database("x", false).await.unwrap_err();
    assert!(error.message().contains("within 50ms; it is not known"), "{error:?}");
}

#[tokio::test]
async fn a_service_that_comes_back_is_used_again() {
    let (listener, address) = listener();
    let store: Arc<dyn Metastore> = Arc::new(MemoryMetastore::new());
    let first = serve(Arc::new(OpenGate(Arc::clone(&store))), listener);
    let remote = client(address);
    remote.create_table(table("t")).await.unwrap();
    first.abort();
    first.await.unwrap_err();
    let again = TcpListener::bind(address).await.unwrap().into_std().unwrap();
    serve(Arc::new(OpenGate(store)), again);
    assert_eq!(remote.table_names("default").await.unwrap(), ["t"]);
}

/// Admits nobody.
#[derive(Debug)]
struct Shut;

#[async_trait]
impl Gate for Shut {
    async fn admit(&self, headers: &MetadataMap, _: &Extensions) -> Result<Admitted, Status> {
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        Err(Status::unauthenticated(format!("{shown} is not enough")))
    }

    async fn closing(&self) {}
}

#[tokio::test]
async fn credentials_are_sent_and_a_rejection_says_what_to_do() {
    let (listener, address) = listener();
    serve(Arc::new(Shut), listener);
    for (credentials, shown) in [
        (Credentials::None, "nothing"),
        (Credentials::Token("abc".to_owned()), "Bearer abc"),
        (Credentials::Password { user: "ada".to_owned(), password: "pw".to_owned() }, "Basic YWRhOnB3"),
    ] {
        let options = RemoteOptions { credentials, ..RemoteOptions::new(format!("grpc://{address}")) };
        let error = RemoteMetastore::connect(&options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().ends_with(&format!("{shown} is not enough")), "{error:?}");
        assert!(error.hint().unwrap().contains("GLAUX_CATALOG_TOKEN"));
    }
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let (listener, address) = listener();
    serve(Arc::new(OpenGate(Arc::new(MemoryMetastore::new()))), listener);
    let remote = client(address);
    assert!(remote.hello().await.unwrap().administrator);
    let mut request = remote.connection.request(proto::ListDatabasesRequest {}, Duration::from_secs(10));
    request.metadata_mut().insert(PROTOCOL_HEADER, 99.into());
    let status = remote.connection.client().list_databases(request).await.unwrap_err();
    let error = error_of(&status).unwrap();
    assert_eq!((error.kind(), status.code()), (ErrorKind::Unsupported, tonic::Code::Unimplemented));
    assert!(error.message().contains("protocol 99") && error.hint().is_some(), "{error:?}");
}

#[tokio::test]
async fn pages_and_filters_are_for_every_client() {
    let remote = over(Arc::new(MemoryMetastore::new()));
    let t = remote.create_table(table("t")).await.unwrap();
    remote.change_partitions(&t, PartitionChange { add: partitions(0..25), ..PartitionChange::default() }).await.unwrap();
    let ask = async |filters: Vec<proto::KeyFilter>, max_partitions: u64, after: String| {
        let table = Some(message::table_ref(&t));
        let asked = proto::GetPartitionsRequest { table, filters, max_partitions, after, since: 0 };
        let mut messages = remote.connection.client().get_partitions(asked).await?.into_inner();
        let (mut counts, mut next) = (Vec::new(), String::new());
        while let Some(message) = messages.message().await? {
            counts.push((message.version, message.count));
            next = message.next;
        }
        Ok::<_, Status>((counts[0], next))
    };
    let version = remote.table(&t.name).await.unwrap().version;
    let (mut after, mut counts) = (String::new(), Vec::new());
    loop {
        let (counted, next) = ask(Vec::new(), 10, after).await.unwrap();
        counts.push(counted);
        after = next;
        if after.is_empty() {
            break;
        }
    }
    assert_eq!(counts, [(version, 10), (version, 10), (version, 5)]);
    let filter = |key: &str, raw: &[&str]| {
        let any_of = raw.iter().map(|text| proto::PartitionValue { text: Some((*text).to_owned()) });
        vec![proto::KeyFilter { key: key.to_owned(), any_of: any_of.collect() }]
    };
    assert_eq!(ask(filter("p", &["7", "07", "24", "25"]), 0, String::new()).await.unwrap(), ((version, 2), String::new()));
    let refused = error_of(&ask(filter("q", &["7"]), 0, String::new()).await.unwrap_err()).unwrap();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_has_changed_comes_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("catalog.sqlite");
    let remote = over(Arc::new(SqliteMetastore::open(&file).unwrap()));
    let t = remote.create_table(table("t")).await.unwrap();
    let change = |of: std::ops::Range<usize>| PartitionChange { add: partitions(of), ..PartitionChange::default() };
    remote.change_partitions(&t, change(0..3000)).await.unwrap();
    let t = remote.table(&t.name).await.unwrap();
    assert_eq!(remote.partition_index(&t).await.unwrap().len(), 3000);
    let mut second = change(3000..3002);
    let values = |n: usize| partitions(n..n + 1).remove(0).values;
    second.drop = vec![DropPartition { values: values(7), if_exists: false }];
    second.rename = vec![(values(8), values(9000))];
    remote.change_partitions(&t, second).await.unwrap();
    let now = remote.table(&t.name).await.unwrap();
    let asked = proto::GetPartitionsRequest { table: Some(message::table_ref(&now)), since: t.version, ..Default::default() };
    let mut messages = remote.connection.client().get_partitions(asked).await.unwrap().into_inner();
    let first = messages.message().await.unwrap().unwrap();
    assert_eq!((first.version, first.count, first.is_difference, first.gone.len()), (now.version, 3, true, 2));
    let (here, there) = (remote.partition_index(&now).await.unwrap(), over(Arc::new(SqliteMetastore::open(&file).unwrap())));
    let there = there.partition_index(&now).await.unwrap();
    assert_eq!(here.names().collect::<Vec<_>>(), there.names().collect::<Vec<_>>());
    assert_eq!(here.len(), 3001);
    let moved = here.find(&crate::partition::hive_name(here.keys(), &values(9000))).unwrap();
    assert!(here.own_location(moved).is_some());
    assert_eq!(here.own_location(moved), there.own_location(moved));
    // After a version that the service never had, everything is sent.
    let asked = proto::GetPartitionsRequest { table: Some(message::table_ref(&now)), since: 99, ..Default::default() };
    let mut messages = remote.connection.client().get_partitions(asked).await.unwrap().into_inner();
    let first = messages.message().await.unwrap().unwrap();
    assert_eq!((first.count, first.is_difference), (3001, false));
}
