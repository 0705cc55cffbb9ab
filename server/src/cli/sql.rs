//! `glaux sql`: statements from `-e`, a file or standard input, or a shell on a terminal.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::PathBuf,
};

use clap::Args;
use glaux_engine::{
    Error, Result,
    sql::{ScriptStatement, split},
};

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
    #[arg(short = 'e', long = "execute", value_name = "SQL", conflicts_with = "file", allow_hyphen_values = true)]
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
        let bytes = fs::read(file).map_err(|error| diagnostic::io_error("read the script", file, error))?;
        vec![text(bytes, &format!("\"{}\"", file.display()))?]
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
                    let error = placed(error, script, &statement, many);
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

/// The error of a statement with its place in the script: the one that the error tells, or the statement's line.
fn placed(error: Error, script: &str, statement: &ScriptStatement<'_>, many: bool) -> Error {
    match message_in_script(error.message(), script, statement) {
        Some(message) => error.with_message(message),
        None if many => error.with_context("line", statement.line.to_string()),
        None => error,
    }
}

/// A message that begins with a place in the statement, `line 1:8: `, with the place in the script.
fn message_in_script(message: &str, script: &str, statement: &ScriptStatement<'_>) -> Option<String> {
    let (place, said) = message.strip_prefix("line ")?.split_once(": ")?;
    let (line, column) = place.split_once(':')?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let before = script[..statement.offset].rsplit('\n').next().filter(|_| line == 1).map_or(0, |text| text.chars().count());
    Some(format!("line {}:{}: {said}", statement.line + line - 1, column + before))
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::invalid("cannot read statements from standard input").with_source(error))?;
    text(bytes, "standard input")
}

/// A script as text, from the place of this name.
///
/// # Errors
/// `Invalid` for bytes that are not UTF-8, naming the line.
fn text(bytes: Vec<u8>, place: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        Error::invalid(format!("the script in {place} is not UTF-8: line {line} holds bytes that are no characters"))
            .with_hint("Save it as UTF-8, or convert it: `iconv -f LATIN1 -t UTF-8`")
    })
}
