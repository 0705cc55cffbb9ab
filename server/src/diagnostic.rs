//! How an error is shown to a person: kind, message, cause, and what to do about it. Only the outermost boundary calls this.

use std::{
    error::Error as _,
    fmt::Write as _,
    io::{self, Write as _},
};

use glaux_engine::Error;

use crate::{
    setting::{self, Door},
    terminal::{Paint, paint, stderr_is_colored},
};

/// The lines for one error, each ended by a newline.
pub(crate) fn render(error: &Error) -> String {
    let mut text = format!("error[{}]: {error}\n", error.kind());
    let (mut shown, mut next) = (error.to_string(), error.source());
    while let Some(source) = next {
        // Libraries often repeat the text of what they wrap; once is enough.
        let message = source.to_string();
        if !shown.contains(&message) {
            let _ = writeln!(text, "  caused by: {}", message.replace('\n', "\n    "));
        }
        shown = message;
        next = source.source();
    }
    if let Some(hint) = setting::hint(error, Door::CommandLine) {
        let _ = writeln!(text, "  hint: {hint}");
    }
    text
}

/// Prints an error on standard error. If even that is closed, there is nobody left to tell.
pub(crate) fn print(error: &Error) {
    let mut text = render(error);
    if stderr_is_colored() {
        let label = format!("error[{}]:", error.kind());
        text = text.replacen(&label, &paint(&label, Paint::Red), 1);
        if let Some(at) = text.rfind("\n  hint: ") {
            text.replace_range(at + 3..at + 8, &paint("hint:", Paint::Cyan));
        }
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Prints a warning on standard error.
pub(crate) fn warn(message: &str) {
    labelled("warning:", Paint::Yellow, message);
}

/// Prints what is worth knowing and is no fault on standard error.
pub(crate) fn note(message: &str) {
    labelled("note:", Paint::Cyan, message);
}

fn labelled(label: &str, color: Paint, message: &str) {
    let label = if stderr_is_colored() { paint(label, color) } else { label.to_owned() };
    let _ = writeln!(io::stderr().lock(), "{label} {message}");
}

/// An error of reading or writing a local file, by what the user can do about it.
pub(crate) fn io_error(what: &str, path: &std::path::Path, error: io::Error) -> Error {
    use glaux_engine::ErrorKind;
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::LimitExceeded,
        // A file that was to be text and is not: it was named, and nothing stored is damaged.
        io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot {what} \"{}\"", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_with_its_causes_and_hint() {
        let source = Error::invalid("the endpoint answered 403");
        let error = Error::not_found("table \"x\" does not exist").with_hint("SHOW TABLES lists them").with_source(source);
        assert_eq!(
            render(&error),
            "error[NOT_FOUND]: table \"x\" does not exist\n  caused by: the endpoint answered 403\n  hint: SHOW TABLES lists them\n"
        );
    }
}
