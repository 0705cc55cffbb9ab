//! What Linux tells of a process: its CPU time, memory and open files. It starts and ends none.

use std::{fs, time::Duration};

use super::Result;

/// Ticks a second in which Linux counts CPU time for programs.
const TICKS: u64 = 100;

/// A process by its id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process(u32);

impl Process {
    pub(super) fn new(id: u32) -> Self {
        Self(id)
    }

    /// This process.
    pub(super) fn own() -> Self {
        Self(std::process::id())
    }

    /// CPU time of all its threads so far, user and system, to 10 ms.
    pub(super) fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name, which may hold anything, ends with the last parenthesis; the times are the 14th and 15th fields.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
        match ticks.as_slice() {
            [user, system] => Ok(Duration::from_millis((user + system) * 1000 / TICKS)),
            _ => Err("the system does not tell a process' CPU time".into()),
        }
    }

    /// Bytes of memory that are resident.
    pub(super) fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most bytes that were resident since [`Process::reset_peak`].
    pub(super) fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    pub(super) fn reset_peak(self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    /// Files and sockets that are open.
    pub(super) fn open_files(self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// How many files and sockets may be open.
    pub(super) fn max_open_files(self) -> Result<usize> {
        let limits = self.read("limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        soft.ok_or_else(|| "the system does not tell how many files may be open".into())
    }

    fn status(self, name: &str) -> Result<u64> {
        let status = self.read("status")?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| format!("the system does not tell a process' {name}").into())
    }

    fn read(self, file: &str) -> Result<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{file}", self.0))?)
    }
}
