//! `glaux quote`: what a query would scan and cost, without running it.

use clap::{Args, ValueEnum};
use glaux_engine::{
    Error, Result,
    accounting::Scanned,
    query::{Basis, Parameters, Quote, Reason, TableQuote, WideColumn},
};

use super::{
    interpreter::read_stdin,
    options::CommonOptions,
    runtime::runtime,
    say::{say, say_raw},
    stop::Stop,
};
use crate::{
    exit_code, figures,
    output::{Cell, Layout, Style},
    stats,
};

const EXAMPLES: &str = "\
Examples:
  glaux quote \"SELECT * FROM sales WHERE year = 2025\"
  glaux quote --estimate \"SELECT * FROM sales\"        without reading anything
  glaux quote --format json - < report.sql | jq .cost_usd

A quote is an upper bound, over the files that the query would read now. It reads the metadata of files that it does not know yet,
never their data, and is free. In SQL, use EXPLAIN (TYPE COST) SELECT ...";

/// Tell what a query would scan and cost, without running it
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit_code::HELP))]
pub(crate) struct QuoteArgs {
    /// The query; `-` reads standard input
    #[arg(value_name = "SQL", allow_hyphen_values = true)]
    sql: String,

    /// Read nothing: files whose metadata are not known count with their whole size
    #[arg(long)]
    estimate: bool,

    /// Form of the quote
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: QuoteFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum QuoteFormat {
    /// For people
    Table,
    /// One object on one line, whose names are those of --stats json
    Json,
}

pub(crate) fn run(options: &CommonOptions, args: &QuoteArgs) -> Result<(), Stop> {
    let sql = if args.sql == "-" { read_stdin()? } else { args.sql.clone() };
    let basis = if args.estimate { Basis::Known } else { Basis::Footers };
    let quote = runtime()?.block_on(async {
        let (engine, session) = options.open().await?;
        Ok::<_, Error>(engine.quote(&session, &sql, &Parameters::default(), basis).await?)
    })?;
    match args.format {
        QuoteFormat::Table => say_raw(&text(&quote))?,
        QuoteFormat::Json => {
            let text = serde_json::to_string(&quote);
            say(&text.map_err(|error| Error::internal("cannot write the quote as JSON").with_source(error))?)?;
        }
    }
    Ok(())
}

/// A table of the tables, a line of all, and the reasons.
fn text(quote: &Quote) -> String {
    let mut text = String::new();
    if !quote.tables.is_empty() {
        let names = ["table", "partitions", "files", "row groups", "columns", "data", "metadata"];
        let columns = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at > 0)).collect();
        let rows: Vec<Vec<Cell>> = quote.tables.iter().map(row).collect();
        text.push_str(&Layout::new(columns, Style::default()).render(&rows));
    }
    text.push_str(&sentence(quote));
    text.push('\n');
    let of_tables = quote.tables.iter().flat_map(|table| {
        let name = table.usage.table.to_string();
        table.reasons.iter().map(move |reason| format!("{name}: {}", words(reason)))
    });
    let reasons: Vec<String> = of_tables.chain(quote.reasons.iter().map(words)).collect();
    if !reasons.is_empty() {
        text.push_str(&format!("why not less:\n  {}\n", reasons.join("\n  ")));
    }
    text
}

fn row(table: &TableQuote) -> Vec<Cell> {
    let usage = &table.usage;
    let of = |scanned: Scanned| match scanned.total {
        Some(0) => "-".to_owned(),
        Some(total) => format!("{} of {}", figures::grouped(scanned.scanned), figures::grouped(total)),
        None => figures::grouped(scanned.scanned),
    };
    let data = if table.is_bounded { figures::bytes(usage.data_scanned_bytes) } else { "unbounded".to_owned() };
    let cells = [
        usage.table.to_string(),
        if usage.has_partition_keys { of(usage.partitions) } else { "-".to_owned() },
        of(usage.files),
        of(usage.row_groups),
        format!("{} of {}", table.columns.read, table.columns.total),
        data,
        figures::bytes(usage.metadata_bytes),
    ];
    cells.map(Cell::from).to_vec()
}

/// `at most 1.24 MB of data in 1 of 84 files, 1 of 84 partitions; at most 4 requests; billed at most 10 MB = 0.00005 USD`.
fn sentence(quote: &Quote) -> String {
    if quote.tables.is_empty() {
        return "It scans no table: free of charge".to_owned();
    }
    if !quote.is_bounded {
        return "There is no upper bound: a recursion reads a table again with every step".to_owned();
    }
    let usage = &quote.usage.total;
    let most = if quote.is_exact { "" } else { "at most " };
    let mut text = format!("{most}{} of data in {}", figures::bytes(usage.data_scanned_bytes), stats::part(usage.files, "file"));
    if usage.partitions.total != Some(0) {
        text.push_str(&format!(", {}", stats::part(usage.partitions, "partition")));
    }
    let requests = figures::count(usage.requests.total(), "request");
    text.push_str(&format!("; at most {requests}; billed {most}{}", stats::billed(&quote.bill)));
    let guessed: u64 = quote.tables.iter().map(|table| table.guessed_files).sum();
    if guessed > 0 {
        let files = figures::count(guessed, "file");
        text.push_str(&format!("\nEstimated: nothing is known yet of {files} but the size, which counts whole"));
    }
    text
}

/// A reason, with its numbers as people read them.
fn words(reason: &Reason) -> String {
    match reason {
        Reason::AllColumns { columns, widest } => {
            let widest = widest.iter().map(|WideColumn { column, bytes }| format!("{column} ({})", figures::bytes(*bytes)));
            format!("all {columns} columns are read; the widest: {}", widest.collect::<Vec<_>>().join(", "))
        }
        Reason::SmallFiles { files, average_bytes } => {
            let (files, bytes) = (figures::grouped(*files), figures::bytes(*average_bytes));
            format!("{files} small files, of {bytes} on average, each of which takes requests of its own")
        }
        Reason::Minimum { billed_bytes } => {
            format!("a query that scans anything is billed for at least {}", figures::bytes(*billed_bytes))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use glaux_catalog::TableName;
    use glaux_engine::{
        accounting::{Requests, TableUsage, Tariff, Usage, UsageDetail},
        query::ColumnsRead,
    };

    use super::*;

    fn quote() -> Quote {
        let part = |scanned, total| Scanned { scanned, total: Some(total) };
        let (partitions, files, row_groups) = (part(1, 83), part(1, 1), part(1, 1));
        let table = TableUsage {
            table: TableName::new("default", "lineitem"),
            data_scanned_bytes: 13_882,
            metadata_bytes: 4_100,
            partitions,
            files,
            row_groups,
            has_partition_keys: true,
            is_partition_filtered: true,
        };
        let requests = Requests { get: 1, list: 1, ..Requests::default() };
        let total = Usage { data_scanned_bytes: 13_882, requests, partitions, files, row_groups, ..Usage::default() };
        let usage = UsageDetail { total, tables: vec![table.clone()], ..UsageDetail::default() };
        let widest = vec![WideColumn { column: "l_comment".to_owned(), bytes: 2_100_000 }];
        let tables = vec![TableQuote {
            usage: table,
            format: Some("Parquet"),
            is_bounded: true,
            is_exact: false,
            scans: 1,
            guessed_files: 0,
            columns: ColumnsRead { read: 2, total: 16, widest: widest.clone() },
            reasons: vec![Reason::AllColumns { columns: 16, widest }],
        }];
        Quote {
            basis: Basis::Footers,
            is_bounded: true,
            is_exact: false,
            bill: Tariff::default().bill(&usage),
            usage,
            tariff: "athena@2026-11-01".to_owned(),
            tables,
            reasons: vec![Reason::Minimum { billed_bytes: 10_000_000 }],
        }
    }

    #[test]
    fn a_quote_is_a_table_a_line_and_reasons() {
        let shown = text(&quote());
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].contains("row groups"), "{shown}");
        assert!(lines[2].contains("default.lineitem") && lines[2].contains("1 of 83") && lines[2].contains("13.9 kB"), "{shown}");
        assert_eq!(
            lines[3..],
            [
                "at most 13.9 kB of data in 1 of 1 file, 1 of 83 partitions; at most 2 requests; billed at most 10 MB = 0.00005 USD",
                "why not less:",
                "  default.lineitem: all 16 columns are read; the widest: l_comment (2.1 MB)",
                "  a query that scans anything is billed for at least 10 MB",
            ]
        );
    }

    #[test]
    fn what_has_no_bound_says_so() {
        let unbounded = Quote { is_bounded: false, ..quote() };
        assert!(text(&unbounded).contains("There is no upper bound"));
        let document = serde_json::to_value(&unbounded).unwrap();
        assert_eq!((document["bounded"].as_bool(), document["cost_usd"].is_null()), (Some(false), true));
        let document = serde_json::to_value(quote()).unwrap();
        assert_eq!((document["cost_usd"].as_str(), document["tables"][0]["files"]["total"].as_u64()), (Some("0.00005"), Some(1)));
        assert_eq!(document["why_not_less"][0]["reason"], "minimum");
    }
}
