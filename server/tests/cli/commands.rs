//! The commands with a backslash, in scripts.

use super::*;

/// A script on standard input, with results as CSV.
fn script(folder: &Path, text: &str) -> Output {
    with_input(glaux(&folder.join("data")).current_dir(folder).args(["sql", "--format", "csv"]), text)
}

#[test]
fn scripts_may_have_commands() {
    let folder = TempDir::new().unwrap();
    let text = "\\format json\nSELECT 1 AS a;\n\\format csv; \\timing\nSELECT\n  2 AS b;\n\\format table\n\\x on\nSELECT 3 AS c";
    let output = script(folder.path(), text);
    assert_eq!(ok(&output), "{\"a\":1}\nb\n2\n-[ record 1 ]\nc | 3\n");
    for said in ["format is json", "timing is on", "time: ", "expanded display is on"] {
        assert!(err(&output).contains(said), "{said} is not in\n{}", err(&output));
    }
    // As an argument, too.
    let listed = ok(&run(glaux(&folder.path().join("data")).args(["sql", "-e", "\\?"])));
    assert!(listed.contains("\\watch [SECONDS]") && listed.contains("\\d [TABLE]"), "{listed}");
    assert_eq!(
        ok(&script(folder.path(), "CREATE DATABASE sales;\n\\l\n")).lines().skip(1).collect::<Vec<_>>(),
        ["default", "sales"]
    );
}

#[test]
fn leaving_ends_a_script() {
    let folder = TempDir::new().unwrap();
    for word in ["\\q", "exit", "QUIT;"] {
        assert_eq!(ok(&script(folder.path(), &format!("SELECT 1 AS a;\n{word}\nSELECT * FROM absent"))), "a\n1\n", "{word}");
    }
    // A word within a statement is none of them.
    assert_eq!(ok(&script(folder.path(), "SELECT 1 AS\nexit\n;\n\\q")), "exit\n1\n");
}

#[test]
fn files_run_one_another() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("inner.sql"), "SELECT 2 AS b;\n\\q\nSELECT * FROM absent;\n").unwrap();
    fs::write(folder.path().join("outer file.sql"), "SELECT 1 AS a;\n\\i inner.sql\nSELECT 3 AS c\n").unwrap();
    assert_eq!(ok(&script(folder.path(), "\\i 'outer file.sql'\nSELECT 4 AS d;")), "a\n1\nb\n2\nc\n3\nd\n4\n");
    fs::write(folder.path().join("self.sql"), "\\i self.sql\n").unwrap();
    failed(&script(folder.path(), "\\i self.sql"), 2, "INVALID");
}

#[test]
fn an_error_in_a_file_names_the_file_and_its_line() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("bad.sql"), "SELECT 1 AS a;\n\n  SELEC 2;\n").unwrap();
    let output = script(folder.path(), "SELECT 0 AS z;\nSELECT 0 AS z;\n\\i bad.sql\n");
    failed(&output, 3, "SYNTAX");
    let said = err(&output);
    assert!(said.contains("error[SYNTAX]: line 3:3: ") && said.contains("file \"bad.sql\", line \"3\""), "{said}");
    let output = script(folder.path(), "SELECT 0 AS z;\n\\i absent.sql\n");
    failed(&output, 5, "NOT_FOUND");
    assert!(err(&output).contains("absent.sql") && err(&output).contains("line \"2\""), "{}", err(&output));
}

#[test]
fn results_go_into_files_and_back() {
    let folder = TempDir::new().unwrap();
    let output = script(
        folder.path(),
        "\\o r.csv\nSELECT 1 AS a;\nSELECT 2 AS b;\n\\o\nSELECT 3 AS c;\n\\o s.parquet\n\\format parquet\nSELECT 4 AS d;",
    );
    assert_eq!(ok(&output), "c\n3\n");
    assert_eq!(fs::read_to_string(folder.path().join("r.csv")).unwrap(), "a\n1\nb\n2\n");
    assert!(fs::read(folder.path().join("s.parquet")).unwrap().ends_with(b"PAR1"));
    let collected =
        with_input(glaux(&folder.path().join("data")).current_dir(folder.path()).args(["sql", "-o", "all.csv"]), "\\o x");
    failed(&collected, 2, "INVALID");
    assert!(!folder.path().join("all.csv").exists() && !folder.path().join("x").exists());
}

#[test]
fn mistakes_in_commands_are_explained() {
    let folder = TempDir::new().unwrap();
    for (command, said) in [
        ("\\foramt csv", "Did you mean \\format?"),
        ("\\nonsense", "\\? lists the commands"),
        ("\\format xml", "Choose one of table, csv, json, parquet, arrow"),
        ("\\watch", "Run one first"),
        ("\\watch soon", "from 0.1 to 86400"),
        ("\\i", "\\i report.sql"),
        ("\\e", "\\i FILE runs a file"),
        ("\\q now", "takes no argument"),
    ] {
        let output = script(folder.path(), command);
        failed(&output, 2, "INVALID");
        assert!(err(&output).contains(said), "{command}: {}", err(&output));
    }
}

#[cfg(unix)]
#[test]
fn watching_runs_a_statement_until_ctrl_c() {
    let folder = TempDir::new().unwrap();
    let mut child = glaux(&folder.path().join("data"))
        .args(["sql", "--format", "csv", "-e", "SELECT 1 AS a", "-e", "\\watch 0.1", "-e", "SELECT 2 AS b"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = [0; 12];
    child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"a\n1\na\n1\na\n1\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", err(&output));
    assert!(!out(&output).contains('b') && err(&output).contains("every 0.1 s until Ctrl-C"), "{}", err(&output));
}
