//! Which of Athena's two parsers a statement belongs to: Hive's (backticks, `"` for strings, backslash escapes) or Trino's (`"` for
//! names). Decided from a few words, before anything is parsed.

/// One of the two grammars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grammar {
    Hive,
    Trino,
}

/// The grammar of a statement, by Athena's rules: `DESCRIBE`, `SHOW`, `MSCK` and `REFRESH` are Hive's; so are `CREATE`, `ALTER` and `DROP` of a
/// database, a schema or an external table, and of anything but a view where no `SELECT` follows. All else is Trino's; so are `CREATE`, `ALTER` and
/// `DROP` of a workgroup, which Athena has no statements for.
#[must_use]
pub(crate) fn grammar(text: &str) -> Grammar {
    let mut words = Scanner::new(text, is_hive_lexis(text)).take_while(|lexeme| lexeme.kind != LexemeKind::Semicolon);
    let hive = match words.next() {
        Some(first) if first.is_any(&["DESCRIBE", "DESC", "SHOW", "MSCK", "REFRESH"]) => true,
        Some(first) if first.is_any(&["ANALYZE"]) => words.next().is_some_and(|second| second.is_any(&["TABLE"])),
        Some(first) if first.is_any(&["CREATE", "ALTER", "DROP"]) => match words.next() {
            Some(second) if second.is_any(&["DATABASE", "SCHEMA", "EXTERNAL"]) => true,
            Some(second) if second.is_any(&["VIEW", "WORKGROUP"]) => false,
            Some(second) if second.is_any(&["OR"]) && first.is_any(&["CREATE"]) => false,
            _ => !words.any(|lexeme| lexeme.is_any(&["SELECT"])),
        },
        _ => false,
    };
    if hive { Grammar::Hive } else { Grammar::Trino }
}

/// Whether a statement only sets or resets what later ones go by.
pub(crate) fn only_sets(text: &str) -> bool {
    Scanner::new(text, false).next().is_some_and(|first| first.is_any(&["SET", "RESET"]))
}

/// Whether strings and quoted names are Hive's, as far as the first two words tell: enough to find where a statement ends.
pub(super) fn is_hive_lexis(text: &str) -> bool {
    let mut words = Scanner::new(text, false);
    match words.next() {
        Some(first) if first.is_any(&["DESCRIBE", "DESC", "SHOW", "MSCK", "REFRESH"]) => true,
        Some(first) if first.is_any(&["ANALYZE"]) => words.next().is_some_and(|second| second.is_any(&["TABLE"])),
        Some(first) if first.is_any(&["ALTER", "DROP"]) => {
            words.next().is_some_and(|second| !second.is_any(&["VIEW", "WORKGROUP"]))
        }
        Some(first) if first.is_any(&["CREATE"]) => {
            words.next().is_some_and(|second| second.is_any(&["DATABASE", "SCHEMA", "EXTERNAL"]))
        }
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexemeKind {
    Word,
    Semicolon,
    /// A string or a quoted name, and whether it ends.
    Quoted(bool),
    /// Any other character.
    Other,
}

/// A piece of a statement, as coarse as splitting and routing need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme<'a> {
    pub kind: LexemeKind,
    pub start: usize,
    pub end: usize,
    text: &'a str,
}

impl Lexeme<'_> {
    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        self.kind == LexemeKind::Word && words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }
}

/// Goes over a text's lexemes, passing over whitespace and comments. Never fails: what is not closed reaches to the end.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    hive: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, hive: bool) -> Self {
        Self { text, at: 0, hive }
    }

    /// Passes over whitespace and comments.
    fn space(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at = self.text.len() - rest.len();
            let skipped = if rest.starts_with("--") {
                rest.find('\n').map_or(rest.len(), |end| end + 1)
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.find("*/").map_or(rest.len(), |end| end + 4)
            } else {
                return;
            };
            self.at += skipped;
        }
    }

    /// The length of what is in quotes, with the quotes, and whether it ends.
    fn quoted(&self, rest: &str, quote: char) -> (usize, bool) {
        let escapes = self.hive && quote != '`';
        let mut chars = rest.char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            if escapes && c == '\\' {
                chars.next();
            } else if c == quote {
                return (index + 1, true);
            }
        }
        (rest.len(), false)
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Lexeme<'a>;

    fn next(&mut self) -> Option<Lexeme<'a>> {
        self.space();
        let rest = &self.text[self.at..];
        let first = rest.chars().next()?;
        let (kind, len) = match first {
            ';' => (LexemeKind::Semicolon, 1),
            '\'' | '"' | '`' => {
                let (len, is_closed) = self.quoted(rest, first);
                (LexemeKind::Quoted(is_closed), len)
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '@'))).unwrap_or(rest.len());
                (LexemeKind::Word, end)
            }
            c => (LexemeKind::Other, c.len_utf8()),
        };
        let start = self.at;
        self.at += len;
        Some(Lexeme { kind, start, end: self.at, text: &rest[..len] })
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, grammar};

    #[test]
    fn statements_go_to_the_parser_that_athena_sends_them_to() {
        for text in [
            "-- /* {\"app\": \"x\"} */\ncreate external table t (a string) location 's3://b/'",
            "/* SELECT */ describe t",
            "desc t",
            "show tables",
            "msck repair table t",
            "refresh table `t`",
            "analyze table t compute statistics",
            "CREATE SCHEMA s",
            "create table t (a int) location 'x' tblproperties ('table_type'='ICEBERG')",
            "create external table t (a string) comment 'select'",
            "alter table t add partition (dt='select')",
            "drop table `select`",
        ] {
            assert_eq!(grammar(text), Grammar::Hive, "{text}");
        }
        for text in [
            "analyze t",
            "select 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "(select 1)",
            "create table t as select 1",
            "create table t with (format = 'PARQUET') as (select 1)",
            "create or replace view v as select 1",
            "create view v as values 1",
            "drop view v",
            "create workgroup w with (tariff = 'free')",
            "alter workgroup w enable",
            "drop workgroup if exists w",
            "unload (select 1) to 's3://b/' with (format = 'parquet')",
            "using external function f(x int) returns int lambda 'l' select f(1)",
            "explain select 1",
            "",
        ] {
            assert_eq!(grammar(text), Grammar::Trino, "{text}");
        }
    }
}
