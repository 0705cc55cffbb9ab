//! Tokens before parsing: names folded to lower case, quoted or not, as Athena compares them; bare rows of `VALUES` in parentheses;
//! Trino's types in the parser's spelling.

use std::collections::HashMap;

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Token, TokenWithSpan},
};

use super::{types, words::is_word};
use crate::error::{Error, ErrorKind, Result};

/// Names as written, by where they are, for those that folding has changed.
pub(in crate::sql) type Originals = HashMap<Location, String>;

/// Parameters that a statement may have.
const MAX_PARAMETERS: usize = 10_000;

/// Tokens ready to be parsed.
pub(in crate::sql) struct Prepared {
    pub tokens: Vec<TokenWithSpan>,
    pub originals: Originals,
    /// Parameters of the statement: `?`, or `$1` to `$n`.
    pub parameters: usize,
}

/// # Errors
/// `Syntax` for parameters that are written in two ways, `LimitExceeded` for too many of them.
pub(in crate::sql) fn prepare(mut tokens: Vec<TokenWithSpan>) -> Result<Prepared> {
    let mut originals = Originals::new();
    for TokenWithSpan { token, span } in &mut tokens {
        if let Token::Word(word) = token {
            let folded = word.value.to_lowercase();
            if folded != word.value {
                originals.insert(span.start, std::mem::replace(&mut word.value, folded));
            }
        }
    }
    let parameters = number_parameters(&mut tokens)?;
    Ok(Prepared { tokens: types::rewrite(parenthesise_values(tokens)), originals, parameters })
}

/// Gives every `?` its number, in the order of the text, and counts the parameters.
fn number_parameters(tokens: &mut [TokenWithSpan]) -> Result<usize> {
    let (mut unnumbered, mut highest) = (0, 0);
    for TokenWithSpan { token, .. } in tokens {
        let Token::Placeholder(name) = token else { continue };
        match name.strip_prefix('$').map(str::parse::<usize>) {
            Some(Ok(number @ 1..=MAX_PARAMETERS)) => highest = highest.max(number),
            None if name == "?" => {
                unnumbered += 1;
                *name = format!("${unnumbered}");
            }
            _ => {
                return Err(Error::new(ErrorKind::Syntax, format!("\"{name}\" is not a parameter"))
                    .with_hint("Write parameters as ?, or as $1, $2 and so on"));
            }
        }
    }
    match (unnumbered, highest) {
        (1.., 1..) => Err(Error::new(ErrorKind::Syntax, "parameters are written both as ? and as $1")
            .with_hint("Write all of them as ?, or number all of them")),
        (unnumbered, highest) if unnumbered.max(highest) > MAX_PARAMETERS => {
            Err(Error::new(ErrorKind::LimitExceeded, format!("the statement has more than {MAX_PARAMETERS} parameters")))
        }
        (unnumbered, highest) => Ok(unnumbered.max(highest)),
    }
}

/// `VALUES 1, 2` as `VALUES (1), (2)`.
fn parenthesise_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let bare = |index: usize| {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        let opens = before.is_none_or(|before| {
            before.token == Token::LParen
                || [Keyword::AS, Keyword::ALL, Keyword::DISTINCT, Keyword::UNION, Keyword::EXCEPT, Keyword::INTERSECT]
                    .iter()
                    .any(|keyword| is_word(before, *keyword))
        });
        let begins = tokens.get(index + 1).is_some_and(|next| match &next.token {
            Token::Word(word) => word.quote_style.is_some() || word.keyword != Keyword::ROW,
            Token::LParen | Token::RParen | Token::Comma | Token::Period | Token::Eq => false,
            _ => true,
        });
        opens && begins
    };
    if !(0..tokens.len()).any(|index| is_word(&tokens[index], Keyword::VALUES) && bare(index)) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 8);
    let mut index = 0;
    while index < tokens.len() {
        out.push(tokens[index].clone());
        let rows = is_word(&tokens[index], Keyword::VALUES) && bare(index);
        index += 1;
        if rows {
            index = push_rows(&tokens, index, &mut out);
        }
    }
    out
}

/// Copies the rows that begin at `index`, each in parentheses, and returns where they end.
fn push_rows(tokens: &[TokenWithSpan], mut index: usize, out: &mut Vec<TokenWithSpan>) -> usize {
    const AFTER: [Keyword; 7] =
        [Keyword::UNION, Keyword::EXCEPT, Keyword::INTERSECT, Keyword::ORDER, Keyword::LIMIT, Keyword::OFFSET, Keyword::FETCH];
    out.push(TokenWithSpan::wrap(Token::LParen));
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(index) {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket if depth == 0 => break,
            Token::RParen | Token::RBracket => depth -= 1,
            Token::Word(_) if depth == 0 && AFTER.iter().any(|keyword| is_word(token, *keyword)) => break,
            _ => {}
        }
        if token.token == Token::Comma && depth == 0 {
            out.push(TokenWithSpan::wrap(Token::RParen));
            out.push(token.clone());
            out.push(TokenWithSpan::wrap(Token::LParen));
        } else {
            out.push(token.clone());
        }
        index += 1;
    }
    out.push(TokenWithSpan::wrap(Token::RParen));
    index
}
