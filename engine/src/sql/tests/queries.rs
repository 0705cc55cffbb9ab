//! Tests of the Trino half.

use super::ok;
use crate::{
    error::ErrorKind,
    sql::{ExplainWhat, Statement, parse},
};

fn rewritten(text: &str) -> String {
    match ok(text) {
        Statement::Query(query) => query.ast.to_string(),
        other => panic!("{other}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(rewritten(text), *expected, "{text}");
    }
}

#[test]
fn names_fold_and_labels_keep_their_casing() {
    check(&[
        ("SELECT a FROM \"AwsDataCatalog\".\"D\".T", "SELECT a FROM \"awsdatacatalog\".\"d\".t"),
        ("SELECT Foo, T.\"Bar\" FROM t", "SELECT foo AS \"Foo\", t.\"bar\" AS \"Bar\" FROM t"),
        ("SELECT x AS Total FROM t ORDER BY total DESC", "SELECT x AS \"Total\" FROM t ORDER BY \"Total\" DESC"),
        ("SELECT DISTINCT t.Foo FROM t ORDER BY T.foo", "SELECT DISTINCT t.foo AS \"Foo\" FROM t ORDER BY \"Foo\""),
        ("SELECT a.Id, b.Id FROM a JOIN b ON a.ID = b.id", "SELECT a.id, b.id FROM a JOIN b ON a.id = b.id"),
        ("SELECT Foo FROM t GROUP BY FOO HAVING count(*) > 1", "SELECT foo AS \"Foo\" FROM t GROUP BY foo HAVING count(*) > 1"),
        ("SELECT Foo FROM (SELECT Foo FROM t) X", "SELECT foo AS \"Foo\" FROM (SELECT foo FROM t) x"),
        ("SELECT A FROM t UNION SELECT B FROM t ORDER BY a", "SELECT a AS \"A\" FROM t UNION SELECT b FROM t ORDER BY \"A\""),
    ]);
}

#[test]
fn unnamed_columns_are_numbered() {
    check(&[
        ("SELECT 1, a, count(*), (b) FROM t", "SELECT 1 AS \"_col0\", a, count(*) AS \"_col2\", (b) FROM t"),
        ("SELECT count(*) FROM t ORDER BY count(*)", "SELECT count(*) AS \"_col0\" FROM t ORDER BY \"_col0\""),
        (
            "WITH c AS (SELECT max(a) FROM t) SELECT * FROM c, (SELECT 1, 2) d",
            "WITH c AS (SELECT max(a) AS \"_col0\" FROM t) SELECT * FROM c, (SELECT 1 AS \"_col0\", 2 AS \"_col1\") d",
        ),
        ("SELECT a FROM t WHERE b IN (SELECT max(b) FROM t)", "SELECT a FROM t WHERE b IN (SELECT max(b) FROM t)"),
        ("SELECT r.f, t.a, t.r.g, d.t.b FROM d.t", "SELECT r.f AS f, t.a, t.r.g AS g, d.t.b FROM d.t"),
    ]);
}

#[test]
fn trinos_types_become_the_parsers() {
    check(&[
        ("SELECT a FROM t WHERE CAST(x AS ARRAY(INTEGER)) = y", "SELECT a FROM t WHERE CAST(x AS ARRAY<INTEGER>) = y"),
        (
            "SELECT try_cast(x AS map(varchar, array(row(\"A b\" double precision, bigint)))) AS m FROM t",
            "SELECT TRY_CAST(x AS Map(VARCHAR, ARRAY<STRUCT<\"a b\" DOUBLE PRECISION, \"field1\" BIGINT>>)) AS m FROM t",
        ),
        (
            "SELECT CAST(x AS row(date date, t timestamp(3) with time zone)) AS m FROM t",
            "SELECT CAST(x AS STRUCT<\"date\" DATE, \"t\" TIMESTAMP(3) WITH TIME ZONE>) AS m FROM t",
        ),
        (
            "SELECT CAST(x AS timestamp(3)) AS m, CAST(y AS varchar(5)) AS n",
            "SELECT CAST(x AS TIMESTAMP(3)) AS m, cast_as_varchar(y, 5) AS n",
        ),
    ]);
    let error = parse("SELECT CAST(a AS string)").unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Invalid, Some("In queries, write varchar")));
}

#[test]
fn trinos_small_grammar_is_read() {
    check(&[
        ("SELECT a FROM t LIMIT ALL", "SELECT a FROM t"),
        ("SELECT a FROM t OFFSET 2 ROWS LIMIT 5", "SELECT a FROM t LIMIT 5 OFFSET 2 ROWS"),
        ("SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY", "SELECT a FROM t LIMIT 5 OFFSET 2 ROWS"),
        ("SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t LIMIT 1"),
        ("VALUES 1, f(2, 3)", "SELECT * FROM (VALUES (1), (f(2, 3))) AS \"values\" (\"_col0\")"),
        ("SELECT x FROM (VALUES 'a', 'b') AS t(x)", "SELECT x FROM (VALUES ('a'), ('b')) AS t (x)"),
        ("VALUES ROW(1, 2), ROW(3, 4)", "SELECT * FROM (VALUES (1, 2), (3, 4)) AS \"values\" (\"_col0\", \"_col1\")"),
        ("SELECT transform(a, X -> x + 1) AS b FROM t", "SELECT transform(a, x -> x + 1) AS b FROM t"),
        ("SELECT reduce(a, 0, (S, x) -> s + x, s -> s) AS b FROM t", "SELECT reduce(a, 0, (s, x) -> s + x, s -> s) AS b FROM t"),
        (
            "SELECT n FROM t CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)",
            "SELECT n FROM t CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)",
        ),
        (
            "SELECT if(a > 1, b, c) AS x, m['k'] AS y, a[1] AS z FROM t",
            "SELECT if(a > 1, b, c) AS x, m['k'] AS y, a[1] AS z FROM t",
        ),
        ("SELECT a FROM t$partitions", "SELECT a FROM t$partitions"),
        ("TABLE D.T", "SELECT * FROM \"d\".\"t\""),
        ("SELECT U&'\\0041' AS a", "SELECT 'A' AS a"),
    ]);
    for text in [
        "SELECT a FROM t FETCH FIRST 2 ROWS WITH TIES",
        "SELECT a FROM t TABLESAMPLE BERNOULLI (10)",
        "SELECT a FROM (SELECT a FROM t TABLESAMPLE SYSTEM (10)) AS s",
        "SELECT a FROM t FOR UPDATE",
    ] {
        assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::Unsupported, "{text}");
    }
}

#[test]
fn hidden_columns_are_shown_to_those_who_name_them() {
    let except = "EXCEPT (\"$path\", \"$file_size\", \"$file_modified_time\")";
    check(&[
        ("SELECT \"$path\", a FROM D.t", "SELECT \"$path\", a FROM d.\"t$hidden\" AS \"t\""),
        ("SELECT a FROM t ORDER BY \"$path\"", "SELECT a FROM \"t$hidden\" AS \"t\" ORDER BY \"$path\""),
        (
            "WITH c AS (SELECT a FROM u) SELECT a FROM t ORDER BY \"$path\"",
            "WITH c AS (SELECT a FROM u) SELECT a FROM \"t$hidden\" AS \"t\" ORDER BY \"$path\"",
        ),
        ("SELECT *, \"$path\" FROM t", &format!("SELECT * {except}, \"$path\" FROM \"t$hidden\" AS \"t\"")),
        (
            "SELECT x.*, u.* FROM t x JOIN u ON x.\"$path\" = u.p",
            &format!("SELECT x.* {except}, u.* FROM \"t$hidden\" x JOIN u ON x.\"$path\" = u.p"),
        ),
        (
            "SELECT * FROM t, u WHERE t.\"$path\" = u.\"$path\"",
            &format!(
                "SELECT t.* {except}, u.* {except} FROM \"t$hidden\" AS \"t\", \"u$hidden\" AS \"u\" WHERE t.\"$path\" = u.\"$path\""
            ),
        ),
        (
            "SELECT a FROM t WHERE EXISTS (SELECT b FROM u WHERE u.p = t.\"$path\")",
            "SELECT a FROM \"t$hidden\" AS \"t\" WHERE EXISTS (SELECT b FROM u WHERE u.p = t.\"$path\")",
        ),
        (
            "WITH c AS (SELECT \"$path\" FROM t) SELECT \"$path\" FROM c",
            "WITH c AS (SELECT \"$path\" FROM \"t$hidden\" AS \"t\") SELECT \"$path\" FROM c",
        ),
        ("SELECT d.t.a, d.t.\"$path\" FROM d.t", "SELECT t.a, t.\"$path\" FROM d.\"t$hidden\" AS \"t\""),
        ("SELECT * FROM (SELECT \"$path\", a FROM t) s", "SELECT * FROM (SELECT \"$path\", a FROM \"t$hidden\" AS \"t\") s"),
    ]);
    let error = parse("SELECT * FROM t JOIN u USING (a) WHERE t.\"$path\" = u.\"$path\"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(parse("SELECT \"$path\" FROM t AS x(a, b)").unwrap_err().to_string().contains("\"x\""));
}

#[test]
fn the_words_around_queries_are_read() {
    for (text, printed) in [
        (
            "create or replace view \"D\".v (a, B) comment 'it''s' as\nSELECT 1 AS A, 2 ;",
            "CREATE OR REPLACE VIEW \"d\".\"v\" (\"a\", \"b\") COMMENT 'it''s' AS\nSELECT 1 AS A, 2",
        ),
        ("drop view if exists \"D\".\"v\"", "DROP VIEW IF EXISTS \"d\".\"v\""),
        ("use \"AwsDataCatalog\".\"D\"", "USE \"d\""),
        ("set session Max_Scan_Bytes = 10", "SET SESSION max_scan_bytes = '10'"),
        ("set session query_timeout = '5m'", "SET SESSION query_timeout = '5m'"),
        ("reset session a.b", "RESET SESSION a.b"),
        ("set time zone 'Europe/Berlin'", "SET TIME ZONE 'Europe/Berlin'"),
        ("kill query 'x'", "KILL QUERY 'x'"),
        ("grant select on Sales.Orders to Ada", "GRANT SELECT ON TABLE \"sales\".\"orders\" TO USER \"Ada\""),
        ("GRANT SELECT, INSERT ON TABLE t TO USER 'ada@x.org'", "GRANT ALL PRIVILEGES ON TABLE \"t\" TO USER \"ada@x.org\""),
        ("grant insert on schema s to role \"Data Team\"", "GRANT ALL PRIVILEGES ON SCHEMA \"s\" TO ROLE \"Data Team\""),
        ("grant all on catalog to group admins;", "GRANT ALL PRIVILEGES ON CATALOG TO ROLE \"admins\""),
        ("deny all privileges on database D to ada", "DENY ALL PRIVILEGES ON SCHEMA \"d\" TO USER \"ada\""),
        ("DENY ALL ON \"table\" TO \"user\"", "DENY ALL PRIVILEGES ON TABLE \"table\" TO USER \"user\""),
        ("revoke select on t from group g", "REVOKE ALL PRIVILEGES ON TABLE \"t\" FROM ROLE \"g\""),
        ("explain (type logical, format text) select A", "EXPLAIN (TYPE LOGICAL) select A"),
        ("explain analyze (select 1)", "EXPLAIN ANALYZE (select 1)"),
        ("explain (type cost) select 1", "EXPLAIN (TYPE COST) select 1"),
        ("explain (format json, type cost) select 1", "EXPLAIN (TYPE COST, FORMAT JSON) select 1"),
        ("explain (type io) select 1", "EXPLAIN (TYPE IO) select 1"),
        ("explain (type io, format json) select 1", "EXPLAIN (TYPE IO, FORMAT JSON) select 1"),
    ] {
        let statement = ok(text);
        assert_eq!(statement.to_string(), printed);
        assert_eq!(ok(printed), statement);
    }
    for (text, message) in [
        ("GRANT admin TO ada", "granting roles is not supported"),
        ("GRANT ROLE r TO USER u", "granting roles is not supported"),
        ("GRANT DELETE ON t TO ada", "the privilege DELETE is not supported"),
        ("GRANT SELECT ON t TO ada WITH GRANT OPTION", "WITH GRANT OPTION is not supported"),
        ("REVOKE GRANT OPTION FOR SELECT ON t FROM ada", "GRANT OPTION FOR is not supported"),
        ("DENY SELECT ON t TO ada", "DENY of single privileges is not supported"),
        ("GRANT SELECT t TO ada", "line 1:14: mismatched input 't'. Expecting: 'ON'"),
        ("GRANT SELECT ON t ada", "line 1:19: mismatched input 'ada'. Expecting: 'TO'"),
        ("REVOKE ALL ON t TO ada", "line 1:17: mismatched input 'TO'. Expecting: 'FROM'"),
        ("GRANT ALL ON t TO", "line 1:18: mismatched input '<EOF>'. Expecting: <identifier>"),
        ("GRANT ALL ON t TO USER", "line 1:23: mismatched input '<EOF>'. Expecting: <identifier>"),
    ] {
        assert_eq!(parse(text).unwrap_err().message(), message, "{text}");
    }
    match ok("EXPLAIN (TYPE VALIDATE) SELECT 1") {
        Statement::Explain(explain) => {
            assert_eq!((explain.what, explain.query.text.as_str()), (ExplainWhat::Validate, "SELECT 1"))
        }
        other => panic!("{other}"),
    }
    match ok("-- who\n SELECT 1 -- what\n ; ") {
        Statement::Query(query) => assert_eq!(query.text, "SELECT 1"),
        other => panic!("{other}"),
    }
}

#[test]
fn slips_are_told_with_their_place() {
    for (text, message) in [
        ("selec 1", "line 1:1: mismatched input 'selec'. Expecting: 'SELECT'"),
        ("SELECT a\nFROM t WHERE", "line 2:13: mismatched input '<EOF>'. Expecting: "),
        ("SELECT a FROM t WHERE )", "line 1:23: mismatched input ')'. Expecting: "),
        ("SELECT a b c", "line 1:12: mismatched input 'c'. Expecting: <EOF>"),
        ("SELECT `a` FROM t", "line 1:8: mismatched input '`'. Expecting: "),
        ("CREATE VIEW v AS\n  SELEC 1", "line 2:3: mismatched input 'SELEC'. Expecting: 'SELECT'"),
        ("SELECT 'a", "line 1:8: unterminated string literal"),
        ("", "line 1:1: the statement is empty"),
        ("SELECT 1; SELECT 2", "line 1:9: one statement is expected"),
        ("SELECT * EXCEPT (a) FROM t", "line 1:1"),
        ("set session a = 10MB", "line 1:19: mismatched input 'MB'. Expecting: <EOF>"),
        ("explain", "line 1:8: mismatched input '<EOF>'. Expecting: 'SELECT'"),
    ] {
        match parse(text) {
            Ok(statement) => panic!("{text}: {statement:?}"),
            Err(error) => {
                assert!(error.message().contains(message), "{text}\n{error}\n{message}");
                assert_eq!(error.kind(), ErrorKind::Syntax, "{text}");
            }
        }
    }
}

#[test]
fn balanced_chains_keep_their_order() {
    let terms: Vec<_> = (0..40).map(|term| format!("a = {term}")).collect();
    let flat = |text: String| text.replace(['(', ')'], "");
    let and = rewritten(&format!("SELECT a FROM t WHERE {}", terms.join(" AND ")));
    assert_eq!(flat(and), format!("SELECT a FROM t WHERE {}", terms.join(" AND ")));
    let selects: Vec<_> = (0..40).map(|term| format!("SELECT {term} AS c")).collect();
    assert_eq!(flat(rewritten(&selects.join(" UNION ALL "))), selects.join(" UNION ALL "));
}

#[test]
fn what_nests_too_deep_is_refused_and_what_is_long_is_not() {
    let limit = |text: String| assert_eq!(parse(&text).unwrap_err().kind(), ErrorKind::LimitExceeded);
    limit(format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)));
    limit(format!("{}SELECT 1{}", "SELECT * FROM (".repeat(10_000), ")".repeat(10_000)));
    limit(format!("SELECT {}1", "1 + ".repeat(100_000)));
    limit(format!("SELECT {}TRUE", "NOT ".repeat(10_000)));
    limit(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(10_000)));
    limit(format!("SELECT {}1{}", "f(".repeat(10_000), ")".repeat(10_000)));
    limit(format!("SELECT x{}", "[1]".repeat(1_000)));
    limit(format!("SELECT x{}", ".y".repeat(1_000)));
    limit(format!("SELECT 1 FROM t{}", ", t".repeat(1_000)));
    limit(format!("SELECT 1 FROM t{}", " JOIN t USING (a)".repeat(1_000)));
    limit(format!("SELECT {}{}", "CASE WHEN true THEN ".repeat(1_000), "1 END".to_owned() + &" END".repeat(999)));
    let broken = format!("SELECT a FROM t WHERE {} )", "a = 1 OR ".repeat(4_900));
    assert_eq!(parse(&broken).unwrap_err().kind(), ErrorKind::Syntax);
    for text in [
        format!("SELECT a FROM t WHERE a IN ({}1)", "1, ".repeat(20_000)),
        format!("SELECT a FROM t WHERE {} a = 0", "a = 1 + 1 OR ".repeat(4_900)),
        format!("SELECT {}1{}", "(".repeat(140), ")".repeat(140)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(4_900)),
        format!("SELECT 1{}", " + 1".repeat(190)),
        format!("SELECT CASE {} END FROM t", "WHEN a = 1 AND b = 2 THEN a + 1 ".repeat(1_000)),
        format!("SELECT {} FROM t", "a IS DISTINCT FROM b, ".repeat(1_000) + "c"),
    ] {
        let _ = rewritten(&text);
    }
}
