//! Completion with Tab: by the words before the cursor and the tables that the statement names.

use std::fs;

use super::{
    names::Names,
    words::{KEYWORDS, Source, Word, is_part, sources, words},
};
use crate::cli::interpreter::{Argument, COMMANDS, in_home};

/// What SHOW shows.
const SHOWN: &[&str] = &[
    "COLUMNS FROM",
    "CREATE TABLE",
    "CREATE VIEW",
    "CREATE WORKGROUP",
    "DATABASES",
    "GRANTS",
    "PARTITIONS",
    "QUERIES",
    "SESSION",
    "STATS FOR",
    "TABLES",
    "TBLPROPERTIES",
    "VIEWS",
    "WORKGROUPS",
];

/// What a table's name stands behind.
const BEFORE_TABLES: &[&str] = &["DESCRIBE", "FOR", "FROM", "INTO", "JOIN", "PARTITIONS", "TABLE", "TBLPROPERTIES", "VIEW"];

/// Where the last word before a position begins, and what it could become.
pub(super) fn complete(names: &Names, text: &str, position: usize) -> (usize, Vec<String>) {
    let before = &text[..position];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    if let Some(at) = before[line..].find(|c: char| !c.is_whitespace())
        && before[line + at..].starts_with('\\')
    {
        return command(names, before, line + at + 1);
    }
    let start = word_start(before);
    let begin = before.rfind(';').map_or(0, |at| at + 1);
    let end = text[position..].find(';').map_or(text.len(), |at| position + at);
    let previous = words(&before[begin..start]);
    let all = words(&text[begin..end]);
    let candidates = Candidates { names, word: &before[start..], previous: &previous, sources: sources(&all) };
    (start, candidates.of_statement())
}

fn word_start(text: &str) -> usize {
    text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(text.len(), |(at, _)| at)
}

/// Completes a command whose name begins here.
fn command(names: &Names, before: &str, begin: usize) -> (usize, Vec<String>) {
    let Some((name, argument)) = before[begin..].split_once(char::is_whitespace) else {
        let typed = &before[begin..];
        let known = COMMANDS.iter().filter(|spec| spec.name.starts_with(typed));
        return (begin - 1, known.map(|spec| format!("\\{} ", spec.name)).collect());
    };
    let argument = argument.trim_start();
    let start = before.len() - argument.len();
    let known = COMMANDS.iter().find(|spec| spec.name == name).map_or(Argument::None, |spec| spec.argument);
    match known {
        Argument::Choice(choices) => {
            let fitting = choices.iter().filter(|choice| choice.starts_with(&argument.to_lowercase()));
            (start, fitting.map(|choice| (*choice).to_owned()).collect())
        }
        Argument::Table => {
            let start = word_start(before).max(start);
            let candidates = Candidates { names, word: &before[start..], previous: &[], sources: Vec::new() };
            (start, candidates.tables())
        }
        Argument::File => (start, files(argument)),
        Argument::Number | Argument::None => (start, Vec::new()),
    }
}

/// The files that a path could become; folders end with a slash.
fn files(typed: &str) -> Vec<String> {
    let (folder, begun) = typed.split_at(typed.rfind('/').map_or(0, |at| at + 1));
    let read = fs::read_dir(if folder.is_empty() { ".".into() } else { in_home(folder) });
    let mut files: Vec<String> = read
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let is_wanted = name.starts_with(begun) && (!name.starts_with('.') || begun.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            is_wanted.then(|| format!("{folder}{name}{slash}"))
        })
        .collect();
    files.sort_unstable();
    files
}

/// The candidates for one word.
struct Candidates<'a> {
    names: &'a Names,
    word: &'a str,
    previous: &'a [Word<'a>],
    sources: Vec<Source<'a>>,
}

impl Candidates<'_> {
    fn of_statement(&self) -> Vec<String> {
        let follows = |keywords: &[&str]| {
            let before = self.previous.len().checked_sub(keywords.len()).map(|at| &self.previous[at..]);
            before.is_some_and(|before| before.iter().zip(keywords).all(|(word, keyword)| word.is(keyword)))
        };
        if follows(&["SET", "SESSION"]) || follows(&["RESET", "SESSION"]) {
            return self.fitting(self.names.settings.iter());
        }
        if follows(&["SHOW"]) {
            return self.keywords(SHOWN);
        }
        if follows(&["WORKGROUP"]) {
            return self.fitting(self.names.workgroups.iter());
        }
        if follows(&["USE"]) {
            return self.fitting(self.names.databases.iter());
        }
        if BEFORE_TABLES.iter().any(|keyword| follows(&[*keyword])) {
            return self.tables();
        }
        if self.word.is_empty() {
            return Vec::new();
        }
        if let Some((qualifier, begun)) = self.word.rsplit_once('.') {
            return self.members(qualifier, begun);
        }
        let mut found = self.fitting(self.names.tables.iter());
        found.extend(self.fitting(self.sources.iter().filter_map(|source| source.alias)));
        found.extend(self.fitting(self.columns().into_iter()));
        found.extend(self.fitting(self.names.databases.iter()));
        let functions = self.names.functions.iter().map(|name| format!("{name}("));
        found.extend(self.cased(functions));
        found.extend(self.keywords(KEYWORDS));
        without_repetitions(found)
    }

    /// Tables by their names, or of a database that is named; and databases.
    fn tables(&self) -> Vec<String> {
        if self.word.contains('.') {
            return self.fitting(self.names.qualified.iter());
        }
        let mut found = self.fitting(self.names.tables.iter());
        found.extend(self.fitting(self.names.databases.iter()).into_iter().map(|name| format!("{name}.")));
        found
    }

    /// What stands behind a dot: columns of a table or alias, tables of a database.
    fn members(&self, qualifier: &str, begun: &str) -> Vec<String> {
        let folded = qualifier.to_lowercase();
        let named = |name: &str| name.eq_ignore_ascii_case(&folded);
        let source = self.sources.iter().find(|source| source.alias.is_some_and(named) || named(source.table));
        let table = source.map_or_else(|| folded.clone(), |source| source.table.to_lowercase());
        let begun = begun.to_lowercase();
        let columns = self.names.columns.get(&table).into_iter().flatten().filter(|column| column.starts_with(&begun));
        let mut found: Vec<String> = columns.map(|column| format!("{qualifier}.{column}")).collect();
        found.extend(self.fitting(self.names.qualified.iter()));
        found
    }

    /// The columns of the statement's tables; of all of the current database's as long as it names none.
    fn columns(&self) -> Vec<&String> {
        let known = &self.names.columns;
        let named = self.sources.iter().filter_map(|source| known.get(&source.table.to_lowercase()));
        let mut tables: Vec<&Vec<String>> = named.collect();
        if tables.is_empty() {
            tables = self.names.tables.iter().filter_map(|table| known.get(table)).collect();
        }
        tables.into_iter().flatten().collect()
    }

    /// Of names in lower case those that the word could become.
    fn fitting<S: AsRef<str>>(&self, names: impl Iterator<Item = S>) -> Vec<String> {
        let folded = self.word.to_lowercase();
        names.filter(|name| name.as_ref().to_lowercase().starts_with(&folded)).map(|name| name.as_ref().to_owned()).collect()
    }

    /// The same, in the case that is being typed.
    fn cased<S: AsRef<str>>(&self, names: impl Iterator<Item = S>) -> Vec<String> {
        let is_upper = self.word.chars().any(char::is_uppercase);
        let cased = |name: String| if is_upper { name.to_uppercase() } else { name.to_lowercase() };
        self.fitting(names).into_iter().map(cased).collect()
    }

    fn keywords(&self, keywords: &[&str]) -> Vec<String> {
        if self.word.is_empty() { keywords.iter().map(|word| (*word).to_owned()).collect() } else { self.cased(keywords.iter()) }
    }
}

/// Each candidate once, where it is first.
fn without_repetitions(mut found: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let set = |names: &[&str]| strings(names).into_iter().collect();
        Names {
            databases: set(&["default", "sales", "system"]),
            qualified: set(&["default.orders", "sales.orders", "sales.regions", "system.queries", "system.usage"]),
            tables: set(&["orders", "parts"]),
            columns: [
                ("orders", strings(&["o_orderkey", "order_year"])),
                ("parts", strings(&["p_partkey"])),
                ("system.queries", strings(&["query_id", "rows"])),
            ]
            .into_iter()
            .map(|(table, columns)| (table.to_owned(), columns))
            .collect(),
            functions: strings(&["substr", "sum"]),
            settings: strings(&["max_scan_bytes", "query_timeout"]),
            workgroups: strings(&["bi", "primary"]),
        }
    }

    /// Completes at the bar, or at the end.
    #[track_caller]
    fn becomes(text: &str, start: usize, expected: &[&str]) {
        let position = text.find('|').unwrap_or(text.len());
        let found = complete(&names(), &text.replace('|', ""), position);
        assert_eq!((found.0, found.1.iter().map(String::as_str).collect::<Vec<_>>()), (start, expected.to_vec()), "{text}");
    }

    #[test]
    fn the_last_word_is_completed() {
        becomes("SELECT * FROM orders WHERE ord", 27, &["orders", "order_year", "order"]);
        becomes("SEL", 0, &["SELECT"]);
        becomes("select sum(o_o", 11, &["o_orderkey"]);
        becomes("SELECT ", 7, &[]);
        becomes("SELECT 1; SEL", 10, &["SELECT"]);
    }

    #[test]
    fn functions_are_completed_in_the_case_that_is_typed() {
        becomes("SELECT su", 7, &["substr(", "sum("]);
        becomes("SELECT SU", 7, &["SUBSTR(", "SUM("]);
    }

    #[test]
    fn tables_stand_behind_from() {
        becomes("SELECT * FROM ord", 14, &["orders"]);
        becomes("SELECT * FROM sys", 14, &["system."]);
        becomes("SELECT * FROM system.", 14, &["system.queries", "system.usage"]);
        becomes("FROM sales.", 5, &["sales.orders", "sales.regions"]);
        becomes("DESCRIBE ", 9, &["orders", "parts", "default.", "sales.", "system."]);
    }

    #[test]
    fn columns_of_aliases_are_completed_wherever_the_table_is_named() {
        becomes("SELECT o.| FROM orders o", 7, &["o.o_orderkey", "o.order_year"]);
        becomes("SELECT * FROM orders AS o JOIN parts p ON p.", 42, &["p.p_partkey"]);
        becomes("SELECT q.r| FROM system.queries q", 7, &["q.rows"]);
        // Columns of the tables that are named, and no others.
        becomes("SELECT p_| FROM orders", 7, &[]);
        becomes("SELECT p_| FROM parts", 7, &["p_partkey"]);
    }

    #[test]
    fn settings_and_what_show_shows_are_completed() {
        becomes("SET SESSION q", 12, &["query_timeout"]);
        becomes("reset session ", 14, &["max_scan_bytes", "query_timeout"]);
        becomes("SHOW CR", 5, &["CREATE TABLE", "CREATE VIEW", "CREATE WORKGROUP"]);
        becomes("show s", 5, &["session", "stats for"]);
        becomes("USE s", 4, &["sales", "system"]);
        becomes("ALTER WORKGROUP ", 16, &["bi", "primary"]);
        becomes("describe workgroup p", 19, &["primary"]);
    }

    #[test]
    fn commands_and_their_arguments_are_completed() {
        becomes("\\fo", 0, &["\\format "]);
        becomes("\\format j", 8, &["json"]);
        becomes("SELECT 1;\n\\x ", 13, &["on", "off", "auto"]);
        becomes("\\d par", 3, &["parts"]);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("reports")).unwrap();
        fs::write(folder.path().join("report.sql"), "").unwrap();
        fs::write(folder.path().join(".hidden"), "").unwrap();
        let shown = folder.path().display();
        let (start, found) = complete(&names(), &format!("\\i {shown}/"), format!("\\i {shown}/").len());
        assert_eq!((start, found), (3, vec![format!("{shown}/report.sql"), format!("{shown}/reports/")]));
    }
}
