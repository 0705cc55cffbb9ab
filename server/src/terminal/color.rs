//! Colours: when they are used, and how they are written.

use std::{
    env,
    io::{self, IsTerminal},
    sync::OnceLock,
};

use clap::ValueEnum;

use super::screen::is_dumb;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Into files and pipes, too
    Always,
    /// Not at all
    Never,
}

static CHOICE: OnceLock<ColorChoice> = OnceLock::new();

/// Says when output is coloured; the first call of a process counts.
pub(crate) fn choose_colors(choice: ColorChoice) {
    let _ = CHOICE.set(choice);
}

/// Whether results and what else goes to standard output are coloured.
pub(crate) fn stdout_is_colored() -> bool {
    is_colored(io::stdout().is_terminal())
}

/// Whether errors, bills and what else goes to standard error are coloured.
pub(crate) fn stderr_is_colored() -> bool {
    is_colored(io::stderr().is_terminal())
}

fn is_colored(is_terminal: bool) -> bool {
    let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb();
    decide(CHOICE.get().copied().unwrap_or_default(), is_terminal, forbidden)
}

const fn decide(choice: ColorChoice, is_terminal: bool, forbidden: bool) -> bool {
    match choice {
        ColorChoice::Auto => is_terminal && !forbidden,
        ColorChoice::Always => true,
        ColorChoice::Never => false,
    }
}

/// How a piece of text is set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Red,
    Yellow,
    Cyan,
}

/// A text as a terminal shows it in a colour.
pub(crate) fn paint(text: &str, paint: Paint) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "1;31",
        Paint::Yellow => "33",
        Paint::Cyan => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_chosen() {
        for (choice, is_terminal, forbidden, expected) in [
            (ColorChoice::Auto, true, false, true),
            (ColorChoice::Auto, true, true, false),
            (ColorChoice::Auto, false, false, false),
            (ColorChoice::Always, false, true, true),
            (ColorChoice::Never, true, false, false),
        ] {
            assert_eq!(decide(choice, is_terminal, forbidden), expected, "{choice:?} {is_terminal} {forbidden}");
        }
    }
}
