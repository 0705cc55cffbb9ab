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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use glaux_catalog::metastore::MemoryMetastore;

    use crate::{
        config::EngineOptions,
        lifecycle::{History, HistoryOptions, QueryFilter, QueryRecord},
        runtime::{Engine, Parts},
    };

    /// What is recorded of these statements, the last first.
    async fn recorded(redact_literals: bool, statements: &[&str]) -> Vec<QueryRecord> {
        let folder = tempfile::tempdir().unwrap();
        let history = HistoryOptions { redact_literals, ..HistoryOptions::default() };
        let options = EngineOptions { data_dir: folder.path().to_owned(), history, ..EngineOptions::default() };
        let parts = Parts {
            metastore: Some(Arc::new(MemoryMetastore::new())),
            history: Some(Arc::new(History::in_memory().unwrap())),
            ..Parts::default()
        };
        let engine = Engine::open_with(options, parts).await.unwrap();
        for statement in statements {
            if let Ok(query) = engine.submit(engine.session(), statement).await {
                _ = query.collect().await;
            }
        }
        engine.history().list(QueryFilter::default()).await.unwrap()
    }

    const STATEMENTS: [&str; 4] = [
        "SELECT 'top secret' AS s -- of 12345",
        "SELECT CAST('top secret' AS int)",
        "SELECT FROM 'top secret'",
        "SHOW TABLES LIKE 'top secret'",
    ];

    #[tokio::test]
    async fn every_statement_has_its_text_and_its_fingerprint() {
        let records = recorded(false, &STATEMENTS).await;
        let texts: Vec<_> = records.iter().rev().map(|record| record.statement.as_str()).collect();
        assert_eq!(texts, STATEMENTS);
        assert!(records.iter().all(|record| record.fingerprint.is_some()));
        assert_eq!(records[3].normalized.as_deref(), Some("select ? as s"));
    }

    #[tokio::test]
    async fn literals_are_left_out_of_texts_and_errors() {
        let redacted = recorded(true, &STATEMENTS).await;
        for record in &redacted {
            assert!(!format!("{record:?}").contains("secret") && !record.statement.contains("12345"), "{record:?}");
        }
        assert_eq!(redacted[3].statement, "SELECT ? AS s");
        assert!(redacted[2].error_message.is_some() && redacted[1].error_message.is_some());
        let plain = recorded(false, &STATEMENTS).await;
        let hashes = |records: &[QueryRecord]| records.iter().map(|record| record.fingerprint).collect::<Vec<_>>();
        assert_eq!(hashes(&plain), hashes(&redacted));
    }
}
