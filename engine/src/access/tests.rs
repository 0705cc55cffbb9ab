//! The access rule as a table, and what a guarded catalog shows and accepts.

use std::{path::Path, sync::Arc};

use arrow::{datatypes::Schema, util::pretty::pretty_format_batches};
use futures::{TryStreamExt, stream};
use glaux_catalog::{
    HiveType, Metastore, TableName,
    metastore::{Definitions, Grants, MemoryMetastore, PartitionChange, PutWorkgroup, Workgroups},
    model::{
        Access, Column, Database, Grant, GrantObject, Grantee, Properties, SerDe, StorageDescriptor, Table, TableType, Workgroup,
    },
};

use super::{Caller, LocationPolicy, queries_of};
use crate::{
    Engine, EngineOptions, Session,
    config::LocationOptions,
    error::{ErrorKind, Result},
    execute::Parameters,
    session::{Role, SessionOptions},
    sql,
    write::ingest::{IfExists, IfNotExists, IngestTarget},
};

/// `user` in `groups`, where reading is the default.
fn caller(user: &str, groups: &[&str]) -> Caller {
    Caller::new(&session(user, groups), Access::Read, &locations())
}

/// The bucket in which the tables of these tests are.
fn locations() -> Arc<LocationPolicy> {
    let options = LocationOptions { allowed: vec!["s3://b/".to_owned()], ..LocationOptions::default() };
    Arc::new(LocationPolicy::new(&options, Path::new("/nowhere/data"), &Arc::default()).unwrap())
}

fn session(user: &str, groups: &[&str]) -> SessionOptions {
    SessionOptions {
        user: user.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        role: Role::User,
        ..SessionOptions::default()
    }
}

/// `catalog`, `database` or `database.table`.
fn object(name: &str) -> GrantObject {
    match name.split_once('.') {
        _ if name == "catalog" => GrantObject::Catalog,
        Some((database, table)) => GrantObject::Table(TableName::new(database, table)),
        None => GrantObject::Database(name.to_owned()),
    }
}

/// `sales.orders ada write` for a user, `sales @analysts none` for a group.
fn grant(text: &str) -> Grant {
    let words: Vec<&str> = text.split(' ').collect();
    let grantee = match words[1].strip_prefix('@') {
        Some(group) => Grantee::Group(group.to_owned()),
        None => Grantee::User(words[1].to_owned()),
    };
    Grant { object: object(words[0]), grantee, access: Access::parse(words[2]).unwrap() }
}

#[test]
fn the_most_specific_grant_decides() {
    for (grants, expected) in [
        // Nothing granted: the default, which is to read.
        (&[][..], "read read read"),
        (&["catalog bob write", "sales @others none", "sales.orders bob none"], "read read read"),
        // The table before the database before the catalog, whatever is higher.
        (&["catalog ada write"], "write write write"),
        (&["catalog ada none"], "none none none"),
        (&["catalog ada write", "sales ada none"], "write none none"),
        (&["catalog ada none", "sales ada read"], "none read read"),
        (&["sales ada none", "sales.orders ada write"], "read none write"),
        (&["catalog ada write", "sales ada write", "sales.orders ada none"], "write write none"),
        (&["catalog ada none", "sales.other ada write"], "none none none"),
        (&["other ada none", "sales.other ada none"], "read read read"),
        // A specific grant of a group before a general one of the user's own.
        (&["catalog ada write", "sales @analysts none"], "write none none"),
        (&["sales ada none", "sales.orders @analysts read"], "read none read"),
        // On one object the user's own before the groups'.
        (&["sales ada read", "sales @analysts none", "sales @more write"], "read read read"),
        (&["sales @analysts none", "sales @more none", "sales ada write"], "read write write"),
        (&["sales ada none", "sales @analysts write"], "read none none"),
        // Among groups none wins, else the highest.
        (&["sales @analysts read", "sales @more write"], "read write write"),
        (&["sales @more write", "sales @analysts read"], "read write write"),
        (&["sales @analysts none", "sales @more write"], "read none none"),
        (&["sales @analysts write", "sales @more none"], "read none none"),
        // A user is not the group of that name, and names are not folded.
        (&["catalog @ada write", "catalog analysts write", "catalog Ada write"], "read read read"),
    ] {
        let grants: Vec<Grant> = grants.iter().map(|text| grant(text)).collect();
        let rights = caller("ada", &["analysts", "more"]).rights(&grants);
        let found = ["catalog", "sales", "sales.orders"].map(|name| rights.on(&object(name)).as_str()).join(" ");
        assert_eq!(found, expected, "{grants:?}");
    }
}

#[test]
fn the_default_is_for_what_nobody_granted() {
    for default in Access::ALL {
        let caller = Caller::new(&session("ada", &[]), default, &locations());
        let rights = caller.rights(&[grant("sales ada read"), grant("default.t ada write")]);
        let found = ["catalog", "default", "default.u", "sales.t", "default.t"].map(|name| rights.on(&object(name)));
        assert_eq!(found, [default, default, default, Access::Read, Access::Write]);
    }
}

fn table(name: &str) -> Table {
    let (database, table) = name.split_once('.').unwrap();
    Table {
        name: TableName::new(database, table),
        id: 0,
        version: 0,
        table_type: TableType::ExternalTable,
        storage: StorageDescriptor {
            columns: vec![Column::new("a", HiveType::Int)],
            location: "s3://b/t/".to_owned(),
            input_format: String::new(),
            output_format: String::new(),
            serde: SerDe::default(),
            bucket_columns: Vec::new(),
            bucket_count: None,
        },
        partition_keys: vec![Column::new("dt", HiveType::Date)],
        comment: None,
        properties: Properties::new(),
        view_text: None,
        view_database: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        comment: None,
        location: None,
        properties: Properties::new(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// Databases `default`, `sales` and `vault` with tables, and these grants.
async fn catalog(grants: &[&str]) -> Arc<dyn Metastore> {
    let catalog = MemoryMetastore::new();
    for name in ["sales", "vault"] {
        catalog.create_database(database(name)).await.unwrap();
    }
    for name in ["default.t", "sales.orders", "sales.salaries", "vault.gold", "vault.silver"] {
        catalog.create_table(table(name)).await.unwrap();
    }
    for text in grants {
        catalog.set_grant(grant(text)).await.unwrap();
    }
    Arc::new(catalog)
}

async fn shown(catalog: &dyn Metastore) -> String {
    let mut shown = Vec::new();
    for database in catalog.databases().await.unwrap() {
        let names = catalog.table_names(&database.name).await.unwrap();
        let tables: Vec<_> = catalog.tables(&database.name).await.unwrap().into_iter().map(|table| table.name.table).collect();
        assert_eq!(names, tables);
        shown.push(format!("{}({})", database.name, names.join(" ")));
    }
    shown.join(" ")
}

#[track_caller]
fn told<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    format!("{:?}", outcome.unwrap_err())
}

#[tokio::test]
async fn only_what_is_open_is_shown() {
    const ALL: &str = "default(t) sales(orders salaries) vault(gold silver)";
    for (grants, expected) in [
        (&[][..], ALL),
        (&["catalog ada none"], ""),
        (&["vault ada none"], "default(t) sales(orders salaries)"),
        (&["sales.salaries @analysts none"], "default(t) sales(orders) vault(gold silver)"),
        (&["vault @analysts none", "vault.silver ada read"], "default(t) sales(orders salaries) vault(silver)"),
        (&["catalog ada none", "vault.silver ada read", "vault.gold ada none"], "vault(silver)"),
        (&["catalog ada none", "sales ada read", "sales.orders ada none", "sales.salaries ada none"], "sales()"),
    ] {
        let catalog = catalog(grants).await;
        assert_eq!(shown(caller("ada", &["analysts"]).guard(&catalog).as_ref()).await, expected, "{grants:?}");
        let administrator = SessionOptions { role: Role::Administrator, ..session("ada", &["analysts"]) };
        assert_eq!(shown(Caller::new(&administrator, Access::None, &locations()).guard(&catalog).as_ref()).await, ALL);
    }
}

async fn workgroup_names(catalog: &dyn Metastore) -> String {
    let found = catalog.workgroups().await.unwrap();
    found.into_iter().map(|workgroup| workgroup.name).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn workgroups_are_shown_to_those_who_may_use_them_and_changed_by_administrators() {
    let catalog = catalog(&[]).await;
    let administrator = SessionOptions { role: Role::Administrator, ..session("root", &[]) };
    let administrator = Caller::new(&administrator, Access::Read, &locations()).guard(&catalog);
    for (name, groups) in [("bi", &["analysts"][..]), ("etl", &["loaders"][..])] {
        let mut workgroup = Workgroup::new(name, chrono::DateTime::UNIX_EPOCH);
        workgroup.settings.allowed_groups = groups.iter().map(|group| (*group).to_owned()).collect();
        administrator.put_workgroup(workgroup, PutWorkgroup::Create).await.unwrap();
    }
    let ada = caller("ada", &["analysts"]).guard(&catalog);
    assert_eq!(workgroup_names(administrator.as_ref()).await, "bi etl primary");
    assert_eq!(workgroup_names(ada.as_ref()).await, "bi primary");
    let bi = ada.workgroup("bi").await.unwrap();
    assert!(told(ada.workgroup("etl").await).starts_with("DENIED: user \"ada\" may not use workgroup \"etl\""));
    let absent = told(ada.workgroup("etll").await);
    assert!(absent.starts_with("NOT_FOUND: workgroup \"etll\"") && absent.contains("SHOW WORKGROUPS"), "{absent}");
    let refusal = "DENIED: only administrators can create, change and drop workgroups";
    for mode in [PutWorkgroup::Create, PutWorkgroup::Replace(&bi)] {
        assert!(told(ada.put_workgroup(bi.clone(), mode).await).starts_with(refusal));
    }
    assert!(told(ada.remove_workgroup("bi").await).starts_with(refusal));
    for text in ["CREATE WORKGROUP w", "ALTER WORKGROUP bi DISABLE", "DROP WORKGROUP bi"] {
        let statement = sql::parse(text).unwrap();
        let checked = caller("ada", &["analysts"]).check(&statement, "default", catalog.as_ref()).await;
        assert!(told(checked).starts_with(refusal), "{text}");
    }
    administrator.remove_workgroup("bi").await.unwrap();
    assert!(told(administrator.remove_workgroup("bi").await).starts_with("NOT_FOUND"));
}

#[tokio::test]
async fn hidden_and_absent_are_told_alike() {
    let catalog = catalog(&["catalog ada none", "sales.orders ada read"]).await;
    let seen = caller("ada", &[]).guard(&catalog);
    for (there, absent) in [("vault", "valut"), ("sales", "nowhere")] {
        let (t, a) = (TableName::new(there, "gold"), TableName::new(absent, "gold"));
        let (known, unknown) = (told(seen.table(&t).await), told(seen.table(&a).await));
        assert!(known.starts_with("DENIED") && !known.contains("nearest"), "{known}");
        assert_eq!(known.replace(there, absent), unknown);
        let drops = (told(seen.drop_table(&t).await), told(seen.drop_table(&a).await));
        assert_eq!(drops.0.replace(there, absent), drops.1);
    }
    for call in ["database", "tables", "names", "drop"] {
        let mut answers = Vec::new();
        for name in ["vault", "gold"] {
            answers.push(match call {
                "database" => told(seen.database(name).await),
                "tables" => told(seen.tables(name).await),
                "names" => told(seen.table_names(name).await),
                _ => told(seen.drop_database(name, true).await),
            });
        }
        assert_eq!(answers[0].replace("vault", "gold"), answers[1], "{call}");
        assert!(answers[0].starts_with("DENIED"), "{call}");
    }
    assert_eq!(
        told(seen.create_database(database("vault")).await).replace("vault", "x"),
        told(seen.create_database(database("x")).await)
    );
    assert_eq!(
        told(seen.create_table(table("vault.gold")).await).replace("gold", "x"),
        told(seen.create_table(table("vault.x")).await)
    );
    assert!(seen.table(&TableName::new("SALES", "Orders")).await.is_ok());
}

#[tokio::test]
async fn hints_name_only_what_is_shown() {
    let catalog = catalog(&["sales.salaries ada none", "vault ada none"]).await;
    let seen = caller("ada", &[]).guard(&catalog);
    let hint = |text: String| text.lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!(hint(told(seen.table(&TableName::new("sales", "salarie")).await)), "hint: SHOW TABLES IN sales lists the tables");
    assert_eq!(hint(told(seen.table(&TableName::new("sales", "order")).await)), "hint: The nearest name is \"orders\"");
    assert_eq!(hint(told(seen.table(&TableName::new("vaul", "t")).await)), "hint: SHOW DATABASES lists the databases");
    assert_eq!(hint(told(seen.database("vaults").await)), "hint: SHOW DATABASES lists the databases");
    assert_eq!(hint(told(seen.database("sale").await)), "hint: The nearest name is \"sales\"");
    let writer = caller("bob", &[]);
    let catalog = {
        catalog.set_grant(grant("catalog bob write")).await.unwrap();
        catalog.set_grant(grant("vault bob none")).await.unwrap();
        writer.guard(&catalog)
    };
    assert_eq!(hint(told(catalog.create_table(table("vaul.x")).await)), "hint: SHOW DATABASES lists the databases");
    assert_eq!(hint(told(catalog.drop_database("vaul", true).await)), "hint: SHOW DATABASES lists the databases");
}

#[tokio::test]
async fn changes_take_write_access() {
    let catalog = catalog(&["sales @analysts write", "sales.salaries ada read", "default.t ada write"]).await;
    let seen = caller("ada", &["analysts"]).guard(&catalog);
    let reader = caller("bob", &[]).guard(&catalog);
    let (orders, salaries) = (TableName::new("sales", "orders"), TableName::new("sales", "salaries"));
    for (who, name) in [(&reader, &orders), (&seen, &salaries)] {
        let found = who.table(name).await.unwrap();
        who.partition_index(&found).await.unwrap();
        for refused in [
            told(who.change_partitions(&found, PartitionChange::default()).await),
            told(who.replace_table(found.clone()).await),
            told(who.drop_table(name).await),
        ] {
            assert!(refused.starts_with(&format!("DENIED: writing to table \"{name}\" is denied")), "{refused}");
        }
    }
    assert!(told(reader.create_table(table("sales.x")).await).starts_with("DENIED"));
    assert!(told(reader.replace_database(database("sales")).await).starts_with("DENIED"));
    assert!(told(reader.create_database(database("x")).await).starts_with("DENIED"));
    assert!(told(seen.create_database(database("x")).await).starts_with("DENIED"), "that takes the catalog");

    let found = seen.table(&orders).await.unwrap();
    seen.change_partitions(&found, PartitionChange::default()).await.unwrap();
    seen.replace_table(found).await.unwrap();
    seen.create_table(table("sales.x")).await.unwrap();
    seen.replace_database(database("sales")).await.unwrap();
    seen.drop_table(&TableName::new("default", "t")).await.unwrap();
    let kept = told(seen.drop_database("sales", true).await);
    assert!(kept.starts_with("DENIED") && !kept.contains("salaries"), "{kept}");
    seen.drop_table(&orders).await.unwrap();
    catalog.drop_table(&salaries).await.unwrap();
    seen.drop_database("sales", true).await.unwrap();
}

#[tokio::test]
async fn statements_are_refused_before_they_begin() {
    let catalog = catalog(&["sales ada write", "sales.salaries ada read", "vault ada none"]).await;
    let caller = caller("ada", &[]);
    for (text, denied) in [
        ("CREATE DATABASE x", Some("writing to the catalog")),
        ("CREATE DATABASE IF NOT EXISTS vault", Some("access to database \"vault\"")),
        ("ALTER DATABASE sales SET DBPROPERTIES ('a'='b')", None),
        ("ALTER DATABASE default SET DBPROPERTIES ('a'='b')", Some("writing to database \"default\"")),
        ("DROP DATABASE sales", None),
        ("DROP DATABASE IF EXISTS vault", Some("access to database \"vault\"")),
        ("CREATE EXTERNAL TABLE x (a int) LOCATION 's3://b/x/'", Some("writing to table \"default.x\"")),
        ("CREATE EXTERNAL TABLE IF NOT EXISTS Sales.X (a int) LOCATION 's3://b/x/'", None),
        ("ALTER TABLE sales.orders ADD COLUMNS (b int)", None),
        ("ALTER TABLE sales.salaries ADD COLUMNS (b int)", Some("writing to table \"sales.salaries\"")),
        ("DROP TABLE IF EXISTS vault.nothing", Some("access to table \"vault.nothing\"")),
        ("MSCK REPAIR TABLE t", Some("writing to table \"default.t\"")),
        ("REFRESH TABLE t", Some("writing to table \"default.t\"")),
        ("CREATE OR REPLACE VIEW sales.v AS SELECT 1", None),
        ("CREATE VIEW v AS SELECT 1", Some("writing to table \"default.v\"")),
        ("DROP VIEW sales.salaries", Some("writing to table \"sales.salaries\"")),
        ("GRANT SELECT ON sales.orders TO bob", Some("only administrators")),
        ("DENY ALL ON SCHEMA sales TO bob", Some("only administrators")),
        ("REVOKE ALL ON CATALOG FROM ada", Some("only administrators")),
        ("SHOW GRANTS", None),
        ("SELECT * FROM vault.gold", None),
    ] {
        let outcome = caller.check(&sql::parse(text).unwrap(), "default", catalog.as_ref()).await;
        match denied {
            None => assert!(outcome.is_ok(), "{text}: {outcome:?}"),
            Some(part) => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Denied, "{text}");
                assert!(error.message().contains(part), "{text}: {error}");
            }
        }
    }
    assert!(caller.check_write(TableName::new("vault", "gold"), catalog.as_ref()).await.is_err());
    assert!(caller.check_write(TableName::new("sales", "new"), catalog.as_ref()).await.is_ok());
}

#[tokio::test]
async fn grants_are_shown_to_those_they_are_for() {
    let catalog =
        catalog(&["sales ada write", "sales @analysts read", "sales bob read", "vault ada none", "vault @more read"]).await;
    let seen = caller("ada", &["analysts"]).guard(&catalog);
    assert_eq!(seen.grants().await.unwrap(), [grant("sales ada write"), grant("sales @analysts read")]);
    assert!(told(seen.set_grant(grant("catalog ada write")).await).starts_with("DENIED"));
    assert!(told(seen.remove_grant(&object("vault"), &Grantee::User("ada".to_owned())).await).starts_with("DENIED"));
    assert_eq!(catalog.grants().await.unwrap().len(), 5);
}

#[test]
fn users_see_their_own_queries() {
    assert_eq!(queries_of(&session("ada", &["admins"])), Some("ada"));
    assert_eq!(queries_of(&SessionOptions::default()), None);
}

/// An engine where `default.t`, `vault.gold` and `vault.silver` are, which `ada` may not all see.
struct House {
    engine: Engine,
    administrator: Session,
    ada: Session,
    bob: Session,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions { data_dir: folder.path().join("data"), ..EngineOptions::default() };
    let house = House {
        engine: Engine::open(options).await.unwrap(),
        administrator: Session::new(SessionOptions::default()),
        ada: Session::new(session("ada", &[])),
        bob: Session::new(session("bob", &[])),
        _folder: folder,
    };
    for text in [
        "CREATE DATABASE vault",
        "CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION '/nowhere/t/'",
        "CREATE EXTERNAL TABLE vault.gold (a int) STORED AS PARQUET LOCATION '/nowhere/gold/'",
        "CREATE EXTERNAL TABLE vault.silver (a int) STORED AS PARQUET LOCATION '/nowhere/silver/'",
    ] {
        house.run(&house.administrator, text).await.unwrap();
    }
    house
}

impl House {
    async fn run(&self, session: &Session, text: &str) -> Result<String> {
        let query = self.engine.submit(session, text).await.map_err(|failure| failure.error)?;
        let batches: Vec<_> = query.try_collect().await?;
        Ok(pretty_format_batches(&batches).unwrap().to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_ended_by_its_user_or_an_administrator() {
    let house = house().await;
    for (killer, by) in [(&house.ada, "ada"), (&house.administrator, "glaux")] {
        let planned = house.engine.plan(&house.ada, "SELECT 1", &Parameters::default()).await.unwrap();
        let id = planned.id().to_string();
        let kill = |id: &str| format!("KILL QUERY '{id}'");
        let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
        let of_another = told(house.run(&house.bob, &kill(&id)).await);
        assert!(of_another.starts_with("NOT_FOUND"), "{of_another}");
        assert_eq!(of_another.replace(&id, unknown), told(house.run(&house.bob, &kill(unknown)).await));
        assert!(!house.run(&house.bob, "SHOW QUERIES").await.unwrap().contains(&id));
        assert!(!house.run(&house.bob, "SELECT query_id FROM system.queries").await.unwrap().contains(&id));
        assert!(house.run(&house.ada, "SHOW QUERIES").await.unwrap().contains(&id));
        assert!(house.run(&house.administrator, "SHOW QUERIES").await.unwrap().contains(&id));

        house.run(killer, &kill(&id)).await.unwrap();
        let error = planned.run().await.unwrap_err().error;
        assert_eq!((error.kind(), error.message()), (ErrorKind::Aborted, format!("the query was killed by \"{by}\"").as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_around_shows_what_is_open_now() {
    let house = house().await;
    let browser = house.engine.browse(&house.ada);
    let all = ["default", "information_schema", "system", "vault"];
    assert_eq!(browser.databases().await.unwrap(), all);
    house.run(&house.administrator, "DENY ALL ON SCHEMA vault TO ada").await.unwrap();
    assert_eq!(browser.databases().await.unwrap(), all[..3]);
    assert_eq!(told(browser.tables("vault").await).replace("vault", "x"), {
        house.run(&house.administrator, "DENY ALL ON CATALOG TO ada").await.unwrap();
        told(browser.tables("x").await)
    });
    house.run(&house.administrator, "GRANT SELECT ON vault.silver TO ada").await.unwrap();
    assert_eq!(browser.databases().await.unwrap(), all[1..]);
    let tables = browser.tables("vault").await.unwrap();
    assert_eq!(tables.iter().map(|table| table.name.table.as_str()).collect::<Vec<_>>(), ["silver"]);
    assert_eq!(house.engine.browse(&house.administrator).tables("vault").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_where_one_may_write() {
    let house = house().await;
    house.run(&house.administrator, "DENY ALL ON SCHEMA vault TO ada").await.unwrap();
    for (database, table, message) in [
        ("default", "t", "writing to table \"default.t\" is denied"),
        ("default", "new", "writing to table \"default.new\" is denied"),
        ("vault", "gold", "access to table \"vault.gold\" is denied"),
        ("Vault", "None", "access to table \"vault.none\" is denied"),
    ] {
        let target = IngestTarget {
            database: Some(database.to_owned()),
            table: table.to_owned(),
            if_not_exists: IfNotExists::Create,
            if_exists: IfExists::Append,
            location: None,
            partitioned_by: Vec::new(),
            schema: Arc::new(Schema::empty()),
        };
        let failure = house.engine.ingest(&house.ada, target, stream::empty()).await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.error.message()), (ErrorKind::Denied, message));
    }
}
