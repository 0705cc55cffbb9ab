//! What Linux tells of a process: its CPU time, memory and open files. It starts none, and ends only children that it is given.

use std::{fs, process::Child, time::Duration};

use crate::Result;

/// Ticks a second in which Linux counts CPU time for programs.
const TICKS: u64 = 100;

/// A child process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // What has ended already cannot be killed, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process by its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        Self(id)
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// CPU time of all its threads so far, user and system, to 10 ms.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name, which may hold anything, ends with the last parenthesis; the times are the 14th and 15th fields.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
        match ticks.as_slice() {
            [user, system] => Ok(Duration::from_millis((user + system) * 1000 / TICKS)),
            _ => Err("the system does not tell a process' CPU time".into()),
        }
    }

    /// The same, finer than 10 ms as long as no thread ends: the sum over the threads, or what [`Process::cpu`] says where that is more.
    pub(crate) fn fine_cpu(self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread that has just ended is no longer there.
            let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos += times.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanos).max(self.cpu()?.saturating_sub(Duration::from_millis(1000 / TICKS))))
    }

    /// Bytes of memory that are resident.
    pub(crate) fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most bytes that were resident since [`Process::reset_peak`].
    pub(crate) fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    pub(crate) fn reset_peak(self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    /// Files and sockets that are open.
    pub(crate) fn open_files(self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// How many files and sockets may be open.
    pub(crate) fn max_open_files(self) -> Result<usize> {
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
