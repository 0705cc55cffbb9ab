//! The demo's questions, each asked of both layouts, and the check that both give the same answer.

use arrow::{
    array::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::StreamExt;
use glaux_engine::{Engine, Error, Result, Session, query::QueryReport};

use super::{answered::Answered, compare, generate::ORDERS_PER_SCALE};
use crate::{
    cli::say::say,
    output::{Cell, Layout, Style},
};

/// Result rows that are shown.
const SHOWN_ROWS: usize = 5;

/// A question and how each layout is asked.
struct Question {
    title: &'static str,
    partitioned: String,
    flat: String,
}

/// Asks every question of both layouts and shows what it finds.
///
/// # Errors
/// `Internal` if two layouts give different answers; what the queries meet.
pub(super) async fn run(engine: &Engine, session: &Session, scale: f64) -> Result<Vec<Answered>> {
    let minimum_bytes = engine.queries().tariff().minimum_bytes;
    let mut answers = Vec::new();
    for (number, question) in (1..).zip(questions(scale)) {
        say(&format!("\n{number}. {}", question.title))?;
        let partitioned = ask(engine, session, &question.partitioned).await?;
        let flat = ask(engine, session, &question.flat).await?;
        say(&format!("   partitioned: {}\n   flat:        {}\n", question.partitioned, question.flat))?;
        say(partitioned.table(SHOWN_ROWS).trim_end())?;
        if partitioned.sorted() != flat.sorted() {
            say(&format!("\nThe flat table answers otherwise:\n{}", flat.table(SHOWN_ROWS).trim_end()))?;
            return Err(Error::internal(format!("the two layouts give different answers to \"{}\"", question.title))
                .with_hint("This is a bug of Glaux; please report it"));
        }
        let answered = Answered { title: question.title, partitioned: partitioned.report, flat: flat.report };
        say(&format!("\n{}", compare::side_by_side(&answered, minimum_bytes)))?;
        answers.push(answered);
    }
    say("\nBoth layouts gave the same rows for every question.")?;
    Ok(answers)
}

/// A result, as text.
struct Answer {
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
    report: QueryReport,
}

impl Answer {
    /// The rows in an order of their own.
    fn sorted(&self) -> Vec<&Vec<String>> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort();
        rows
    }

    fn table(&self, rows: usize) -> String {
        let shown = self.rows.iter().take(rows);
        let shown: Vec<Vec<Cell>> = shown.map(|row| row.iter().cloned().map(Cell::from).collect()).collect();
        let mut text = Layout::new(self.columns.clone(), Style::default()).render(&shown);
        if self.rows.len() > rows {
            text.push_str(&format!(" ... {} more\n", self.rows.len() - rows));
        }
        text
    }
}

async fn ask(engine: &Engine, session: &Session, statement: &str) -> Result<Answer> {
    let mut query = engine.submit(session, statement).await.map_err(|failure| failure.error)?;
    let schema = query.schema();
    let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().is_numeric())).collect();
    let mut rows = Vec::new();
    while let Some(batch) = query.next().await {
        push_rows(&mut rows, &batch?)?;
    }
    Ok(Answer { columns, rows, report: query.report() })
}

fn push_rows(rows: &mut Vec<Vec<String>>, batch: &RecordBatch) -> Result<()> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("NULL").with_display_error(false);
    let text = |error| Error::internal("a value has no form as text").with_source(error);
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &OPTIONS))
        .collect::<Result<Vec<_>, _>>()
        .map_err(text)?;
    for row in 0..batch.num_rows() {
        rows.push(columns.iter().map(|column| column.value(row).try_to_string()).collect::<Result<_, _>>().map_err(text)?);
    }
    Ok(())
}

/// The questions. Shipping follows ordering by 1 to 121 days, which the last one uses to name the orders' partitions.
fn questions(scale: f64) -> Vec<Question> {
    const MONTH: &str = "ship_year = 1995 AND ship_month = 3";
    const MONTH_BY_DATE: &str = "l_shipdate >= DATE '1995-03-01' AND l_shipdate < DATE '1995-04-01'";
    let on = |title, select: &str, partitioned: &str, flat: &str, rest: &str| {
        let ask = |from: &str| format!("{select} FROM {from}{rest}");
        Question {
            title,
            partitioned: ask(&format!("lineitem WHERE {partitioned}")),
            flat: ask(&format!("lineitem_flat WHERE {flat}")),
        }
    };
    let key = format!("l_orderkey = {}", middle_order(scale));
    let join = |from: &str| {
        format!(
            "SELECT o_orderpriority, count(*) AS lines, sum(l_extendedprice) AS price FROM {from} GROUP BY o_orderpriority ORDER BY 1"
        )
    };
    vec![
        on(
            "Revenue of one month",
            "SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue, count(*) AS lines",
            MONTH,
            MONTH_BY_DATE,
            "",
        ),
        on(
            "Pricing summary of one quarter",
            "SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS price, count(*) AS lines",
            "ship_year = 1995 AND ship_month BETWEEN 4 AND 6",
            "l_shipdate >= DATE '1995-04-01' AND l_shipdate < DATE '1995-07-01'",
            " GROUP BY l_returnflag, l_linestatus ORDER BY 1, 2",
        ),
        on("How many rows one month has", "SELECT count(*) AS lines", MONTH, MONTH_BY_DATE, ""),
        on(
            "One order by its key (where the flat table's order helps, and partitions do not)",
            "SELECT l_linenumber, l_partkey, l_quantity, l_shipdate",
            &key,
            &key,
            " ORDER BY 1",
        ),
        Question {
            title: "Lines of one month by the priority of their orders",
            partitioned: join(&format!(
                "lineitem JOIN orders ON o_orderkey = l_orderkey WHERE {MONTH} AND order_year IN (1994, 1995)"
            )),
            flat: join(&format!("lineitem_flat JOIN orders ON o_orderkey = l_orderkey WHERE {MONTH_BY_DATE}")),
        },
    ]
}

/// The key of an order in the middle: TPC-H uses the first 8 of every 32 keys.
fn middle_order(scale: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scale is positive and at most 1000")]
    let middle = (ORDERS_PER_SCALE * scale / 2.0) as u64;
    middle / 8 * 32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_order_exists_at_every_scale() {
        for scale in [0.001, 0.05, 1.0, 100.0] {
            let key = middle_order(scale);
            assert!(key % 32 == 1 && key > 1, "{key}");
        }
        assert_eq!(middle_order(1.0), 3_000_001);
    }
}
