//! `glaux config show`: the effective settings and where each came from.

use clap::{Args, Subcommand};

use super::{options::CommonOptions, say::say, stop::Stop, tariff};

/// Show the configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come from, later ones winning: defaults, a TOML file (--config, or glaux.toml in the data directory), environment variables
such as GLAUX__ENGINE__PARALLELISM=4, and flags.

Examples:
  glaux config show
  GLAUX__ENGINE__TARIFF=free glaux config show")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting with its value and where it came from, and the prices in force
    Show,
}

pub(crate) fn run(options: &CommonOptions, args: &ConfigArgs) -> Result<(), Stop> {
    match args.command {
        ConfigCommand::Show => {
            let loaded = options.load()?;
            for setting in loaded.settings()? {
                say(&format!("{} = {}  # {}", setting.key, setting.value, setting.origin))?;
            }
            say(&format!("# {}", tariff::describe(&loaded.tariffs.default_tariff())))?;
            Ok(())
        }
    }
}
