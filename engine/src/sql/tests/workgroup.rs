//! `CREATE`, `ALTER` and `DROP WORKGROUP`: what they parse to, print as, and refuse; and the page that lists the settings.

use std::{fmt::Write as _, fs};

use glaux_catalog::model::{SettingValue, WORKGROUP_SETTINGS};
use proptest::prelude::*;

use super::ok;
use crate::{
    docs_page,
    error::ErrorKind,
    sql::{AlterWorkgroup, CreateWorkgroup, Statement, parse, split},
};

#[test]
fn statements_are_read_and_written_back() {
    for (text, printed) in [
        ("create workgroup BI", "CREATE WORKGROUP \"bi\""),
        (
            "CREATE WORKGROUP IF NOT EXISTS \"BI-team.1\" COMMENT 'it''s ours' WITH (Tariff = 'athena+s3', refuse_over_quote = TRUE)",
            "CREATE WORKGROUP IF NOT EXISTS \"BI-team.1\"\nCOMMENT 'it''s ours'\nWITH (\n  tariff = 'athena+s3',\n  \
             refuse_over_quote = true\n)",
        ),
        (
            "create workgroup w with (bytes_scanned_cutoff_per_query = 10737418240, budget_per_month_usd = 0200.50, \
             budget_per_day_usd = '7', budget_warning_levels = array[90, 50], allowed_users = ARRAY['Ada', 'it''s'], \
             allowed_groups = ARRAY[])",
            "CREATE WORKGROUP \"w\"\nWITH (\n  bytes_scanned_cutoff_per_query = 10737418240,\n  budget_per_month_usd = 200.5,\n  \
             budget_per_day_usd = 7,\n  budget_warning_levels = ARRAY[50, 90],\n  allowed_users = ARRAY['Ada', 'it''s'],\n  \
             allowed_groups = ARRAY[]\n)",
        ),
        (
            "alter workgroup w set (timeout_ms = 60000, hook = 'ops')",
            "ALTER WORKGROUP \"w\" SET (timeout_ms = 60000, hook = 'ops')",
        ),
        ("alter workgroup w reset (TIMEOUT_MS, hook)", "ALTER WORKGROUP \"w\" RESET (timeout_ms, hook)"),
        ("alter workgroup w set comment 'new'", "ALTER WORKGROUP \"w\" SET COMMENT 'new'"),
        ("ALTER WORKGROUP \"W\" ENABLE;", "ALTER WORKGROUP \"W\" ENABLE"),
        ("alter workgroup w disable", "ALTER WORKGROUP \"w\" DISABLE"),
        ("drop workgroup w", "DROP WORKGROUP \"w\""),
        ("DROP WORKGROUP IF EXISTS \"a\"\"b\"", "DROP WORKGROUP IF EXISTS \"a\"\"b\""),
    ] {
        let statement = ok(text);
        assert_eq!(statement.to_string(), printed, "{text}");
        assert_eq!(ok(printed), statement, "{printed}");
    }
    let script = "ALTER WORKGROUP w SET COMMENT 'a\\'; DROP WORKGROUP w";
    assert_eq!(split(script).len(), 2, "no backslash escapes, as in queries");
}

#[test]
fn slips_and_unknown_settings_are_refused() {
    for (text, kind, words) in [
        ("create workgroup", ErrorKind::Syntax, "Expecting: <identifier>"),
        ("create workgroup 'w'", ErrorKind::Syntax, "Expecting: <identifier>"),
        ("create workgroup my-team", ErrorKind::Syntax, "Quote names with dots and hyphens"),
        ("describe workgroup my.team", ErrorKind::Syntax, "Quote names with dots and hyphens"),
        ("create workgroup w with ()", ErrorKind::Syntax, "Expecting: <identifier>"),
        ("create workgroup w (tariff = 'free')", ErrorKind::Syntax, "Expecting: <EOF>"),
        ("create workgroup w with (tariff 'free')", ErrorKind::Syntax, "Expecting: '='"),
        ("create workgroup w with (tariff = free)", ErrorKind::Syntax, "Expecting: <string>, <number>"),
        ("create workgroup w with (tariff = 'a', Tariff = 'b')", ErrorKind::Syntax, "line 1:40: setting tariff is given twice"),
        ("create workgroup w with (budget_per_month = 5)", ErrorKind::Invalid, "The nearest name is \"budget_per_month_usd\""),
        ("alter workgroup w set (x = 1)", ErrorKind::Invalid, "The settings are result_location, tariff"),
        ("alter workgroup w reset (tarif)", ErrorKind::Invalid, "The nearest name is \"tariff\""),
        ("alter workgroup w set (bytes_scanned_cutoff_per_query = 9999999)", ErrorKind::Invalid, "at least 10000000"),
        ("alter workgroup w set (budget_per_day_usd = -5)", ErrorKind::Invalid, "cannot be \"-5\""),
        ("alter workgroup w set (budget_warning_levels = array[50, 101])", ErrorKind::Invalid, "cannot be \"50, 101\""),
        ("alter workgroup w set (allowed_users = 'ada')", ErrorKind::Invalid, "ARRAY['ada', 'bea']"),
        ("alter workgroup w set (enforce = 'yes')", ErrorKind::Invalid, "TRUE or FALSE"),
        ("alter workgroup w", ErrorKind::Syntax, "'SET', 'RESET', 'ENABLE', 'DISABLE'"),
        ("alter workgroup w rename to v", ErrorKind::Syntax, "mismatched input 'rename'"),
        ("drop workgroup w cascade", ErrorKind::Syntax, "Expecting: <EOF>"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(format!("{error:?}").contains(words), "{text}: {error:?}");
    }
}

proptest! {
    #[test]
    fn names_and_values_survive(
        name in "\\PC{1,12}",
        comment in "\\PC{0,12}['\"\\\\\n]{0,4}",
        users in prop::collection::vec("[a-z'\"@. ]{0,6}x", 0..4),
        amount in "[0-9]{1,18}(\\.[0-9]{0,18})?",
    ) {
        let users: Vec<_> = users.iter().map(|user| SettingValue::Text(user.trim().to_owned())).collect();
        let settings = vec![("allowed_users", SettingValue::List(users)), ("budget_per_day_usd", SettingValue::Number(amount))];
        let create = CreateWorkgroup { name: name.clone(), if_not_exists: false, comment: Some(comment), settings };
        let once = parse(&Statement::CreateWorkgroup(create).to_string()).unwrap();
        prop_assert_eq!(parse(&once.to_string()).unwrap(), once);
        let altered = Statement::AlterWorkgroup { name, action: AlterWorkgroup::Enable };
        prop_assert_eq!(parse(&altered.to_string()).unwrap(), altered);
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/workgroups.md");
const HEAD: &str = "| Setting | Takes | Meaning |\n|---|---|---|\n";

#[test]
fn the_page_lists_the_settings() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, table) = page.split_once(HEAD).unwrap();
    let (_, after) = table.split_once("\n\n").unwrap();
    let mut rows = String::new();
    for setting in WORKGROUP_SETTINGS {
        let _ = writeln!(rows, "| `{}` | {} | {} |", setting.name, setting.kind.values(), setting.meaning);
    }
    let written = format!("{before}{HEAD}{rows}\n{after}");
    docs_page::check("workgroups.md", "sql::tests::workgroup", &written);
}
