//! `glaux completions`: scripts that complete the command line in the user's own shell.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::{say::say_raw, stop::Stop};

/// Print a script that completes commands and options in bash, zsh, fish and others
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  glaux completions bash > ~/.local/share/bash-completion/completions/glaux
  glaux completions zsh > \"${fpath[1]}/_glaux\"
  glaux completions fish > ~/.config/fish/completions/glaux.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

/// `command` is the whole command line.
pub(crate) fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Stop> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "glaux", &mut script);
    Ok(say_raw(&String::from_utf8_lossy(&script))?)
}
