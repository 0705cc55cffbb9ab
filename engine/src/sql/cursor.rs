//! A position in a statement's tokens, with what the parsers of both grammars need: words, names, strings, and errors with a position.

use glaux_catalog::ident::{CATALOG_NAME, fold};
use sqlparser::{
    dialect::Dialect,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer},
};

use super::{
    position::{Offsets, end_of, from_parser, mismatched, syntax},
    statement::TableRef,
};
use crate::error::{Error, Result};

/// A token and where it is in the text.
#[derive(Debug, Clone)]
pub(super) struct Spanned {
    pub token: Token,
    pub start: usize,
    pub end: usize,
    pub place: Location,
    span: Span,
}

/// A place in the tokens of one statement. Whitespace, comments and final semicolons are left out.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Spanned>,
    at: usize,
    /// Whether strings have Hive's backslash escapes and may stand in double quotes.
    hive: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, dialect: &dyn Dialect, hive: bool) -> Result<Self> {
        let tokens = Tokenizer::new(dialect, text)
            .with_unescape(!hive)
            .tokenize_with_location()
            .map_err(|error| from_parser(&error.to_string(), text))?;
        let mut offsets = Offsets::new(text);
        let mut spanned: Vec<Spanned> = Vec::with_capacity(tokens.len());
        for TokenWithSpan { token, span } in tokens {
            if !matches!(token, Token::Whitespace(_) | Token::EOF) {
                let start = offsets.of(span.start);
                spanned.push(Spanned { token, start, end: offsets.of(span.end), place: span.start, span });
            }
        }
        while spanned.last().is_some_and(|last| last.token == Token::SemiColon) {
            spanned.pop();
        }
        if let Some(second) = spanned.iter().find(|token| token.token == Token::SemiColon) {
            return Err(syntax(second.place, "one statement is expected, but another follows the semicolon"));
        }
        if spanned.is_empty() {
            return Err(syntax(end_of(text), "the statement is empty"));
        }
        Ok(Self { text, tokens: spanned, at: 0, hive })
    }

    pub(super) fn peek(&self) -> Option<&Spanned> {
        self.tokens.get(self.at)
    }

    fn nth(&self, n: usize) -> Option<&Spanned> {
        self.tokens.get(self.at + n)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// The tokens from here on, for the parser of queries.
    pub(super) fn remaining(&self) -> Vec<TokenWithSpan> {
        self.tokens[self.at.min(self.tokens.len())..]
            .iter()
            .map(|spanned| TokenWithSpan::new(spanned.token.clone(), spanned.span))
            .collect()
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Where the next token is.
    pub(super) fn place(&self) -> Location {
        self.peek().map_or_else(|| end_of(self.text), |token| token.place)
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The text from the next token to the end of the last one.
    pub(super) fn rest(&self) -> &'a str {
        match (self.peek(), self.tokens.last()) {
            (Some(first), Some(last)) => &self.text[first.start..last.end],
            _ => "",
        }
    }

    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_end() { Ok(()) } else { Err(self.unexpected(&["<EOF>"])) }
    }

    pub(super) fn unexpected(&self, expecting: &[&str]) -> Error {
        let found = self.peek().map_or("", |token| &self.text[token.start..token.end]);
        let error = mismatched(self.place(), found, expecting);
        if !self.hive && found.starts_with('`') && expecting.contains(&"<identifier>") {
            error.with_hint("Queries quote names with double quotes; backticks belong to DDL")
        } else {
            error
        }
    }

    /// A `Syntax` error at the next token.
    pub(super) fn fault(&self, message: &str) -> Error {
        syntax(self.place(), message)
    }

    pub(super) fn nth_word(&self, n: usize, word: &str) -> bool {
        self.nth(n).is_some_and(
            |spanned| matches!(&spanned.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word)),
        )
    }

    /// Whether these words, unquoted, come next.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.nth_word(n, word))
    }

    /// Passes over these words if they come next.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    /// Passes over one of these words and returns it.
    pub(super) fn eat_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().find(|word| self.nth_word(0, word)).copied();
        if found.is_some() {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        for word in words {
            if !self.eat_word(word) {
                return Err(self.unexpected(&[&format!("'{word}'")]));
            }
        }
        Ok(())
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        self.eat_words(&["IF", "EXISTS"])
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_words(&["IF", "NOT", "EXISTS"])
    }

    pub(super) fn at_token(&self, token: &Token) -> bool {
        self.peek().is_some_and(|next| next.token == *token)
    }

    pub(super) fn nth_token(&self, n: usize, token: &Token) -> bool {
        self.nth(n).is_some_and(|next| next.token == *token)
    }

    pub(super) fn eat(&mut self, token: &Token) -> bool {
        let found = self.at_token(token);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&[&format!("'{token}'")])) }
    }

    /// `(item, item, ...)`, at least one.
    pub(super) fn parenthesised<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.eat(&Token::Comma) {
            items.push(item(self)?);
        }
        if self.eat(&Token::RParen) { Ok(items) } else { Err(self.unexpected(&["','", "')'"])) }
    }

    /// A name, folded to lower case.
    pub(super) fn name(&mut self) -> Result<String> {
        Ok(fold(&self.raw_name()?.0))
    }

    /// A name that is folded to lower case only if it is not quoted.
    pub(super) fn case_sensitive_name(&mut self) -> Result<String> {
        let is_bare = matches!(self.peek().map(|spanned| &spanned.token), Some(Token::Word(word)) if word.quote_style.is_none());
        let (name, _) = self.raw_name()?;
        Ok(if is_bare { fold(&name) } else { name })
    }

    /// A name of somebody: a word or a string, not folded.
    pub(super) fn name_as_written(&mut self) -> Result<String> {
        if self.at_string() { self.string() } else { Ok(self.raw_name()?.0) }
    }

    /// A name as written, and whether it was in backticks. Where a name is expected, Hive's half takes one in double quotes too, which drivers
    /// write whatever the statement; Athena takes it for a string, and refuses it there.
    fn raw_name(&mut self) -> Result<(String, bool)> {
        let name = match self.peek().map(|spanned| &spanned.token) {
            Some(Token::Word(word)) => {
                // Unescaping is off in the Hive half, so that strings keep their backslashes.
                let value = if self.hive { word.value.replace("``", "`") } else { word.value.clone() };
                (value, word.quote_style.is_some())
            }
            Some(Token::DoubleQuotedString(name)) if self.hive => (name.replace("\"\"", "\""), false),
            _ => return Err(self.unexpected(&["<identifier>"])),
        };
        if name.0.is_empty() {
            return Err(self.fault("a name is empty"));
        }
        self.at += 1;
        Ok(name)
    }

    /// `[[catalog.]database.]table`; a name with dots inside its quotes counts as several, as in Athena's `DROP TABLE`.
    pub(super) fn table(&mut self) -> Result<TableRef> {
        let place = self.place();
        let (first, quoted) = self.raw_name()?;
        let mut parts = vec![first];
        while self.eat(&Token::Period) {
            parts.push(self.raw_name()?.0);
        }
        if quoted && self.hive && parts.len() == 1 && parts[0].contains('.') {
            parts = parts[0].split('.').map(str::to_owned).collect();
        }
        let parts: Vec<String> = parts.iter().map(|part| fold(part)).collect();
        let table = match parts.as_slice() {
            [table] => TableRef { database: None, table: table.clone() },
            [database, table] => TableRef { database: Some(database.clone()), table: table.clone() },
            [catalog, database, table] => {
                check_catalog(catalog)?;
                TableRef { database: Some(database.clone()), table: table.clone() }
            }
            _ => return Err(syntax(place, "a table's name has at most three parts: catalog, database, table")),
        };
        match table.table.is_empty() || table.database.as_deref() == Some("") {
            true => Err(syntax(place, "a part of the table's name is empty")),
            false => Ok(table),
        }
    }

    /// `[catalog.]database`.
    pub(super) fn database(&mut self) -> Result<String> {
        let first = self.name()?;
        if !self.eat(&Token::Period) {
            return Ok(first);
        }
        check_catalog(&first)?;
        self.name()
    }

    pub(super) fn at_string(&self) -> bool {
        matches!(self.peek().map(|spanned| &spanned.token), Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)))
    }

    /// A string, unescaped.
    pub(super) fn string(&mut self) -> Result<String> {
        match self.peek() {
            Some(Spanned { token: Token::SingleQuotedString(value), .. }) if !self.hive => {
                let value = value.clone();
                self.at += 1;
                Ok(value)
            }
            Some(spanned) if self.at_string() => {
                let value = unescape(&self.text[spanned.start..spanned.end]);
                self.at += 1;
                Ok(value)
            }
            _ => Err(self.unexpected(&["<string>"])),
        }
    }

    /// An unsigned whole number.
    pub(super) fn number(&mut self) -> Result<u32> {
        let number = match self.peek().map(|spanned| &spanned.token) {
            Some(Token::Number(digits, _)) => digits.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.at += 1;
                Ok(number)
            }
            None => Err(self.unexpected(&["<integer>"])),
        }
    }

    /// The text of the tokens from one index up to here.
    pub(super) fn since(&self, mark: usize) -> &'a str {
        match (self.tokens.get(mark), self.at.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) if first.start < last.end => &self.text[first.start..last.end],
            _ => "",
        }
    }

    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
    }
}

/// Only Athena's own catalog exists here.
pub(crate) fn check_catalog(catalog: &str) -> Result<()> {
    if fold(catalog) == CATALOG_NAME {
        return Ok(());
    }
    Err(Error::not_found(format!("catalog \"{catalog}\" does not exist"))
        .with_hint(format!("The only catalog is {CATALOG_NAME}")))
}

/// Takes a string out of its quotes as Hive does: backslash escapes, and strings side by side are one.
fn unescape(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match quote {
            None => quote = Some(c),
            Some(open) if open == c => quote = None,
            Some(_) if c == '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('b') => text.push('\u{8}'),
                Some('Z') => text.push('\u{1a}'),
                Some('u') => match hex(chars.as_str()) {
                    Some(unicode) => {
                        text.push(unicode);
                        chars = chars.as_str()[4..].chars();
                    }
                    None => text.push('u'),
                },
                Some(wild @ ('%' | '_')) => text.extend(['\\', wild]),
                Some(digit @ '0'..='1') => match octal(digit, chars.as_str()) {
                    Some(byte) => {
                        text.push(byte);
                        chars = chars.as_str()[2..].chars();
                    }
                    None if digit == '0' => text.push('\0'),
                    None => text.push(digit),
                },
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            Some(_) => text.push(c),
        }
    }
    text
}

/// The character of four hexadecimal digits.
fn hex(rest: &str) -> Option<char> {
    let digits = rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
}

/// The character of three octal digits, of which the first is known.
fn octal(first: char, rest: &str) -> Option<char> {
    let digits = rest.get(..2).filter(|digits| digits.bytes().all(|b| (b'0'..=b'7').contains(&b)))?;
    u8::from_str_radix(&format!("{first}{digits}"), 8).ok().map(char::from)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn strings_unescape_as_in_hive() {
        for (quoted, text) in [
            (r"'\t'", "\t"),
            (r"'\001'", "\u{1}"),
            (r"'\u0001x'", "\u{1}x"),
            (r"'\\'", "\\"),
            (r"'it\'s'", "it's"),
            (r#""(\\[.*\\]) \"q\"""#, r#"(\[.*\]) "q""#),
            (r"'a\%b'", r"a\%b"),
            (r"'\0'", "\0"),
            (r"'\q\1'", "q1"),
            ("'ab''cd'", "abcd"),
        ] {
            assert_eq!(unescape(quoted), text, "{quoted}");
        }
    }
}
