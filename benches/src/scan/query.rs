//! The tables and queries of the scan's benches, and what each query needs at least. SQL holds `{t}` where the table's name goes, since not
//! every contestant knows tables by name.

use crate::{Result, contestant::Table};

const LINEITEM: &[(&str, &str)] = &[
    ("l_orderkey", "BIGINT"),
    ("l_partkey", "BIGINT"),
    ("l_suppkey", "BIGINT"),
    ("l_linenumber", "INT"),
    ("l_quantity", "DECIMAL(15,2)"),
    ("l_extendedprice", "DECIMAL(15,2)"),
    ("l_discount", "DECIMAL(15,2)"),
    ("l_tax", "DECIMAL(15,2)"),
    ("l_returnflag", "STRING"),
    ("l_linestatus", "STRING"),
    ("l_shipdate", "DATE"),
    ("l_commitdate", "DATE"),
    ("l_receiptdate", "DATE"),
    ("l_shipinstruct", "STRING"),
    ("l_shipmode", "STRING"),
    ("l_comment", "STRING"),
];

/// Lineitem by the month it was shipped in: 84 files.
pub(super) const LI: Table =
    Table { name: "li", columns: LINEITEM, keys: &[("ship_year", "INT"), ("ship_month", "INT")], glob: "*/*/*.parquet" };

/// Lineitem as one file.
pub(super) const BIG: Table = Table { name: "big", columns: LINEITEM, keys: &[], glob: "*.parquet" };

/// Many small files.
pub(super) const SMALL: Table =
    Table { name: "small", columns: &[("id", "BIGINT"), ("amount", "BIGINT"), ("note", "STRING")], keys: &[], glob: "*.parquet" };

/// What the queries ask for, found while the lake was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// A key of an order in the middle.
    pub(super) order_key: i64,
    /// The 24th and the 10th highest price, in hundredths.
    pub(super) price_24: i64,
    pub(super) price_10: i64,
}

/// A range of one column's values as Parquet keeps them: cents, days, keys. Both ends are in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predicate {
    pub(super) column: &'static str,
    pub(super) low: i64,
    pub(super) high: i64,
}

/// What a query cannot do without, from which its least bytes are reckoned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// Columns of rows that satisfy the predicate; empty means all.
    pub(super) columns: &'static [&'static str],
    pub(super) predicate: Option<Predicate>,
    /// Part of the paths that partition keys leave.
    pub(super) path: &'static str,
}

/// What of two contestants' answers must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sameness {
    /// All values.
    Rows,
    /// The values of one column: the rest depends on which of several equal rows came first.
    Column(usize),
    /// Their number.
    Count,
}

#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) sql: String,
    /// Absent where a reader may stop anywhere.
    pub(super) needs: Option<Needs>,
    pub(super) sameness: Sameness,
    /// One of the six of the geometric mean.
    pub(super) counted: bool,
    /// Whether the least bytes are within reach: not for a bound that a reader has to find first.
    pub(super) is_least_known: bool,
}

pub(super) const ONE_COLUMN: &str = "one column";
pub(super) const ONE_PARTITION: &str = "one partition";
pub(super) const ORDER_KEY: &str = "order key";
pub(super) const TOP_10: &str = "top 10";
pub(super) const SELECTIVE: &str = "24 rows";
pub(super) const Q1_LIKE: &str = "Q1-like";

/// Days since 1970 of 1995-03-01, 1995-03-31 and 1998-09-02.
const MARCH: (i64, i64) = (9190, 9220);
const Q1_END: i64 = 10_471;

/// The six queries, and two more, of a table of lineitem.
pub(super) fn queries(table: &Table, facts: &Facts) -> Vec<Query> {
    let is_partitioned = !table.keys.is_empty();
    let price = |cents: i64| format!("CAST('{}.{:02}' AS DECIMAL(15,2))", cents / 100, cents % 100);
    let query = |name, sql: String, columns, predicate| Query {
        name,
        sql,
        needs: Some(Needs { columns, predicate, path: "" }),
        sameness: Sameness::Rows,
        counted: true,
        is_least_known: true,
    };
    let range = |column, low, high| Some(Predicate { column, low, high });
    let month = match is_partitioned {
        true => "ship_year = 1995 AND ship_month = 3",
        false => "l_shipdate >= DATE '1995-03-01' AND l_shipdate <= DATE '1995-03-31'",
    };
    let month_sql =
        format!("SELECT sum(l_quantity) AS q, sum(l_extendedprice) AS p, sum(l_discount) AS d FROM {{t}} WHERE {month}");
    let mut one_partition = query(
        ONE_PARTITION,
        month_sql,
        &["l_quantity", "l_extendedprice", "l_discount"],
        if is_partitioned { None } else { range("l_shipdate", MARCH.0, MARCH.1) },
    );
    if let (true, Some(needs)) = (is_partitioned, &mut one_partition.needs) {
        needs.path = "ship_year=1995/ship_month=3/";
    }
    vec![
        query(ONE_COLUMN, "SELECT sum(l_extendedprice) AS total FROM {t}".to_owned(), &["l_extendedprice"], None),
        one_partition,
        query(
            ORDER_KEY,
            format!("SELECT * FROM {{t}} WHERE l_orderkey = {}", facts.order_key),
            &[],
            range("l_orderkey", facts.order_key, facts.order_key),
        ),
        Query {
            sameness: Sameness::Column(5),
            is_least_known: false,
            ..query(
                TOP_10,
                "SELECT * FROM {t} ORDER BY l_extendedprice DESC LIMIT 10".to_owned(),
                &[],
                range("l_extendedprice", facts.price_10, i64::MAX),
            )
        },
        query(
            SELECTIVE,
            format!(
                "SELECT l_orderkey, l_partkey, l_suppkey, l_extendedprice, l_comment FROM {{t}} WHERE l_extendedprice >= {}",
                price(facts.price_24)
            ),
            &["l_orderkey", "l_partkey", "l_suppkey", "l_extendedprice", "l_comment"],
            range("l_extendedprice", facts.price_24, i64::MAX),
        ),
        query(
            Q1_LIKE,
            "SELECT l_returnflag, l_linestatus, sum(l_quantity) AS q, sum(l_extendedprice) AS p, \
             sum(l_extendedprice * (1 - l_discount)) AS d, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS c, count(*) AS n \
             FROM {t} WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus"
                .to_owned(),
            &["l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount", "l_tax"],
            range("l_shipdate", i64::MIN, Q1_END),
        ),
        Query {
            counted: false,
            ..query("narrow column", "SELECT sum(l_quantity) AS total FROM {t}".to_owned(), &["l_quantity"], None)
        },
        Query {
            counted: false,
            needs: None,
            sameness: Sameness::Count,
            ..query("LIMIT 5", "SELECT * FROM {t} LIMIT 5".to_owned(), &[], None)
        },
    ]
}

/// Rows that can be compared between contestants, in the order of their values in a common notation.
#[derive(Debug, Clone)]
pub(super) struct Answer(Vec<Vec<String>>);

impl Answer {
    /// The part of an answer that must be the same. Partition keys of `SELECT *`, whose place differs, are left out.
    pub(super) fn new(rows: &[Vec<String>], sameness: Sameness, width: usize) -> Self {
        let mut rows: Vec<Vec<String>> = match sameness {
            Sameness::Count => rows.iter().map(|_| Vec::new()).collect(),
            Sameness::Column(at) => rows.iter().map(|row| row.get(at).cloned().into_iter().collect()).collect(),
            Sameness::Rows => rows.iter().map(|row| row.iter().take(width).cloned().collect()).collect(),
        };
        rows.sort_by_cached_key(|row| row.iter().map(|value| plain(value)).collect::<Vec<_>>());
        Self(rows)
    }

    /// What is different in another answer.
    pub(super) fn compare(&self, other: &Self) -> Result<()> {
        if self.0.len() != other.0.len() {
            return Err(format!("{} rows instead of {}", self.0.len(), other.0.len()).into());
        }
        let is_same = |one: &[String], another: &[String]| {
            one.len() == another.len() && one.iter().zip(another).all(|(one, another)| is_same(one, another))
        };
        match self.0.iter().zip(&other.0).find(|(one, another)| !is_same(one, another)) {
            Some((one, another)) => Err(format!("{one:?} instead of {another:?}").into()),
            None => Ok(()),
        }
    }
}

/// A value without what differs between notations: numbers to nine digits, and no time of a date.
fn plain(value: &str) -> String {
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => format!("{number:.8e}"),
        _ => value.trim_end_matches(" 00:00:00").trim_end_matches("T00:00:00").to_owned(),
    }
}

/// Engines differ in how many digits behind the point a quotient or an average of decimals has, and in whether the last is rounded.
fn is_same(one: &str, another: &str) -> bool {
    let digits = |value: &str| value.split_once('.').map_or(0, |(_, digits)| digits.len());
    let (of_one, of_another) = (digits(one), digits(another));
    let last = 10_f64.powi(-i32::try_from(of_one.min(of_another)).unwrap_or(i32::MAX));
    match (one.parse::<f64>(), another.parse::<f64>()) {
        (Ok(one), Ok(another)) if of_one != of_another && last < 1.0 && (one - another).abs() <= last => true,
        _ => plain(one) == plain(another),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[&[&str]], sameness: Sameness) -> Answer {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|value| (*value).to_owned()).collect()).collect();
        Answer::new(&rows, sameness, 2)
    }

    #[test]
    fn answers_are_the_same_in_another_order_and_notation() {
        let one = answer(&[&["1.50", "a", "k"], &["2", "1995-03-01"]], Sameness::Rows);
        let another = answer(&[&["2.000", "1995-03-01T00:00:00"], &["1.5000000000001", "a", "l"]], Sameness::Rows);
        assert!(one.compare(&another).is_ok());
        assert!(one.compare(&answer(&[&["1.5", "b"], &["2", "1995-03-01"]], Sameness::Rows)).is_err());
        assert!(one.compare(&answer(&[&["1.5", "a"]], Sameness::Rows)).is_err());
        let [one, another] = ["25.52", "25.522006"].map(|mean| answer(&[&["A", mean]], Sameness::Rows));
        assert!(one.compare(&another).is_ok());
        assert!(one.compare(&answer(&[&["A", "25.54"]], Sameness::Rows)).is_err());
        let [one, another] = ["a", "b"].map(|name| answer(&[&["7", name]], Sameness::Column(0)));
        assert!(one.compare(&another).is_ok());
    }
}
