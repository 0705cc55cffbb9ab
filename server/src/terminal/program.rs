//! Programs that take over the terminal: a pager, an editor. Users name them with arguments, such as `less -R` and `code --wait`.

use std::{env, ffi::OsStr, path::Path, process::Command};

/// A program by the words that a user named it with, and further arguments.
pub(crate) fn command(words: &str, arguments: &[&OsStr]) -> Command {
    #[cfg(unix)]
    {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{words} \"$@\"")).arg("sh").args(arguments);
        command
    }
    #[cfg(not(unix))]
    {
        let mut words = words.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(arguments);
        command
    }
}

/// Whether the program that such words begin with exists. What only the system's shell understands counts as existing.
pub(crate) fn is_there(words: &str) -> bool {
    let Some(program) = words.split_whitespace().next() else { return false };
    if program.contains(|c: char| !c.is_alphanumeric() && !"/\\._-+:".contains(c)) {
        return true;
    }
    if Path::new(program).components().count() > 1 {
        return Path::new(program).is_file();
    }
    let endings = ["", env::consts::EXE_SUFFIX];
    let in_folder = |folder: &Path| endings.iter().any(|ending| folder.join(format!("{program}{ending}")).is_file());
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| in_folder(&folder)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_their_first_word() {
        assert!(is_there("sh -c true") && is_there("/bin/sh") && is_there("LESS=R less") && is_there("~/bin/pager"));
        assert!(!is_there("") && !is_there("no-such-program -R") && !is_there("/no/such/program"));
    }

    #[test]
    fn words_and_arguments_reach_the_program() {
        let output = command("printf '%s|'", &[OsStr::new("a b"), OsStr::new("it's")]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "a b|it's|");
    }
}
