//! How deep a statement nests and how long its chains of operators are, counted in its tokens. Counted before parsing, since the parser reads many
//! things that it cannot read twice, at every level.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

use super::{MAX_DEPTH, limit, too_deep};
use crate::error::Result;

/// How many `AND`, `OR` or set operations may follow each other without parentheses or commas. Their trees are balanced after parsing, but
/// are as deep as they are long until then.
const MAX_BALANCED: usize = 5_000;

/// The same for the other operators, of which each is one level of the tree.
const MAX_CHAIN: usize = 200;

/// Tables that one `FROM` may join: each join is one level of the plan.
const MAX_JOINS: usize = 300;

/// What follows each other within one pair of parentheses.
#[derive(Default)]
struct Chain {
    sets: usize,
    /// Commas and `JOIN` since the last `FROM`.
    joins: usize,
    in_from: bool,
    /// `AND` and `OR`, since the last set operation.
    logical: usize,
    /// The other operators, since the last of those.
    inner: usize,
    /// Dots of the name that is being read.
    dots: usize,
    /// `CASE` and `<` of types that are open.
    cases: usize,
    types: usize,
}

/// # Errors
/// `LimitExceeded` for what nests too deep, and for chains of operators and joins that are too long.
pub(in crate::sql) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut chains = vec![Chain::default()];
    let mut depth = 0;
    let mut before: Option<&Token> = None;
    for TokenWithSpan { token, .. } in tokens {
        let opens = matches!(token, Token::LParen | Token::LBracket | Token::LBrace);
        // Subscripts of subscripts are a chain, too.
        if *token == Token::LBracket
            && before == Some(&Token::RBracket)
            && let Some(chain) = chains.last_mut()
        {
            chain.inner += 1;
            chain.check()?;
        }
        if opens {
            chains.push(Chain::default());
        } else if matches!(token, Token::RParen | Token::RBracket | Token::RBrace)
            && chains.len() > 1
            && let Some(closed) = chains.pop()
        {
            depth -= closed.cases + closed.types;
        }
        let innermost = chains.len() - 1;
        let chain = &mut chains[innermost];
        let open = chain.cases + chain.types;
        chain.take(token, before);
        depth = depth + chain.cases + chain.types - open;
        chain.check()?;
        if depth + innermost > MAX_DEPTH {
            return Err(too_deep());
        }
        before = Some(token);
    }
    Ok(())
}

impl Chain {
    fn take(&mut self, token: &Token, before: Option<&Token>) {
        match token {
            Token::Period => self.dots += 1,
            Token::Word(_) if before == Some(&Token::Period) => {}
            _ => self.dots = 0,
        }
        match token {
            Token::Comma => {
                self.joins += usize::from(self.in_from);
                (self.logical, self.inner) = (0, 0);
            }
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => self.inner += 1,
            Token::DoubleColon | Token::Eq | Token::Neq | Token::LtEq | Token::GtEq => self.inner += 1,
            Token::Tilde | Token::ExclamationMark | Token::Arrow => self.inner += 1,
            Token::Lt if before.is_some_and(begins_type) => self.types += 1,
            Token::Gt if self.types > 0 => self.types -= 1,
            Token::ShiftRight if self.types > 0 => self.types = self.types.saturating_sub(2),
            Token::Lt | Token::Gt => self.inner += 1,
            // A name behind a dot is no keyword.
            Token::Word(Word { quote_style: None, keyword, .. }) if before != Some(&Token::Period) => self.word(*keyword, before),
            _ => {}
        }
    }

    fn word(&mut self, keyword: Keyword, before: Option<&Token>) {
        let after_distinct = || matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::DISTINCT);
        match keyword {
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                let Self { sets, cases, types, .. } = *self;
                *self = Self { sets: sets + 1, cases, types, ..Self::default() };
            }
            // IS DISTINCT FROM is an operator.
            Keyword::FROM if after_distinct() => {}
            Keyword::FROM => (self.in_from, self.joins) = (true, 0),
            Keyword::SELECT | Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER | Keyword::WINDOW => {
                self.in_from = false;
            }
            Keyword::JOIN => self.joins += 1,
            Keyword::AND | Keyword::OR => (self.logical, self.inner) = (self.logical + 1, 0),
            // Each of them begins an expression of its own, at one level.
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE => (self.logical, self.inner) = (0, 0),
            Keyword::CASE => self.cases += 1,
            Keyword::END => self.cases = self.cases.saturating_sub(1),
            Keyword::AT | Keyword::IS | Keyword::NOT | Keyword::INTERVAL | Keyword::COLLATE | Keyword::PRIOR => self.inner += 1,
            _ => {}
        }
    }

    fn check(&self) -> Result<()> {
        let (most, what) = match self {
            chain if chain.logical > MAX_BALANCED || chain.sets > MAX_BALANCED => (MAX_BALANCED, "operators in one chain"),
            chain if chain.inner.max(chain.dots) > MAX_CHAIN => (MAX_CHAIN, "operators in one chain"),
            chain if chain.joins > MAX_JOINS => {
                return Err(limit(format!("more than {MAX_JOINS} tables are joined in one FROM"))
                    .with_hint("Join fewer tables at once, or combine rows with UNION ALL"));
            }
            _ => return Ok(()),
        };
        Err(limit(format!("more than {most} {what}")).with_hint("Use IN for long lists of OR, and parentheses for long sums"))
    }
}

/// Whether `<` behind the word begins the types that a type has within it.
fn begins_type(token: &Token) -> bool {
    let Token::Word(Word { quote_style: None, value, .. }) = token else { return false };
    ["array", "struct", "map", "row", "tuple", "nested"].iter().any(|name| value.eq_ignore_ascii_case(name))
}
