//! Rewrites DataFusion's and Arrow's messages about a mistake in a query in Trino's words: messages by pattern, types and literals by name.
//!
//! The libraries give text only, so this reads text. A message that matches no pattern passes through without the library's prefixes.

use super::{
    prefixes::plain,
    types::{translated, type_name},
};
use crate::error::{ErrorKind, nearest};

/// What to say instead; a kind or a hint if the text tells one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wording {
    pub(super) message: String,
    pub(super) kind: Option<ErrorKind>,
    pub(super) hint: Option<String>,
}

impl From<String> for Wording {
    fn from(message: String) -> Self {
        Self { message, kind: Some(ErrorKind::Invalid), hint: None }
    }
}

/// A library's message in our words.
pub(super) fn of(text: &str) -> Wording {
    let text = without_report(text);
    let text = text.trim();
    let as_it_is = || Wording { message: plain(&translated(text)), kind: None, hint: None };
    PATTERNS.iter().find_map(|pattern| pattern(text)).unwrap_or_else(as_it_is)
}

/// What stands before the limit of a query's own memory, in the error of one that needs more.
pub(crate) const QUERY_LIMIT: &str = "query_limit: ";

/// What ran out, where it is memory: how much was asked for, and how much there is. Which of DataFusion's parts asked for it does not help a user.
pub(super) fn exhausted(text: &str) -> String {
    let Some(more) = between(text, "Failed to allocate additional ", " for ") else { return plain(text) };
    if let Some(limit) = between(text, QUERY_LIMIT, ")") {
        return format!("out of memory: {more} more needed, and a query of this workgroup is limited to {limit}");
    }
    match between(text, "pool_size: ", ")") {
        Some(limit) => format!("out of memory: {more} more needed, and all queries together are limited to {limit}"),
        None => plain(text),
    }
}

/// The text without the request to report a bug of DataFusion's.
fn without_report(text: &str) -> String {
    const BEGIN: &str = "\nThis issue was likely caused by a bug in DataFusion's code.";
    const END: &str = "https://github.com/apache/datafusion/issues";
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        out.push_str(before.trim_end_matches('.'));
        rest = after.split_once(END).map_or("", |(_, after)| after);
    }
    out + rest
}

type Pattern = fn(&str) -> Option<Wording>;

/// The first that knows a text decides.
const PATTERNS: [Pattern; 14] = [
    unify,
    call,
    unknown_function,
    operator,
    boolean,
    cast,
    overflow,
    grouping,
    positions,
    fields,
    regex,
    accumulator,
    physical,
    surrender,
];

/// What stands between two texts.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(begin)?;
    if end.is_empty() { Some(after) } else { after.split_once(end).map(|(found, _)| found) }
}

/// Trino's name of a function that DataFusion calls otherwise.
fn function_name(name: &str) -> &str {
    match name {
        "character_length" => "length",
        "array_to_string" => "array_join",
        "map_extract" => "element_at",
        "array_has" => "contains",
        "list_extract" | "array_element" => "subscript",
        other => other,
    }
}

/// Values without a common type.
fn unify(text: &str) -> Option<Wording> {
    let common = |what: &str, types: &str| {
        let message = format!("all {what} must be the same type or coercible to a common type, not {types}");
        Some(Wording::from(message))
    };
    if let Some(types) = between(text, "Failed to unify argument types of make_array: [", "]") {
        return common("ARRAY elements", &translated(types));
    }
    if text.contains("No function matches")
        && let Some(types) = between(text, "'coalesce(", ")'").filter(|types| !types.is_empty())
    {
        return common("COALESCE operands", &translated(types));
    }
    let case = text.contains("CASE WHEN expression") || text.contains("CASE expression");
    if case && text.contains("ailed to coerce") {
        let types = between(text, "ailed to coerce ", " to common types")?;
        return common("CASE results", &translated(types));
    }
    let (_, values) = text.split_once("nconsistent data type across values list at ")?;
    let (found, other) = values.split_once("Was ")?.1.split_once(" but found ")?;
    Some(Wording::from(format!("values rows have mismatched types: row({}) and row({})", translated(found), translated(other))))
}

/// A call whose arguments fit no form of the function.
fn call(text: &str) -> Option<Wording> {
    let (called, candidates) = text.split_once("No function matches the given name and argument types '")?.1.split_once("'. ")?;
    let (name, arguments) = called.strip_suffix(')')?.split_once('(')?;
    let arguments = translated(arguments);
    if name == "array_element" {
        let (of, with) = arguments.rsplit_once(", ")?;
        return Some(Wording::from(format!("cannot use {with} for subscript of {of}")));
    }
    let name = function_name(name);
    let own = between(text, "user-defined coercion failed with: Error during planning: ", " No function matches");
    if let Some(own) = own.filter(|own| !own.contains("Internal error")) {
        return Some(Wording::from(plain(&translated(own.trim_end_matches('.')))));
    }
    let mut forms: Vec<String> = Vec::new();
    for form in candidates.split('\n').skip(1).filter_map(|line| line.trim().strip_suffix(')')?.split_once('(')) {
        if let Some(parameters) = parameters(form.1) {
            let form = format!("{name}({parameters})");
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    let expected = if forms.is_empty() { String::new() } else { format!(". Expected: {}", forms.join(", ")) };
    Some(Wording::from(format!("unexpected parameters ({arguments}) for function {name}{expected}")))
}

/// One form's parameters by Trino's names; none for forms that are DataFusion's own business.
fn parameters(form: &str) -> Option<String> {
    let (class, count) = match form.strip_suffix(')').and_then(|form| form.split_once('(')) {
        Some((class, count)) => (class, count.parse::<usize>().ok()),
        None => (form, None),
    };
    match (class, count) {
        ("UserDefined" | "UInt64" | "UInt32" | "UInt16" | "UInt8", _) => return None,
        ("NullAry", _) | ("", None) => return Some(String::new()),
        ("Numeric" | "String" | "Any", Some(count)) => return Some(vec![class_name(class); count].join(", ")),
        _ => {}
    }
    let word = |word: &str| {
        // A parameter may have a name before its type.
        let word = word.rsplit_once(": ").map_or(word, |(_, word)| word).trim();
        word.split('/').map(class_name).collect::<Vec<_>>().join(" or ")
    };
    Some(form.split(", ").map(word).collect::<Vec<_>>().join(", "))
}

fn class_name(class: &str) -> String {
    match class {
        "Numeric" => "number".to_owned(),
        "Decimal" => "decimal(p,s)".to_owned(),
        "Integer" => "bigint".to_owned(),
        "String" => "varchar".to_owned(),
        "Interval" | "Duration" => "interval day to second".to_owned(),
        "Any" => "T".to_owned(),
        other => type_name(other).unwrap_or_else(|| other.to_lowercase()),
    }
}

fn unknown_function(text: &str) -> Option<Wording> {
    let rest = text.trim_start_matches("Error during planning: ").strip_prefix("Invalid function '")?;
    let (name, rest) = rest.split_once('\'')?;
    let near = between(rest, "Did you mean '", "'").and_then(|near| nearest(name, std::iter::once(near)));
    Some(Wording {
        hint: near.map(|near| format!("Did you mean {near}?")),
        ..Wording::from(format!("unknown function '{name}'"))
    })
}

fn operator(text: &str) -> Option<Wording> {
    if let Some((value, bounds)) =
        between(text, "ailed to coerce types ", " in BETWEEN").and_then(|types| types.split_once(" and "))
    {
        let (value, bounds) = (translated(value), translated(bounds));
        return Some(Wording::from(format!("cannot check if {value} is BETWEEN values of {bounds}")));
    }
    let expression = between(text, "annot coerce arithmetic expression ", " to valid types")
        .or_else(|| between(text, "annot get result type for temporal operation ", ": "))
        .or_else(|| between(text, "annot infer common argument type for comparison operation ", ""))
        .or_else(|| between(text, "Invalid comparison operation: ", ""))?;
    Some(Wording::from(format!("cannot apply operator: {}", translated(expression).replace(" == ", " = "))))
}

/// What must be true or false, or a number, and is not.
fn boolean(text: &str) -> Option<Wording> {
    if let Some(terms) = between(text, "annot infer common argument type for logical boolean operation ", "") {
        let (left, right) = terms.split_once(" AND ").or_else(|| terms.split_once(" OR "))?;
        let wrong = if left == "Boolean" { right } else { left };
        return Some(Wording::from(format!(
            "logical expression term must evaluate to a boolean (actual: {})",
            translated(wrong)
        )));
    }
    if let Some(found) = between(text, "operator 'NOT' requires a boolean expression, got ", "") {
        let found = translated(found);
        return Some(Wording::from(format!("value of logical NOT expression must evaluate to a boolean (actual: {found})")));
    }
    if text.contains("operator '-' only supports") {
        return Some(Wording::from("cannot negate a value that is neither a number nor an interval".to_owned()));
    }
    if let Some(types) = between(text, "there isn't a common type to coerce ", " in LIKE")
        .or_else(|| between(text, "There isn't a common type to coerce ", " in LIKE"))
    {
        let (left, right) = types.split_once(" and ")?;
        let (side, found) = match translated(left) {
            left if left == "varchar" => ("pattern for", translated(right)),
            left => ("left side of", left),
        };
        return Some(Wording::from(format!("{side} LIKE expression must evaluate to a varchar (actual: {found})")));
    }
    let (clause, found) = match between(text, "annot create filter with non-boolean predicate ", "") {
        Some(predicate) => ("WHERE clause", predicate.rsplit_once(" returning ")?.1),
        None => ("JOIN ON clause", between(text, "oin condition must be boolean type, but got ", "")?),
    };
    Some(Wording::from(format!("{clause} must evaluate to a boolean: actual type {}", translated(found))))
}

fn cast(text: &str) -> Option<Wording> {
    let cannot = |value: &str, to: &str| Some(Wording::from(format!("cannot cast {value} to {}", translated(to))));
    for begin in ["Cannot cast string ", "Cannot cast value "] {
        if let Some((value, to)) = between(text, begin, "").and_then(|found| found.rsplit_once(" to value of ")) {
            return cannot(value, to.strip_suffix(" type")?);
        }
    }
    if let Some((value, to)) = between(text, "Can't cast value ", "").and_then(|found| found.rsplit_once(" to type ")) {
        return Some(Wording::from(format!("out of range for {}: {value}", translated(to))));
    }
    if let Some((value, rest)) = text.split_once(" is too large to store in a Decimal") {
        let precision = between(rest, "of precision ", ".")?;
        let value = value.rsplit(": ").next().unwrap_or(value);
        return Some(Wording::from(format!("{value} is out of range for a decimal of precision {precision}")));
    }
    let (from, to) = between(text, "nsupported CAST from ", "")?.split_once(" to ")?;
    cannot(&translated(from), to)
}

fn overflow(text: &str) -> Option<Wording> {
    if text.to_lowercase().contains("divide by zero") {
        return Some(Wording::from("division by zero".to_owned()));
    }
    let (_, what) = text.split_once("Overflow happened on: ").or_else(|| text.split_once("overflow on "))?;
    Some(Wording::from(format!("arithmetic overflow: {what}")))
}

fn grouping(text: &str) -> Option<Wording> {
    let column = between(text, "While expanding wildcard, column \"", "\" must appear in the GROUP BY clause")
        .or_else(|| between(text, "HAVING clause references: ", " must appear in the GROUP BY clause"))?;
    Some(Wording::from(format!("'{column}' must be an aggregate expression or appear in GROUP BY clause")))
}

fn positions(text: &str) -> Option<Wording> {
    if let Some(position) = between(text, "rder by column out of bounds, specified: ", ",") {
        return Some(Wording::from(format!("ORDER BY position {position} is not in select list")));
    }
    if let Some(position) = between(text, "annot find column with position ", " in SELECT clause") {
        return Some(Wording::from(format!("GROUP BY position {position} is not in select list")));
    }
    let (columns, names) =
        between(text, "ource table contains ", " names given as column alias")?.split_once(" columns but only ")?;
    Some(Wording::from(format!("column alias list has {names} entries but the relation has {columns} columns available")))
}

fn fields(text: &str) -> Option<Wording> {
    if let Some(found) = between(text, "annot access field at argument 1: type ", " is not Struct") {
        return Some(Wording::from(format!("an expression of type {} has no fields", translated(found))));
    }
    if text.contains("Dot access not supported for non-string expr") {
        return Some(Wording::from(
            "fields can be taken only from columns: give the row an alias in a subquery first".to_owned(),
        ));
    }
    let name = between(text, "mbiguous reference to unqualified field ", "")?;
    Some(Wording::from(format!("column '{name}' is ambiguous")))
}

fn regex(text: &str) -> Option<Wording> {
    let (_, rest) = text.split_once("regex parse error:")?;
    let why = rest.rsplit_once("error: ").map_or("it does not parse", |(_, why)| why.trim());
    Some(Wording::from(format!("invalid regular expression: {why}")))
}

fn accumulator(text: &str) -> Option<Wording> {
    let found = between(text, "Min/Max accumulator not implemented for type ", "")?;
    Some(Wording {
        kind: Some(ErrorKind::Unsupported),
        hint: Some("Compare by a part that has an order, as in max_by(value, part)".to_owned()),
        ..Wording::from(format!("min and max are not supported for {}", translated(found.trim_end_matches('.'))))
    })
}

/// An expression where none of its kind may stand.
fn physical(text: &str) -> Option<Wording> {
    let expression = match text.contains("calarSubqueryExpr evaluated before") {
        true => "ScalarSubquery",
        false => between(text, "hysical plan does not support logical expression ", "")?,
    };
    let message = match expression.split(['(', ' ']).next() {
        Some("WindowFunction") => "WHERE clause cannot contain window functions",
        Some("AggregateFunction") => "WHERE clause cannot contain aggregations",
        Some("InSubquery" | "Exists" | "ScalarSubquery" | "SetComparison") => "a subquery is not supported here",
        _ => "this expression is not supported here",
    };
    let hint = "Compute it in a subquery in FROM, and use its column".to_owned();
    Some(Wording { message: message.to_owned(), kind: Some(ErrorKind::Unsupported), hint: Some(hint) })
}

/// A function that gives up on its arguments, which it takes for a fault of its own: `array_resize: output size overflow`.
fn surrender(text: &str) -> Option<Wording> {
    let told = text.strip_prefix("Internal error: ")?;
    let name = told.split([' ', ':']).next()?;
    let is_of_names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_function = name.contains('_') && name.bytes().all(is_of_names);
    is_function.then(|| Wording::from(plain(&translated(told.trim_end_matches('.')))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_in_trinos_words() {
        for (theirs, ours) in [
            (
                "Internal error: Function 'sum' failed to match any signature, errors: Error during planning: Function 'sum' requires \
                 Decimal, but received String (DataType: Utf8)..\nThis issue was likely caused by a bug in DataFusion's code. Please \
                 help us to resolve this by filing a bug report in our issue tracker: https://github.com/apache/datafusion/issues No \
                 function matches the given name and argument types 'sum(Utf8)'. You might need to add explicit type \
                 casts.\n\tCandidate functions:\n\tsum(Decimal)\n\tsum(UInt64)\n\tsum(Int64)\n\tsum(Float64)\n\tsum(Duration)\n\tsum(Interval)",
                "unexpected parameters (varchar) for function sum. Expected: sum(decimal(p,s)), sum(bigint), sum(double), sum(interval \
                 day to second)",
            ),
            (
                "Function 'abs' expects 1 arguments but received 2. No function matches the given name and argument types 'abs(Int64, \
                 Int64)'. You might need to add explicit type casts.\n\tCandidate functions:\n\tabs(Numeric(1))",
                "unexpected parameters (bigint, bigint) for function abs. Expected: abs(number)",
            ),
            (
                "Function 'substr' user-defined coercion failed with: Error during planning: argument 1 of function 'substr' must be \
                 varchar, not Int64. No function matches the given name and argument types 'substr(Int64, Int64)'. You might need to \
                 add explicit type casts.\n\tCandidate functions:\n\tsubstr(UserDefined)",
                "argument 1 of function 'substr' must be varchar, not bigint",
            ),
            ("Cannot coerce arithmetic expression Int64 + Utf8 to valid types", "cannot apply operator: bigint + varchar"),
            (
                "Cannot infer common argument type for comparison operation Int64 < List(Int64)",
                "cannot apply operator: bigint < array(bigint)",
            ),
            (
                "Cannot infer common argument type for logical boolean operation Boolean AND Date32",
                "logical expression term must evaluate to a boolean (actual: date)",
            ),
            (
                "Cast error: Cannot cast string 'x to value of y' to value of Int32 type",
                "cannot cast 'x to value of y' to integer",
            ),
            ("Cast error: Can't cast value 300 to type Int8", "out of range for tinyint: 300"),
            ("Divide by zero error", "division by zero"),
            (
                "Cannot create filter with non-boolean predicate 't.a + Int64(1)' returning Int64",
                "WHERE clause must evaluate to a boolean: actual type bigint",
            ),
            (
                "regex parse error:\n    [\n    ^\nerror: unclosed character class",
                "invalid regular expression: unclosed character class",
            ),
            (
                "Failed to unify argument types of make_array: [Int64, Date32]",
                "all ARRAY elements must be the same type or coercible to a common type, not bigint, date",
            ),
            (
                "Internal error: array_resize: output size overflow.\nThis issue was likely caused by a bug in DataFusion's code. Please help: https://github.com/apache/datafusion/issues",
                "array_resize: output size overflow",
            ),
            (
                "something else\nThis issue was likely caused by a bug in DataFusion's code. Please help: https://github.com/apache/datafusion/issues",
                "something else",
            ),
        ] {
            assert_eq!(of(theirs).message, ours, "{theirs}");
        }
        let exhausted = exhausted(
            "Resources exhausted: Additional allocation failed for RecursiveQuery with top memory consumers (across reservations) as:\n  \
             RecursiveQuery#3(can spill: false) consumed 0.0 B, peak 0.0 B.\nError: Failed to allocate additional 1024.0 B for \
             RecursiveQuery with 0.0 B already allocated for this reservation - 1000.0 B remain available for the total memory pool: \
             greedy(used: 0.0 B, pool_size: 1000.0 B)",
        );
        assert_eq!(exhausted, "out of memory: 1024.0 B more needed, and all queries together are limited to 1000.0 B");
        let unknown = of("Invalid function 'lowr'.\nDid you mean 'lower'?");
        assert_eq!((unknown.message.as_str(), unknown.hint.as_deref()), ("unknown function 'lowr'", Some("Did you mean lower?")));
        assert_eq!(of("Invalid function 'mod'.\nDid you mean 'cosh'?").hint, None);
    }
}
