//! `glaux man`: manual pages.

use clap::{Args, Command};
use clap_mangen::Man;
use glaux_engine::Error;

use super::{say::say_raw, stop::Stop};

/// Print the manual page of glaux or of one of its commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  glaux man > ~/.local/share/man/man1/glaux.1
  glaux man sql > ~/.local/share/man/man1/glaux-sql.1
  glaux man catalog backup | man -l -")]
pub(crate) struct ManArgs {
    /// The command, such as `sql` or `catalog backup`
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// `command` is the whole command line.
pub(crate) fn run(args: &ManArgs, command: Command) -> Result<(), Stop> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut found = &command;
    for name in &args.command {
        found = found.find_subcommand(name).ok_or_else(|| {
            Error::not_found(format!("there is no command \"{}\"", args.command.join(" "))).with_hint("`glaux --help` lists them")
        })?;
    }
    let mut page = Vec::new();
    Man::new(found.clone())
        .render(&mut page)
        .map_err(|error| Error::internal("the manual page cannot be written").with_source(error))?;
    Ok(say_raw(&String::from_utf8_lossy(&page))?)
}
