//! The binary killed (SIGKILL) in the middle of its work: the catalog opens again with every definition that was acknowledged, whole, and
//! nothing half done.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

fn glaux(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glaux"));
    command.env("GLAUX_DATA_DIR", data_dir).env_remove("GLAUX_CONFIG").args(["sql", "--format", "csv", "--stats", "none"]);
    command
}

/// What a query gives, a line a row, without the header.
fn lines(data_dir: &Path, sql: &str) -> Vec<String> {
    let output = glaux(data_dir).args(["-e", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect()
}

fn is_sound(data_dir: &Path) {
    let check =
        Command::new(env!("CARGO_BIN_EXE_glaux")).arg("--data-dir").arg(data_dir).args(["catalog", "check"]).output().unwrap();
    assert!(check.status.success(), "{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
}

/// Runs a script, and kills the process once it has answered that many of its `SELECT <number>` marks; the rest of the script is in its
/// hands by then. Returns the last mark that was answered.
fn killed_after(data_dir: &Path, script: &str, marks: usize) -> usize {
    let file = data_dir.with_extension("sql");
    fs::write(&file, script).unwrap();
    let mut child: Child =
        glaux(data_dir).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut answered = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(mark) = line.unwrap().strip_prefix("mark ") {
            answered = mark.parse().unwrap();
            if answered >= marks {
                break;
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    answered
}

#[test]
fn acknowledged_definitions_survive_and_no_statement_is_half_done() {
    for marks in [1, 4, 9] {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let mut script = String::from(
            "CREATE EXTERNAL TABLE t (n INT) PARTITIONED BY (p INT, q INT) STORED AS PARQUET LOCATION '/lake/t/';\nSELECT 'mark 0' AS m;\n",
        );
        for step in 1..40 {
            // One statement: three partitions, all or none.
            let add = (0..3).map(|q| format!("PARTITION (p = {step}, q = {q})")).collect::<Vec<_>>().join(" ");
            script += &format!("ALTER TABLE t ADD {add};\n");
            script += &format!("CREATE EXTERNAL TABLE t{step} (n INT) STORED AS PARQUET LOCATION '/lake/t{step}/';\n");
            script += &format!("SELECT 'mark {step}' AS m;\n");
        }
        let answered = killed_after(&data, &script, marks);
        is_sound(&data);
        let partitions = lines(&data, "SHOW PARTITIONS t");
        let tables = lines(&data, "SHOW TABLES");
        assert_eq!(partitions.len() % 3, 0, "{partitions:?}");
        assert!(partitions.len() >= answered * 3, "{answered} were acknowledged, {} are there", partitions.len() / 3);
        for step in 1..=answered {
            assert!(tables.contains(&format!("t{step}")), "table t{step} was acknowledged");
        }
        assert!(tables.len() <= partitions.len() / 3 + 1, "a table without the statement before it");
    }
}

#[test]
fn a_repair_that_is_killed_adds_all_or_nothing_and_can_be_run_again() {
    let folder = TempDir::new().unwrap();
    let (data, lake) = (folder.path().join("data"), folder.path().join("lake"));
    for partition in 0..300 {
        let directory = lake.join(format!("p={partition}"));
        fs::create_dir_all(&directory).unwrap();
        fs::File::create(directory.join("a.parquet")).unwrap().write_all(b"never read").unwrap();
    }
    let script = format!(
        "CREATE EXTERNAL TABLE t (n INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}/';\nSELECT 'mark 1' AS m;\nMSCK REPAIR TABLE t;\n",
        lake.display()
    );
    assert_eq!(killed_after(&data, &script, 1), 1);
    is_sound(&data);
    let found = lines(&data, "SHOW PARTITIONS t").len();
    assert!(found == 0 || found == 300, "{found} partitions of 300");
    lines(&data, "MSCK REPAIR TABLE t");
    assert_eq!(lines(&data, "SHOW PARTITIONS t").len(), 300);
}

#[test]
fn a_query_that_is_killed_is_told_as_failed() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let endless = "SELECT 'mark 1' AS m;\nSELECT count(*) AS c FROM generate_series(1, 100000) a CROSS JOIN generate_series(1, 10000000) b;\n";
    killed_after(&data, endless, 1);
    let endings = lines(
        &data,
        "SELECT DISTINCT state || ' ' || ending FROM system.queries WHERE statement LIKE '%CROSS JOIN%' AND statement NOT LIKE '%system.queries%'",
    );
    // The kill may have come before the second statement was taken in.
    assert!(endings.is_empty() || endings == ["FAILED interrupted"], "{endings:?}");
}
