//! Statements that nest deeply, or name each other many times over: each is planned or refused, soon, and keeps no other from being answered.
//! What would take for ever hangs here, and what overflows a stack ends the tests.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use glaux_engine::{ErrorKind, query::Parameters};
use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};

/// A statement of that depth.
type Statement = fn(usize) -> String;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time!("nesting";
        another_statement_is_answered_while_one_is_planned,
        views_that_double_each_other_are_refused,
        as_many_grouping_sets_as_trino_allows,
        wide_lists_are_answered_as_narrow_ones_are,
    );
    for (name, statements) in [
        ("nesting/calls", CALLS),
        ("nesting/operators", OPERATORS),
        ("nesting/subqueries", SUBQUERIES),
        ("nesting/tables", TABLES),
        ("nesting/unfinished", UNFINISHED),
        ("nesting/mixed", MIXED),
    ] {
        trials.push(Trial::test(name, move || crate::block_on(crate::in_time(plan_or_refuse(statements)))));
    }
    trials
}

/// A list of so many expressions is planned apart from its query, unless anything of it is not as plain as that.
async fn wide_lists_are_answered_as_narrow_ones_are() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let list = |item: &dyn Fn(usize) -> String| (0..1_001).map(item).collect::<Vec<_>>().join(", ");
    let numbers = list(&|at| format!("n + {at} AS \"Plus{at}\""));
    let outcome =
        instance.run(&format!("SELECT {numbers}, N AS again, n, upper(word) FROM (VALUES (5, 'five')) t(n, word) LIMIT 1")).await;
    let names: Vec<_> = outcome.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!((names[0], names[1_000], &names[1_001..]), ("Plus0", "Plus1000", &["again", "n", "_col1003"][..]));
    let wanted = (5..1_006).map(|number| number.to_string()).chain(["5", "5", "FIVE"].map(str::to_owned));
    assert_eq!(outcome.lines(), [wanted.collect::<Vec<_>>().join("|")]);
    // What is more than a row makes of itself, and what is named twice or nowhere.
    let sums = instance.run(&format!("SELECT {} FROM (VALUES 1, 2) t(n)", list(&|at| format!("sum(n + {at})")))).await;
    assert!(sums.lines()[0].starts_with("3|5|7|"), "{:?}", sums.lines());
    let same = instance.run(&format!("SELECT {} FROM (VALUES 7) t(n)", list(&|_| "n".to_owned()))).await;
    assert!(same.lines()[0].starts_with("7|7|7|"), "{:?}", same.lines());
    let inner = format!("WITH w AS (SELECT 7 AS n) SELECT {}, (SELECT max(n) FROM w) FROM w", list(&|at| format!("n * {at}")));
    assert!(instance.run(&inner).await.lines()[0].ends_with("|7000|7"));
    // By "*": of a subquery, of its tables together and by name, and in an order.
    let wide = format!("(SELECT n, {} FROM (VALUES 3, 1, 2) v(n))", list(&|at| format!("n + {at} AS c{at}")));
    let of = |n: usize| std::iter::once(n).chain(n..n + 1_001).map(|value| value.to_string()).collect::<Vec<_>>().join("|");
    let all = instance.run(&format!("SELECT * FROM {wide} AS w ORDER BY c1000 - 2 * n DESC LIMIT 2")).await;
    assert_eq!(all.lines(), [of(1), of(2)]);
    let best = instance.run(&format!("SELECT * FROM (SELECT * FROM {wide} AS w ORDER BY n DESC LIMIT 1)")).await;
    assert_eq!(best.lines(), [of(3)]);
    let joined = format!("(VALUES (2, 'two')) t(n, word) JOIN {wide} AS w USING (n)");
    let rest = of(2).split_once('|').map(|(_, rest)| format!("2|two|{rest}")).unwrap_or_default();
    assert_eq!(instance.run(&format!("SELECT * FROM {joined}")).await.lines(), [rest]);
    let join = format!("{wide} AS w JOIN (VALUES (2, 'two')) t(m, word) ON n = m");
    assert_eq!(instance.run(&format!("SELECT w.* FROM {join}")).await.lines(), [of(2)]);
    assert_eq!(instance.run(&format!("SELECT t.*, w.* FROM {join}")).await.lines(), [format!("2|two|{}", of(2))]);
    let absent = instance.try_run(&format!("SELECT {}, absent FROM (VALUES 7) t(n)", list(&|at| format!("n + {at}")))).await;
    assert_eq!(absent.map(|_| ()).map_err(|failure| failure.error.kind()), Err(ErrorKind::NotFound));
    Ok(())
}

fn wrapped(depth: usize, before: &str, inner: &str, after: &str) -> String {
    format!("SELECT {}{inner}{}", before.repeat(depth), after.repeat(depth))
}

const CALLS: &[Statement] = &[
    |depth| wrapped(depth, "coalesce(", "NULL", ", 2)"),
    |depth| wrapped(depth, "coalesce(abs(", "NULL", "), 2)"),
    |depth| wrapped(depth, "nullif(", "1", ", 2)"),
    |depth| wrapped(depth, "abs(", "1", ")"),
    |depth| wrapped(depth, "ARRAY[", "1", "]"),
    |depth| wrapped(depth, "ROW(", "1", ", 2)"),
    |depth| wrapped(depth, "MAP(ARRAY[1], ARRAY[", "1", "])"),
    |depth| wrapped(depth, "CAST(", "1", " AS bigint)"),
    |depth| wrapped(depth, "TRY_CAST(", "1", " AS varchar)"),
    |depth| wrapped(depth, "substring(", "'a'", " FROM 1 FOR 1)"),
    |depth| wrapped(depth, "sum(", "1", ") OVER ()"),
    |depth| wrapped(depth, "f(x -> ", "1", ")"),
    |depth| format!("SELECT CAST(NULL AS {}integer{})", "array(".repeat(depth), ")".repeat(depth)),
    |depth| format!("SELECT CAST(NULL AS {}integer{})", "map(integer, ".repeat(depth), ")".repeat(depth)),
    |depth| format!("SELECT CAST(NULL AS {}integer{})", "row(a ".repeat(depth), ")".repeat(depth)),
    |depth| wrapped(depth, "STRUCT<", "int", ">(1)"),
];

const OPERATORS: &[Statement] = &[
    |depth| wrapped(depth, "(", "1", ")"),
    |depth| wrapped(depth, "- ", "1", ""),
    |depth| wrapped(depth, "NOT ", "true", ""),
    |depth| wrapped(depth, "NOT (", "true", ")"),
    |depth| wrapped(depth, "CASE WHEN true THEN ", "1", " END"),
    |depth| wrapped(depth, "CASE WHEN ", "true", " THEN true ELSE false END"),
    |depth| wrapped(depth, "(true IN (", "true", "))"),
    |depth| wrapped(depth, "((", "1", " BETWEEN 1 AND 2) IS NOT NULL)"),
    |depth| wrapped(depth, "INTERVAL ", "'1' day", ""),
    |depth| wrapped(depth, "", "ARRAY[1]", "[1]"),
    |depth| wrapped(depth, "'a' || (", "'a'", ")"),
    |depth| wrapped(depth, "1 * ", "1", ""),
    |depth| wrapped(depth, "(true OR (true AND ", "true", "))"),
    |depth| wrapped(depth, "(true IS DISTINCT FROM ", "true", ")"),
    |depth| wrapped(depth, "(", "timestamp '2020-01-01 00:00:00 UTC'", " AT TIME ZONE 'UTC')"),
    |depth| format!("SELECT 1 WHERE {}", vec!["1 = 1"; depth].join(" AND ")),
    |depth| format!("SELECT {}", vec!["1"; depth].join(" + ")),
];

const SUBQUERIES: &[Statement] = &[
    |depth| wrapped(depth, "(SELECT ", "1", ")"),
    |depth| format!("SELECT 1 WHERE {}true{}", "EXISTS (SELECT 1 WHERE ".repeat(depth), ")".repeat(depth)),
    |depth| format!("SELECT 1 WHERE {}true{}", "1 IN (SELECT 1 WHERE ".repeat(depth), ")".repeat(depth)),
    |depth| format!("SELECT 1 WHERE {}true{}", "1 >= ALL (SELECT 1 WHERE ".repeat(depth), ")".repeat(depth)),
    |depth| {
        let begin: String = (0..depth)
            .map(|at| format!("EXISTS (SELECT 1 FROM (VALUES 1) t{}(x) WHERE t{}.x = t{at}.x AND ", at + 1, at + 1))
            .collect();
        format!("SELECT 1 FROM (VALUES 1) t0(x) WHERE {begin}true{}", ")".repeat(depth))
    },
    |depth| format!("{}SELECT 1{}", "WITH a AS (".repeat(depth), " AS x) SELECT * FROM a".repeat(depth)),
    |depth| ctes(depth, |before| format!("SELECT * FROM {before}")),
    |depth| ctes(depth, |before| format!("SELECT l.x FROM {before} l, {before} r")),
    |depth| ctes(depth, |before| format!("SELECT x FROM {before} UNION ALL SELECT x FROM {before}")),
];

/// Common table expressions, each made of the one before.
fn ctes(depth: usize, next: impl Fn(&str) -> String) -> String {
    let more: String = (1..depth).map(|at| format!(", a{at} AS ({})", next(&format!("a{}", at - 1)))).collect();
    format!("WITH a0 AS (SELECT 1 AS x){more} SELECT * FROM a{}", depth - 1)
}

const TABLES: &[Statement] = &[
    |depth| format!("SELECT * FROM {}(VALUES 1) t{}", "(SELECT * FROM ".repeat(depth), ") t".repeat(depth)),
    |depth| {
        let (begin, end) = ("((SELECT 1 AS x FROM ".repeat(depth), ") a CROSS JOIN (VALUES 1) b)".repeat(depth));
        format!("SELECT 1 FROM {begin}(VALUES 1) t{end}")
    },
    |depth| format!("SELECT 1 FROM {}(VALUES 1) t CROSS JOIN (VALUES 2) u{}", "(".repeat(depth), ")".repeat(depth)),
    |depth| format!("{}SELECT 1{}", "(".repeat(depth), " UNION ALL SELECT 2)".repeat(depth)),
    |depth| format!("SELECT 1 EXCEPT ({}SELECT 1{}", "(".repeat(depth), "))".repeat(depth)),
    |depth| format!("SELECT * FROM UNNEST({}1{})", "ARRAY[".repeat(depth), "]".repeat(depth)),
    |depth| format!("SELECT 1 FROM {}", (0..depth).map(|at| format!("(VALUES 1) t{at}")).collect::<Vec<_>>().join(", ")),
    |depth| {
        let joins: String = (1..depth).map(|at| format!(" JOIN (VALUES 1) t{at}(x) ON t{at}.x = t{}.x", at - 1)).collect();
        format!("SELECT 1 FROM (VALUES 1) t0(x){joins}")
    },
];

const UNFINISHED: &[Statement] = &[
    |depth| wrapped(depth, "ARRAY[", "!", ""),
    |depth| wrapped(depth, "(", "!", ""),
    |depth| wrapped(depth, "CAST(", "", ""),
    |depth| wrapped(depth, "CASE WHEN ", "", ""),
    |depth| wrapped(depth, "EXTRACT(year FROM ", "", ""),
    |depth| wrapped(depth, "STRUCT(", "", ""),
    |depth| wrapped(depth, "f((x, y) -> ", "", ""),
    |depth| wrapped(depth, "{fn abs(", "1", ""),
    |depth| format!("SELECT * FROM {}", "(SELECT * FROM ".repeat(depth)),
    |depth| format!("SELECT 1 WHERE {}", "x IN (".repeat(depth)),
    |depth| format!("SELECT 1 WHERE {}", "NOT EXISTS (".repeat(depth)),
    |depth| "WITH a AS (".repeat(depth),
    |depth| format!("CREATE EXTERNAL TABLE t (a {}int{}) LOCATION 's3://b/'", "array<".repeat(depth), ">".repeat(depth)),
    |depth| "EXPLAIN ".repeat(depth),
];

const MIXED: &[Statement] = &[
    |depth| wrapped(depth / 3, "coalesce(ARRAY[CASE WHEN (SELECT ", "true", ") THEN 1 END][1], 1)"),
    |depth| wrapped(depth / 3, "ROW(ARRAY[coalesce(", "1", ", NULL)])"),
    |depth| wrapped(depth / 2, "(SELECT CAST(if(NOT (1 IN (SELECT ", "1", ")), 1, 2) AS bigint))"),
    |depth| woven(depth, 1),
    |depth| woven(depth, 2),
    |depth| woven(depth, 3),
];

/// Calls, operators and subqueries in an order that the seed gives.
fn woven(depth: usize, mut seed: u64) -> String {
    const AROUND: [(&str, &str); 10] = [
        ("(", ")"),
        ("abs(", ")"),
        ("coalesce(", ", 1)"),
        ("(SELECT ", ")"),
        ("CASE WHEN 1 = 1 THEN ", " END"),
        ("CAST(", " AS bigint)"),
        ("ARRAY[", "][1]"),
        ("-(", ")"),
        ("greatest(1, ", ")"),
        ("(SELECT max(x) FROM (VALUES ", ") t(x))"),
    ];
    let (mut begin, mut end) = (String::new(), String::new());
    for _ in 0..depth {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (before, after) = AROUND[usize::try_from(seed >> 33).unwrap_or(0) % AROUND.len()];
        begin.push_str(before);
        end.insert_str(0, after);
    }
    format!("SELECT {begin}1{end}")
}

async fn plan_or_refuse(statements: &[Statement]) -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    for statement in statements {
        for depth in [5, 20, 60, 1_000, 10_000] {
            let text = statement(depth);
            if let Err(failure) = instance.engine.plan(&instance.session, &text, &Parameters::default()).await
                && failure.error.kind() == ErrorKind::Internal
            {
                return Err(format!("{} at a depth of {depth}: {}", statement(1), failure.error).into());
            }
        }
    }
    Ok(())
}

/// The heavy statement is asked first, on a runtime with one thread.
async fn another_statement_is_answered_while_one_is_planned() -> Result<(), Failed> {
    let answer = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let instance = Instance::start(Lake::in_folder()).await;
            let heavy = ctes(10, |before| format!("SELECT l.x FROM {before} l, {before} r"));
            let planned = Arc::new(AtomicBool::new(false));
            let (engine, session, done) = (instance.engine.clone(), instance.session.clone(), Arc::clone(&planned));
            let heavy = tokio::spawn(async move {
                let outcome = engine.plan(&session, &heavy, &Parameters::default()).await;
                done.store(true, Ordering::SeqCst);
                outcome.map(drop)
            });
            tokio::task::yield_now().await;
            instance.run("SELECT 1 AS one").await;
            let is_first = !planned.load(Ordering::SeqCst);
            let _ = heavy.await;
            Ok::<_, std::io::Error>(is_first)
        })
    });
    match answer.join() {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err("SELECT 1 waited for the other statement's plan".into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err("it panicked".into()),
    }
}

async fn views_that_double_each_other_are_refused() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    instance.run("CREATE VIEW v0 AS SELECT 1 AS x").await;
    for at in 1..30 {
        let before = at - 1;
        let view = format!("CREATE VIEW v{at} AS SELECT x FROM v{before} UNION ALL SELECT x FROM v{before}");
        if let Err(failure) = instance.try_run(&view).await {
            return match failure.error.kind() {
                ErrorKind::LimitExceeded => Ok(()),
                _ => Err(failure.to_string().into()),
            };
        }
    }
    Err("a view of 2^29 branches was planned".into())
}

/// Trino: "GROUP BY has 4096 grouping sets but can contain at most 2048".
async fn as_many_grouping_sets_as_trino_allows() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let names: Vec<String> = (0..12).map(|at| format!("c{at}")).collect();
    let cube = |columns: usize| {
        let (all, some) = (names.join(", "), names[..columns].join(", "));
        format!("SELECT count(*) AS n FROM (VALUES ({})) t({all}) GROUP BY CUBE({some})", ["1"; 12].join(", "))
    };
    let failure = instance.try_run(&cube(12)).await.err().ok_or("4096 grouping sets were planned")?;
    if failure.error.kind() != ErrorKind::LimitExceeded || !failure.error.message().contains("4096 grouping sets") {
        return Err(failure.to_string().into());
    }
    match instance.try_run(&cube(5)).await?.report.usage.rows {
        32 => Ok(()),
        rows => Err(format!("{rows} rows of 32 grouping sets").into()),
    }
}
