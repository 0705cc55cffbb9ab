//! The partitions that pruning leaves are those that brute force leaves: random keys, types, values, NULLs and predicates, and projections.

use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// A type of keys as tables and as casts name it, and values of it as directories have them; a few are equal.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const KINDS: [Kind; 8] = [
    ("INT", "INT", &["1", "01", "-5", "7", "2024"]),
    ("BIGINT", "BIGINT", &["9000000000", "0", "-1", "7"]),
    ("STRING", "VARCHAR", &["a", "b", "a b", "x:y", "a-", "é", "1"]),
    ("DATE", "DATE", &["2023-12-31", "2024-02-29", "1969-07-20", "2024-03-01"]),
    ("DECIMAL(10,2)", "DECIMAL(10,2)", &["1.50", "1.5", "-0.25", "100"]),
    ("BOOLEAN", "BOOLEAN", &["true", "false"]),
    ("TIMESTAMP", "TIMESTAMP", &["2024-01-01 00:00:00", "2024-01-01 12:30:00.5", "1960-01-01 00:00:00"]),
    ("DOUBLE", "DOUBLE", &["1.5", "-2.0", "0", "-0.0", "NaN"]),
];

/// Tables of a trial, and predicates for each.
const TABLES: u32 = 2;
const PREDICATES: u32 = 25;

/// Keys by their kinds, and partitions by their values.
#[derive(Debug, Clone)]
struct Set {
    kinds: Vec<Kind>,
    partitions: Vec<Vec<Option<&'static str>>>,
}

fn set() -> impl Strategy<Value = Set> {
    prop::collection::vec(select(KINDS.to_vec()), 1..4).prop_flat_map(|kinds| {
        let value = |(_, _, values): &Kind| prop::option::weighted(0.85, select(values.to_vec()));
        let partition: Vec<_> = kinds.iter().map(value).collect();
        prop::collection::btree_set(partition, 1..16)
            .prop_map(move |partitions| Set { kinds: kinds.clone(), partitions: partitions.into_iter().collect() })
    })
}

fn literal((_, cast, _): &Kind, value: &str) -> String {
    format!("CAST('{value}' AS {cast})")
}

fn atom(kinds: &[Kind]) -> BoxedStrategy<String> {
    let keys: Vec<(usize, Kind)> = kinds.iter().copied().enumerate().collect();
    let text = |key: usize| format!("coalesce(CAST(k{key} AS VARCHAR), 'none')");
    let pairs: Vec<(usize, usize)> = (0..kinds.len()).flat_map(|a| (0..kinds.len()).map(move |b| (a, b))).collect();
    let several =
        (select(pairs), select(vec!["=", "<", ">=", "<>"])).prop_map(move |((a, b), op)| format!("{} {op} {}", text(a), text(b)));
    let of_one = select(keys).prop_flat_map(|(key, kind)| {
        let value = select(kind.2.to_vec()).prop_map(move |value| literal(&kind, value));
        let op = select(vec!["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
        let mut any = vec![
            (op.clone(), value.clone()).prop_map(move |(op, value)| format!("k{key} {op} {value}")).boxed(),
            (value.clone(), value.clone()).prop_map(move |(low, high)| format!("k{key} BETWEEN {low} AND {high}")).boxed(),
            prop::collection::vec(value.clone(), 1..4)
                .prop_map(move |values| format!("k{key} IN ({})", values.join(", ")))
                .boxed(),
            value.prop_map(move |value| format!("coalesce(k{key}, {value}) = {value}")).boxed(),
            Just(format!("k{key} IS NULL")).boxed(),
            Just(format!("k{key} IS NOT NULL")).boxed(),
        ];
        if kind.0 == "STRING" {
            any.push(select(vec!["a%", "%b", "_", "%:%"]).prop_map(move |like| format!("k{key} LIKE '{like}'")).boxed());
        }
        proptest::strategy::Union::new(any)
    });
    prop_oneof![5 => of_one, 1 => several].boxed()
}

fn predicate(kinds: &[Kind]) -> impl Strategy<Value = String> {
    atom(kinds).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|part| format!("NOT ({part})")),
        ]
    })
}

/// A directory's name of a value.
fn escaped(value: Option<&str>) -> String {
    value.map_or_else(|| "__HIVE_DEFAULT_PARTITION__".to_owned(), |value| value.replace(':', "%3A"))
}

impl Set {
    fn directory(&self, partition: &[Option<&str>]) -> String {
        let segments = partition.iter().enumerate().map(|(key, value)| format!("k{key}={}", escaped(*value)));
        segments.collect::<Vec<_>>().join("/")
    }

    /// Writes `{name}/`, a file a partition, and defines `{name}_flat`, whose one file has the keys as columns.
    async fn write(&self, instance: &Instance, name: &str) {
        let mut flat = Vec::new();
        for (n, partition) in self.partitions.iter().enumerate() {
            let path = format!("{name}/{}/a.parquet", self.directory(partition));
            instance.write(&path, &format!("SELECT CAST({n} AS BIGINT) AS n")).await;
            let values = partition.iter().zip(&self.kinds).enumerate().map(|(key, (value, kind))| match value {
                Some(value) => format!("{} AS k{key}", literal(kind, value)),
                None => format!("CAST(NULL AS {}) AS k{key}", kind.1),
            });
            flat.push(format!("SELECT CAST({n} AS BIGINT) AS n, {}", values.collect::<Vec<_>>().join(", ")));
        }
        instance.write(&format!("{name}_flat/a.parquet"), &flat.join(" UNION ALL ")).await;
        let keys = self.keys();
        instance
            .run(&format!(
                "CREATE EXTERNAL TABLE {name}_flat (n BIGINT, {keys}) STORED AS PARQUET LOCATION '{{lake}}/{name}_flat/'"
            ))
            .await;
    }

    fn keys(&self) -> String {
        let keys = self.kinds.iter().enumerate().map(|(key, kind)| format!("k{key} {}", kind.0));
        keys.collect::<Vec<_>>().join(", ")
    }
}

/// Whether the partitions that a predicate leaves are those with a row that passes it.
async fn agrees(instance: &Instance, name: &str, predicate: &str) -> Result<(), String> {
    let sql = |table: &str| format!("SELECT n FROM {table} WHERE {predicate}");
    let pruned = instance.try_run(&sql(name)).await.map_err(|failure| format!("{predicate}: {}", failure.error))?;
    let flat =
        instance.try_run(&sql(&format!("{name}_flat"))).await.map_err(|failure| format!("{predicate}: {}", failure.error))?;
    let (left, mut rows, mut expected) = (pruned.report.usage.partitions.scanned, pruned.lines(), flat.lines());
    rows.sort_unstable();
    expected.sort_unstable();
    if rows != expected || left != expected.len() as u64 {
        return Err(format!("{predicate}: {left} partitions with the rows {rows:?}, not {expected:?}"));
    }
    Ok(())
}

/// Tries random predicates on a table.
async fn try_predicates(runner: &mut TestRunner, instance: &Instance, name: &str, set: &Set) -> Result<(), Failed> {
    for _ in 0..PREDICATES {
        let predicate = predicate(&set.kinds).new_tree(runner).map_err(|reason| reason.to_string())?.current();
        agrees(instance, name, &predicate).await.map_err(|wrong| format!("{}: {wrong}; {set:?}", set.keys()))?;
    }
    Ok(())
}

/// Tables and predicates are chosen anew in each.
pub(super) fn trials() -> Vec<Trial> {
    let catalog = (0..6).map(|part| {
        let name = format!("pruning/leaves_what_brute_force_leaves_{part}");
        Trial::test(name, || crate::block_on(crate::in_time(of_the_catalog())))
    });
    let projections = (0..4).map(|part| {
        let name = format!("pruning/leaves_what_brute_force_leaves_of_projections_{part}");
        Trial::test(name, || crate::block_on(crate::in_time(of_projections())))
    });
    catalog.chain(projections).collect()
}

async fn of_the_catalog() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let mut runner = TestRunner::new(Config::default());
    for at in 0..TABLES {
        let set = set().new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let name = format!("t{at}");
        set.write(&instance, &name).await;
        let keys = set.keys();
        instance
            .run(&format!(
                "CREATE EXTERNAL TABLE {name} (n BIGINT) PARTITIONED BY ({keys}) STORED AS PARQUET LOCATION '{{lake}}/{name}/'"
            ))
            .await;
        // The first half as they are found, the others one by one, which brings the index up to date.
        let (found, added) = set.partitions.split_at(set.partitions.len() / 2);
        for partition in added {
            let values = partition.iter().enumerate().map(|(key, value)| match value {
                Some(value) => format!("k{key} = '{value}'"),
                None => format!("k{key} = '__HIVE_DEFAULT_PARTITION__'"),
            });
            let values = values.collect::<Vec<_>>().join(", ");
            instance.run(&format!("ALTER TABLE {name} ADD PARTITION ({values})")).await;
            instance.run(&format!("SELECT count(*) FROM {name}")).await;
        }
        if !found.is_empty() {
            instance.run(&format!("MSCK REPAIR TABLE {name}")).await;
        }
        try_predicates(&mut runner, &instance, &name, &set).await?;
    }
    Ok(())
}

async fn of_projections() -> Result<(), Failed> {
    const YEARS: &[&str] = &["2020", "2021", "2022", "2023"];
    const NAMES: &[&str] = &["a", "b", "x y"];
    const DAYS: &[&str] = &["2024-02-28", "2024-02-29", "2024-03-01"];
    let kinds: Vec<Kind> = vec![("INT", "INT", YEARS), ("STRING", "VARCHAR", NAMES), ("DATE", "DATE", DAYS)];
    let all =
        YEARS.iter().flat_map(|y| NAMES.iter().flat_map(move |s| DAYS.iter().map(move |d| vec![Some(*y), Some(*s), Some(*d)])));
    let set = Set { kinds, partitions: all.collect() };
    let instance = Instance::start(Lake::in_folder()).await;
    set.write(&instance, "t").await;
    let properties = "'projection.enabled' = 'true', 'projection.k0.type' = 'integer', 'projection.k0.range' = '2020,2023', \
         'projection.k1.type' = 'enum', 'projection.k1.values' = 'a,b,x y', 'projection.k2.type' = 'date', \
         'projection.k2.range' = '2024-02-28,2024-03-01', 'projection.k2.format' = 'yyyy-MM-dd'";
    let keys = set.keys();
    instance
        .run(&format!(
            "CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY ({keys}) STORED AS PARQUET LOCATION '{{lake}}/t/' \
             TBLPROPERTIES ({properties})"
        ))
        .await;
    let mut runner = TestRunner::new(Config::default());
    try_predicates(&mut runner, &instance, "t", &set).await
}
