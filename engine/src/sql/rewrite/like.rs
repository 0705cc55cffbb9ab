//! `LIKE` as Trino has it: without `ESCAPE` a backslash is a character like any other, and with `ESCAPE` that character escapes. The planner
//! knows only the backslash as escape, always: patterns are written in its terms.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Value, ValueWithSpan, VisitMut, VisitorMut};

use crate::error::{Error, Result};

pub(super) fn apply(query: &mut Query) -> Result<()> {
    match query.visit(&mut Patterns) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Patterns;

impl VisitorMut for Patterns {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr else {
            return ControlFlow::Continue(());
        };
        let escape = match escape_char.take().map(|escape| text_of(&escape)) {
            None => None,
            Some(Some(text)) if text.chars().count() == 1 => text.chars().next(),
            Some(_) => {
                let error = Error::invalid("the escape of LIKE must be a single character");
                return ControlFlow::Break(error.with_hint("Write it as ESCAPE '\\' or another single character"));
            }
        };
        let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = pattern.as_mut() else {
            return match escape {
                Some(_) => {
                    let error = Error::unsupported("LIKE with ESCAPE needs a literal pattern");
                    ControlFlow::Break(error.with_hint("Use regexp_like for computed patterns"))
                }
                None => ControlFlow::Continue(()),
            };
        };
        match with_backslashes(text, escape) {
            Some(written) => *text = written,
            None => {
                let message = format!("pattern \"{text}\" escapes a character other than _, % and the escape character");
                return ControlFlow::Break(Error::invalid(message));
            }
        }
        ControlFlow::Continue(())
    }
}

fn text_of(escape: &ValueWithSpan) -> Option<String> {
    match &escape.value {
        Value::SingleQuotedString(text) => Some(text.clone()),
        _ => None,
    }
}

/// The pattern with the backslash as its only escape; `None` if an escape escapes nothing.
fn with_backslashes(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut written = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let escaped = characters.next().filter(|next| matches!(next, '_' | '%') || Some(*next) == escape)?;
            if matches!(escaped, '_' | '%' | '\\') {
                written.push('\\');
            }
            written.push(escaped);
        } else {
            if character == '\\' {
                written.push('\\');
            }
            written.push(character);
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_written_with_backslashes() {
        for (pattern, escape, written) in [
            (r"a\_c", None, Some(r"a\\_c")),
            ("50!%", Some('!'), Some(r"50\%")),
            ("a!!b", Some('!'), Some("a!b")),
            (r"a\%b\\", Some('\\'), Some(r"a\%b\\")),
            ("a!b", Some('!'), None),
        ] {
            assert_eq!(with_backslashes(pattern, escape).as_deref(), written, "{pattern}");
        }
    }
}
