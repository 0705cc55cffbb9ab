//! Trino's types in casts. Before parsing, `array(t)` becomes `array<t>`, and `row(a t, ...)` becomes `struct<a t, ...>`, which the parser
//! reads as types (`map(k, v)`, `varchar(n)` and `timestamp(3)` it reads as they are). After parsing, Hive's names that Athena refuses
//! in queries are refused.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{DataType, Expr, Query, Visit, Visitor},
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

use super::words::is_word;
use crate::error::{Error, Result};

/// How deep types may nest.
const MAX_DEPTH: usize = 64;

/// Rewrites the types of `CAST(x AS type)` and `TRY_CAST(x AS type)`. What is no type is left as it is.
pub(super) fn rewrite(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let cast = |index: usize| is_word(&tokens[index], Keyword::CAST) || is_word(&tokens[index], Keyword::TRY_CAST);
    if !(0..tokens.len()).any(cast) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 8);
    // Whether each open parenthesis is a cast's.
    let mut open: Vec<bool> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match &tokens[index].token {
            Token::LParen => open.push(index.checked_sub(1).is_some_and(cast)),
            Token::RParen => {
                open.pop();
            }
            _ => {}
        }
        out.push(tokens[index].clone());
        index += 1;
        if open.last() == Some(&true) && is_word(&tokens[index - 1], Keyword::AS) {
            let mut types = Types { tokens: &tokens, at: index, out: Vec::new() };
            if types.data_type(0).is_some() && tokens.get(types.at).is_some_and(|next| next.token == Token::RParen) {
                out.append(&mut types.out);
                index = types.at;
            }
        }
    }
    out
}

struct Types<'a> {
    tokens: &'a [TokenWithSpan],
    at: usize,
    out: Vec<TokenWithSpan>,
}

impl Types<'_> {
    fn token(&self, n: usize) -> Option<&Token> {
        self.tokens.get(self.at + n).map(|token| &token.token)
    }

    fn word(&self, n: usize) -> Option<&Word> {
        match self.token(n) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn is(&self, n: usize, text: &str) -> bool {
        self.word(n).is_some_and(|word| word.quote_style.is_none() && word.value == text)
    }

    /// Copies tokens as they are.
    fn copy(&mut self, count: usize) -> Option<()> {
        self.out.extend_from_slice(self.tokens.get(self.at..self.at + count)?);
        self.at += count;
        Some(())
    }

    /// Passes over a token and puts another in its place.
    fn swap(&mut self, found: &Token, token: Token) -> Option<()> {
        let TokenWithSpan { token: next, span } = self.tokens.get(self.at)?;
        (next == found).then(|| {
            self.out.push(TokenWithSpan::new(token, *span));
            self.at += 1;
        })
    }

    /// One type; `None` if there is none.
    fn data_type(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let opened = self.token(1) == Some(&Token::LParen);
        if opened && self.is(0, "array") {
            self.copy(1)?;
            self.swap(&Token::LParen, Token::Lt)?;
            self.data_type(depth + 1)?;
            self.swap(&Token::RParen, Token::Gt)
        } else if opened && self.is(0, "map") {
            self.copy(2)?;
            self.data_type(depth + 1)?;
            self.swap(&Token::Comma, Token::Comma)?;
            self.data_type(depth + 1)?;
            self.swap(&Token::RParen, Token::RParen)
        } else if opened && self.is(0, "row") {
            self.row(depth)
        } else {
            self.word(0).filter(|word| word.quote_style.is_none())?;
            self.copy(1)?;
            if self.token(0) == Some(&Token::LParen) {
                while self.token(0) != Some(&Token::RParen) {
                    matches!(self.token(0), Some(Token::Number(..) | Token::Comma | Token::LParen)).then_some(())?;
                    self.copy(1)?;
                }
                self.copy(1)?;
            }
            if (self.is(0, "with") || self.is(0, "without")) && self.is(1, "time") && self.is(2, "zone") {
                self.copy(3)?;
            } else if self.is(0, "precision") {
                self.copy(1)?;
            } else if self.is(0, "day") || self.is(0, "year") {
                self.copy(if self.is(1, "to") { 3 } else { 1 })?;
            }
            Some(())
        }
    }

    /// `row(a t, "b" t)`; fields without a name are called `field0`, `field1`, as Trino shows them.
    fn row(&mut self, depth: usize) -> Option<()> {
        let keyword = Token::make_keyword("STRUCT");
        let row = self.token(0)?.clone();
        self.swap(&row, keyword)?;
        self.swap(&Token::LParen, Token::Lt)?;
        for field in 0.. {
            let span = self.tokens.get(self.at)?.span;
            let multiple = self.is(0, "double") && self.is(1, "precision")
                || (self.is(0, "timestamp") || self.is(0, "time")) && (self.is(1, "with") || self.is(1, "without"))
                || self.is(0, "interval") && (self.is(1, "day") || self.is(1, "year"));
            let name = match (self.word(0), self.word(1)) {
                (Some(name), Some(_)) if !multiple => {
                    let name = name.value.clone();
                    self.at += 1;
                    name
                }
                _ => format!("field{field}"),
            };
            self.out.push(TokenWithSpan::new(Token::make_word(&name, Some('"')), span));
            self.data_type(depth + 1)?;
            if self.swap(&Token::Comma, Token::Comma).is_none() {
                break;
            }
        }
        self.swap(&Token::RParen, Token::Gt)
    }
}

/// Refuses the types of casts that Athena does not know in queries.
///
/// # Errors
/// `Invalid`, with the name to write instead.
pub(super) fn check(query: &Query) -> Result<()> {
    match query.visit(&mut Check) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Check;

impl Visitor for Check {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Box<Error>> {
        let (name, instead) = match expr {
            Expr::Cast { data_type: DataType::String(_), .. } => ("string", "varchar"),
            Expr::Cast { data_type: DataType::Text, .. } => ("text", "varchar"),
            _ => return ControlFlow::Continue(()),
        };
        let error = Error::invalid(format!("unknown type \"{name}\"")).with_hint(format!("In queries, write {instead}"));
        ControlFlow::Break(Box::new(error))
    }
}
