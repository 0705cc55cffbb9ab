//! Tests of the Hive half.

use proptest::prelude::*;

use super::ok;
use crate::{
    error::ErrorKind,
    sql::{
        PartitionSpec, Statement, StatementKind, TableRef, parse,
        quote::{hive_name, hive_string},
    },
};

/// Each statement, and how it is written back.
const STATEMENTS: &[(&str, &str)] = &[
    ("create schema Sales", "CREATE DATABASE `sales`"),
    (
        "CREATE DATABASE IF NOT EXISTS s LOCATION 's3://b/s/' COMMENT \"it's\" WITH DBPROPERTIES ('b'='2', 'a'=\"1\");",
        "CREATE DATABASE IF NOT EXISTS `s` COMMENT 'it\\'s' LOCATION 's3://b/s/' WITH DBPROPERTIES ('a'='1', 'b'='2')",
    ),
    ("alter schema awsdatacatalog.s set dbproperties ('k'='v')", "ALTER DATABASE `s` SET DBPROPERTIES ('k'='v')"),
    ("drop database if exists s cascade", "DROP DATABASE IF EXISTS `s` CASCADE"),
    ("DROP SCHEMA s RESTRICT", "DROP DATABASE `s`"),
    ("drop table if exists a.`B`", "DROP TABLE IF EXISTS `a`.`b`"),
    ("DROP TABLE `a.b`", "DROP TABLE `a`.`b`"),
    ("drop table awsdatacatalog.a.b", "DROP TABLE `a`.`b`"),
    ("-- repairs\nMSCK REPAIR TABLE /* now */ logs ;", "MSCK REPAIR TABLE `logs`"),
    ("msck repair table d.logs add partitions", "MSCK REPAIR TABLE `d`.`logs`"),
    ("msck repair table logs drop partitions", "MSCK REPAIR TABLE `logs` DROP PARTITIONS"),
    ("msck repair table logs sync partitions", "MSCK REPAIR TABLE `logs` SYNC PARTITIONS"),
    ("msck repair table logs tail", "MSCK REPAIR TABLE `logs` TAIL"),
    ("refresh table logs", "REFRESH TABLE `logs`"),
    ("refresh table logs partition (dt='1')", "REFRESH TABLE `logs` PARTITION (`dt`='1')"),
    (
        "alter table t add if not exists partition (dt='2024-01-01', h=7) location 's3://b/x/' partition (dt=date '2024-01-02', h=-8)",
        "ALTER TABLE `t` ADD IF NOT EXISTS PARTITION (`dt`='2024-01-01', `h`='7') LOCATION 's3://b/x/' \
         PARTITION (`dt`='2024-01-02', `h`='-8')",
    ),
    (
        "ALTER TABLE t DROP IF EXISTS PARTITION (a=\"1\"), PARTITION (a='2')",
        "ALTER TABLE `t` DROP IF EXISTS PARTITION (`a`='1'), PARTITION (`a`='2')",
    ),
    (
        "alter table t partition (a='1') rename to partition (a='2')",
        "ALTER TABLE `t` PARTITION (`a`='1') RENAME TO PARTITION (`a`='2')",
    ),
    (
        "alter table t add columns (c array<map<string,struct<x:int>>> comment 'deep', d date)",
        "ALTER TABLE `t` ADD COLUMNS (`c` array<map<string,struct<x:int>>> COMMENT 'deep', `d` date)",
    ),
    (
        "alter table t partition (p='1') replace columns (a integer)",
        "ALTER TABLE `t` PARTITION (`p`='1') REPLACE COLUMNS (`a` int)",
    ),
    ("alter table t change a b decimal", "ALTER TABLE `t` CHANGE COLUMN `a` `b` decimal(10,0)"),
    (
        "ALTER TABLE t CHANGE COLUMN a a double precision COMMENT 'x' AFTER z",
        "ALTER TABLE `t` CHANGE COLUMN `a` `a` double COMMENT 'x' AFTER `z`",
    ),
    ("alter table t change column a a string first", "ALTER TABLE `t` CHANGE COLUMN `a` `a` string FIRST"),
    ("alter table t set location 's3://b/y/'", "ALTER TABLE `t` SET LOCATION 's3://b/y/'"),
    ("alter table t partition (p=1) set location 's3://b/y/'", "ALTER TABLE `t` PARTITION (`p`='1') SET LOCATION 's3://b/y/'"),
    (
        "alter table `d`.`t` set tblproperties ('classification'='parquet')",
        "ALTER TABLE `d`.`t` SET TBLPROPERTIES ('classification'='parquet')",
    ),
    ("alter table t unset tblproperties if exists ('a','b')", "ALTER TABLE `t` UNSET TBLPROPERTIES IF EXISTS ('a', 'b')"),
    ("show databases", "SHOW DATABASES"),
    ("SHOW SCHEMAS LIKE 'a.*|b'", "SHOW DATABASES LIKE 'a.*|b'"),
    ("show tables in d '*x*'", "SHOW TABLES IN `d` LIKE '*x*'"),
    ("show tables like 'x'", "SHOW TABLES LIKE 'x'"),
    ("show views from d like 'v*'", "SHOW VIEWS IN `d` LIKE 'v*'"),
    ("show columns from t in d", "SHOW COLUMNS IN `d`.`t`"),
    ("show columns in d.t", "SHOW COLUMNS IN `d`.`t`"),
    ("show partitions t partition (a='1')", "SHOW PARTITIONS `t` PARTITION (`a`='1')"),
    ("show tblproperties t('k')", "SHOW TBLPROPERTIES `t` ('k')"),
    ("show create table d.t", "SHOW CREATE TABLE `d`.`t`"),
    ("show create view v", "SHOW CREATE VIEW `v`"),
    ("show grants", "SHOW GRANTS"),
    ("show grants on `D`.t", "SHOW GRANTS ON TABLE `d`.`t`"),
    ("SHOW GRANTS ON DATABASE d", "SHOW GRANTS ON SCHEMA `d`"),
    ("show grants on catalog", "SHOW GRANTS ON CATALOG"),
    ("show workgroups", "SHOW WORKGROUPS"),
    ("SHOW WORKGROUPS LIKE 'a*'", "SHOW WORKGROUPS LIKE 'a*'"),
    ("show create workgroup BI", "SHOW CREATE WORKGROUP `bi`"),
    ("describe workgroup \"BI-team\"", "DESCRIBE WORKGROUP `BI-team`"),
    ("desc workgroup `B``I`", "DESCRIBE WORKGROUP `B``I`"),
    ("describe workgroup", "DESCRIBE `workgroup`"),
    ("describe workgroup.t", "DESCRIBE `workgroup`.`t`"),
    ("show session", "SHOW SESSION"),
    ("show queries", "SHOW QUERIES"),
    ("desc t", "DESCRIBE `t`"),
    ("describe formatted d.t partition (a='1') c", "DESCRIBE FORMATTED `d`.`t` PARTITION (`a`='1') `c`"),
    ("DESCRIBE EXTENDED t c.'$elem$'.f", "DESCRIBE EXTENDED `t` `c`.`$elem$`.`f`"),
    ("describe view v", "DESCRIBE `v`"),
    ("describe view", "DESCRIBE `view`"),
    ("describe formatted.t", "DESCRIBE `formatted`.`t`"),
    (
        "create external table if not exists d.t (a int comment 'first', `b c` struct<x:array<int>,y:string>, 3d date)\n\
         partitioned by (dt string comment 'day', h int) clustered by (a) into 8 buckets comment 'all'\n\
         row format delimited fields terminated by '\\t' escaped by '\\\\' collection items terminated by '\\002' \
         map keys terminated by '\\003' lines terminated by '\\n' null defined as '\\\\N'\n\
         stored as textfile location 's3://b/t/' tblproperties (\"skip.header.line.count\"=\"1\")",
        "CREATE EXTERNAL TABLE IF NOT EXISTS `d`.`t`(\n  `a` int COMMENT 'first',\n  `b c` struct<x:array<int>,y:string>,\n  `3d` date)\n\
         COMMENT 'all'\nPARTITIONED BY (\n  `dt` string COMMENT 'day',\n  `h` int)\nCLUSTERED BY (`a`) INTO 8 BUCKETS\n\
         ROW FORMAT DELIMITED\n  FIELDS TERMINATED BY '\\t'\n  ESCAPED BY '\\\\'\n  COLLECTION ITEMS TERMINATED BY '\\u0002'\n  \
         MAP KEYS TERMINATED BY '\\u0003'\n  LINES TERMINATED BY '\\n'\n  NULL DEFINED AS '\\\\N'\nSTORED AS TEXTFILE\n\
         LOCATION\n  's3://b/t/'\nTBLPROPERTIES (\n  'skip.header.line.count'='1')",
    ),
    (
        "CREATE EXTERNAL TABLE t (a string) COMMENT 'x' PARTITIONED BY (p int) ROW FORMAT SERDE 'org.x.RegexSerDe' \
         WITH SERDEPROPERTIES ('input.regex' = \"^(\\\\S+) \\\"(.*)\\\"$\") \
         STORED AS INPUTFORMAT 'in' OUTPUTFORMAT 'out' LOCATION '/data/t'",
        "CREATE EXTERNAL TABLE `t`(\n  `a` string)\nCOMMENT 'x'\nPARTITIONED BY (\n  `p` int)\nROW FORMAT SERDE\n  'org.x.RegexSerDe'\n\
         WITH SERDEPROPERTIES (\n  'input.regex'='^(\\\\S+) \"(.*)\"$')\nSTORED AS INPUTFORMAT\n  'in'\nOUTPUTFORMAT\n  'out'\n\
         LOCATION\n  '/data/t'",
    ),
    (
        "create external table t (a string) tblproperties ('x'='y') location 's3://b/' stored as parquet with serdeproperties ('s'='1')",
        "CREATE EXTERNAL TABLE `t`(\n  `a` string)\nSTORED AS PARQUET\nWITH SERDEPROPERTIES (\n  's'='1')\nLOCATION\n  's3://b/'\n\
         TBLPROPERTIES (\n  'x'='y')",
    ),
];

#[test]
fn statements_are_read_and_written_back() {
    for (text, printed) in STATEMENTS {
        let statement = ok(text);
        assert_eq!(statement.to_string(), *printed);
        assert_eq!(ok(printed), statement, "{printed}");
    }
}

#[test]
fn slips_are_told_with_their_place() {
    for (text, message) in [
        ("drop tabel t", "line 1:6: mismatched input 'tabel'. Expecting: 'DATABASE', 'SCHEMA', 'TABLE', 'VIEW', 'WORKGROUP'"),
        ("show tables\n in 'd'", "line 2:5: mismatched input ''d''. Expecting: <identifier>"),
        ("drop table", "line 1:11: mismatched input '<EOF>'. Expecting: <identifier>"),
        ("drop table t t", "line 1:14: mismatched input 't'. Expecting: <EOF>"),
        ("create external table t (a strin)", "line 1:28: type \"strin\": there is no type \"strin\", at character 1"),
        (
            "create external table t (a array<int)",
            "line 1:28: type \"array<int)\": found \")\" where \">\" is expected, at character 10",
        ),
        ("create external table t (a int,)", "line 1:32: mismatched input ')'. Expecting: <identifier>"),
        ("create external table t (a int) location 'x' location 'y'", "line 1:58: LOCATION is given twice"),
        ("alter table t add partition (a='1', a='2')", "line 1:37: partition key \"a\" is given twice"),
        ("alter table t add partition (a=b)", "line 1:32: mismatched input 'b'. Expecting: <string>, <number>"),
        ("alter table t set tblproperties ('a'='1', 'a'='2')", "line 1:43: property \"a\" is given twice"),
        ("create external table t (a int) stored as parket", "mismatched input 'parket'. Expecting: 'TEXTFILE'"),
        ("show create", "line 1:12: mismatched input '<EOF>'. Expecting: 'TABLE', 'VIEW', 'WORKGROUP'"),
        ("show tables; show views", "line 1:12: one statement is expected, but another follows the semicolon"),
        ("describe table t", "line 1:10: mismatched input 'table'. Expecting: <identifier>"),
        ("create database 'x", "line 1:17: unterminated string literal"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.message().contains(message), "{text}\n{error}\n{message}");
        assert_eq!(error.kind(), ErrorKind::Syntax, "{text}");
    }
}

#[test]
fn what_athena_refuses_or_glaux_lacks_says_so() {
    for text in [
        "alter table t rename to u",
        "alter table t drop column a",
        "alter table t set fileformat orc",
        "alter table t exchange partition (a='1') with table u",
        "alter table t drop partition (a > '1')",
        "create table t (a int) location 's3://b/'",
        "create external table t like u",
        "create external table t (a uniontype<int>)",
        "create index i",
        "describe database d",
        "show functions",
        "show locks t",
        "drop table t purge",
        "create table t as select 1",
        "insert into t values (1)",
        "unload (select 1) to 's3://b/' with (format='PARQUET')",
        "merge into t using u on a = b when matched then delete",
        "update t set a = 1",
        "delete from t",
        "prepare p from select 1",
        "execute p using 1",
        "deallocate prepare p",
        "optimize t rewrite data using bin_pack",
        "vacuum t",
        "using external function f(x int) returns int lambda 'l' select f(1)",
        "alter view v dialect",
        "explain (format json) select 1",
        "explain (type logical, format json) select 1",
        "explain (type cost, format graphviz) select 1",
        "explain create table t as select 1",
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}: {error}");
        assert!(error.hint().is_some(), "{text}");
    }
    assert_eq!(parse("show tables in other.d").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn kinds_are_athenas() {
    for (text, kind, sub_kind, billable) in [
        ("create database d", StatementKind::Ddl, "CREATE_DATABASE", false),
        ("msck repair table t", StatementKind::Ddl, "MSCK_REPAIR_TABLE", false),
        ("refresh table t", StatementKind::Ddl, "REFRESH_TABLE", false),
        ("create view v as select 1", StatementKind::Ddl, "CREATE_VIEW", false),
        ("show partitions t", StatementKind::Utility, "SHOW_PARTITIONS", false),
        ("describe t", StatementKind::Utility, "DESCRIBE_TABLE", false),
        ("create workgroup w", StatementKind::Ddl, "CREATE_WORKGROUP", false),
        ("alter workgroup w enable", StatementKind::Ddl, "ALTER_WORKGROUP", false),
        ("drop workgroup w", StatementKind::Ddl, "DROP_WORKGROUP", false),
        ("show workgroups", StatementKind::Utility, "SHOW_WORKGROUPS", false),
        ("show create workgroup w", StatementKind::Utility, "SHOW_CREATE_WORKGROUP", false),
        ("describe workgroup w", StatementKind::Utility, "DESCRIBE_WORKGROUP", false),
        ("select 1", StatementKind::Dml, "SELECT", true),
        ("explain select 1", StatementKind::Dml, "EXPLAIN", false),
        ("explain analyze select 1", StatementKind::Dml, "EXPLAIN", true),
        ("explain (type cost) select 1", StatementKind::Utility, "EXPLAIN", false),
    ] {
        let statement = ok(text);
        assert_eq!((statement.kind(), statement.sub_kind(), statement.is_billable()), (kind, sub_kind, billable), "{text}");
    }
}

proptest! {
    #[test]
    fn names_and_strings_survive(name in "[a-z0-9_`$ é-]{1,12}", text in "\\PC{0,12}[\\x00-\\x1f'\"\\\\%_]{0,6}\\PC{0,4}") {
        prop_assume!(!name.contains('.') && name.to_lowercase() == name);
        let quoted = format!("ALTER TABLE {0} DROP PARTITION ({0}={1})", hive_name(&name), hive_string(&text));
        let statement = parse(&quoted).unwrap();
        let table = TableRef { database: None, table: name.clone() };
        let partitions = vec![PartitionSpec(vec![(name, text)])];
        let action = crate::sql::AlterTable::DropPartitions { if_exists: false, partitions };
        prop_assert_eq!(statement, Statement::AlterTable { table, action });
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(create|alter|drop|show|describe|select|msck) [a-z0-9`'\"(),.;:<>=\\\\*/ \n-]{0,60}") {
        let _ = parse(&text);
        let _ = crate::sql::split(&text);
    }
}
