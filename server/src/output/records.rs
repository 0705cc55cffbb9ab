//! Rows as records: a line a column, nothing cut. What `\x` shows.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::layout::{Cell, one_line};
use crate::terminal::{Paint, paint};

/// The columns of a result, and how many of its rows have been shown.
#[derive(Debug)]
pub(super) struct Records {
    names: Vec<String>,
    width: usize,
    is_colored: bool,
    shown: u64,
}

impl Records {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a String>, is_colored: bool) -> Self {
        let names: Vec<_> = names.map(|name| one_line(name)).collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or_default();
        Self { names, width, is_colored, shown: 0 }
    }

    /// The text of some rows.
    pub(super) fn render(&mut self, rows: &[Vec<Cell>]) -> String {
        let mut text = String::new();
        for row in rows {
            self.shown += 1;
            let head = format!("-[ record {} ]", self.shown);
            let head = format!("{head:-<least$}", least = self.width + 3);
            let _ = writeln!(text, "{}", self.painted(&head, Some(Paint::Dim)));
            for (name, cell) in self.names.iter().zip(row) {
                let gap = " ".repeat(self.width - name.width());
                let value = self.painted(&cell.text, cell.is_null.then_some(Paint::Dim));
                let line = format!("{}{gap} | {value}", self.painted(name, Some(Paint::Bold)));
                text.push_str(line.trim_end_matches(' '));
                text.push('\n');
            }
        }
        text
    }

    fn painted(&self, text: &str, color: Option<Paint>) -> String {
        match color.filter(|_| self.is_colored) {
            Some(color) => paint(text, color),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_a_column() {
        let names = ["id".to_owned(), "名前".to_owned(), "comment".to_owned()];
        let mut records = Records::new(names.iter(), false);
        let rows = [
            vec![Cell::new("1", false), Cell::new("猫", false), Cell::new("NULL", true)],
            vec![Cell::new("2", false), Cell::new("a\nb", false), Cell::new("", false)],
        ];
        let expected =
            "-[ record 1 ]\nid      | 1\n名前    | 猫\ncomment | NULL\n-[ record 2 ]\nid      | 2\n名前    | a\\nb\ncomment |\n";
        assert_eq!(records.render(&rows), expected);
        assert!(records.render(&rows).starts_with("-[ record 3 ]\n"));
    }
}
