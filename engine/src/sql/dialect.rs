//! The two lexical worlds: Trino's, as Athena's queries are written in it, and Hive's, for the tokens of DDL.

use std::{any::TypeId, cell::Cell};

use sqlparser::{
    ast::Expr,
    dialect::{Dialect, GenericDialect},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

/// Trino's reserved words that no expression begins with: `sqlparser` takes most of them as columns.
const NO_EXPRESSION: [Keyword; 40] = [
    Keyword::ALTER,
    Keyword::AND,
    Keyword::AS,
    Keyword::BETWEEN,
    Keyword::BY,
    Keyword::CONSTRAINT,
    Keyword::CREATE,
    Keyword::CROSS,
    Keyword::DELETE,
    Keyword::DESCRIBE,
    Keyword::DROP,
    Keyword::ELSE,
    Keyword::END,
    Keyword::ESCAPE,
    Keyword::EXCEPT,
    Keyword::FOR,
    Keyword::FROM,
    Keyword::FULL,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::IN,
    Keyword::INNER,
    Keyword::INSERT,
    Keyword::INTERSECT,
    Keyword::INTO,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LEFT,
    Keyword::LIKE,
    Keyword::NATURAL,
    Keyword::ON,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::OUTER,
    Keyword::RIGHT,
    Keyword::THEN,
    Keyword::UNION,
    Keyword::USING,
    Keyword::WHEN,
    Keyword::WHERE,
];

/// Trino's SQL as `sqlparser` takes it: its generic dialect with lambdas, without backticks, and without what other engines add to
/// `SELECT` (`FROM`-first, pipes, `LIMIT a, b`, trailing commas), so that what runs here also runs in Athena.
///
/// It says how much the parser may try: what it cannot read as one thing it reads again as another, at every level, and at some
/// depth that takes for ever.
#[derive(Debug, Clone)]
pub(crate) struct AthenaDialect {
    /// Expressions that may yet be begun.
    work: Cell<usize>,
}

impl AthenaDialect {
    /// The dialect for one parser, which may begin so many expressions.
    pub(super) fn with_work(expressions: usize) -> Self {
        Self { work: Cell::new(expressions) }
    }

    /// Whether the parser has begun all the expressions that it may.
    pub(super) fn is_exhausted(&self) -> bool {
        self.work.get() == 0
    }
}

impl Default for AthenaDialect {
    fn default() -> Self {
        Self::with_work(usize::MAX)
    }
}

impl Dialect for AthenaDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('"')
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '@' | '$')
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    /// Not in Trino: the types of `row` are read as `struct<...>`.
    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        true
    }

    fn supports_create_view_comment_syntax(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    /// Called where an expression begins.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let work = self.work.get();
        self.work.set(work.saturating_sub(1));
        if work <= 1 {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        let token = parser.peek_token();
        match &token.token {
            Token::Word(word) if word.quote_style.is_none() && NO_EXPRESSION.contains(&word.keyword) => {
                Some(parser.expected_ref("<expression>", &token))
            }
            _ => None,
        }
    }

    /// The right side of `IS DISTINCT FROM` binds like any predicate's; `sqlparser` takes all that follows, `AND` and `OR` as well.
    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let make = if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            Expr::IsNotDistinctFrom
        } else {
            return None;
        };
        Some(parser.parse_subexpr(precedence).map(|right| make(Box::new(expr.clone()), Box::new(right))))
    }
}

/// Hive's lexis: backticks for names, both quotes for strings, backslash escapes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HiveLexis;

impl Dialect for HiveLexis {
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '$')
    }

    fn supports_numeric_prefix(&self) -> bool {
        true
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
}
