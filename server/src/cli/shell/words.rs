//! The words of a statement as far as completion needs them: which come before the cursor, and which tables it names.

/// Words that statements are made of, as the shell offers them.
pub(super) const KEYWORDS: &[&str] = &[
    "ADD",
    "ALTER",
    "ANALYZE",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COLUMNS",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DATABASES",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FORMATTED",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "MSCK",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PARTITIONED",
    "PARTITIONS",
    "REFRESH",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RIGHT",
    "ROW",
    "ROWS",
    "SELECT",
    "SESSION",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "TBLPROPERTIES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "UNNEST",
    "USE",
    "USING",
    "VALUES",
    "VIEW",
    "VIEWS",
    "WHEN",
    "WHERE",
    "WITH",
    "WORKGROUP",
];

/// A word of a statement: a name or a keyword, dots included, or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Name(&'a str),
    Sign(char),
}

impl<'a> Word<'a> {
    /// Whether it is this keyword, given in capital letters.
    pub(super) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case(keyword))
    }

    fn identifier(self) -> Option<&'a str> {
        match self {
            Self::Name(name) if !KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword)) => Some(name),
            Self::Name(_) | Self::Sign(_) => None,
        }
    }
}

/// Whether a character is a part of a name, or of a name with its qualifiers.
pub(super) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$')
}

/// The words of a text, without strings and comments.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
        let length = match first {
            _ if rest.starts_with("--") => until("\n", 2),
            _ if rest.starts_with("/*") => until("*/", 2),
            '\'' => until("'", 1),
            '"' | '`' => {
                let length = until(first.encode_utf8(&mut [0; 4]), 1);
                words.push(Word::Name(rest[1..length].trim_end_matches(first)));
                length
            }
            _ if is_part(first) => {
                let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
                words.push(Word::Name(&rest[..length]));
                length
            }
            _ => {
                if !first.is_whitespace() {
                    words.push(Word::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    words
}

/// A table that a statement reads, and the name that it has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source<'a> {
    pub(super) table: &'a str,
    pub(super) alias: Option<&'a str>,
}

/// The tables of a statement's FROM and JOIN clauses.
pub(super) fn sources<'a>(words: &[Word<'a>]) -> Vec<Source<'a>> {
    let mut sources = Vec::new();
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        if !(word.is("FROM") || word.is("JOIN")) {
            continue;
        }
        while let Some(table) = words.peek().and_then(|word| word.identifier()) {
            words.next();
            words.next_if(|word| word.is("AS"));
            let alias = words.peek().and_then(|word| word.identifier());
            if alias.is_some() {
                words.next();
            }
            sources.push(Source { table, alias });
            if words.next_if_eq(&Word::Sign(',')).is_none() {
                break;
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_words() {
        let found = words("SELECT a.b, 'it''s FROM x' -- FROM y\n/* FROM z */ FROM \"T\"");
        let expected = [Word::Name("SELECT"), Word::Name("a.b"), Word::Sign(','), Word::Name("FROM"), Word::Name("T")];
        assert_eq!(found, expected);
        assert!(words("'open FROM x").is_empty());
    }

    #[test]
    fn tables_are_found_with_their_aliases() {
        let text =
            "SELECT * FROM sales.orders AS o, regions r JOIN lines ON r.x = o.x LEFT JOIN (SELECT 1 FROM inner_one) s WHERE 1";
        let found: Vec<_> = sources(&words(text)).into_iter().map(|source| (source.table, source.alias)).collect();
        assert_eq!(found, [("sales.orders", Some("o")), ("regions", Some("r")), ("lines", None), ("inner_one", None)]);
    }
}
