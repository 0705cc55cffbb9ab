//! Figures of the process itself, by Prometheus' usual names: memory, open files, threads, age, tasks. What a system does not report is left out.

use std::time::Duration;

use metrics::{Unit, describe_gauge, gauge};

/// Sets the gauges as they are now.
pub(super) fn gauges(uptime: Duration, runtime: Option<&tokio::runtime::Handle>) {
    if let Some(bytes) = status("VmRSS:").map(|kibibytes| kibibytes * 1024) {
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    if let Some(threads) = status("Threads:") {
        gauge!("process_threads").set(threads as f64);
    }
    if let Some(files) = open_files() {
        gauge!("process_open_fds").set(files as f64);
    }
    gauge!("glaux_uptime_seconds").set(uptime.as_secs_f64());
    gauge!("glaux_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if let Some(runtime) = runtime {
        gauge!("glaux_tasks").set(runtime.metrics().num_alive_tasks() as f64);
    }
}

pub(super) fn describe() {
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory of the process that is resident.");
    describe_gauge!("process_threads", "Threads of the process.");
    describe_gauge!("process_open_fds", "Files and sockets that the process has open.");
    describe_gauge!("glaux_uptime_seconds", Unit::Seconds, "How long the server has been up.");
    describe_gauge!("glaux_build_info", "1, with the version as a label.");
    describe_gauge!("glaux_tasks", "Tasks of the runtime that are alive.");
}

/// A line of Linux's account of this process.
fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Files and sockets that are open, but for the folder that is being read.
fn open_files() -> Option<usize> {
    let files = std::fs::read_dir("/proc/self/fd").ok()?;
    Some(files.count().saturating_sub(1))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_memory_threads_and_files() {
        let before = open_files().unwrap();
        assert!(status("VmRSS:").unwrap() > 100 && status("Threads:").unwrap() >= 1 && before >= 3);
        assert_eq!(status("Nonsense:"), None);
    }
}
