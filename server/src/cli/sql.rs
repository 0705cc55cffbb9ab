//! `glaux sql`: statements from `-e`, a file or standard input, or a shell on a terminal.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::Args;
use glaux_engine::{Error, Result};
use tokio::runtime::Runtime;

use super::{
    execute::{Executor, before_end},
    interpreter::{After, Interpreter, read_file, read_stdin},
    options::CommonOptions,
    runtime::runtime,
    shell,
    stop::Stop,
};
use crate::{
    diagnostic, exit_code, interrupt,
    output::{self, Expanded, Format, Results},
    stats::{Stats, StatsFormat},
};

const EXAMPLES: &str = "\
Examples:
  glaux sql                                                   a shell (on a terminal)
  glaux sql -e \"SELECT count(*) FROM lineitem\"
  glaux sql -e \"USE sales\" -e \"SHOW TABLES\"
  glaux sql report.sql --format csv > report.csv
  glaux sql report.sql -o report.parquet                      all of it, or nothing
  echo \"SELECT 1;\" | glaux sql --format json
  glaux sql -e \"SELECT * FROM t\" --stats json 2> bill.json
  glaux sql -e \"SELECT * FROM t\" --max-scan 1GB --timeout 1m   never scan more, never take longer

Results go to standard output; the bill, progress and errors to standard error. A script stops at its first failure. Scripts may
have the shell's commands, such as \\x and \\o, on lines of their own; `glaux sql -e '\\?'` lists them.";

/// Run SQL statements, or open a shell
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit_code::HELP))]
pub(crate) struct SqlArgs {
    /// Statements to run, separated by semicolons; may be repeated
    #[arg(short = 'e', long = "execute", value_name = "SQL", conflicts_with = "file", allow_hyphen_values = true)]
    execute: Vec<String>,

    /// File of statements; `-` or nothing reads standard input, or opens a shell on a terminal
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Form of the results [default: table, or what the ending of --output's file says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// File for the results instead of standard output; replaced when all statements have succeeded, and left as it is if one fails
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Show each row of a table as a record, a line a column
    #[arg(short = 'x', long)]
    expanded: bool,

    /// Form of the bill [default: text if standard error is a terminal, json with --stats-file, else none]
    #[arg(long, value_enum, value_name = "FORM")]
    stats: Option<StatsFormat>,

    /// File for the bill instead of standard error; replaced if it exists
    #[arg(long, value_name = "FILE")]
    stats_file: Option<PathBuf>,

    /// Do not draw a line of progress on a terminal
    #[arg(long)]
    no_progress: bool,
}

pub(crate) fn run(options: &CommonOptions, args: &SqlArgs) -> Result<(), Stop> {
    let from_stdin = args.execute.is_empty() && args.file.as_ref().is_none_or(|file| file.as_os_str() == "-");
    let interactive = args.execute.is_empty() && args.file.is_none() && io::stdin().is_terminal();
    let results = results(args, interactive)?;
    let scripts = if interactive {
        Vec::new()
    } else if from_stdin {
        vec![read_stdin()?]
    } else if let Some(file) = &args.file {
        vec![read_file(file)?]
    } else {
        args.execute.clone()
    };
    let stats = Stats::open(args.stats, args.stats_file.as_deref())?;
    let runtime = runtime()?;
    if interactive || args.output.is_some() {
        interrupt::end_at_signals(&runtime, before_end);
    }
    let mut executor = runtime.block_on(async {
        let (engine, session) = options.open().await?;
        session.set_default_application("glaux-sql");
        Ok::<_, Error>(Executor::new(engine, session, results, stats, !args.no_progress))
    })?;
    let outcome = if interactive {
        shell::run(&runtime, &mut executor).map_err(Stop::Error)
    } else {
        run_scripts(&runtime, &mut executor, &scripts)
    };
    let outcome = outcome.and_then(|()| executor.results.commit().map_err(Stop::Error));
    drop(executor);
    // A cancelled query's last step may still compute; it has nothing to say any more, and is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Where results go, and their form.
fn results(args: &SqlArgs, interactive: bool) -> Result<Results> {
    let file = args.output.as_deref().filter(|file| file.as_os_str() != "-");
    if interactive && file.is_some() {
        return Err(Error::invalid("--output needs statements: from -e, a file or standard input")
            .with_hint("In the shell, \\o FILE writes results to a file"));
    }
    let format = args.format.or_else(|| file.and_then(Format::of_file)).unwrap_or(Format::Table);
    let mut results = Results::new(format);
    if args.expanded {
        results.expanded = Expanded::On;
    }
    if let Some(file) = file {
        results.collect_in(file)?;
    }
    results.check_format()?;
    Ok(results)
}

fn run_scripts(runtime: &Runtime, executor: &mut Executor, scripts: &[String]) -> Result<(), Stop> {
    let mut interpreter = Interpreter::new(runtime, executor);
    for script in scripts {
        let done = interpreter.script(script);
        match done {
            Err(error) if interpreter.was_interrupted() && !output::is_broken_pipe(&error) => {
                diagnostic::print(&error);
                return Err(Stop::Code(exit_code::INTERRUPTED));
            }
            Err(error) => return Err(Stop::Error(error)),
            Ok(_) if interpreter.was_interrupted() => return Err(Stop::Code(exit_code::INTERRUPTED)),
            Ok(After::Leave) => return Ok(()),
            Ok(After::Nothing | After::Names) => {}
        }
    }
    Ok(())
}
