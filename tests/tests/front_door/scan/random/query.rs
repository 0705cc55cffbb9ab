//! Random questions to the two tables, and how their answers are compared.

use chrono::{NaiveDate, TimeDelta};
use glaux_tests::instance::Instance;

use super::{Chance, table::DOUBLES};
use crate::{quote, scan::sorted};

/// A query over `t`, and what its answer has to be by `whole`.
#[derive(Debug)]
pub(super) enum Question {
    /// The rows that a predicate lets pass.
    Filter { columns: String, predicate: String },
    /// The first rows of an order: after `offset`, `limit` of them.
    Top { columns: String, predicate: Option<String>, order: String, limit: usize, offset: usize },
    /// Some rows, whichever.
    Limit { predicate: Option<String>, limit: usize },
    /// The same query over both tables, `{}` for the table.
    Same(String),
}

const KEYS: [&str; 11] = ["id", "n", "k", "x", "s", "d", "m", "ts", "b", "p.city", "p.zip"];

/// What `min` and `max` are asked of.
const ORDERED: [&str; 10] = ["id", "n", "k", "x", "s", "d", "m", "ts", "b", "p.zip"];

impl Question {
    pub(super) fn by(chance: &mut Chance, rows: i64, is_fat: bool) -> Self {
        let predicate = |chance: &mut Chance| predicate(chance, rows, 2);
        let fat = if is_fat { ", f" } else { "" };
        match chance.below(12) {
            0..=3 => {
                let columns = match chance.below(4) {
                    0 => "id".to_owned(),
                    1 => "id, n, k, x, s, d, m, ts, b, p, f".to_owned(),
                    2 => format!("id, p.city, {}{fat}", chance.of(&KEYS[1..9])),
                    _ => format!("id, {}{fat}", chance.of(&KEYS[1..])),
                };
                Self::Filter { columns, predicate: predicate(chance) }
            }
            4..=7 => {
                let predicate = chance.one_in(2).then(|| predicate(chance));
                let keys: Vec<&str> = (0..=chance.below(3)).map(|_| *chance.of(&KEYS)).collect();
                let mut names: Vec<String> = Vec::new();
                for (at, key) in keys.iter().enumerate() {
                    // ORDER BY cannot name what two columns are called.
                    let is_renamed = key.contains('.') || keys[..at].contains(key);
                    names.push(if is_renamed { format!("{key} AS key{at}") } else { (*key).to_owned() });
                }
                let order = keys.iter().map(|key| {
                    let direction = chance.of(&["", " ASC", " DESC"]);
                    format!("{key}{direction}{}", chance.of(&["", " NULLS FIRST", " NULLS LAST"]))
                });
                let mut order: Vec<String> = order.collect();
                let limit = usize::try_from(*chance.of(&[1, 3, 10, 50, 400])).unwrap_or(1);
                let offset = if chance.one_in(4) { 7 } else { 0 };
                // With the number as the last key the rows are told apart, and their other columns can be compared.
                if chance.one_in(2) {
                    order.push("id".to_owned());
                    names = vec![format!("id, s, m, p{fat}")];
                }
                Self::Top { columns: names.join(", "), predicate, order: order.join(", "), limit, offset }
            }
            8 => {
                let predicate = chance.one_in(2).then(|| predicate(chance));
                Self::Limit { predicate, limit: usize::try_from(*chance.of(&[0, 1, 30, 500])).unwrap_or(1) }
            }
            9 => {
                let asked: Vec<String> = (0..=chance.below(3))
                    .map(|_| match chance.below(5) {
                        0 => "count(*)".to_owned(),
                        1 => format!("count({})", chance.of(&KEYS)),
                        2 | 3 => format!("min({})", chance.of(&ORDERED)),
                        _ => format!("max({})", chance.of(&ORDERED)),
                    })
                    .collect();
                let filter = if chance.one_in(3) { format!(" WHERE {}", predicate(chance)) } else { String::new() };
                Self::Same(format!("SELECT {} FROM {{}}{filter}", asked.join(", ")))
            }
            10 => {
                let columns = [*chance.of(&KEYS), *chance.of(&KEYS)];
                let filter = if chance.one_in(2) { format!(" WHERE {}", predicate(chance)) } else { String::new() };
                Self::Same(if chance.one_in(2) {
                    format!("SELECT DISTINCT {}, {} FROM {{}}{filter}", columns[0], columns[1])
                } else {
                    format!("SELECT {}, count(*), sum(n), min(s), max(ts) FROM {{}}{filter} GROUP BY {0}", columns[0])
                })
            }
            _ => {
                let filter = predicate(chance);
                let key = chance.of(&["id", "n", "d", "s", "ts"]);
                let few = rows / 20 + 1;
                Self::Same(match chance.below(4) {
                    0 => format!(
                        "SELECT count(*), sum(a.id), sum(b.n) FROM {{}} a JOIN (SELECT * FROM {{}} WHERE {filter}) b ON a.{key} = b.{key} \
                         WHERE b.id % 11 = 3"
                    ),
                    1 => format!(
                        "SELECT count(*), count(b.id), sum(b.n) FROM (SELECT * FROM {{}} WHERE {filter}) a LEFT JOIN {{}} b \
                         ON a.{key} = b.{key} AND b.id < {few}"
                    ),
                    2 => format!(
                        "SELECT count(*), sum(id) FROM {{}} WHERE {key} IN (SELECT {key} FROM {{}} WHERE id < {few} AND {filter})"
                    ),
                    _ => format!(
                        "SELECT a.id, b.id FROM {{}} a JOIN {{}} b ON a.id = b.n WHERE b.id < {few} ORDER BY a.id DESC, b.id LIMIT 20"
                    ),
                })
            }
        }
    }

    /// Asks both tables; an error tells the query and how its answer differs.
    pub(super) async fn agrees(&self, instance: &Instance) -> Result<(), String> {
        let run = async |sql: String| {
            let outcome = instance.try_run(&sql).await.map_err(|failure| format!("{sql}: {:?}", failure.error))?;
            quote::holds(instance, &sql, &outcome.report).await?;
            Ok::<_, String>((sql, outcome.lines()))
        };
        let hit = |predicate: &Option<String>| predicate.clone().unwrap_or_else(|| "true".to_owned());
        let filter = |predicate: &Option<String>| predicate.as_ref().map_or_else(String::new, |text| format!(" WHERE {text}"));
        let (sql, found, expected) = match self {
            Self::Filter { columns, predicate } => {
                let (sql, found) = run(format!("SELECT {columns} FROM t WHERE {predicate}")).await?;
                let (_, all) = run(format!("SELECT {columns}, ({predicate}) AS hit FROM whole")).await?;
                (sql, sorted(found), sorted(hits(&all)))
            }
            Self::Top { columns, predicate, order, limit, offset } => {
                let skip = if *offset > 0 { format!(" OFFSET {offset}") } else { String::new() };
                let filtered = filter(predicate);
                let (sql, found) = run(format!("SELECT {columns} FROM t{filtered} ORDER BY {order}{skip} LIMIT {limit}")).await?;
                let (_, all) = run(format!("SELECT {columns}, ({}) AS hit FROM whole ORDER BY {order}", hit(predicate))).await?;
                (sql, of_one_zero(found), of_one_zero(hits(&all).into_iter().skip(*offset).take(*limit).collect()))
            }
            Self::Limit { predicate, limit } => {
                let (sql, found) = run(format!("SELECT id, s FROM t{} LIMIT {limit}", filter(predicate))).await?;
                let (_, all) = run(format!("SELECT id, s, ({}) AS hit FROM whole", hit(predicate))).await?;
                let all = hits(&all);
                let wanted = (*limit).min(all.len());
                let all: std::collections::HashSet<String> = all.into_iter().collect();
                let distinct: std::collections::HashSet<&String> = found.iter().collect();
                if distinct.len() == wanted && found.len() == wanted && found.iter().all(|row| all.contains(row)) {
                    return Ok(());
                }
                return Err(format!("{sql}\n  gives {} rows instead of {wanted}, or some that it should not", found.len()));
            }
            Self::Same(query) => {
                let (sql, found) = run(query.replace("{}", "t")).await?;
                let (_, expected) = run(query.replace("{}", "whole")).await?;
                (sql, sorted(found), sorted(expected))
            }
        };
        if found == expected {
            return Ok(());
        }
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(4).collect();
        let surplus: Vec<_> = found.iter().filter(|row| !expected.contains(row)).take(4).collect();
        let (gives, wanted) = (found.len(), expected.len());
        let first = found.iter().zip(&expected).enumerate().find(|(_, (found, expected))| found != expected);
        Err(format!("{sql}\n  gives {gives} rows instead of {wanted}; missing {missing:?}, surplus {surplus:?}, first {first:?}"))
    }
}

/// Rows in which both zeros look alike: they are equal as sort keys, so that rows that differ in nothing else come in any order.
fn of_one_zero(rows: Vec<String>) -> Vec<String> {
    rows.into_iter()
        .map(|row| row.split('|').map(|value| if value == "-0.0" { "0.0" } else { value }).collect::<Vec<_>>().join("|"))
        .collect()
}

/// The rows whose last column is true, without it.
fn hits(rows: &[String]) -> Vec<String> {
    rows.iter().filter_map(|row| row.strip_suffix("|true").map(str::to_owned)).collect()
}

fn predicate(chance: &mut Chance, rows: i64, depth: u32) -> String {
    if depth == 0 || chance.one_in(3) {
        return atom(chance, rows);
    }
    let part = |chance: &mut Chance| predicate(chance, rows, depth - 1);
    match chance.below(5) {
        0 | 1 => format!("({} AND {})", part(chance), part(chance)),
        2 | 3 => format!("({} OR {})", part(chance), part(chance)),
        _ => format!("NOT ({})", part(chance)),
    }
}

fn atom(chance: &mut Chance, rows: i64) -> String {
    let column = *chance.of(&KEYS);
    let comparison = *chance.of(&["=", "=", "<>", "<", "<=", ">", ">="]);
    let literal = |chance: &mut Chance| literal(chance, column, rows);
    match chance.below(14) {
        0..=4 => format!("{column} {comparison} {}", literal(chance)),
        5 => format!("{} {comparison} {column}", literal(chance)),
        6 => {
            let (low, high) = (literal(chance), literal(chance));
            let not = if chance.one_in(4) { "NOT " } else { "" };
            format!("{column} {not}BETWEEN {low} AND {high}")
        }
        7 | 8 => {
            let list: Vec<String> = (0..=chance.below(4)).map(|_| literal(chance)).collect();
            let not = if chance.one_in(4) { "NOT " } else { "" };
            format!("{column} {not}IN ({})", list.join(", "))
        }
        9 => format!("{column} IS {}NULL", if chance.one_in(2) { "NOT " } else { "" }),
        10 => format!(
            "s {}LIKE '{}'",
            if chance.one_in(3) { "NOT " } else { "" },
            chance.of(&["a%", "%long1_", "w00%", "_", "%", "long%5", "é"])
        ),
        11 => format!("({column} IS {}DISTINCT FROM {})", if chance.one_in(2) { "NOT " } else { "" }, literal(chance)),
        12 => {
            let number = chance.below(rows as u64 / 10 + 1);
            chance
                .of(&[
                    format!("n + 1 > {number}"),
                    format!("id % 7 = {}", number % 7),
                    format!("coalesce(n, 3) < {number}"),
                    format!("length(s) > {}", number % 90),
                    format!("CAST(d AS VARCHAR) LIKE '2024-0{}%'", number % 10),
                    format!("CASE WHEN k = 1 THEN n ELSE id END > {number}"),
                    format!("n > k AND k > {}", number % 5),
                    format!("id = n * {}", number % 12),
                    "p IS NULL".to_owned(),
                    "b".to_owned(),
                    "x <> x".to_owned(),
                    "x = x".to_owned(),
                ])
                .clone()
        }
        _ => {
            let start = chance.below(rows as u64);
            format!("id BETWEEN {start} AND {}", start + chance.below(40))
        }
    }
}

fn literal(chance: &mut Chance, column: &str, rows: i64) -> String {
    // Now and then one that no row has.
    let place = chance.below(rows as u64 + 20) as i64 - 10;
    match column {
        "n" => (place / 10).to_string(),
        "k" => chance.below(6).to_string(),
        "x" => match chance.below(2) {
            0 => format!("{}", place as f64 / 8.0),
            _ => match *chance.of(&DOUBLES) {
                value if value.is_nan() => "CAST('NaN' AS DOUBLE)".to_owned(),
                value if value.is_infinite() => format!("CAST('{}Infinity' AS DOUBLE)", if value < 0.0 { "-" } else { "" }),
                value => format!("CAST('{value:e}' AS DOUBLE)"),
            },
        },
        "s" => match chance.below(3) {
            0 => format!("'{}{}'", "long".repeat(20), chance.below(31)),
            1 => format!("'w{:04}'", place / 7),
            _ => format!("'{}'", chance.of(&["a", "b", "ab", "Zug", "é", "~~", "100%", "", "zz"])),
        },
        "d" => format!("DATE '{}'", first_day() + TimeDelta::days(place / 5)),
        "m" => format!("DECIMAL '{:.2}'", (chance.below(100_000) as f64 - 50_000.0) / 100.0),
        "ts" => format!(
            "TIMESTAMP '{}'",
            (first_day().and_hms_opt(0, 0, 0).unwrap_or_default() + TimeDelta::hours(place)).format("%F %T")
        ),
        "b" => chance.of(&["true", "false"]).to_string(),
        "p.city" => format!("'{}'", chance.of(&["Ulm", "Bern", "Graz", "", "Paris"])),
        "p.zip" => (place % 97).to_string(),
        _ => place.to_string(),
    }
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default()
}
