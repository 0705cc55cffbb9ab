//! Results in files and pipes: all of them or nothing, as wide as they are, coloured only when that is asked for.

use super::*;

/// What lies in a folder, by name.
fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn results_go_into_a_file_in_the_form_of_its_ending() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sql = "SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, NULL ORDER BY 1";
    let written = |name: &str, arguments: &[&str]| {
        let file = folder.path().join(name);
        let printed = ok(&run(glaux(data.path()).args(["sql", "-e", sql, "-o"]).arg(&file).args(arguments)));
        assert_eq!(printed, "", "{name}");
        fs::read(file).unwrap()
    };
    assert_eq!(written("r.csv", &[]), b"id,name\n1,a\n2,\n");
    assert_eq!(written("r.json", &[]), b"{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":null}\n");
    assert_eq!(written("r.txt", &[]), b" id | name\n----+------\n  1 | a\n  2 | NULL\n");
    assert_eq!(written("r.csv.txt", &["--format", "csv"]), b"id,name\n1,a\n2,\n");
    let parquet = written("r.parquet", &[]);
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    assert!(written("r.arrow", &[]).starts_with(&[0xff; 4]));
    assert_eq!(entries(folder.path()), ["r.arrow", "r.csv", "r.csv.txt", "r.json", "r.parquet", "r.txt"]);
}

#[test]
fn several_results_follow_one_another_in_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("r.csv");
    ok(&run(glaux(&folder.path().join("data")).args(["sql", "-e", "SELECT 1 AS a", "-e", "SELECT 2 AS b", "-o"]).arg(&file)));
    assert_eq!(fs::read_to_string(&file).unwrap(), "a\n1\nb\n2\n");
}

#[test]
fn a_failure_leaves_the_old_file_and_nothing_else() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = folder.path().join("r.csv");
    let sql = |sql: &str| run(glaux(data.path()).args(["sql", "-e", sql, "-o"]).arg(&file));
    failed(&sql("SELECT 1 AS a; SELECT * FROM absent"), 5, "NOT_FOUND");
    assert!(entries(folder.path()).is_empty());
    fs::write(&file, "old").unwrap();
    failed(&sql("SELECT 1 AS a; SELECT * FROM absent"), 5, "NOT_FOUND");
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), entries(folder.path())), ("old", vec!["r.csv".to_owned()]));
    ok(&sql("SELECT 1 AS a"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "a\n1\n");
    failed(&run(glaux(data.path()).args(["sql", "-e", "SELECT 1", "-o"]).arg(folder.path())), 2, "INVALID");
    failed(&run(glaux(data.path()).args(["sql", "-e", "SELECT 1", "-o", "/absent/r.csv"])), 5, "NOT_FOUND");
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_behind() {
    use rustix::process::{Pid, Signal, kill_process};

    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("r.csv");
        let mut child = glaux(&demo_dir())
            .args(["sql", "-e", ENDLESS, "-o"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let is_written = || {
            let mut files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata());
            files.any(|metadata| metadata.is_ok_and(|metadata| metadata.len() > 0))
        };
        while !is_written() {
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(!file.exists(), "it is not whole yet");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", err(&output));
        assert!(entries(folder.path()).is_empty(), "{:?}", entries(folder.path()));
    }
}

#[test]
fn nothing_is_cut_without_a_terminal() {
    let data = TempDir::new().unwrap();
    let long = "x".repeat(500);
    let columns: Vec<String> = (0..40).map(|n| format!("'{long}' AS a_rather_long_name_{n}")).collect();
    let printed =
        ok(&run(glaux(data.path()).env("COLUMNS", "80").args(["sql", "-e", &format!("SELECT {}", columns.join(", "))])));
    assert_eq!(printed.matches(&long).count(), 40);
    assert!(!printed.contains('\u{2026}'));
}

#[test]
fn rows_become_records() {
    let data = TempDir::new().unwrap();
    let sql = "SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, NULL ORDER BY 1";
    let expected = "-[ record 1 ]\nid   | 1\nname | a\n-[ record 2 ]\nid   | 2\nname | NULL\n";
    assert_eq!(ok(&run(glaux(data.path()).args(["sql", "-x", "-e", sql]))), expected);
    assert_eq!(
        ok(&run(glaux(data.path()).args(["sql", "-x", "-e", "SELECT * FROM (VALUES 1) AS t (a) WHERE a > 1"]))),
        "(no rows)\n"
    );
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    let data = TempDir::new().unwrap();
    let colored = |command: &mut Command| {
        let output = run(command.args(["-e", "SELECT CAST(NULL AS integer) AS n; SELECT * FROM absent"]));
        (out(&output).contains('\x1b'), err(&output).contains('\x1b'))
    };
    assert_eq!(colored(glaux(data.path()).arg("sql")), (false, false));
    assert_eq!(colored(glaux(data.path()).args(["sql", "--color", "always"])), (true, true));
    assert_eq!(colored(glaux(data.path()).args(["--color", "never", "sql"])), (false, false));
    let csv = run(glaux(data.path()).args(["sql", "--color", "always", "--format", "csv", "-e", "SELECT 1 AS a"]));
    assert_eq!(ok(&csv), "a\n1\n");
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let data = TempDir::new().unwrap();
    for (shell, text) in [("bash", "complete -F _glaux"), ("zsh", "#compdef glaux"), ("fish", "complete -c glaux")] {
        let script = ok(&run(glaux(data.path()).args(["completions", shell])));
        assert!(script.contains(text) && script.contains("max-scan"), "{script}");
    }
    let page = ok(&run(glaux(data.path()).arg("man")));
    assert!(page.contains(".TH glaux") && page.contains("catalog"), "{page}");
    let page = ok(&run(glaux(data.path()).args(["man", "sql"])));
    assert!(page.contains("expanded") && page.contains(".SH OPTIONS"), "{page}");
    failed(&run(glaux(data.path()).args(["man", "nonsense"])), 5, "NOT_FOUND");
    assert!(entries(data.path()).is_empty());
}
