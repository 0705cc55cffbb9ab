//! What a text holds that can be run: line by line, as if it had been typed.

use glaux_engine::sql::split;

use super::command::Command;

/// A piece of a text: commands and whole statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Where it begins, in bytes from the beginning of the text.
    pub(crate) offset: usize,
    /// The line on which it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// What a text holds that can be run, and the rest that is still open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pieces<'a> {
    pub(crate) pieces: Vec<Piece<'a>>,
    pub(crate) rest: Piece<'a>,
}

/// Takes a text apart as the shell does.
pub(crate) fn pieces(text: &str) -> Pieces<'_> {
    let mut pieces = Vec::new();
    let (mut begin, mut begun, mut at) = (0, 1, 0);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        if begin == at {
            begun = number;
        }
        let is_first = begin == at;
        at += line.len();
        let open = &text[begin..at];
        // Only what ends a statement or a comment can complete an open one: long ones are looked at once.
        if (is_first || line.contains(';') || line.contains("*/")) && is_complete(open) {
            if !open.trim().is_empty() {
                pieces.push(Piece { offset: begin, line: begun, text: open });
            }
            begin = at;
        }
    }
    Pieces { pieces, rest: Piece { offset: begin, line: begun, text: &text[begin..] } }
}

/// Takes a script apart, whose last statement needs no semicolon. One without commands is a single piece.
pub(super) fn script_pieces(script: &str) -> Vec<Piece<'_>> {
    if !script.lines().any(|line| Command::parse(line).is_some()) {
        return vec![Piece { offset: 0, line: 1, text: script }];
    }
    let Pieces { mut pieces, rest } = pieces(script);
    if !rest.text.trim().is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Whether an input can be run: a command, nothing, or statements of which the last has its semicolon.
fn is_complete(input: &str) -> bool {
    if input.trim().is_empty() || Command::parse(input).is_some() {
        return true;
    }
    // A word after a finished statement is a statement of its own; after an open one, or within quotes or a comment, it is a part.
    split(&format!("{input}\nx")).len() > split(input).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_line_by_line() {
        let taken = |text| {
            let taken = pieces(text);
            let pieces = taken.pieces.into_iter().map(|piece| (piece.line, piece.text.trim())).collect::<Vec<_>>();
            (pieces, taken.rest.text)
        };
        assert_eq!(taken("\\l\n\n\\d\n"), (vec![(1, "\\l"), (3, "\\d")], ""));
        assert_eq!(taken("SELECT 1;\nexit\nSELECT 2;"), (vec![(1, "SELECT 1;"), (2, "exit"), (3, "SELECT 2;")], ""));
        assert_eq!(taken("SELECT\n  1;\nSELECT\n 2"), (vec![(1, "SELECT\n  1;")], "SELECT\n 2"));
        assert_eq!(taken("SELECT '\nexit\n';\n"), (vec![(1, "SELECT '\nexit\n';")], ""));
        assert_eq!(taken("-- done\n/* a\n b */\nSEL"), (vec![(1, "-- done"), (2, "/* a\n b */")], "SEL"));
    }

    #[test]
    fn a_script_is_one_piece_unless_it_has_commands() {
        let script = "SELECT 1;\nSELECT 2";
        assert_eq!(script_pieces(script), [Piece { offset: 0, line: 1, text: script }]);
        let taken = script_pieces("SELECT 1;\n\\x on\nSELECT\n  2");
        let taken: Vec<_> = taken.iter().map(|piece| (piece.offset, piece.line, piece.text)).collect();
        assert_eq!(taken, [(0, 1, "SELECT 1;\n"), (10, 2, "\\x on\n"), (16, 3, "SELECT\n  2")]);
    }

    #[test]
    fn an_input_is_complete_at_its_semicolon() {
        for complete in
            ["", "  ", "\\d", "exit", "help ", "quit;", "SELECT 1;", "SELECT 1; -- done", "SELECT ';';", "USE a; SELECT 1;"]
        {
            assert!(is_complete(complete), "{complete}");
        }
        for open in ["SELECT 1", "exit now", "SELECT ';", "SELECT 1 -- ;", "USE a; SELECT 1", "SELECT /* ; "] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
