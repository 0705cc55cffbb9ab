//! The command line: one file a subcommand. Each command translates its arguments, calls the engine and shows the answer.

mod catalog;
mod catalog_file;
mod completions;
mod config;
mod crawl;
mod demo;
mod doctor;
mod exchange;
mod execute;
mod interpreter;
mod man;
mod options;
mod repair;
mod runtime;
mod say;
mod serve;
mod shell;
mod sql;
mod stop;
mod tariff;
mod user;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
pub(crate) use runtime::STACK;

use self::stop::Stop;
use crate::{diagnostic, exit_code, output, telemetry, terminal};

const EXAMPLES: &str = "\
Examples:
  glaux demo                                  build a small lake, query it, and see what each query costs
  glaux --data-dir ./glaux-demo sql           a shell on that lake
  glaux sql -e \"SHOW TABLES\"                  one statement
  glaux sql report.sql --format csv > r.csv   a script; results on standard output, the bill on standard error
  glaux doctor                                check the setup, and see what is wrong and how to fix it";

/// Athena-style SQL over object-store lakes, with a bill for every query
///
/// Glaux keeps Hive-style external tables in a catalog, queries their files with Trino-dialect SQL, and counts the bytes
/// that every query scans, as Athena bills them. All of its state lives in one data directory.
#[derive(Debug, Parser)]
#[command(name = "glaux", version, after_help = format!("{EXAMPLES}\n\n{}", exit_code::HELP))]
pub(crate) struct Cli {
    #[command(flatten)]
    options: options::CommonOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Sql(sql::SqlArgs),
    Serve(serve::ServeArgs),
    Catalog(catalog::CatalogArgs),
    Crawl(crawl::CrawlArgs),
    Doctor(doctor::DoctorArgs),
    User(user::UserArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Whether it logs as all commands do; a server's log is set up by its configuration.
    fn logs_as_a_command(&self) -> bool {
        match self {
            Self::Demo(_)
            | Self::Sql(_)
            | Self::Catalog(_)
            | Self::Crawl(_)
            | Self::Doctor(_)
            | Self::User(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_) => true,
            Self::Serve(_) => false,
        }
    }
}

/// The command line of this process; ends it with help or an error if it asks for help or does not parse.
pub(crate) fn parse() -> Cli {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut Cli::command()).exit());
    cli.options.note_sources(&matches);
    cli
}

/// Runs the command; prints its error, if any, and gives the process's exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let Cli { options, command } = cli;
    terminal::choose_colors(options.color());
    if command.logs_as_a_command() {
        telemetry::init();
    }
    let result = match command {
        Command::Demo(args) => demo::run(&options, &args),
        Command::Sql(args) => sql::run(&options, &args),
        Command::Serve(args) => serve::run(&options, &args),
        Command::Catalog(args) => catalog::run(&options, &args),
        Command::Crawl(args) => crawl::run(&options, &args),
        Command::Doctor(args) => doctor::run(&options, &args),
        Command::User(args) => user::run(&options, &args),
        Command::Config(args) => config::run(&options, &args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough: `glaux sql ... | head`.
        Err(Stop::Error(error)) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Stop::Error(error)) => {
            diagnostic::print(&error);
            ExitCode::from(exit_code::of(error.kind()))
        }
        Err(Stop::Code(code)) => ExitCode::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// The page is the reference of the shell: what `glaux sql` takes is on it.
    #[test]
    fn the_options_of_the_shell_are_documented() {
        let page = include_str!("../../docs/shell.md");
        let whole = Cli::command();
        let sql = whole.find_subcommand("sql").unwrap();
        for option in sql.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(page.contains(&format!("`--{option}")), "--{option} is not in docs/shell.md");
        }
    }

    #[test]
    fn common_options_stand_before_or_after_the_command() {
        for line in ["glaux --data-dir d --label a=b sql -e x", "glaux sql -e x --data-dir d --label a=b"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let overrides = cli.options.overrides();
            assert_eq!(overrides.data_dir.as_deref(), Some(std::path::Path::new("d")), "{line}");
            assert_eq!(overrides.labels, [("a".to_owned(), "b".to_owned())]);
        }
        assert!(Cli::try_parse_from(["glaux", "sql", "--label", "nonsense"]).is_err());
        assert!(Cli::try_parse_from(["glaux", "sql", "--max-scan", "much"]).is_err());
    }
}
