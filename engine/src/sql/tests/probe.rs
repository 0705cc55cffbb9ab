//! `CALL system.crawl` and `ANALYZE`: what they parse to, print as, and refuse.

use super::ok;
use crate::{
    error::ErrorKind,
    sql::{StatementKind, parse},
};

#[test]
fn crawls_and_analyses_come_back_as_they_print() {
    for (text, printed) in [
        ("call system.crawl('s3://b/x/')", "CALL system.crawl('s3://b/x/')"),
        (
            "CALL awsdatacatalog.system.crawl('s3://b/it''s/', 'Sales', 'LOG', 'DELETE_FROM_DATABASE', true, 2, 3, 'Raw_')",
            "CALL system.crawl('s3://b/it''s/', database => 'sales', policy => 'log', deletions => 'delete', dry_run => true, \
             table_level => 2, sample => 3, table_prefix => 'raw_')",
        ),
        (
            "call system.crawl('x', policy => 'add_columns', SAMPLE => 7, table_level => 0)",
            "CALL system.crawl('x', policy => 'add-columns', table_level => 0, sample => 7)",
        ),
        ("call system.crawl(url => 'x', policy => 'UPDATE_IN_DATABASE')", "CALL system.crawl('x')"),
        ("analyze table d.T compute statistics", "ANALYZE TABLE `d`.`t` COMPUTE STATISTICS"),
        ("analyze table t partition (day=date '2024-01-01', `h`, r=null_word) compute statistics", ""),
        (
            "ANALYZE TABLE t PARTITION (day='2024-01-01', h) COMPUTE STATISTICS FOR COLUMNS a, `B`",
            "ANALYZE TABLE `t` PARTITION (`day`='2024-01-01', `h`) COMPUTE STATISTICS FOR COLUMNS `a`, `b`",
        ),
        ("analyze table t compute statistics for columns", "ANALYZE TABLE `t` COMPUTE STATISTICS"),
        ("analyze \"T\"", "ANALYZE TABLE `t` COMPUTE STATISTICS"),
        (
            "analyze d.t with (partitions = array[array['it''s', null], array['b', 'c']], columns = array['A'])",
            "ANALYZE \"d\".\"t\" WITH (partitions = ARRAY[ARRAY['it''s', NULL], ARRAY['b', 'c']], columns = ARRAY['a'])",
        ),
        ("show stats for d.t", "SHOW STATS FOR `d`.`t`"),
    ] {
        if printed.is_empty() {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::Syntax, "{text}");
            continue;
        }
        let statement = ok(text);
        assert_eq!(statement.to_string(), printed, "{text}");
        assert_eq!(ok(printed), statement, "{printed}");
    }
    for (text, kind, sub_kind) in [
        ("call system.crawl('x')", StatementKind::Ddl, "CALL"),
        ("analyze t", StatementKind::Ddl, "ANALYZE"),
        ("show stats for t", StatementKind::Utility, "SHOW_STATS"),
    ] {
        let statement = ok(text);
        assert_eq!((statement.kind(), statement.sub_kind(), statement.is_billable()), (kind, sub_kind, false), "{text}");
    }
}

#[test]
fn what_is_no_crawl_and_no_analysis_is_refused() {
    for (text, kind, words) in [
        ("call system.crawl()", ErrorKind::Syntax, "mismatched input"),
        ("call system.crawl('')", ErrorKind::Invalid, "without a url"),
        ("call system.crawl('x', 1)", ErrorKind::Invalid, "the argument database of system.crawl must be a string"),
        ("call system.crawl('x', policy => 'never')", ErrorKind::Invalid, "unknown crawl policy \"never\""),
        ("call system.crawl('x', url => 'y')", ErrorKind::Syntax, "given twice"),
        ("call system.crawl(url => 'x', 'd')", ErrorKind::Syntax, "arguments without names come before"),
        ("call system.crawl('x', sample => 0)", ErrorKind::Invalid, "a number, at least 1"),
        ("call system.crawl('x', smaple => 1)", ErrorKind::Invalid, "no argument \"smaple\""),
        ("call system.sweep('x')", ErrorKind::NotFound, "procedure \"system.sweep\" does not exist"),
        ("analyze table t compute", ErrorKind::Syntax, "'STATISTICS'"),
        ("analyze table t compute statistics noscan", ErrorKind::Unsupported, "NOSCAN"),
        ("analyze t with (p_types = 1)", ErrorKind::Invalid, "no property \"p_types\""),
        ("show stats for (select 1)", ErrorKind::Unsupported, "SHOW STATS FOR a query"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}
