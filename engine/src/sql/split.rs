//! Scripts: one text with several statements, split at the semicolons that are outside of strings, quoted names and comments.

use super::route::{Lexeme, LexemeKind, Scanner, is_hive_lexis};

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptStatement<'a> {
    /// The statement without the comments before it and without its semicolon.
    pub text: &'a str,
    /// Where it begins, in bytes from the beginning of the script.
    pub offset: usize,
    /// The line on which it begins, counted from 1.
    pub line: usize,
}

/// Splits a script. Empty statements are left out; what is not closed (a string, a comment) reaches to the end.
#[must_use]
pub fn split(script: &str) -> Vec<ScriptStatement<'_>> {
    let mut statements = Vec::new();
    let (mut at, mut line, mut counted) = (0, 1, 0);
    while at < script.len() {
        let rest = &script[at..];
        let mut first: Option<Lexeme<'_>> = None;
        let (mut end, mut next) = (0, rest.len());
        for lexeme in Scanner::new(rest, is_hive_lexis(rest)) {
            if lexeme.kind == LexemeKind::Semicolon {
                next = lexeme.end;
                break;
            }
            end = lexeme.end;
            first.get_or_insert(lexeme);
        }
        if let Some(first) = first {
            let offset = at + first.start;
            line += script[counted..offset].matches('\n').count();
            counted = offset;
            statements.push(ScriptStatement { text: &rest[first.start..end], offset, line });
        }
        at += next;
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_split() {
        let script = "-- one; not a statement\nSELECT ';', \"a;b\" /* ; */ FROM t;\n\n;\nALTER TABLE `x;y` SET LOCATION 'a\\';b'; \
                      -- end;\nSELECT '\\'; SELECT 2 -- last";
        let texts: Vec<_> = split(script).iter().map(|s| (s.text, s.line)).collect();
        assert_eq!(
            texts,
            [
                ("SELECT ';', \"a;b\" /* ; */ FROM t", 2),
                ("ALTER TABLE `x;y` SET LOCATION 'a\\';b'", 5),
                ("SELECT '\\'", 6),
                ("SELECT 2", 6),
            ]
        );
        for statement in split(script) {
            assert!(script[statement.offset..].starts_with(statement.text));
        }
        assert!(split(" ; -- nothing\n;").is_empty());
        assert_eq!(split("SELECT 'open; SELECT 2").len(), 1);
    }
}
