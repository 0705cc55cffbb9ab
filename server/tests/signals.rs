//! `glaux serve` and signals: whenever one comes, the server ends in order, and in time.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

fn serve(data_dir: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_glaux"))
        .env_clear()
        .arg("--data-dir")
        .arg(data_dir)
        .args(["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Whether the process has something to do at SIGTERM other than to die.
#[cfg(target_os = "linux")]
fn hears(child: &Child) -> bool {
    const TERMINATE: u64 = 1 << (15 - 1);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & TERMINATE != 0
}

#[cfg(target_os = "linux")]
fn wait_until_it_hears(child: &mut Child) {
    while !hears(child) {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
}

fn ended_well(status: ExitStatus) {
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_is_heard_before_anybody_can_connect() {
    let folder = TempDir::new().unwrap();
    let mut child = serve(folder.path(), &[]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.find(|line| line.as_ref().unwrap().starts_with("glaux: Flight SQL on ")).unwrap().unwrap();
    assert!(hears(&child), "{first}");
    send(&child, rustix::process::Signal::TERM);
    ended_well(child.wait().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_a_server_that_is_still_starting() {
    let folder = TempDir::new().unwrap();
    // A catalog that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let catalog = format!("grpc://{}", silent.local_addr().unwrap());
    let mut child = serve(folder.path(), &["--catalog", &catalog]);
    let _connection = silent.accept().unwrap();
    assert!(hears(&child));
    send(&child, rustix::process::Signal::TERM);
    ended_well(child.wait().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_signal_ends_a_server_whose_threads_do_not_listen() {
    let folder = TempDir::new().unwrap();
    // Its main thread waits for a writer of its configuration.
    let config = folder.path().join("glaux.toml");
    let made = Command::new("mkfifo").arg(&config).status().unwrap();
    assert!(made.success());
    let mut child = serve(&folder.path().join("data"), &["--config", config.to_str().unwrap()]);
    wait_until_it_hears(&mut child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    send(&child, rustix::process::Signal::TERM);
    send(&child, rustix::process::Signal::INT);
    ended_well(child.wait().unwrap());
    assert!(lines.next().is_none(), "nothing was read of its configuration, which says what it logs");
}

#[test]
#[cfg(target_os = "linux")]
fn a_hangup_ends_nothing() {
    let folder = TempDir::new().unwrap();
    let mut child = serve(folder.path(), &[]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("glaux: HTTP on ")).unwrap().unwrap();
    send(&child, rustix::process::Signal::HUP);
    // Logged, since there is nothing to read again.
    lines.find(|line| line.as_ref().unwrap().contains("there is nothing to reload")).unwrap().unwrap();
    send(&child, rustix::process::Signal::TERM);
    ended_well(child.wait().unwrap());
}
