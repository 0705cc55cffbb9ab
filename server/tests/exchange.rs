//! `glaux catalog export`, `glaux catalog import` and `glaux crawl` as their users run them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The binary without the machine's own settings.
fn glaux(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glaux"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GLAUX") {
            command.env_remove(name);
        }
    }
    command.env("GLAUX_DATA_DIR", data_dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn ok(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "exit code {:?}\n{out}\n{err}", output.status.code());
    out.into_owned()
}

#[track_caller]
fn failed(output: &Output, code: i32, kind: &str) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    assert!(err.contains(&format!("error[{kind}]: ")), "{err}");
    err.into_owned()
}

#[test]
fn a_catalog_goes_through_files() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let sql = "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (k INT) STORED AS PARQUET LOCATION 's3://b/t/'; \
               ALTER TABLE t ADD PARTITION (k=1) PARTITION (k=2); CREATE VIEW v AS SELECT 1 AS one;";
    ok(&glaux(&from, &["sql", "-e", sql]));
    let file = dir.path().join("catalog.json");
    let file = file.to_str().unwrap();
    ok(&glaux(&from, &["catalog", "export", "-o", file]));
    failed(&glaux(&from, &["catalog", "export", "-o", file]), 6, "ALREADY_EXISTS");
    let printed = ok(&glaux(&to, &["catalog", "import", file]));
    assert_eq!(
        printed,
        "skipped database \"default\": it already exists\nimported table \"default.t\" (2 partitions)\nimported view \"default.v\"\n"
    );
    let ddl = |data: &Path| ok(&glaux(data, &["catalog", "export", "--format", "ddl"]));
    assert_eq!(ddl(&to), ddl(&from));
    let script = dir.path().join("catalog.sql");
    fs::write(&script, ddl(&from)).unwrap();
    ok(&glaux(&dir.path().join("third"), &["sql", script.to_str().unwrap()]));

    let error = failed(&glaux(&to, &["catalog", "import", file]), 6, "ALREADY_EXISTS");
    assert!(error.contains("--if-exists"), "{error}");
    ok(&glaux(&to, &["catalog", "import", "--if-exists", "replace", file]));
    failed(&glaux(&to, &["catalog", "export", "nothing"]), 5, "NOT_FOUND");
}

#[test]
fn what_cannot_be_imported_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tables.json");
    let tables = r#"{"TableList": [
        {"Name": "ice", "DatabaseName": "d", "Parameters": {"table_type": "ICEBERG"}, "TableType": "EXTERNAL_TABLE"},
        {"Name": "hive_view", "DatabaseName": "d", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "SELECT 1"},
        {"Name": "t", "DatabaseName": "d", "TableType": "EXTERNAL_TABLE", "StorageDescriptor":
            {"Columns": [{"Name": "a", "Type": "int"}], "Location": "s3a://b/t"}}], "NextToken": "x"}"#;
    fs::write(&file, tables).unwrap();
    let output = glaux(dir.path(), &["catalog", "import", file.to_str().unwrap()]);
    let error = failed(&output, 4, "UNSUPPORTED");
    assert!(error.contains("warning: 1 document") && error.contains("1 object could not be imported"), "{error}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("left out table \"d.ice\": it is an Iceberg table"), "{printed}");
    assert!(printed.contains("left out view \"d.hive_view\": it is a Hive view"), "{printed}");
    assert!(printed.contains("imported table \"d.t\""), "{printed}");
    let ddl = ok(&glaux(dir.path(), &["catalog", "export", "--format", "ddl", "d.t"]));
    assert!(ddl.contains("'s3://b/t/'"), "{ddl}");
    fs::write(&file, "no JSON").unwrap();
    failed(&glaux(dir.path(), &["catalog", "import", file.to_str().unwrap()]), 2, "INVALID");
    failed(&glaux(dir.path(), &["catalog", "import", "not there"]), 5, "NOT_FOUND");
}

#[test]
fn a_lake_is_crawled() {
    let dir = TempDir::new().unwrap();
    let lake = dir.path().join("lake/people/country=nz");
    fs::create_dir_all(&lake).unwrap();
    let rows = glaux(dir.path(), &["sql", "--format", "parquet", "-e", "SELECT 7 AS id, 'ada' AS name"]);
    fs::write(lake.join("a.parquet"), &rows.stdout).unwrap();
    let url = dir.path().join("lake");
    let url = url.to_str().unwrap();
    let crawl = |more: &[&str]| ok(&glaux(dir.path(), &[&["crawl", url, "--format", "csv"], more].concat()));
    let told = crawl(&["--dry-run"]);
    assert!(told.contains("people,table,people,new,") && told.contains("would be done"), "{told}");
    assert_eq!(ok(&glaux(dir.path(), &["sql", "--format", "csv", "-e", "SHOW TABLES"])), "tab_name\n");
    crawl(&[]);
    let query = "SELECT id, name, country FROM people";
    assert_eq!(ok(&glaux(dir.path(), &["sql", "--format", "csv", "-e", query])), "id,name,country\n7,ada,nz\n");
    assert!(crawl(&[]).contains(",none,"), "nothing differs");
    let stats = glaux(dir.path(), &["crawl", url, "--format", "csv", "--stats", "json", "--policy", "LOG"]);
    let figures: serde_json::Value = serde_json::from_slice(&stats.stderr).unwrap();
    assert_eq!(figures["usage"]["data_scanned_bytes"].as_u64().unwrap_or(0), 0, "{figures}");
    failed(&glaux(dir.path(), &["crawl", dir.path().join("lake/nothing").to_str().unwrap()]), 5, "NOT_FOUND");
}
