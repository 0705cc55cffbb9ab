//! What a statement is apart from its literals: one form of writing it, whose hash is the same for statements that differ only in literals,
//! comments, whitespace and the case of words; and the statement without its literals, for those who must not keep them.
//!
//! It goes over the text once, before it is parsed, so that statements that fail have a fingerprint, too.

use std::{borrow::Cow, iter::Peekable};

use twox_hash::XxHash64;

use super::route::{Grammar, Lexeme, LexemeKind, Scanner, grammar};

/// What takes the place of a literal.
const LITERAL: &str = "?";

/// Words after which `+` and `-` are signs, and an opening parenthesis is none of a call.
const CLAUSES: [&str; 41] = [
    "all",
    "and",
    "any",
    "as",
    "between",
    "by",
    "case",
    "distinct",
    "else",
    "escape",
    "except",
    "exists",
    "explain",
    "filter",
    "from",
    "having",
    "in",
    "intersect",
    "interval",
    "into",
    "join",
    "lateral",
    "like",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "over",
    "partition",
    "return",
    "select",
    "set",
    "some",
    "then",
    "union",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// Operators of two characters.
const OPERATORS: [&str; 8] = ["<=", ">=", "<>", "!=", "||", "->", "=>", "::"];

/// A statement as it is compared with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Stable: it is stored.
    pub hash: u64,
    /// Words in lower case, one space between what needs one, and `?` for each literal and each list of literals behind `IN`. Absent for
    /// text with a quote or a comment that does not end, whose hash is that of the text.
    pub normalized: Option<String>,
}

/// The fingerprint of a statement.
#[must_use]
pub fn fingerprint(text: &str) -> Fingerprint {
    let normalized = is_closed(text).then(|| written(&folded(&tokens(text))));
    let hash = XxHash64::oneshot(0, normalized.as_deref().unwrap_or(text).as_bytes());
    Fingerprint { hash, normalized }
}

/// The statement as it is written, but with `?` for each literal, and without comments.
#[must_use]
pub(crate) fn redact(text: &str) -> String {
    let (mut redacted, mut end) = (String::with_capacity(text.len()), 0);
    for token in tokens(text) {
        redacted.push_str(&gap(&text[end..token.start]));
        redacted.push_str(if token.kind == TokenKind::Literal { LITERAL } else { &text[token.start..token.end] });
        end = token.end;
    }
    redacted.trim().to_owned()
}

/// A message about the statement without the literals of the statement.
#[must_use]
pub(crate) fn redact_message(message: String, statement: &str) -> String {
    let literal = |token: &Token<'_>| match token.kind {
        TokenKind::Literal => value_of(&statement[token.start..token.end]),
        TokenKind::Word | TokenKind::Name | TokenKind::Symbol => None,
    };
    let mut literals: Vec<_> = tokens(statement).iter().filter_map(literal).collect();
    // A literal that contains another goes first.
    literals.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    literals.dedup();
    literals.iter().fold(message, |message, literal| without(message, literal))
}

/// A text without the places where another stands as a word, or words.
fn without(text: String, word: &str) -> String {
    if !text.contains(word) {
        return text;
    }
    let is_part = |outside: Option<char>, edge: Option<char>| {
        outside.zip(edge).is_some_and(|(outside, edge)| outside.is_alphanumeric() && edge.is_alphanumeric())
    };
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for (at, found) in text.match_indices(word) {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        if !is_part(before, word.chars().next()) && !is_part(after, word.chars().next_back()) {
            out = out + &text[end..at] + LITERAL;
            end = at + found.len();
        }
    }
    out + &text[end..]
}

/// What a quoted literal says, and a number without its sign; `None` for other literals, which say nothing.
fn value_of(literal: &str) -> Option<Cow<'_, str>> {
    let value: Cow<'_, str> = match literal.find(['\'', '"']) {
        None => {
            let number = literal.trim_start_matches(|c: char| matches!(c, '+' | '-') || c.is_whitespace());
            number.starts_with(|c: char| c.is_ascii_digit() || c == '.').then_some(number)?.into()
        }
        Some(open) => {
            let (quote, inside) = (&literal[open..=open], &literal[open + 1..]);
            inside.strip_suffix(quote).unwrap_or(inside).replace(&quote.repeat(2), quote).into()
        }
    };
    (!value.trim().is_empty()).then_some(value)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// An unquoted word that is no literal.
    Word,
    /// A quoted name.
    Name,
    Literal,
    /// An operator, a parenthesis, a comma or a dot.
    Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token<'a> {
    kind: TokenKind,
    start: usize,
    end: usize,
    text: &'a str,
}

impl Token<'_> {
    fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    fn is_word(&self, words: &[&str]) -> bool {
        self.kind == TokenKind::Word && words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }

    /// Whether what follows begins an expression, so that a sign belongs to its number.
    fn begins_expression(&self) -> bool {
        match self.kind {
            TokenKind::Symbol => !matches!(self.text, ")" | "]" | "}" | "."),
            TokenKind::Word => self.is_word(&CLAUSES),
            TokenKind::Name | TokenKind::Literal => false,
        }
    }
}

/// The tokens of a text, without the semicolons at its end.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let hive = grammar(text) == Grammar::Hive;
    let mut lexemes = Scanner::new(text, hive).peekable();
    let mut tokens: Vec<Token<'_>> = Vec::new();
    while let Some(lexeme) = lexemes.next() {
        let (kind, end) = take(text, lexeme, hive, tokens.last(), &mut lexemes);
        // A sign, or the type of a string, that stands before it.
        let mut start = lexeme.start;
        if kind == TokenKind::Literal
            && let Some(sign) = tokens.pop_if(|last| last.is_symbol("-") || last.is_symbol("+"))
        {
            let is_sign = text[lexeme.start..].starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && tokens.last().is_none_or(Token::begins_expression);
            if is_sign {
                start = sign.start;
            } else {
                tokens.push(sign);
            }
        }
        tokens.push(Token { kind, start, end, text: &text[start..end] });
    }
    while tokens.pop_if(|last| last.is_symbol(";")).is_some() {}
    tokens
}

/// What begins with a lexeme, and where it ends: a number, a quoted text and some operators are several lexemes.
fn take<'a>(
    text: &str,
    first: Lexeme<'a>,
    hive: bool,
    before: Option<&Token<'_>>,
    lexemes: &mut Peekable<Scanner<'a>>,
) -> (TokenKind, usize) {
    let written = &text[first.start..first.end];
    let mut end = first.end;
    let kind = match (first.kind, number(text, first, before)) {
        (LexemeKind::Quoted(_), _) => {
            let last = last_of_quoted(text, first, lexemes);
            end = last.end;
            // What does not end may hold anything.
            let is_string = written.starts_with('\'') || (hive && written.starts_with('"'));
            if is_string || last.kind == LexemeKind::Quoted(false) { TokenKind::Literal } else { TokenKind::Name }
        }
        (LexemeKind::Word | LexemeKind::Other, Some(number)) => {
            end = number;
            TokenKind::Literal
        }
        (LexemeKind::Word, None) => {
            let is_after_is = || before.is_some_and(|before| before.is_word(&["is", "not"]));
            match written.to_ascii_lowercase().as_str() {
                // X'00', U&'\00e9'.
                "x" | "u" if quoted_after(text, end).is_some() => {
                    let open = quoted_after(text, end).unwrap_or(end);
                    while let Some(lexeme) = lexemes.next_if(|lexeme| lexeme.start <= open) {
                        end = if lexeme.start == open { last_of_quoted(text, lexeme, lexemes).end } else { lexeme.end };
                    }
                    TokenKind::Literal
                }
                "true" | "false" | "null" if !is_after_is() => TokenKind::Literal,
                _ => TokenKind::Word,
            }
        }
        // A parameter stands for a literal.
        (LexemeKind::Other, None) if written == "?" || is_parameter(&text[first.start..]) => {
            end += text[end..].bytes().take_while(u8::is_ascii_digit).count();
            TokenKind::Literal
        }
        (LexemeKind::Other | LexemeKind::Semicolon, _) => {
            end = text.get(first.start..first.start + 2).filter(|pair| OPERATORS.contains(pair)).map_or(end, |_| first.start + 2);
            TokenKind::Symbol
        }
    };
    while lexemes.next_if(|lexeme| lexeme.start < end).is_some() {}
    (kind, end)
}

/// Whether a text begins with `$1`.
fn is_parameter(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The last piece of a quoted text: a quote that is written twice begins the next one.
fn last_of_quoted<'a>(text: &str, first: Lexeme<'a>, lexemes: &mut Peekable<Scanner<'a>>) -> Lexeme<'a> {
    let quote = &text[first.start..first.start + 1];
    let mut last = first;
    while let Some(next) = lexemes.next_if(|next| next.start == last.end && text[next.start..].starts_with(quote)) {
        last = next;
    }
    last
}

/// Where the string begins whose prefix ends here: `X'`, `U&'`.
fn quoted_after(text: &str, end: usize) -> Option<usize> {
    let rest = &text[end..];
    let open = if rest.starts_with('\'') { end } else { end + rest.starts_with("&'").then_some(1)? };
    Some(open)
}

/// Where the number ends that begins with a lexeme, unless that is a name, or a part of one: `2024_sales`, `t.2024_sales`.
fn number(text: &str, first: Lexeme<'_>, before: Option<&Token<'_>>) -> Option<usize> {
    let end = number_end(text, first.start)?;
    let is_whole = end >= first.end && !text[end..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@'));
    let is_name = |before: &Token<'_>| matches!(before.kind, TokenKind::Word | TokenKind::Name);
    let is_of_name = first.kind == LexemeKind::Other && before.is_some_and(|before| before.end == first.start && is_name(before));
    (is_whole && !is_of_name).then_some(end)
}

/// Where the number ends that begins here, if one does: `1`, `1_000`, `0xFF`, `1.5`, `.5`, `1e-3`.
fn number_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if !matches!(bytes.get(start), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let digits = |mut at: usize, is_digit: fn(&u8) -> bool| {
        while bytes.get(at).is_some_and(is_digit) || (bytes.get(at) == Some(&b'_') && bytes.get(at + 1).is_some_and(is_digit)) {
            at += 1;
        }
        at
    };
    if bytes.get(start) == Some(&b'0') {
        let is_digit: Option<fn(&u8) -> bool> = match bytes.get(start + 1) {
            Some(b'x' | b'X') => Some(u8::is_ascii_hexdigit),
            Some(b'o' | b'O' | b'b' | b'B') => Some(u8::is_ascii_digit),
            _ => None,
        };
        if let Some(is_digit) = is_digit.filter(|is_digit| bytes.get(start + 2).is_some_and(is_digit)) {
            return Some(digits(start + 2, is_digit));
        }
    }
    let whole = digits(start, u8::is_ascii_digit);
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') && (whole > start || bytes.get(end + 1).is_some_and(u8::is_ascii_digit)) {
        end = digits(end + 1, u8::is_ascii_digit);
    }
    if end == start {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(signed).is_some_and(u8::is_ascii_digit) {
            end = digits(signed, u8::is_ascii_digit);
        }
    }
    Some(end)
}

/// The tokens with each list of nothing but literals behind `IN` as one literal.
fn folded<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut folded: Vec<Token<'a>> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        folded.push(*token);
        at += 1;
        if token.is_word(&["in"]) && tokens.get(at).is_some_and(|open| open.is_symbol("(")) {
            let (list, end) = literals(tokens, at + 1);
            if tokens.get(end).is_some_and(|close| close.is_symbol(")")) {
                folded.push(tokens[at]);
                folded.extend_from_slice(list);
                at = end;
            }
        }
    }
    folded
}

/// The first element of a list of literals that are all of one type, `?` or `date ?`, and where the list ends.
fn literals<'a, 'b>(tokens: &'b [Token<'a>], start: usize) -> (&'b [Token<'a>], usize) {
    let element = |at: usize| match tokens.get(at..) {
        Some([literal, ..]) if literal.kind == TokenKind::Literal => 1,
        Some([word, literal, ..]) if word.kind == TokenKind::Word && literal.kind == TokenKind::Literal => 2,
        _ => 0,
    };
    let len = element(start);
    let first = &tokens[start.min(tokens.len())..(start + len).min(tokens.len())];
    let is_same = |at: usize| element(at) == len && (len < 2 || tokens[at].text.eq_ignore_ascii_case(tokens[start].text));
    if len == 0 {
        return (first, start);
    }
    let mut end = start + len;
    while tokens.get(end).is_some_and(|comma| comma.is_symbol(",")) && is_same(end + 1) {
        end += 1 + len;
    }
    (first, end)
}

/// The tokens in one form of writing, which depends on nothing but the tokens.
fn written(tokens: &[Token<'_>]) -> String {
    let mut out = String::with_capacity(tokens.len() * 6);
    let mut before: Option<&Token<'_>> = None;
    for token in tokens {
        if before.is_some_and(|before| is_spaced(before, token)) {
            out.push(' ');
        }
        match token.kind {
            TokenKind::Literal => out.push_str(LITERAL),
            TokenKind::Word => out.extend(token.text.chars().flat_map(char::to_lowercase)),
            TokenKind::Name | TokenKind::Symbol => out.push_str(token.text),
        }
        before = Some(token);
    }
    out
}

fn is_spaced(before: &Token<'_>, token: &Token<'_>) -> bool {
    let closes = token.kind == TokenKind::Symbol && matches!(token.text, ")" | "]" | "," | "." | ";");
    let opens = before.kind == TokenKind::Symbol && matches!(before.text, "(" | "[" | ".");
    let is_called = matches!(token.text, "(" | "[") && token.kind == TokenKind::Symbol && !before.begins_expression();
    !closes && !opens && !is_called
}

/// What stands between two tokens, without its comments.
fn gap(space: &str) -> Cow<'_, str> {
    if space.chars().all(char::is_whitespace) {
        return space.into();
    }
    if space.contains('\n') { "\n".into() } else { " ".into() }
}

/// Whether every quote and comment of the text ends.
fn is_closed(text: &str) -> bool {
    let hive = grammar(text) == Grammar::Hive;
    let mut end = 0;
    for lexeme in Scanner::new(text, hive) {
        if lexeme.kind == LexemeKind::Quoted(false) {
            return false;
        }
        end = lexeme.end;
    }
    // A comment that does not end reaches to the end of the text.
    let space = |c: char| c.is_whitespace() || c == '\u{feff}';
    let mut rest = text[end..].trim_start_matches(space);
    loop {
        rest = if let Some(comment) = rest.strip_prefix("/*") {
            let Some(close) = comment.find("*/") else { return false };
            comment[close + 2..].trim_start_matches(space)
        } else if rest.starts_with("--") {
            rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start_matches(space)
        } else {
            return true;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(text: &str) -> String {
        fingerprint(text).normalized.unwrap()
    }

    #[test]
    fn one_form_of_writing() {
        for (text, expected) in [
            ("SELECT 1", "select ?"),
            ("select count ( * ) from T;", "select count(*) from t"),
            (
                "SELECT a.b, \"C\"\"d\".e FROM x WHERE n>=-1.5e-3 AND m<>'it''s'",
                "select a.b, \"C\"\"d\".e from x where n >= ? and m <> ?",
            ),
            ("SELECT a-1, a - -1, -a FROM t", "select a - ?, a - ?, - a from t"),
            (
                "SELECT * FROM t WHERE a IN (1, -2,\n3) AND b IN ('x') AND c IN (a, 1)",
                "select * from t where a in (?) and b in (?) and c in (a, ?)",
            ),
            ("SELECT * FROM t WHERE d IN (DATE '2024-01-01', date '2024-01-02')", "select * from t where d in (date ?)"),
            (
                "SELECT * FROM t WHERE d NOT IN (DATE '2024-01-01', TIMESTAMP '2024-01-02 00:00:00')",
                "select * from t where d not in (date ?, timestamp ?)",
            ),
            (
                "SELECT a FROM t WHERE a IS NOT NULL AND b = NULL AND c = true LIMIT 5",
                "select a from t where a is not null and b = ? and c = ? limit ?",
            ),
            ("SELECT X'00ff', U&'\\00e9', x, u FROM t", "select ?, ?, x, u from t"),
            (
                "SELECT 0xFF, 1_000, 1., .5, 1e5, 2024_sales, t.2024_sales FROM t",
                "select ?, ?, ?, ?, ?, 2024_sales, t.2024_sales from t",
            ),
            (
                "SELECT a[1], m['k'], b||'x' FROM (VALUES (1, 2), (3, 4)) AS t (a, b)",
                "select a[?], m[?], b || ? from (values (?, ?), (?, ?)) as t(a, b)",
            ),
            (
                "ALTER TABLE t ADD PARTITION (dt=\"2024-01-01\") LOCATION 's3://b/x'",
                "alter table t add partition (dt = ?) location ?",
            ),
            (
                "SELECT filter(xs, x->x>1), now() AT TIME ZONE 'UTC' FROM t",
                "select filter (xs, x -> x > ?), now() at time zone ? from t",
            ),
            ("SELECT * FROM t WHERE a = ? AND b = $12", "select * from t where a = ? and b = ?"),
            ("", ""),
        ] {
            assert_eq!(normalized(text), expected, "{text}");
        }
    }

    #[test]
    fn what_differs_in_literals_comments_whitespace_and_case_alone_is_the_same() {
        for (one, other) in [
            ("SELECT 1", "select   'x' ;"),
            ("SELECT a FROM t WHERE b = 5", "SELECT A\n\tFROM T -- the b\nWHERE B = -7.5e10"),
            ("SELECT a FROM t WHERE b = 5", "/* {\"app\": \"dbt\"} */ SELECT a FROM t WHERE b = ?"),
            ("SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN ('x', 'y', 'it''s; (here)')"),
            ("SELECT a FROM t WHERE b = true", "SELECT a FROM t WHERE b = FALSE"),
            ("SELECT a FROM t WHERE d > DATE '2024-01-01'", "SELECT a FROM t WHERE d>date'2025-12-31'"),
            ("SELECT count(*) FROM t", "SELECT COUNT (*) FROM t"),
            ("DROP TABLE t", "drop  table T;;"),
            ("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (-1)"),
        ] {
            assert_eq!(fingerprint(one), fingerprint(other), "{one}, {other}");
        }
    }

    #[test]
    fn what_differs_otherwise_is_not() {
        for (one, other) in [
            ("SELECT a FROM t", "SELECT b FROM t"),
            ("SELECT a FROM t", "SELECT \"a\" FROM t"),
            ("SELECT \"a\" FROM t", "SELECT \"A\" FROM t"),
            ("SELECT \"a b\" FROM t", "SELECT \"a  b\" FROM t"),
            ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b > 1"),
            ("SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS NOT NULL"),
            ("SELECT a, 1 FROM t", "SELECT a FROM t"),
            ("SELECT a FROM d.2024_x", "SELECT a FROM d.2024_y"),
            ("SELECT a -1 FROM t", "SELECT a, -1 FROM t"),
            ("SELECT array[1]", "SELECT array[1, 2]"),
            ("SELECT 'open", "SELECT 'other"),
            ("SELECT 1 /* open", "SELECT 2 /* open"),
        ] {
            assert_ne!(fingerprint(one).hash, fingerprint(other).hash, "{one}, {other}");
        }
        assert_eq!(fingerprint("SELECT 'open").normalized, None);
        assert_eq!(fingerprint("SELECT 1 /* open").normalized, None);
        assert!(fingerprint("SELECT 1 /* closed */ -- to the end").normalized.is_some());
    }

    /// Hashes are stored: they must never change. By the algorithm's own specification.
    #[test]
    fn hashes_stay() {
        assert_eq!(fingerprint("SELECT 1").hash, 0x5ceb_f5a7_2fb4_640c);
    }

    #[test]
    fn literals_are_redacted_and_all_else_is_kept() {
        for (text, expected) in [
            ("SELECT *\n  FROM T -- for 'bob'\n WHERE name = 'bob'  AND n=-5;", "SELECT *\n  FROM T\nWHERE name = ?  AND n=?"),
            ("SELECT 1 /* secret", "SELECT ?"),
            ("SELECT 'open secret", "SELECT ?"),
            ("SELECT \"open secret", "SELECT ?"),
            ("SELECT \"A\"\"b\" FROM t", "SELECT \"A\"\"b\" FROM t"),
            ("SELECT \"A\"\"open secret", "SELECT ?"),
            ("CREATE TABLE t (a INT) COMMENT \"secret\" LOCATION 's3://b/'", "CREATE TABLE t (a INT) COMMENT ? LOCATION ?"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
        let statement = "SELECT CAST('12-ab' AS int), 'a', 12345, 'it''s' FROM abba";
        for (message, expected) in [
            ("cannot cast '12-ab' to int", "cannot cast '?' to int"),
            ("a table abba has a column of 12345 and 123456", "? table abba has ? column of ? and 123456"),
            ("it's \"x\"", "? \"x\""),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(redact_message(message.to_owned(), statement), expected);
        }
    }

    #[test]
    fn long_texts_take_time_in_proportion() {
        let list = (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        assert_eq!(normalized(&format!("SELECT a FROM t WHERE b IN ({list})")), "select a from t where b in (?)");
        assert_eq!(normalized(&"(".repeat(200_000)).len(), 200_000);
        assert_eq!(normalized(&"- ".repeat(100_000)).len(), 199_999);
    }
}
