//! Where tables may lie, and who may say so: ways round grants by naming places, in every statement that names one.

mod leading_out;

use std::{path::Path, process::Command, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::SchemaRef,
};
use futures::stream;
use glaux_engine::{
    Error, ErrorKind, Role, Session, SessionOptions,
    write::{IfExists, IfNotExists, IngestTarget},
};
use glaux_tests::{
    flight::Client,
    instance::Instance,
    lake::Lake,
    server::{Server, binary},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = leading_out::trials();
    trials.extend(crate::trials_in_time![
        "locations";
        no_way_round_leads_to_what_is_closed,
        what_is_open_stays_open,
        the_servers_own_files_are_closed_to_everybody,
        files_below_another_table_are_not_written,
        a_server_closes_files_and_http,
        a_servers_own_lake_needs_no_configuration,
    ]);
    trials
}

/// What the closed tables hold.
const SECRET: &str = "SELECT 424242 AS n";

/// Below the lake: `open/` and `s3://lake/open/` are configured, `home/` is the location of database `home`, in which ada writes. Closed to her are
/// `vault` (tables at `vault/gold`, a partition of it at `open/far`, projected ones at `open/computed`), table `home.salaries` at `home/salaries`,
/// and the rest of the disk.
async fn instance() -> (Instance, Session) {
    let lake = Lake::in_folder();
    let allowed = vec![format!("{}/open", lake.url()), "s3://lake/open/".to_owned()];
    let instance = Instance::start_with(lake, move |options| options.locations.allowed = allowed).await;
    for path in
        ["vault/gold/a.parquet", "open/far/a.parquet", "open/computed/k=1/a.parquet", "home/salaries/a.parquet", "else/a.parquet"]
    {
        instance.write(path, SECRET).await;
    }
    instance.write("open/mine/p=1/a.parquet", "SELECT 1 AS n").await;
    for sql in [
        "CREATE DATABASE vault LOCATION '{lake}/vault'",
        "CREATE DATABASE home LOCATION '{lake}/home'",
        "CREATE EXTERNAL TABLE vault.gold (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/vault/gold/'",
        "ALTER TABLE vault.gold ADD PARTITION (p = 1) LOCATION '{lake}/open/far/'",
        "CREATE EXTERNAL TABLE vault.computed (n BIGINT) PARTITIONED BY (k INT) STORED AS PARQUET LOCATION '{lake}/vault/x/' TBLPROPERTIES \
         ('projection.enabled' = 'true', 'projection.k.type' = 'integer', 'projection.k.range' = '1,1', \
         'storage.location.template' = '{lake}/open/computed/k=${k}/')",
        "CREATE EXTERNAL TABLE home.salaries (n BIGINT) STORED AS PARQUET LOCATION '{lake}/home/salaries/'",
        "CREATE EXTERNAL TABLE home.mine (n BIGINT) PARTITIONED BY (p STRING) STORED AS PARQUET LOCATION '{lake}/open/mine/'",
        "DENY ALL ON SCHEMA vault TO USER ada",
        "GRANT INSERT ON SCHEMA home TO USER ada",
        "GRANT INSERT ON SCHEMA default TO USER ada",
        "DENY ALL ON home.salaries TO USER ada",
    ] {
        instance.run(sql).await;
    }
    let ada = SessionOptions { user: "ada".to_owned(), role: Role::User, ..SessionOptions::default() };
    (instance, Session::new(ada))
}

/// Ways to write places that are closed to ada; `{lake}` is the lake's URL, `{path}` its path, `{data}` that of the data directory.
fn closed(instance: &Instance) -> Vec<String> {
    let path = instance.lake.url().trim_start_matches("file://").to_owned();
    let data = instance.data_dir().display().to_string();
    #[cfg(unix)]
    for (target, link) in [("vault/gold", "link"), ("", "up"), ("else", "away")] {
        std::os::unix::fs::symlink(Path::new(&path).join(target), Path::new(&path).join("open").join(link)).expect("a link");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(&data, Path::new(&path).join("open/data")).expect("a link");
    let ways = [
        // Others' tables, at their roots, within, above, and by other names.
        "{lake}/vault/gold/",
        "{lake}/vault/gold",
        "{lake}/vault/gold/deeper/",
        "{lake}/vault/",
        "{lake}/vault/new/",
        "{lake}/",
        "{lake}",
        "{path}/vault/gold/",
        "file:{path}/vault/gold/",
        "FILE://{path}/vault/gold/",
        "file://localhost{path}/vault/gold/",
        "{path}//vault///gold/",
        "{path}/./vault/./gold/",
        "{path}/open/../vault/gold/",
        "{lake}/open/mine/../../vault/gold/",
        "{lake}/open/nothing/../../vault/gold",
        " {lake}/vault/gold/ ",
        "{lake}/home/salaries/",
        "{lake}/home/",
        "{lake}/home/new/../salaries",
        "{lake}/open/",
        "{lake}/open/far/",
        "{lake}/open/far/below/",
        "{lake}/open/computed/",
        "{lake}/open/computed/k=1/",
        // By links.
        "{lake}/open/link/",
        "{lake}/open/link/x/",
        "{lake}/open/up/vault/gold/",
        "{lake}/open/up/",
        "{lake}/open/up/open/link/",
        "{lake}/open/away/",
        "{lake}/open/data/",
        "{lake}/open/data/run/",
        // Elsewhere on this machine.
        "{lake}/else/",
        "{lake}/opened/",
        "{lake}/open.d/",
        "{lake}/OPEN/",
        "{lake}/open%2F..%2Felse/",
        "/etc/",
        "file:///etc/",
        "file:/etc",
        "/etc/../etc/",
        "/proc/self/root{path}/vault/gold/",
        "/proc/self/cwd/",
        "/dev/shm/",
        "/",
        "file:///",
        "relative/",
        "../",
        "~/",
        // The server's own.
        "{data}/",
        "{data}/catalog.sqlite",
        "{data}/run/",
        "{data}/cache/",
        "{data}/lake/../run/",
        "{data}/warehouse/../",
        "{data}/lakes/",
        "{data}/warehouse/vault/",
        "{data}/warehouse/",
        // Where ingest will put tables: of a database to come, and of her own one.
        "{data}/warehouse/payroll/",
        "{data}/warehouse/payroll/t/",
        "{data}/warehouse/home/",
        "{data}/warehouse/home/../payroll/t/",
        "{data}/warehouse/HOME",
        // Over the network.
        "http://127.0.0.1/",
        "HTTP://localhost:80/x/",
        "https://[::1]/x/",
        "http://0x7f.1/x/",
        // Other stores, and the configured one under other names.
        "s3://lake/",
        "s3://lake/opened/",
        "s3://lake/open/../vault/",
        "s3://lake/open/%2e%2e/../vault/",
        "s3://LAKE/open/x/",
        "s3://lake./open/x/",
        "s3://./lake/open/x/",
        "s3://../lake/open/",
        "s3://other/open/",
        "s3://lake%2Fvault/open/",
        "s3://lake?x=/open/",
        "s3://lake#/open/",
        "s3://user@lake/open/",
        "s3a://lake/vault/",
        "s3n://other/open/",
        "gs://lake/open/",
        "abfss://lake@account.dfs.core.windows.net/open/",
        "hdfs://lake/open/",
    ];
    let fill = |way: &str| way.replace("{lake}", &instance.lake.url()).replace("{path}", &path).replace("{data}", &data);
    ways.iter().map(|way| fill(way)).collect()
}

/// Statements that name a place; each makes or moves something by it.
const STATEMENTS: [&str; 7] = [
    "CREATE EXTERNAL TABLE home.taken (n BIGINT) STORED AS PARQUET LOCATION '{at}'",
    "CREATE EXTERNAL TABLE IF NOT EXISTS taken (n BIGINT) PARTITIONED BY (p STRING) STORED AS PARQUET LOCATION '{at}'",
    "ALTER TABLE home.mine SET LOCATION '{at}'",
    "ALTER TABLE home.mine ADD PARTITION (p = '2') LOCATION '{at}'",
    "ALTER TABLE home.mine PARTITION (p = '1') SET LOCATION '{at}'",
    "ALTER TABLE home.mine SET TBLPROPERTIES ('storage.location.template' = '{at}/${p}/')",
    "CALL system.crawl('{at}', database => 'home')",
];

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported)
}

fn rows() -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]).expect("a column")
}

fn target(database: &str, table: &str, location: Option<&str>, schema: SchemaRef) -> IngestTarget {
    IngestTarget {
        database: Some(database.to_owned()),
        table: table.to_owned(),
        if_not_exists: IfNotExists::Create,
        if_exists: IfExists::Append,
        location: location.map(str::to_owned),
        partitioned_by: Vec::new(),
        schema,
    }
}

async fn no_way_round_leads_to_what_is_closed() -> Result<(), Failed> {
    let (instance, ada) = instance().await;
    instance.run("ALTER TABLE home.mine ADD PARTITION (p = '1')").await;
    let before = instance.run("SHOW CREATE TABLE home.mine").await.lines();
    let ways = closed(&instance);
    assert!(ways.len() >= 60);
    for at in &ways {
        for statement in STATEMENTS {
            let sql = statement.replace("{at}", at);
            // A template that is no URL and no path from the root is below its table.
            if sql.contains("template") && !at.contains("://") && !at.starts_with('/') {
                continue;
            }
            match instance.try_run_as(&ada, &sql).await {
                Err(failure) if is_refusal(&failure.error) => {
                    let told = format!("{:?}", failure.error);
                    assert!(!told.contains("gold") || at.contains("gold"), "{sql} tells of another's table: {told}");
                }
                other => return Err(format!("{sql}\n{other:?}").into()),
            }
        }
        let refused =
            instance.engine.ingest(&ada, target("home", "taken", Some(at), rows().schema()), stream::iter([Ok(rows())]));
        match refused.await {
            Err(failure) if is_refusal(&failure.error) => {}
            other => return Err(format!("ingest to {at}\n{other:?}").into()),
        }
    }
    // Of a name that no table may have, the name is told.
    let named = target("home", "../../../etc/x", None, rows().schema());
    let refused = instance.engine.ingest(&ada, named, stream::iter([Ok(rows())])).await.expect_err("a name").error;
    assert!(refused.kind() == ErrorKind::Invalid && refused.message().contains("table name"), "{refused:?}");
    // Templates whose values would decide where they lead.
    for template in [
        "${p}",
        "s3://${p}/open/",
        "{lake}/${p}/",
        "{lake}/open${p}/",
        "../${p}",
        "${p}://lake/",
        "/${p}",
        "file:///${p}/",
        "{lake}/open/../${p}",
    ] {
        let template = instance.lake.expand(template);
        let sql = format!("ALTER TABLE home.mine SET TBLPROPERTIES ('storage.location.template' = '{template}')");
        let outcome = instance.try_run_as(&ada, &sql).await;
        match outcome {
            // Below the table.
            Ok(_) if template == "${p}" => {}
            Err(failure) if is_refusal(&failure.error) => {}
            other => return Err(format!("{sql}\n{other:?}").into()),
        }
    }
    instance.run("ALTER TABLE home.mine UNSET TBLPROPERTIES ('storage.location.template')").await;
    let stamp = |lines: Vec<String>| lines.into_iter().filter(|line| !line.contains("lastDdlTime")).collect::<Vec<_>>();
    assert_eq!(stamp(instance.run("SHOW CREATE TABLE home.mine").await.lines()), stamp(before));
    assert_eq!(instance.run("SHOW TABLES IN home").await.lines(), ["mine", "salaries"]);
    assert!(instance.run("SHOW TABLES").await.lines().is_empty());
    assert_eq!(instance.try_run_as(&ada, "SELECT n FROM home.mine").await?.lines(), ["1"]);
    // Values that lead out of a template that was fine.
    let template = instance.lake.expand(
        "ALTER TABLE home.mine SET TBLPROPERTIES ('projection.enabled' = 'true', 'projection.p.type' = 'injected', \
         'storage.location.template' = '{lake}/open/mine/.${p}./')",
    );
    instance.try_run_as(&ada, &template).await?;
    for value in ["", ".", "..", "../../vault/gold", "x/../../../vault/gold/", "/../.."] {
        let sql = format!("SELECT n FROM home.mine WHERE p = '{value}'");
        if let Ok(outcome) = instance.try_run_as(&ada, &sql).await {
            assert_eq!(outcome.lines(), Vec::<String>::new(), "{sql}");
        }
    }
    Ok(())
}

async fn what_is_open_stays_open() -> Result<(), Failed> {
    let (instance, ada) = instance().await;
    let data = instance.data_dir().display().to_string();
    let places = [
        "{lake}/open/a/",
        "{lake}/open/b/../c",
        "{lake}/home/new/",
        "{data}/lake/d/",
        "{data}/warehouse/home/e/",
        "s3://lake/open/f/",
        "S3://lake/open/g",
    ];
    for (at, place) in places.into_iter().enumerate() {
        let place = instance.lake.expand(place).replace("{data}", &data);
        let place = place.trim_end_matches('/');
        let create =
            format!("CREATE EXTERNAL TABLE home.t{at} (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{place}'");
        instance.try_run_as(&ada, &create).await?;
        instance.try_run_as(&ada, &format!("ALTER TABLE home.t{at} ADD PARTITION (p = 1) LOCATION '{place}/one/'")).await?;
    }
    instance
        .try_run_as(&ada, &instance.lake.expand("CALL system.crawl('{lake}/open/mine', database => 'home', policy => 'log')"))
        .await?;
    // What an administrator puts elsewhere is read, changed and written as granted.
    instance
        .run("CREATE EXTERNAL TABLE home.given (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/else/'")
        .await;
    instance.run("ALTER TABLE home.given ADD PARTITION (p = 1) LOCATION '{lake}/else/'").await;
    instance.try_run_as(&ada, "ALTER TABLE home.given ADD COLUMNS (m INT)").await?;
    instance.try_run_as(&ada, "ALTER TABLE home.given PARTITION (p = 1) ADD COLUMNS (k INT)").await?;
    assert_eq!(instance.try_run_as(&ada, "SELECT n FROM home.given").await?.lines(), ["424242"]);
    // And rows go where ingest puts them by itself.
    let schema = rows().schema();
    for database in ["home", "default"] {
        let summary = instance
            .engine
            .ingest(&ada, target(database, "fresh", None, Arc::clone(&schema)), stream::iter([Ok(rows())]))
            .await?;
        assert_eq!(summary.rows, 1);
        assert_eq!(instance.try_run_as(&ada, &format!("SELECT n FROM {database}.fresh")).await?.lines(), ["7"]);
    }
    // A folder that is not open yet is, once it is the database's.
    let elsewhere = "CREATE EXTERNAL TABLE later.t (n BIGINT) STORED AS PARQUET LOCATION '{lake}/else/t/'";
    instance.run("CREATE DATABASE later").await;
    instance.run("GRANT INSERT ON SCHEMA later TO USER ada").await;
    assert_eq!(instance.try_run_as(&ada, elsewhere).await.expect_err("closed").error.kind(), ErrorKind::Denied);
    instance.run("DROP DATABASE later").await;
    instance.run("CREATE DATABASE later LOCATION '{lake}/else/'").await;
    instance.run("GRANT INSERT ON SCHEMA later TO USER ada").await;
    instance.try_run_as(&ada, elsewhere).await?;
    Ok(())
}

async fn the_servers_own_files_are_closed_to_everybody() -> Result<(), Failed> {
    let lake = Lake::in_folder();
    let key = Path::new(lake.url().trim_start_matches("file://")).join("tls/key.pem");
    let closed = vec![key];
    let instance = Instance::start_with(lake, move |options| options.locations.closed = closed).await;
    instance.write("tls/key.pem", "SELECT 1 AS n").await;
    let data = instance.data_dir();
    std::fs::create_dir_all(data.join("lake/t"))?;
    let text = "CREATE EXTERNAL TABLE {name} (line STRING) STORED AS PARQUET LOCATION '{at}'";
    for at in ["", "/", "/run", "/catalog.sqlite", "/lake/../run", "/cache/", "/spill/"] {
        let at = format!("{}{at}", data.display());
        for sql in [text.replace("{name}", "x").replace("{at}", &at), format!("CALL system.crawl('{at}')")] {
            let refused = instance.try_run(&sql).await.expect_err(&sql).error;
            assert_eq!(refused.kind(), ErrorKind::Denied, "{sql}: {refused:?}");
        }
        let ingest = instance.engine.ingest(
            &instance.session,
            target("default", "x", Some(&at), rows().schema()),
            stream::iter([Ok(rows())]),
        );
        assert_eq!(ingest.await.expect_err(&at).error.kind(), ErrorKind::Denied, "{at}");
    }
    // A folder above is listed without them.
    std::fs::copy(
        Path::new(instance.lake.url().trim_start_matches("file://")).join("tls/key.pem"),
        data.join("run/copy.parquet"),
    )?;
    instance.write("seen/a.parquet", "SELECT 1 AS n").await;
    let above = data.parent().ok_or("a folder above")?.display().to_string();
    instance.run(&format!("CREATE EXTERNAL TABLE above (n BIGINT) STORED AS PARQUET LOCATION '{above}/'")).await;
    assert_eq!(instance.run("SELECT \"$path\" FROM above").await.lines(), Vec::<String>::new());
    instance.run("CREATE EXTERNAL TABLE keys (n BIGINT) STORED AS PARQUET LOCATION '{lake}/'").await;
    let read = instance.run("SELECT \"$path\" FROM keys").await.lines();
    assert!(read.len() == 1 && read[0].ends_with("/seen/a.parquet"), "{read:?}");
    // Its folder of tables is open.
    instance.run(&format!("CREATE EXTERNAL TABLE own (n BIGINT) STORED AS PARQUET LOCATION '{}/lake/t/'", data.display())).await;
    Ok(())
}

async fn files_below_another_table_are_not_written() -> Result<(), Failed> {
    let (instance, ada) = instance().await;
    // Ada may read them, and so may define tables over them, but not write them.
    instance.write("open/shared/a.parquet", "SELECT CAST(1 AS BIGINT) AS n").await;
    instance.run("CREATE DATABASE sales").await;
    instance.run("CREATE EXTERNAL TABLE sales.shared (n BIGINT) STORED AS PARQUET LOCATION '{lake}/open/shared/'").await;
    let over = "CREATE EXTERNAL TABLE home.over (n BIGINT) STORED AS PARQUET LOCATION '{lake}/open/shared/'";
    instance.try_run_as(&ada, over).await?;
    let below =
        "CREATE EXTERNAL TABLE home.parts (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/open/parts/'";
    instance.try_run_as(&ada, below).await?;
    instance.try_run_as(&ada, "ALTER TABLE home.parts ADD PARTITION (p = 7) LOCATION '{lake}/open/shared/'").await?;
    assert_eq!(instance.try_run_as(&ada, "SELECT n FROM home.over").await?.lines(), ["1"]);
    let keyed = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
        ("p", Arc::new(Int64Array::from(vec![7]))),
    ])?;
    let below = format!("{}/open/shared/below/", instance.lake.url());
    for (table, location, batch) in [("over", None, rows()), ("parts", None, keyed), ("fresh", Some(below.as_str()), rows())] {
        let ingest = instance.engine.ingest(&ada, target("home", table, location, batch.schema()), stream::iter([Ok(batch)]));
        let refused = ingest.await.expect_err(table).error;
        assert_eq!(refused.kind(), ErrorKind::Denied, "{table}: {refused:?}");
    }
    assert_eq!(instance.run("SELECT n FROM sales.shared").await.lines(), ["1"]);
    instance.run("GRANT INSERT ON sales.shared TO USER ada").await;
    instance.engine.ingest(&ada, target("home", "over", None, rows().schema()), stream::iter([Ok(rows())])).await?;
    assert_eq!(instance.run("SELECT sum(n) FROM sales.shared").await.lines(), ["8"]);
    Ok(())
}

async fn a_server_closes_files_and_http() -> Result<(), Failed> {
    let lake = Lake::in_folder();
    let path = lake.url().trim_start_matches("file://").to_owned();
    let writer = Instance::start(Lake::in_folder()).await;
    let outcome = writer.run("SELECT CAST(1 AS BIGINT) AS n").await;
    lake.write("t/a.parquet", &outcome.schema, &outcome.batches, &Default::default())?;
    // Nobody listens to it, and nobody is to knock.
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    silent.set_nonblocking(true)?;
    let http = format!("http://{}/t/a.parquet", silent.local_addr()?);
    let server = Server::strict("");
    let mut client = Client::login(&server, "anybody", "").await?;
    for at in [format!("{path}/t/"), format!("file://{path}/t/"), "/etc/".to_owned(), http.clone(), http.replace("http", "HTTP")]
    {
        for sql in [
            format!("CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{at}'"),
            format!("CREATE DATABASE d LOCATION '{at}'"),
            format!("CALL system.crawl('{at}')"),
        ] {
            let refused = client.run(&sql).await.expect_err(&sql);
            assert!(refused.to_string().contains("engine.locations."), "{sql}: {refused:?}");
        }
    }
    assert!(silent.accept().is_err(), "no request was sent");
    // What the machine's own command line defined is read.
    let defined = Command::new(binary())
        .env_remove("GLAUX_CATALOG")
        .arg("--data-dir")
        .arg(server.data_dir())
        .args(["sql", "-e", &format!("CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{path}/t/'")])
        .output()?;
    assert!(defined.status.success(), "{defined:?}");
    assert_eq!(client.run("SELECT n FROM t").await?.lines(), ["1"]);
    // A prefix opens a folder, and a key all of them.
    let create = format!("CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{path}/t/'");
    for config in [format!("[engine.locations]\nallowed = [\"{path}\"]\n"), "[engine.locations]\nfile = true\n".to_owned()] {
        let server = Server::strict(&config);
        let mut client = Client::login(&server, "anybody", "").await?;
        client.run(&create).await?;
        assert_eq!(client.run("SELECT n FROM t").await?.lines(), ["1"]);
        assert!(client.run(&format!("CREATE DATABASE d LOCATION '{http}'")).await.is_err());
    }
    Ok(())
}

async fn a_servers_own_lake_needs_no_configuration() -> Result<(), Failed> {
    let server = Server::strict("");
    let writer = Instance::start(Lake::in_folder()).await;
    writer.write("t/a.parquet", "SELECT CAST(1 AS BIGINT) AS n").await;
    let own = server.data_dir().join("lake/t");
    std::fs::create_dir_all(&own)?;
    std::fs::copy(Path::new(writer.lake.url().trim_start_matches("file://")).join("t/a.parquet"), own.join("a.parquet"))?;
    let mut client = Client::login(&server, "anybody", "").await?;
    client.run(&format!("CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{}/'", own.display())).await?;
    assert_eq!(client.run("SELECT n FROM t").await?.lines(), ["1"]);
    Ok(())
}
