//! The exit code of the process: 0, one code for each kind of error, or 130 after Ctrl-C.

use glaux_engine::ErrorKind;

/// The command was stopped by Ctrl-C: 128 + SIGINT, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of a kind of error. 2 is also what a command line that does not parse ends with.
pub(crate) const fn of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::Invalid => 2,
        ErrorKind::Syntax => 3,
        ErrorKind::Unsupported => 4,
        ErrorKind::NotFound => 5,
        ErrorKind::AlreadyExists => 6,
        ErrorKind::Conflict => 7,
        ErrorKind::Denied => 8,
        ErrorKind::LimitExceeded => 9,
        ErrorKind::Throttled => 10,
        ErrorKind::Unavailable => 11,
        ErrorKind::CorruptData => 12,
        ErrorKind::Cancelled => 13,
        ErrorKind::Aborted => 14,
        ErrorKind::TimedOut => 15,
    }
}

/// The table of codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  success                            8  permission or credentials missing
   1  a bug of Glaux                     9  a limit was reached
   2  invalid argument or value         10  the store throttles requests
   3  SQL does not parse                11  store or service does not answer
   4  not supported                     12  stored data is damaged
   5  does not exist                    13  cancelled by its client
   6  already exists                    14  ended by a KILL or a shutdown
   7  changed by someone else           15  took longer than its limit
 130  stopped by Ctrl-C";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_code_of_its_own_that_the_help_names() {
        let codes: BTreeSet<u8> = ErrorKind::ALL.into_iter().map(of).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(!codes.contains(&0) && !codes.contains(&INTERRUPTED));
        for code in codes {
            assert!(HELP.split_whitespace().any(|word| word == code.to_string()), "{code} is not in the help");
        }
    }
}
