//! `glaux sql`: statements from `-e`, a file or standard input, or a shell on a terminal.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::PathBuf,
};

use clap::Args;
use glaux_engine::{Error, Result, sql::split};

use super::{Stop, execute::Executor, options::CommonOptions, shell};
use crate::{
    diagnostic, exit_code,
    output::{self, Format},
    stats::{Stats, StatsFormat},
};

const EXAMPLES: &str = "\
Examples:
  glaux sql                                                   a shell (on a terminal)
  glaux sql -e \"SELECT count(*) FROM lineitem\"
  glaux sql -e \"USE sales\" -e \"SHOW TABLES\"
  glaux sql report.sql --format csv > report.csv
  echo \"SELECT 1;\" | glaux sql --format json
  glaux sql -e \"SELECT * FROM t\" --stats json 2> bill.json
  glaux sql -e \"SELECT * FROM t\" --max-scan 1GB --timeout 1m   never scan more, never take longer

Results go to standard output; the bill, progress and errors to standard error. A script stops at its first failure.";

/// Run SQL statements, or open a shell
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit_code::HELP))]
pub(crate) struct SqlArgs {
    /// Statements to run, separated by semicolons; may be repeated
    #[arg(short = 'e', long = "execute", value_name = "SQL", conflicts_with = "file")]
    execute: Vec<String>,

    /// File of statements; `-` or nothing reads standard input, or opens a shell on a terminal
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Form of the results
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Format,

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
    if !interactive {
        args.format.check_terminal()?;
    }
    let scripts = if interactive {
        Vec::new()
    } else if from_stdin {
        vec![read_stdin()?]
    } else if let Some(file) = &args.file {
        vec![fs::read_to_string(file).map_err(|error| diagnostic::io_error("read the script", file, error))?]
    } else {
        args.execute.clone()
    };
    let stats = Stats::open(args.stats, args.stats_file.as_deref())?;
    let runtime = super::runtime()?;
    let mut executor = runtime.block_on(async {
        let (engine, session) = options.open().await?;
        Ok::<_, Error>(Executor::new(engine, session, args.format, stats, !args.no_progress))
    })?;
    let outcome = if interactive {
        shell::run(&runtime, &mut executor).map_err(Stop::Error)
    } else {
        runtime.block_on(run_scripts(&mut executor, &scripts))
    };
    drop(executor);
    // A cancelled query's last step may still compute; it has nothing to say any more, and is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn run_scripts(executor: &mut Executor, scripts: &[String]) -> Result<(), Stop> {
    for script in scripts {
        let statements = split(script);
        let many = statements.len() > 1;
        for statement in statements {
            match Box::pin(executor.run(statement.text)).await {
                Ok(()) if executor.interrupt.was_pressed() => return Err(Stop::Code(exit_code::INTERRUPTED)),
                Ok(()) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(Stop::Error(error)),
                Err(error) => {
                    let error = if many { error.with_context("line", statement.line.to_string()) } else { error };
                    if executor.interrupt.was_pressed() {
                        diagnostic::print(&error);
                        return Err(Stop::Code(exit_code::INTERRUPTED));
                    }
                    return Err(Stop::Error(error));
                }
            }
        }
    }
    Ok(())
}

fn read_stdin() -> Result<String> {
    let mut script = String::new();
    io::stdin()
        .read_to_string(&mut script)
        .map_err(|error| Error::invalid("cannot read statements from standard input").with_source(error))?;
    Ok(script)
}
