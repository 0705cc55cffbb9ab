//! Keywords among tokens.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

/// Whether the token is this unquoted word.
pub(super) fn is_word(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(Word { keyword: found, quote_style: None, .. }) if *found == keyword)
}
