//! Input from the terminal, in the form that the editor accepts.
//!
//! The editor cannot tell whether more input waits, gives up at a byte that is not UTF-8, and draws everything anew at each line. So
//! what comes in one piece is handed to it in one piece, as a bracketed paste: tabs in it are tabs, and it is drawn once.

/// Stands for bytes that are not UTF-8: a code point that is no character, and in no text.
pub(crate) const INVALID: char = '\u{FDD0}';

/// A key that no terminal has: what was handed over held the end of a line, so what is complete is to be run.
pub(crate) const ENTERED: char = '\u{FDD1}';

const PASTE_BEGIN: &str = "\x1b[200~";
const PASTE_END: &str = "\x1b[201~";

/// Translates what comes, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Translator {
    /// The beginning of a character or of an escape sequence, of which the rest has not come yet.
    begun: Vec<u8>,
    /// Whether a paste with brackets has begun and not ended.
    is_pasting: bool,
}

impl Translator {
    /// What the editor is given for what came.
    pub(super) fn translate(&mut self, bytes: &[u8]) -> String {
        self.begun.extend(bytes);
        let bytes = std::mem::take(&mut self.begun);
        let (text, mut begun) = decode(&bytes);
        let mut keys = String::with_capacity(text.len() + 16);
        let mut rest = text.as_str();
        let whole = rest.len();
        while let Some(first) = rest.chars().next() {
            let length = if self.is_pasting {
                let Some(end) = rest.find(PASTE_END) else {
                    let held = (1..PASTE_END.len()).rev().find(|length| rest.ends_with(&PASTE_END[..*length])).unwrap_or(0);
                    let (come, open) = rest.split_at(rest.len() - held);
                    keys.push_str(come);
                    begun = [open.as_bytes(), &begun[..]].concat();
                    break;
                };
                self.is_pasting = false;
                keys.push_str(&rest[..end + PASTE_END.len()]);
                end + PASTE_END.len()
            } else if is_text(first) {
                let length = rest.find(|c: char| !is_text(c)).unwrap_or(rest.len());
                let run = &rest[..length];
                if length == first.len_utf8() && (whole == length || first != '\t') {
                    // A key.
                    keys.push_str(run);
                } else {
                    keys.extend([PASTE_BEGIN, run, PASTE_END]);
                    if run.contains(['\r', '\n']) {
                        keys.push(ENTERED);
                    }
                }
                length
            } else {
                let Some(length) = key_length(rest) else {
                    begun = [rest.as_bytes(), &begun[..]].concat();
                    break;
                };
                self.is_pasting = rest.starts_with(PASTE_BEGIN);
                keys.push_str(&rest[..length]);
                length
            };
            rest = &rest[length..];
        }
        self.begun = begun;
        keys
    }
}

/// Whether a character is a part of a text; all others are keys of the editor.
fn is_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\r' | '\n')
}

/// Bytes as text, and the beginning of a character of which the rest has not come yet.
fn decode(mut bytes: &[u8]) -> (String, Vec<u8>) {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let (valid, error_len) = match std::str::from_utf8(bytes) {
            Ok(valid) => (valid.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        };
        let come = String::from_utf8_lossy(&bytes[..valid]);
        text.extend(come.chars().map(|c| if c == ENTERED { INVALID } else { c }));
        bytes = &bytes[valid..];
        let Some(length) = error_len else { return (text, bytes.to_vec()) };
        text.push(INVALID);
        bytes = &bytes[length..];
    }
}

/// How long the key is that a text begins with, an escape sequence or a control character; `None` for a sequence whose end has not come.
fn key_length(text: &str) -> Option<usize> {
    let Some(sequence) = text.strip_prefix('\x1b') else { return text.chars().next().map(char::len_utf8) };
    let Some(second) = sequence.chars().next() else { return Some(1) };
    match second {
        '[' => {
            // The console of Linux has function keys of the form `ESC [ [ A`.
            let parameters = if sequence.starts_with("[[") { 2 } else { 1 };
            let end = sequence[parameters..].find(|c: char| !matches!(c, ' '..='?'))?;
            let last = sequence[parameters + end..].chars().next()?;
            Some(1 + parameters + end + last.len_utf8())
        }
        '\x1b' => key_length(sequence).map(|length| 1 + length),
        'O' => sequence[1..].chars().next().map(|last| 2 + last.len_utf8()),
        _ => Some(1 + second.len_utf8()),
    }
}

#[cfg(unix)]
pub(super) use unix::Keys;

#[cfg(unix)]
mod unix {
    use std::{
        fs::File,
        io::{self, Write},
        os::fd::OwnedFd,
        sync::{Arc, Condvar, Mutex, PoisonError},
    };

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::{Mode, OFlags, open},
        io::Errno,
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{OptionalActions, Termios, tcsetattr},
    };

    use super::Translator;

    /// How long a piece that is more than a key waits for what belongs to it: terminals hand on a paste bit by bit.
    const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    /// Bytes of one piece.
    const PIECE: usize = 1 << 20;

    /// The way of the keys. They flow only while the editor reads: what is typed before that comes in one piece then.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Keys(Arc<(Mutex<bool>, Condvar)>);

    impl Keys {
        /// Puts a terminal of the editor's own, with these settings, in the place of standard input, and hands on to it what comes from the
        /// real one.
        pub(crate) fn start(terminal: OwnedFd, settings: &Termios) -> io::Result<Self> {
            let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
            grantpt(&outer)?;
            unlockpt(&outer)?;
            let name = ptsname(&outer, Vec::new())?;
            let inner = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
            tcsetattr(&inner, OptionalActions::Now, settings)?;
            let keys = Self::default();
            let waiting = keys.clone();
            std::thread::Builder::new().name("glaux-keys".to_owned()).spawn(move || {
                // When the terminal has gone, so has the editor's, whose reading ends by that.
                if let Err(error) = waiting.hand_on(&terminal, File::from(outer)) {
                    tracing::debug!(%error, "the terminal cannot be read");
                }
            })?;
            rustix::stdio::dup2_stdin(&inner)?;
            Ok(keys)
        }

        /// Lets keys flow, or lets them wait.
        pub(crate) fn flow(&self, flows: bool) {
            *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = flows;
            self.0.1.notify_all();
        }

        fn hand_on(&self, terminal: &OwnedFd, mut editor: File) -> io::Result<()> {
            let mut translator = Translator::default();
            let mut buffer = vec![0; 64 << 10];
            loop {
                waits(terminal, None)?;
                let flows = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
                drop(self.0.1.wait_while(flows, |flows| !*flows).unwrap_or_else(PoisonError::into_inner));
                // A pager or an editor may have taken it since.
                if !waits(terminal, Some(&AT_ONCE))? {
                    continue;
                }
                let mut piece = Vec::new();
                while piece.is_empty() || piece.len() < PIECE && waits(terminal, Some(patience(&piece)))? {
                    match rustix::io::read(terminal, &mut buffer[..]) {
                        Ok(0) => return Ok(()),
                        Ok(length) => piece.extend(&buffer[..length]),
                        Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                editor.write_all(translator.translate(&piece).as_bytes())?;
            }
        }
    }

    /// A key is handed on at once, and what may be the beginning of more a moment later.
    fn patience(piece: &[u8]) -> &'static Timespec {
        if piece.len() > 1 || piece == b"\x1b" { &PATIENCE } else { &AT_ONCE }
    }

    /// Whether there is something to read, after waiting for it as long as said.
    fn waits(terminal: &OwnedFd, patience: Option<&Timespec>) -> io::Result<bool> {
        loop {
            let mut polled = [PollFd::new(terminal, PollFlags::IN)];
            match poll(&mut polled, patience) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pieces: &[&[u8]]) -> String {
        let mut translator = Translator::default();
        pieces.iter().map(|piece| translator.translate(piece)).collect()
    }

    #[test]
    fn keys_stay_keys() {
        for key in ["a", "\t", "\r", "\x03", "\x1b", "\x1b[A", "\x1bOA", "\x1b[[A", "\x1b[1;5C", "\x1bb", "é", "\x1b\x1b[A"] {
            assert_eq!(translated(&[key.as_bytes()]), key, "{key:?}");
        }
        assert_eq!(translated(&[b"\x03\r"]), "\x03\r");
    }

    #[test]
    fn what_comes_at_once_is_a_paste() {
        assert_eq!(translated(&[b"a\tb"]), "\x1b[200~a\tb\x1b[201~");
        assert_eq!(translated(&[b"\x1b[A\t"]), "\x1b[A\x1b[200~\t\x1b[201~");
        assert_eq!(translated(&[b"a;\nb"]), format!("\x1b[200~a;\nb\x1b[201~{ENTERED}"));
        assert_eq!(translated(&[b"ab\x03cd"]), "\x1b[200~ab\x1b[201~\x03\x1b[200~cd\x1b[201~");
    }

    #[test]
    fn a_paste_with_brackets_stays_one_wherever_it_is_cut() {
        let paste = "x\x1b[200~a\tb;\nc\x1b[201~\r".as_bytes();
        for at in 3..paste.len() {
            assert_eq!(translated(&[&paste[..1], &paste[1..at], &paste[at..]]).as_bytes(), paste, "{at}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_marked() {
        assert_eq!(translated(&[b"\xe9"]), "");
        assert_eq!(translated(&[b"a\xe9b"]), format!("\x1b[200~a{INVALID}b\x1b[201~"));
        assert_eq!(translated(&[b"\xc3", b"\xa9"]), "é");
        assert_eq!(translated(&[ENTERED.to_string().as_bytes()]), INVALID.to_string());
    }
}
