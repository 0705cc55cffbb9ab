//! The binary as its users run it: arguments, standard input and output, files, exit codes. Every test has a data directory of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod output;
mod settings;

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// A query on the demo with billions of rows, which begin to come at once.
const ENDLESS: &str = "SELECT a.l_orderkey AS k FROM lineitem_flat a CROSS JOIN lineitem_flat b";

/// The binary without the machine's own settings.
fn glaux(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glaux"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GLAUX") {
            command.env_remove(name);
        }
    }
    command.env("GLAUX_DATA_DIR", data_dir).env("USER", "ada").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The standard output of a command that succeeds.
#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "exit code {:?}\n{}\n{}", output.status.code(), out(output), err(output));
    out(output)
}

/// Fails unless the command ended with this code and an error of this kind.
#[track_caller]
fn failed(output: &Output, code: i32, kind: &str) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", out(output), err(output));
    assert!(err(output).contains(&format!("error[{kind}]: ")), "{}", err(output));
}

/// The objects of `--stats json` in some text, one a line.
fn stats(text: &str) -> Vec<Value> {
    text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A demo that all tests share, and what it printed.
fn demo() -> &'static (TempDir, String) {
    static DEMO: OnceLock<(TempDir, String)> = OnceLock::new();
    DEMO.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let target = dir.path().join("demo");
        let printed = ok(&run(glaux(dir.path()).args(["demo", "--scale", "0.01", "--dir"]).arg(&target)));
        (dir, printed)
    })
}

fn demo_dir() -> std::path::PathBuf {
    demo().0.path().join("demo")
}

/// The months that the demo has; a small one may lack the last, which has one day only.
fn months() -> usize {
    let children = |path: std::path::PathBuf| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    children(demo_dir().join("lake/lineitem")).into_iter().map(|year| children(year).len()).sum()
}

/// One statement on the demo, and its figures.
fn ask(sql: &str) -> (String, Value) {
    let output = run(glaux(&demo_dir()).args(["sql", "--format", "csv", "--stats", "json", "-e", sql]));
    let rows = ok(&output);
    (rows, stats(&err(&output)).pop().unwrap())
}

#[test]
fn statements_come_from_arguments_a_file_or_standard_input() {
    let dir = TempDir::new().unwrap();
    let csv = ["sql", "--format", "csv"];
    assert_eq!(
        ok(&run(glaux(dir.path()).args(csv).args(["-e", "SELECT 1 AS a; SELECT ';' AS b;", "-e", "SELECT 3 AS c"]))),
        "a\n1\nb\n;\nc\n3\n"
    );
    let file = dir.path().join("script.sql");
    fs::write(&file, "-- a comment; not a statement\nSELECT 'x' AS a;\n").unwrap();
    assert_eq!(ok(&run(glaux(dir.path()).args(csv).arg(&file))), "a\nx\n");
    assert_eq!(ok(&with_input(glaux(dir.path()).args(csv), "SELECT 2 AS a;")), "a\n2\n");
    assert_eq!(ok(&with_input(glaux(dir.path()).args(csv).arg("-"), "SELECT 4 AS a")), "a\n4\n");
}

#[test]
fn results_come_in_the_form_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let sql = "SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, NULL ORDER BY 1";
    let as_format = |format: &str| run(glaux(dir.path()).args(["sql", "-e", sql, "--format", format]));
    assert_eq!(ok(&as_format("table")), " id | name\n----+------\n  1 | a\n  2 | NULL\n");
    assert_eq!(ok(&as_format("json")), "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":null}\n");
    let csv = |sql: &str| ok(&run(glaux(dir.path()).args(["sql", "--format", "csv", "-e", sql])));
    // A column without a type of its own too.
    assert_eq!(csv("SELECT 1 AS a, NULL AS b, '' AS c"), "a,b,c\n1,,\"\"\n");
    assert_eq!(csv("SELECT a, CAST(NULL AS varchar) AS b FROM (VALUES NULL, NULL) AS t (a)"), "a,b\n,\n,\n");
    let parquet = as_format("parquet").stdout;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    assert!(as_format("arrow").stdout.starts_with(&[0xff; 4]), "an IPC stream begins with its continuation marker");
    failed(&run(glaux(dir.path()).args(["sql", "--format", "parquet", "-e", "SELECT 1; SELECT 2"])), 2, "INVALID");
}

#[test]
fn a_script_stops_at_its_first_failure_with_that_failures_code() {
    let dir = TempDir::new().unwrap();
    let output =
        run(glaux(dir.path()).args(["sql", "--format", "csv", "-e", "SELECT 1 AS a;\nSELECT * FROM absent;\nSELECT 3 AS c"]));
    failed(&output, 5, "NOT_FOUND");
    assert_eq!(out(&output), "a\n1\n");
    assert!(err(&output).contains("absent") && err(&output).contains("line \"2\""), "{}", err(&output));
    failed(&run(glaux(dir.path()).args(["sql", "-e", "SELEC 1"])), 3, "SYNTAX");
    failed(&run(glaux(dir.path()).args(["sql", "absent.sql"])), 5, "NOT_FOUND");
    failed(&run(glaux(dir.path()).args(["--catalog", "grpc://127.0.0.1:1", "sql", "-e", "SELECT 1"])), 11, "UNAVAILABLE");
    failed(&run(glaux(dir.path()).args(["--catalog", "elsewhere", "sql", "-e", "SELECT 1"])), 2, "INVALID");
    assert_eq!(run(glaux(dir.path()).args(["sql", "--format", "xml"])).status.code(), Some(2));
}

#[test]
fn the_statistics_are_one_object_a_statement() {
    let dir = TempDir::new().unwrap();
    let output = run(glaux(dir.path()).args(["sql", "--stats", "json", "-e", "SELECT 1; SELECT 2"]));
    ok(&output);
    let objects = stats(&err(&output));
    assert_eq!(objects.len(), 2);
    let names = [
        "query_id",
        "state",
        "data_scanned_bytes",
        "metadata_bytes",
        "fetched_bytes",
        "billed_bytes",
        "cost_usd",
        "cost",
        "tariff",
        "requests",
        "partitions",
        "files",
        "row_groups",
        "rows",
        "timings_ms",
    ];
    for name in names {
        assert!(objects[0].get(name).is_some(), "{name} is missing");
    }
    assert_eq!((&objects[0]["state"], &objects[0]["rows"]), (&"SUCCEEDED".into(), &1.into()));

    let file = dir.path().join("stats.json");
    let output = run(glaux(dir.path()).args(["sql", "-e", "SELECT 1; SELECT * FROM absent", "--stats-file"]).arg(&file));
    failed(&output, 5, "NOT_FOUND");
    assert!(stats(&err(&output)).is_empty());
    let objects = stats(&fs::read_to_string(&file).unwrap());
    assert_eq!(objects.iter().map(|object| object["state"].as_str().unwrap()).collect::<Vec<_>>(), ["SUCCEEDED", "FAILED"]);
    assert_eq!(objects[1]["cost_usd"], "0");

    let text = err(&run(glaux(dir.path()).args(["sql", "--stats", "text", "-e", "SELECT 1"])));
    assert!(text.starts_with("1 row in "), "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = glaux(&demo_dir())
        .args(["sql", "--format", "csv", "-e", ENDLESS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output).as_str(), &first), (Some(0), "", b"k\n"));
}

#[test]
fn the_catalog_is_backed_up_checked_and_restored() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    failed(&run(glaux(&data).args(["catalog", "check"])), 5, "NOT_FOUND");
    assert!(!data.exists(), "looking after a catalog creates none");

    ok(&run(glaux(&data).args(["sql", "-e", "CREATE DATABASE sales"])));
    let copy = dir.path().join("copy.sqlite");
    ok(&run(glaux(&data).args(["catalog", "backup"]).arg(&copy)));
    failed(&run(glaux(&data).args(["catalog", "backup"]).arg(&copy)), 6, "ALREADY_EXISTS");
    ok(&run(glaux(&data).args(["sql", "-e", "DROP DATABASE sales"])));
    assert!(!ok(&run(glaux(&data).args(["sql", "-e", "SHOW DATABASES"]))).contains("sales"));
    ok(&run(glaux(&data).args(["catalog", "restore"]).arg(&copy)));
    assert!(ok(&run(glaux(&data).args(["sql", "-e", "SHOW DATABASES"]))).contains("sales"));
    assert!(ok(&run(glaux(&data).args(["catalog", "check"]))).starts_with("ok"));
}

#[test]
fn a_new_catalog_is_never_made_without_a_word() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("misspelt");
    let exported = run(glaux(&data).args(["catalog", "export"]));
    failed(&exported, 5, "NOT_FOUND");
    assert!(!data.exists(), "an export creates none");

    let shown = |output: &Output| {
        ok(output);
        err(output).lines().filter(|line| line.contains("catalog")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = shown(&run(glaux(&data).args(["sql", "-e", "SHOW TABLES"])));
    let created = format!("note: created a new, empty catalog in \"{}\"", data.display());
    assert!(first.len() == 1 && first[0].starts_with(&created) && first[0].contains("--data-dir"), "{first:?}");
    assert_eq!(shown(&run(glaux(&data).args(["sql", "-e", "SHOW TABLES"]))), [""; 0]);
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    let absent = dir.path().join("absent");
    assert!(ok(&run(glaux(&absent).arg("doctor"))).contains("does not exist yet"));
    assert!(!absent.exists());

    let healthy = ok(&run(glaux(&demo_dir()).arg("doctor")));
    assert!(
        healthy.contains("0 failures") && healthy.contains("is whole") && healthy.contains("3 locations listed"),
        "{healthy}"
    );

    fs::write(dir.path().join("glaux.toml"), "nonsense = 1").unwrap();
    let output = run(glaux(dir.path()).arg("doctor"));
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("fail  configuration") && out(&output).contains("1 failure"), "{}", out(&output));

    fs::remove_file(dir.path().join("glaux.toml")).unwrap();
    fs::write(dir.path().join("catalog.sqlite"), "this is no database, whatever its name says".repeat(100)).unwrap();
    let output = run(glaux(dir.path()).arg("doctor"));
    assert_eq!(output.status.code(), Some(12), "{}", out(&output));
    assert!(out(&output).contains("fail  catalog"), "{}", out(&output));
}

#[test]
fn the_doctor_names_endpoints_and_where_credentials_come_from() {
    let dir = TempDir::new().unwrap();
    let settings = "[storage.buckets.lake]\nendpoint = \"http://127.0.0.1:1\"\nallow_http = true\nmax_retries = 0\n";
    fs::write(dir.path().join("glaux.toml"), settings).unwrap();
    let mut command = glaux(dir.path());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "secret");
    let output = run(command.arg("doctor"));
    assert!(out(&output).contains("fail  s3://lake"), "{}", out(&output));
    let origin = "endpoint: http://127.0.0.1:1 (endpoint in [storage.buckets.lake]); \
                  credentials: the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    assert!(out(&output).contains(origin), "{}", out(&output));
}

#[test]
fn the_demo_shows_what_partitions_save() {
    let (_, printed) = demo();
    // All of it is below the least that a query is billed for.
    let same = "Both cost the same: a query that scans less than 10 MB is billed for 10 MB.";
    for text in ["Both layouts gave the same rows", "times less", "lineitem_flat", "glaux --data-dir", same, "demo --scale 1"] {
        assert!(printed.contains(text), "{text} is not in\n{printed}");
    }
    assert!(demo_dir().join("lake/lineitem/ship_year=1995/ship_month=3").is_dir());
    assert!(demo_dir().join("lake/orders/order_year=1995").is_dir());
}

#[cfg(unix)]
#[test]
fn the_demo_ends_with_commands_that_run_as_they_stand() {
    let (dir, printed) = demo();
    let (_, commands) = printed.split_once("Go on:\n").unwrap();
    let commands: Vec<_> = commands.lines().map(str::trim).collect();
    assert!(commands.len() == 3 && commands[0].ends_with(" sql"), "{printed}");
    // The program is not on the path.
    let empty = dir.path().join("empty");
    for (command, rows) in commands.into_iter().zip([0, months(), 7]) {
        let output = Command::new("/bin/sh").args(["-c", command]).env("PATH", &empty).stdin(Stdio::null()).output().unwrap();
        assert_eq!(ok(&output).lines().count().saturating_sub(2), rows, "{command}\n{}", out(&output));
        if command.contains("--stats") {
            assert!(err(&output).contains("; billed 10 MB"), "{}", err(&output));
        }
    }
}

#[test]
fn a_month_of_the_demo_is_billed_for_its_partition_only() {
    let (rows, month) =
        ask("SELECT sum(l_extendedprice) AS price, count(*) AS n FROM lineitem WHERE ship_year = 1995 AND ship_month = 3");
    let (flat_rows, flat) = ask("SELECT sum(l_extendedprice) AS price, count(*) AS n FROM lineitem_flat \
         WHERE l_shipdate >= DATE '1995-03-01' AND l_shipdate < DATE '1995-04-01'");
    assert_eq!(rows, flat_rows);
    assert_eq!(month["partitions"], serde_json::json!({"scanned": 1, "total": months()}));
    assert_eq!(month["files"], serde_json::json!({"scanned": 1, "total": 1}));
    let scanned = |stats: &Value| stats["data_scanned_bytes"].as_u64().unwrap();
    assert!(scanned(&month) > 0 && scanned(&month) * 40 < scanned(&flat), "{month}\n{flat}");
    assert_eq!((&month["billed_bytes"], &month["cost_usd"]), (&10_000_000.into(), &"0.00005".into()));
}

#[test]
fn the_rows_of_a_partition_are_counted_without_scanning() {
    let (rows, usage) = ask("SELECT count(*) AS n FROM lineitem WHERE ship_year = 1995 AND ship_month = 3");
    assert!(rows.lines().nth(1).unwrap().parse::<u64>().unwrap() > 100);
    assert_eq!((&usage["data_scanned_bytes"], &usage["cost_usd"]), (&0.into(), &"0".into()));
}

#[test]
fn a_limit_of_bytes_ends_a_query() {
    let sql = "SELECT sum(l_extendedprice) FROM lineitem_flat";
    let output = run(glaux(&demo_dir()).args(["sql", "--max-scan", "1kB", "--stats", "text", "-e", sql]));
    failed(&output, 9, "LIMIT_EXCEEDED");
    // It stops before the read that would go beyond the limit: nothing was scanned, and no line says otherwise.
    let said = err(&output);
    assert!(said.contains("scanned 0 B") && said.contains("the query would scan more than its limit of 1000 bytes"), "{said}");
}

#[test]
fn the_demo_uses_its_lake_again_replaces_it_for_another_scale_and_spares_others() {
    let dir = TempDir::new().unwrap();
    let again = |scale: &str| run(glaux(dir.path()).args(["demo", "--scale", scale, "--dir"]).arg(dir.path().join("d")));
    assert!(ok(&again("0.001")).contains("Generating"));
    assert!(ok(&again("0.001")).contains("Using the lake"));
    assert!(ok(&again("0.002")).contains("Generating"));
    let entries: Vec<_> = fs::read_dir(dir.path().join("d")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!entries.iter().any(|name| name.to_string_lossy().starts_with("lake.")), "{entries:?}");

    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/thesis.txt"), "dear").unwrap();
    failed(&run(glaux(dir.path()).args(["demo", "--dir"]).arg(dir.path().join("mine"))), 6, "ALREADY_EXISTS");
    assert_eq!(fs::read_dir(dir.path().join("mine")).unwrap().count(), 1);
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let dir = TempDir::new().unwrap();
    for command in [&["--help"][..], &["sql", "--help"], &["demo", "--help"], &["catalog", "--help"], &["doctor", "--help"]] {
        let help = ok(&run(glaux(dir.path()).args(command)));
        assert!(help.contains("Examples:"), "{command:?}\n{help}");
    }
    assert!(ok(&run(glaux(dir.path()).args(["sql", "--help"]))).contains("Exit codes:"));
}

#[test]
fn what_no_decoder_foresaw_is_an_error_of_its_file_and_nothing_else() {
    let data = TempDir::new().unwrap();
    let lake = data.path().join("lake");
    fs::create_dir(&lake).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/odd_list_of_decimals.parquet");
    fs::copy(fixture, lake.join("a.parquet")).unwrap();
    let create = format!(
        "CREATE EXTERNAL TABLE odd (numbers ARRAY<DECIMAL(9,2)>) STORED AS PARQUET LOCATION '{}/'; SELECT * FROM odd",
        lake.display()
    );
    let output = run(glaux(data.path()).env("RUST_BACKTRACE", "1").args(["sql", "-e", &create]));
    failed(&output, 12, "CORRUPT_DATA");
    assert!(err(&output).contains("lake/a.parquet"), "{}", err(&output));
    assert!(!err(&output).contains("panicked") && !err(&output).contains("backtrace"), "{}", err(&output));
}

/// Ctrl-C as a terminal sends it.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_query_and_ends_with_130() {
    let mut child = glaux(&demo_dir())
        .args(["sql", "--format", "csv", "-e", ENDLESS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first rows tell that the query runs.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 64]).unwrap();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    let output = child.wait_with_output().unwrap();
    failed(&output, 130, "CANCELLED");
}

#[test]
fn a_join_that_computes_without_end_obeys_its_time_limit() {
    let data = TempDir::new().unwrap();
    let endless =
        "SELECT count(*) AS c FROM generate_series(1, 100000) AS a (x), generate_series(1, 10000000) AS b (y) WHERE x + y < 0";
    failed(&run(glaux(data.path()).args(["sql", "--timeout", "300ms", "-e", endless])), 15, "TIMED_OUT");
}

#[test]
fn an_error_of_a_script_has_one_place() {
    let folder = TempDir::new().unwrap();
    let said = |sql: &str| err(&run(glaux(folder.path()).args(["sql", "-e", sql])));
    assert!(said("SELECT 1;\n  SELEC 2").contains("error[SYNTAX]: line 2:3: "), "{}", said("SELECT 1;\n  SELEC 2"));
    assert!(!said("SELECT 1;\n  SELEC 2").contains("line \"2\""));
    assert!(said("-- one\nSELECT\n  1 + FROM x").contains("line 3:7: "), "{}", said("-- one\nSELECT\n  1 + FROM x"));
}

#[test]
fn a_script_that_is_not_utf_8_is_refused_by_its_name() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("bad.sql");
    fs::write(&script, b"SELECT 1;\nSELECT '\xe9';\n").unwrap();
    let output = run(glaux(folder.path()).arg("sql").arg(&script));
    failed(&output, 2, "INVALID");
    assert!(err(&output).contains("bad.sql\" is not UTF-8: line 2 "), "{}", err(&output));
}
