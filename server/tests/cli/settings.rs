//! Values of flags, variables and the configuration: which holds, where it comes from, and what is wrong with it.

use super::*;

#[test]
fn settings_come_from_flags_environment_and_file() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("glaux.toml"), "[engine]\nmax_concurrent_queries = 3\n").unwrap();
    let shown =
        ok(&run(glaux(dir.path()).env("GLAUX__ENGINE__TARIFF", "free").args(["config", "show", "--memory-limit", "1GiB"])));
    let prices = "# tariff free@2026-11-01: 0 USD per TB";
    for line in ["engine.max_concurrent_queries = 3", "engine.memory_limit = 1073741824", "engine.tariff = \"free\"", prices] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    fs::write(dir.path().join("glaux.toml"), "[engine]\nmax_queries = 3\n").unwrap();
    let output = run(glaux(dir.path()).args(["sql", "-e", "SELECT 1"]));
    failed(&output, 2, "INVALID");
    assert!(err(&output).contains("engine.max_queries") && err(&output).contains("glaux.toml"), "{}", err(&output));
}

#[test]
fn settings_say_where_they_come_from() {
    let folder = TempDir::new().unwrap();
    let shown = ok(&run(glaux(folder.path()).args(["config", "show"])));
    let line = |shown: &str| shown.lines().find(|line| line.starts_with("engine.data_dir")).unwrap().to_owned();
    assert!(line(&shown).ends_with("# environment variable GLAUX_DATA_DIR"), "{}", line(&shown));
    let shown = ok(&run(glaux(folder.path()).arg("--data-dir").arg(folder.path()).args(["config", "show"])));
    assert!(line(&shown).ends_with("# flag --data-dir"), "{}", line(&shown));
    let shown = ok(&run(glaux(folder.path()).args(["config", "show", "--data-dir"]).arg(folder.path())));
    assert!(line(&shown).ends_with("# flag --data-dir"), "{}", line(&shown));
}

#[test]
fn configured_limits_are_no_sessions_to_widen() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("glaux.toml"), "[session]\nmax_scan = \"1MB\"\ntimeout = \"1m\"\n").unwrap();
    let denied = |sql: &str| failed(&run(glaux(folder.path()).args(["sql", "-e", sql])), 8, "DENIED");
    denied("SET SESSION max_scan = '2MB'");
    denied("SET SESSION max_scan = ''");
    denied("SET SESSION timeout = '1h'");
    let lowered = "SET SESSION max_scan = '1kB'; SET SESSION max_scan = '2kB'; RESET SESSION max_scan; SHOW SESSION";
    let shown = ok(&run(glaux(folder.path()).args(["sql", "--format", "csv", "-e", lowered])));
    assert!(shown.contains("max_scan,1000000,1000000,"), "{shown}");
}

#[test]
fn a_value_may_begin_with_a_hyphen() {
    let folder = TempDir::new().unwrap();
    let rows = |sql: &str| ok(&run(glaux(folder.path()).args(["sql", "--format", "csv", "-e", sql])));
    assert_eq!(rows("-- a comment\nSELECT 1 AS a"), "a\n1\n");
    failed(&run(glaux(folder.path()).args(["sql", "-e", "-1"])), 3, "SYNTAX");
}

#[test]
fn an_error_about_a_value_is_about_the_value() {
    let folder = TempDir::new().unwrap();
    for (arguments, said) in [
        (["sql", "--max-scan", "-1", "-e", "SELECT 1"].as_slice(), "\"-1\" is not a number of bytes"),
        (&["sql", "--timeout", "-1s", "-e", "SELECT 1"], "\"-1s\""),
        (&["demo", "--scale", "-1"], "\"-1\" is not a scale factor"),
    ] {
        let output = run(glaux(folder.path()).args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(said) && !err(&output).contains("unexpected argument"), "{}", err(&output));
    }
}

#[test]
fn an_empty_variable_names_no_data_directory() {
    let folder = TempDir::new().unwrap();
    let mut command = glaux(folder.path());
    let output = run(command.current_dir(folder.path()).env("GLAUX_DATA_DIR", "").args(["sql", "-e", "SELECT 1"]));
    ok(&output);
    assert!(folder.path().join("glaux-data").is_dir(), "{}", err(&output));
    let output = run(glaux(folder.path()).args(["--data-dir", "", "sql", "-e", "SELECT 1"]));
    failed(&output, 2, "INVALID");
    assert!(err(&output).contains("--data-dir is empty"), "{}", err(&output));
}

#[test]
fn a_hint_names_where_a_limit_is_set() {
    let sql = "SELECT sum(l_extendedprice) FROM lineitem_flat";
    let hint = |command: &mut Command| {
        let output = run(command.args(["sql", "-e", sql]));
        failed(&output, 9, "LIMIT_EXCEEDED");
        err(&output)
    };
    let said = hint(glaux(&demo_dir()).env("GLAUX__SESSION__MAX_SCAN", "1kB"));
    assert!(said.contains("session.max_scan is set by environment variable GLAUX__SESSION__MAX_SCAN"), "{said}");
    assert!(said.contains("SET SESSION max_scan only lowers it"), "{said}");
    let file = TempDir::new().unwrap();
    let file = file.path().join("limits.toml");
    fs::write(&file, "[session]\nmax_scan = \"1kB\"\n").unwrap();
    let said = hint(glaux(&demo_dir()).arg("--config").arg(&file));
    assert!(said.contains("limits.toml\", and --max-scan overrides it"), "{said}");
}

#[test]
fn a_limit_of_time_can_be_set_within_any_other() {
    let folder = TempDir::new().unwrap();
    ok(&run(glaux(folder.path()).args(["sql", "--timeout", "0.000001s", "-e", "SET SESSION timeout = '0.000001s'"])));
    ok(&run(glaux(folder.path()).args(["sql", "--timeout", "0.000001s", "-e", "RESET SESSION timeout"])));
}
