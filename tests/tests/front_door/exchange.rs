//! Definitions go out of a catalog and come back the same: as statements, as scripts of DDL, and as Glue's JSON.

use std::sync::Arc;

use glaux_catalog::{
    TableName,
    glue::Documents,
    model::{Partition, Properties, Table},
};
use glaux_engine::{
    exchange::{IfExists, Outcome, Selection, export_ddl, export_glue, import_glue},
    sql::{self, Statement},
};
use glaux_tests::{instance::Instance, lake::Lake, runner};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time!["exchange";
        every_definition_of_the_corpus_comes_back,
        glue_brings_a_catalog_over,
        a_script_makes_the_same_catalog,
        what_exists_is_skipped_replaced_or_refused,
        partitions_may_come_by_themselves,
    ]
}

/// The definitions of the corpus that are to succeed.
fn definitions() -> Vec<String> {
    let mut found = Vec::new();
    for file in runner::files() {
        let text = std::fs::read_to_string(&file).expect("the corpus can be read");
        let succeed = text.split("\n\n").filter_map(|record| {
            let (_, statement) = record.split_once("statement ok\n")?;
            let is_definition = statement.trim_start().to_uppercase().starts_with("CREATE");
            is_definition.then(|| statement.to_owned())
        });
        found.extend(succeed);
    }
    found
}

/// A definition without what no statement says.
fn plain(table: Table) -> Table {
    let mut table = Table { id: 0, version: 0, created_at: Default::default(), updated_at: Default::default(), ..table };
    table.properties.remove("transient_lastDdlTime");
    table
}

async fn every_definition_of_the_corpus_comes_back() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let (mut statements, mut tables) = (0, 0);
    for definition in definitions() {
        let text = instance.lake.expand(&definition);
        let statement = sql::parse(&text).map_err(|error| format!("{text}\n{error:?}"))?;
        let printed = statement.to_string();
        assert_eq!(sql::parse(&printed).map_err(|error| format!("{printed}\n{error:?}"))?, statement, "{printed}");
        statements += 1;
        let Statement::CreateTable(create) = &statement else { continue };
        let name = create.table.resolve("default");
        if name.database != "default" {
            instance.run(&format!("CREATE DATABASE IF NOT EXISTS `{}`", name.database)).await;
        }
        instance.run(&text).await;
        let before = instance.engine.metastore().table(&name).await?;
        let shown = instance.run(&format!("SHOW CREATE TABLE {}", create.table)).await.lines().join("\n");
        instance.run(&format!("DROP TABLE {}", create.table)).await;
        instance.run(&shown).await;
        let after = instance.engine.metastore().table(&name).await?;
        assert_eq!(plain(after), plain(before), "{shown}");
        instance.run(&format!("DROP TABLE {}", create.table)).await;
        tables += 1;
    }
    assert!(statements > 100 && tables > 50, "{statements} statements, {tables} tables: is the corpus read?");
    Ok(())
}

/// A catalog with what there is to be carried over.
async fn catalog() -> Instance {
    let instance = Instance::start(Lake::in_folder()).await;
    instance.write("t/dt=2024-01-01/a.parquet", "SELECT 1 AS id").await;
    instance.write("t/dt=2024-01-02/a.parquet", "SELECT 2 AS id").await;
    instance.write("elsewhere/a.parquet", "SELECT 3 AS id").await;
    for statement in [
        "CREATE DATABASE sales COMMENT 'it''s ours' LOCATION 's3://lake/sales/' WITH DBPROPERTIES ('k'='v')",
        "CREATE EXTERNAL TABLE sales.t (id INT COMMENT 'the \"key\"', deep STRUCT<a:ARRAY<INT>,b:MAP<STRING,DATE>>) \
         COMMENT 'sold' PARTITIONED BY (dt DATE COMMENT 'day') STORED AS PARQUET LOCATION '{lake}/t/' \
         TBLPROPERTIES ('parquet.compression'='ZSTD')",
        "MSCK REPAIR TABLE sales.t",
        "ALTER TABLE sales.t ADD PARTITION (dt='2024-01-03') LOCATION '{lake}/elsewhere/'",
        "ALTER TABLE sales.t PARTITION (dt='2024-01-02') REPLACE COLUMNS (id BIGINT)",
        "CREATE EXTERNAL TABLE sales.csv (a STRING) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LOCATION '{lake}/csv/' \
         TBLPROPERTIES ('skip.header.line.count'='1')",
        "USE sales",
        "CREATE VIEW default.ids (number) AS SELECT id FROM t WHERE dt > DATE '2024-01-01'",
    ] {
        instance.run(statement).await;
    }
    instance
}

/// All tables with their partitions.
async fn all(instance: &Instance) -> Vec<(Table, Vec<Partition>)> {
    let metastore = instance.engine.metastore();
    let mut found = Vec::new();
    for database in metastore.databases().await.expect("databases") {
        for table in metastore.tables(&database.name).await.expect("tables") {
            let mut partitions = Vec::new();
            if table.is_partitioned() {
                let index = metastore.partition_index(&table).await.expect("an index");
                let values: Vec<_> = (0..index.len()).map(|row| index.raw_values(row)).collect();
                partitions = metastore.partitions(&table, &values).await.expect("partitions");
            }
            found.push((Table { id: 0, version: 0, ..table }, partitions));
        }
    }
    found
}

async fn exported(instance: &Instance) -> Result<String, Failed> {
    let mut out = Vec::new();
    export_glue(instance.engine.metastore().as_ref(), &Selection::default(), &mut out).await?;
    Ok(String::from_utf8(out)?)
}

fn documents(text: &str) -> Result<Documents, Failed> {
    let mut documents = Documents::default();
    documents.read(text.as_bytes())?;
    Ok(documents)
}

async fn import(instance: &Instance, text: &str, if_exists: IfExists) -> Result<Vec<String>, Failed> {
    let now = instance.engine.clock().now();
    let imported = import_glue(instance.engine.metastore().as_ref(), documents(text)?, if_exists, now).await?;
    let told = imported.iter().map(|one| {
        let outcome = match &one.outcome {
            Outcome::Created => "created".to_owned(),
            Outcome::Replaced => "replaced".to_owned(),
            Outcome::Skipped => "skipped".to_owned(),
            Outcome::LeftOut(reason) => format!("left out: {reason}"),
        };
        format!("{} {outcome} {}", one.object, one.partitions)
    });
    Ok(told.collect())
}

async fn glue_brings_a_catalog_over() -> Result<(), Failed> {
    let (from, to) = (catalog().await, Instance::start(Lake::in_folder()).await);
    let text = exported(&from).await?;
    let told = import(&to, &text, IfExists::Fail).await?;
    assert_eq!(
        told,
        [
            "database \"default\" skipped 0",
            "database \"sales\" created 0",
            "view \"default.ids\" created 0",
            "table \"sales.csv\" created 0",
            "table \"sales.t\" created 3",
        ]
    );
    assert_eq!(all(&to).await, all(&from).await);
    assert_eq!(exported(&to).await?, text);
    let database = |instance: &Instance| Arc::clone(instance.engine.metastore());
    assert_eq!(database(&to).database("sales").await?, database(&from).database("sales").await?);
    // The same lake, the same rows, through the view too.
    assert_eq!(to.run("SELECT number FROM ids ORDER BY 1").await.lines(), ["2", "3"]);
    Ok(())
}

async fn a_script_makes_the_same_catalog() -> Result<(), Failed> {
    let (from, to) = (catalog().await, Instance::start(Lake::in_folder()).await);
    let mut out = Vec::new();
    export_ddl(from.engine.metastore().as_ref(), &Selection::default(), &mut out).await?;
    let script = String::from_utf8(out)?;
    assert!(script.contains("-- 1 of these partitions have parameters, columns or a SerDe of their own"), "{script}");
    for statement in sql::split(&script) {
        to.run(statement.text).await;
    }
    let without_own = |found: Vec<(Table, Vec<Partition>)>| -> Vec<(Table, Vec<Partition>)> {
        let bare = |partition: Partition| Partition { columns: None, properties: Properties::new(), ..partition };
        found.into_iter().map(|(table, partitions)| (plain(table), partitions.into_iter().map(bare).collect())).collect()
    };
    assert_eq!(without_own(all(&to).await), without_own(all(&from).await));
    // Only what is asked for, and what does not exist is said.
    let mut out = Vec::new();
    let some = Selection::parse(&["Sales.csv".to_owned()])?;
    export_ddl(from.engine.metastore().as_ref(), &some, &mut out).await?;
    let script = String::from_utf8(out)?;
    assert!(script.contains("`sales`.`csv`") && !script.contains("`t`") && !script.contains("VIEW"), "{script}");
    let missing = Selection::parse(&["sales.tt".to_owned()])?;
    let error = export_ddl(from.engine.metastore().as_ref(), &missing, &mut Vec::new()).await.expect_err("it is not there");
    assert_eq!(error.message(), "table \"sales.tt\" does not exist");
    Ok(())
}

async fn what_exists_is_skipped_replaced_or_refused() -> Result<(), Failed> {
    let instance = catalog().await;
    let before = all(&instance).await;
    let text = exported(&instance).await?;
    let now = instance.engine.clock().now();
    let refused = import_glue(instance.engine.metastore().as_ref(), documents(&text)?, IfExists::Fail, now).await;
    let refused = refused.expect_err("the tables are there");
    assert_eq!(refused.message(), "table \"default.ids\" already exists");
    let told = import(&instance, &text, IfExists::Skip).await?;
    assert!(told.iter().all(|line| line.contains("skipped")), "{told:?}");
    assert_eq!(all(&instance).await, before);
    // Other keys, and one table that cannot be held: the others come.
    let other = text.replace("\"Name\":\"dt\",\"Type\":\"date\"", "\"Name\":\"day\",\"Type\":\"string\"");
    let other = other.replace("\"Name\":\"a\",\"Type\":\"string\"", "\"Name\":\"a\",\"Type\":\"void\"");
    let told = import(&instance, &other, IfExists::Replace).await?;
    assert!(told.contains(&"table \"sales.t\" replaced 3".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("table \"sales.csv\" left out: column \"a\": ")), "{told:?}");
    let table = instance.engine.metastore().table(&TableName::new("sales", "t")).await?;
    assert_eq!(table.partition_keys[0].name, "day");
    let names = instance.run("SHOW PARTITIONS sales.t").await.lines();
    assert_eq!(names, ["day=2024-01-01", "day=2024-01-02", "day=2024-01-03"]);
    Ok(())
}

async fn partitions_may_come_by_themselves() -> Result<(), Failed> {
    let (from, to) = (catalog().await, Instance::start(Lake::in_folder()).await);
    let text = exported(&from).await?;
    let (partitions, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("{\"Partitions\""));
    assert_eq!(
        import(&to, partitions[0], IfExists::Fail).await?,
        ["partitions of table \"sales.t\" left out: their table is neither in the documents nor in the catalog 0"]
    );
    import(&to, &others.join("\n"), IfExists::Fail).await?;
    assert_eq!(import(&to, partitions[0], IfExists::Fail).await?, ["partitions of table \"sales.t\" created 3"]);
    assert_eq!(all(&to).await, all(&from).await);
    assert_eq!(import(&to, partitions[0], IfExists::Skip).await?, ["partitions of table \"sales.t\" created 0"]);
    assert_eq!(import(&to, partitions[0], IfExists::Replace).await?, ["partitions of table \"sales.t\" created 3"]);
    Ok(())
}
