//! Who is measured: each in a process of its own, so that its CPU time and memory are its own and the endpoint's are not. They are spoken to in
//! lines of JSON: `start`, `open` (a table) and `run` (a query) are asked, and each is answered with one line.
//!
//! Glaux and DataFusion are this program, started again (`role`); the others are a script for Python.

mod datafusion;
mod glaux;
pub(crate) mod role;

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use arrow::array::RecordBatch;
use serde_json::{Value, json};

use crate::{Result, process::Ended};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Streams, threads: what each may use.
pub(crate) const CORES: usize = 2;

/// A table as a contestant defines it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Columns in the files, with their types in Hive's words.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// Partition keys, with theirs.
    pub(crate) keys: &'static [(&'static str, &'static str)],
    /// Which files, for those who do not find them by themselves.
    pub(crate) glob: &'static str,
}

/// Who can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Glaux,
    /// DataFusion's ListingTable with default settings, and with what its settings allow: 32 streams, caches that hold everything,
    /// filters pushed down or not.
    DataFusion,
    Tuned,
    TunedPushdown,
    DuckDb,
    Polars,
    ChDb,
}

impl Who {
    pub(crate) const OURS: [Self; 4] = [Self::Glaux, Self::DataFusion, Self::Tuned, Self::TunedPushdown];
    pub(crate) const PEERS: [Self; 3] = [Self::DuckDb, Self::Polars, Self::ChDb];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Glaux => "glaux",
            Self::DataFusion => "datafusion",
            Self::Tuned => "datafusion-32",
            Self::TunedPushdown => "datafusion-32-pushdown",
            Self::DuckDb => "duckdb",
            Self::Polars => "polars",
            Self::ChDb => "chdb",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::OURS.into_iter().chain(Self::PEERS).find(|who| who.name() == name)
    }

    pub(crate) fn is_peer(self) -> bool {
        Self::PEERS.contains(&self)
    }
}

/// How contestants are started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    /// The endpoint's URL; absent for local files.
    pub(crate) endpoint: Option<String>,
    /// Python that has the peers' packages.
    pub(crate) python: Option<PathBuf>,
    /// Glaux's settings that are not the default: names, with dots between their parts, and values in JSON.
    pub(crate) options: Vec<(String, String)>,
}

/// A contestant that runs.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) who: Who,
    /// What it calls itself.
    pub(crate) version: String,
    // Closed before the child is waited for.
    asks: ChildStdin,
    answers: mpsc::Receiver<String>,
    _child: Ended,
}

/// What a query took in the contestant's process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// The most bytes of memory that were resident meanwhile.
    pub(crate) peak: u64,
    pub(crate) rows: Vec<Vec<String>>,
    /// What Glaux says of itself.
    pub(crate) reported: Option<Reported>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reported {
    pub(crate) requests: u64,
    pub(crate) fetched_bytes: u64,
    pub(crate) billed_bytes: u64,
}

/// What a statement gave to a contestant that is this program.
type Outcome = (Vec<RecordBatch>, Option<Reported>);

impl Contestant {
    /// Starts one; `None`, and a loud line, if there is no such peer here.
    ///
    /// # Errors
    /// Of a process that does not start or does not answer.
    pub(crate) fn start(who: Who, setting: &Setting, data_dir: &Path) -> Result<Option<Self>> {
        let mut command = match (&setting.python, who.is_peer()) {
            (_, false) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("contestant");
                command
            }
            (Some(python), true) => {
                let mut command = Command::new(python);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peers.py"));
                command
            }
            (None, true) => return Ok(None),
        };
        command.arg(who.name()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let cores = CORES.to_string();
        command.env("TOKIO_WORKER_THREADS", &cores).env("POLARS_MAX_THREADS", &cores);
        let mut child = Ended(command.spawn()?);
        let asks = child.0.stdin.take().ok_or("a contestant has no input")?;
        let out = child.0.stdout.take().ok_or("a contestant has no output")?;
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut contestant = Self { who, version: String::new(), asks, answers, _child: child };
        let answer = contestant.ask(&json!({
            "op": "start",
            "cores": CORES,
            "endpoint": setting.endpoint,
            "data_dir": data_dir,
            "options": setting.options,
        }))?;
        if let Some(missing) = answer["missing"].as_str() {
            println!("\n!! {} IS NOT MEASURED: {missing}", who.name());
            return Ok(None);
        }
        answer["version"].as_str().unwrap_or_default().clone_into(&mut contestant.version);
        Ok(Some(contestant))
    }

    /// Defines a table; `is_known` if an earlier process has, in the same data directory.
    ///
    /// # Errors
    /// The contestant's.
    pub(crate) fn open(&mut self, table: &Table, url: &str, is_known: bool) -> Result<Taken> {
        let pairs = |pairs: &[(&'static str, &'static str)]| pairs.iter().map(|(name, kind)| [*name, *kind]).collect::<Vec<_>>();
        let answer = self.ask(&json!({
            "op": "open",
            "table": table.name,
            "url": url,
            "columns": pairs(table.columns),
            "keys": pairs(table.keys),
            "glob": table.glob,
            "is_known": is_known,
        }))?;
        taken(&answer)
    }

    /// Defines a table of one folder that nobody knows; its columns with their types in Hive's words.
    ///
    /// # Errors
    /// The contestant's.
    pub(crate) fn define(&mut self, table: &str, url: &str, columns: &[[String; 2]]) -> Result<Taken> {
        taken(
            &self
                .ask(&json!({ "op": "open", "table": table, "url": url, "columns": columns, "keys": [], "glob": "*.parquet" }))?,
        )
    }

    /// Runs a query to its end; `{t}` in it is the table.
    ///
    /// # Errors
    /// The contestant's.
    pub(crate) fn run(&mut self, table: &str, sql: &str) -> Result<Taken> {
        taken(&self.ask(&json!({ "op": "run", "table": table, "sql": sql }))?)
    }

    fn ask(&mut self, message: &Value) -> Result<Value> {
        writeln!(self.asks, "{message}").and_then(|()| self.asks.flush()).map_err(|_| format!("{} ended", self.who.name()))?;
        let answer = self.answers.recv_timeout(PATIENCE).map_err(|_| format!("{} does not answer", self.who.name()))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| format!("{}: {error}: {answer}", self.who.name()))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("{}: {error}", self.who.name()).into()),
            None => Ok(answer),
        }
    }
}

fn taken(answer: &Value) -> Result<Taken> {
    let seconds = |name: &str| Duration::from_secs_f64(answer[name].as_f64().unwrap_or_default().max(0.0));
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("a value is no text");
    let mut rows = Vec::new();
    for row in answer["rows"].as_array().into_iter().flatten() {
        rows.push(row.as_array().into_iter().flatten().map(text).collect::<std::result::Result<Vec<_>, _>>()?);
    }
    let number = |name: &str| answer["reported"][name].as_u64();
    let reported = number("requests").map(|requests| Reported {
        requests,
        fetched_bytes: number("fetched_bytes").unwrap_or_default(),
        billed_bytes: number("billed_bytes").unwrap_or_default(),
    });
    Ok(Taken { wall: seconds("wall"), cpu: seconds("cpu"), peak: answer["peak"].as_u64().unwrap_or_default(), rows, reported })
}
