//! What the history keeps of a statement's text: a fingerprint, and the text with or without its literals. A lifecycle knows no SQL.

use crate::{
    lifecycle::{StatementText, TextRules},
    sql,
};

/// The rules for texts, by whether literals are left out.
pub(crate) fn rules(redact_literals: bool) -> TextRules {
    if redact_literals {
        TextRules { describe: redacted, error: sql::redact_message }
    } else {
        TextRules { describe: described, ..TextRules::default() }
    }
}

fn described(statement: &str) -> StatementText {
    let sql::Fingerprint { hash, normalized } = sql::fingerprint(statement);
    StatementText { redacted: None, normalized, fingerprint: Some(hash) }
}

fn redacted(statement: &str) -> StatementText {
    StatementText { redacted: Some(sql::redact(statement)), ..described(statement) }
}
