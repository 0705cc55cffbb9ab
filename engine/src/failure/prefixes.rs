//! Removes the prefixes that libraries put before their messages.

const PREFIXES: [&str; 19] = [
    "External error: ",
    "Error during planning: ",
    "Internal error: ",
    "Schema error: ",
    "Execution error: ",
    "DataFusion error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Cast error: ",
    "Compute error: ",
    "Parser error: ",
    "Invalid argument error: ",
    "Arithmetic overflow: ",
    "Generic S3 error: ",
    "Generic local error: ",
    "This feature is not implemented: ",
    "Object Store error: ",
    "Resources exhausted: ",
    "type_coercion\ncaused by\n",
];

/// A message without the prefixes that libraries put before it, beginning in lower case.
pub(super) fn plain(message: &str) -> String {
    let mut text = message.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}
