//! `glaux user`, as a person uses it: what it writes, what it refuses, and that it never shows a password or a hash.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

fn glaux(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_glaux"))
        .env_clear()
        .arg("--data-dir")
        .arg(dir)
        .arg("user")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}

#[test]
fn users_are_added_changed_listed_and_removed() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path();
    let run = |args: &[&str], input: &str, code: i32| {
        let output = glaux(dir, args, input);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(!text.contains("argon2") && !text.contains("secret"), "{args:?}: {text}");
        text
    };
    assert_eq!(run(&["list"], "", 0), "");
    let add = ["add", "ada", "--group", "x", "--group", "y", "--workgroup", "bi", "--password-stdin"];
    run(&add, "secret password\n", 0);
    assert!(run(&add, "secret password\n", 6).contains("\"ada\" already exists"));
    run(&["add", "bea", "--admin", "--password-stdin"], "secret7\n", 2);
    run(&["add", "bea", "--admin", "--password-stdin"], "", 2);
    run(&["add", "b:a", "--password-stdin"], "secret password\n", 2);
    assert!(run(&["add", "bea"], "secret password\n", 2).contains("--password-stdin"));
    run(&["add", "bea", "--admin", "--no-password"], "", 0);
    run(&["disable", "bea"], "", 0);
    assert_eq!(run(&["list"], "", 0), "ada\tgroups: x, y; workgroup: bi\nbea\tadministrator; no password; disabled\n");

    let hashes = || std::fs::read_to_string(dir.join("users.toml")).unwrap();
    let before = hashes();
    assert!(before.contains("$argon2id$") && !before.contains("secret"));
    run(&["passwd", "ada", "--password-stdin"], "secret another\n", 0);
    assert_ne!(hashes(), before);
    run(&["enable", "bea"], "", 0);
    run(&["remove", "ada"], "", 0);
    for command in ["remove", "disable", "enable", "passwd"] {
        run(&[command, "ada"], "", 5);
    }
    assert_eq!(run(&["list"], "", 0), "bea\tadministrator; no password\n");
}

#[test]
fn processes_that_add_at_once_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let names: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| assert!(glaux(folder.path(), &["add", name, "--no-password"], "").status.success()));
        }
    });
    assert_eq!(text(&glaux(folder.path(), &["list"], "")).lines().count(), names.len());
}
