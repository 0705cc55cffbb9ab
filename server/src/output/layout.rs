//! Rows as aligned columns. Where lines may not be wider than a terminal, long texts are cut; if that is not enough, columns in the middle are
//! left out. Numbers are never cut.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::Style;
use crate::terminal::{Paint, paint};

/// No text is cut to fewer columns of the terminal than this; other columns are left out instead.
const LEAST_WIDTH: usize = 10;

/// Stands where something was cut or left out.
const CUT: char = '\u{2026}';

/// One value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) is_null: bool,
}

impl Cell {
    pub(crate) fn new(text: &str, is_null: bool) -> Self {
        Self { text: one_line(text), is_null }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text, false)
    }
}

/// A column of a table.
#[derive(Debug)]
struct Column {
    name: String,
    /// Whether its values are aligned to the right, and never cut.
    is_number: bool,
    /// Of the widest value so far.
    values: usize,
}

impl Column {
    /// As wide as nothing of it is cut.
    fn natural(&self) -> usize {
        self.values.max(self.name.width())
    }

    fn least(&self) -> usize {
        let least = self.natural().min(LEAST_WIDTH);
        if self.is_number { least.max(self.values) } else { least }
    }
}

/// What stands at one place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Column {
        index: usize,
        width: usize,
    },
    /// Columns that are left out.
    Gap,
}

/// The columns of a table and how wide they are so far.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Column>,
    style: Style,
    /// Decided with the first rows: which columns are shown. Their widths may still grow.
    slots: Vec<Slot>,
    is_headed: bool,
}

impl Layout {
    /// Columns by name, each with whether its values are numbers.
    pub(crate) fn new(columns: Vec<(String, bool)>, style: Style) -> Self {
        let column = |(name, is_number): (String, bool)| Column { name: one_line(&name), is_number, values: 0 };
        Self { columns: columns.into_iter().map(column).collect(), style, slots: Vec::new(), is_headed: false }
    }

    /// The text of some rows, after the header if this is the first call.
    pub(crate) fn render(&mut self, rows: &[Vec<Cell>]) -> String {
        self.measure(rows);
        self.fit();
        let mut text = String::new();
        if !self.is_headed {
            self.is_headed = true;
            self.line(&mut text, |index| (self.columns[index].name.as_str(), Some(Paint::Bold)));
            let rule = |slot: &Slot| "-".repeat(2 + if let Slot::Column { width, .. } = slot { *width } else { 1 });
            text.push_str(&self.slots.iter().map(rule).collect::<Vec<_>>().join("+"));
            text.push('\n');
        }
        for row in rows {
            self.line(&mut text, |index| (row[index].text.as_str(), row[index].is_null.then_some(Paint::Dim)));
        }
        text
    }

    /// Whether these rows, if they are the first, do not fit as they are.
    pub(crate) fn is_too_wide(&mut self, rows: &[Vec<Cell>]) -> bool {
        self.measure(rows);
        let natural: usize = self.columns.iter().map(Column::natural).sum();
        self.style.width.is_some_and(|width| natural + frame(self.columns.len()) > width)
    }

    /// How many columns are left out.
    pub(crate) fn left_out(&self) -> usize {
        if self.slots.contains(&Slot::Gap) { self.columns.len() + 1 - self.slots.len() } else { 0 }
    }

    fn measure(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.values = column.values.max(cell.text.width());
            }
        }
    }

    /// Decides which columns are shown, if that is not decided yet, and how wide each is.
    fn fit(&mut self) {
        if self.slots.is_empty() {
            self.slots = self.chosen();
        }
        let widths = self.widths();
        for slot in &mut self.slots {
            if let Slot::Column { index, width } = slot {
                *width = widths[*index];
            }
        }
    }

    /// The columns that are shown: all, or as many from both ends as have room.
    fn chosen(&self) -> Vec<Slot> {
        let column = |index| Slot::Column { index, width: 0 };
        let count = self.columns.len();
        let Some(limit) = self.style.width else { return (0..count).map(column).collect() };
        let least: Vec<usize> = self.columns.iter().map(Column::least).collect();
        if least.iter().sum::<usize>() + frame(count) <= limit {
            return (0..count).map(column).collect();
        }
        let (mut left, mut right, mut taken) = (0, 0, 1);
        while left + right < count {
            let next = if left <= right { left } else { count - 1 - right };
            // One more for the gap.
            if left + right > 0 && taken + least[next] + frame(left + right + 2) > limit {
                break;
            }
            taken += least[next];
            *(if left <= right { &mut left } else { &mut right }) += 1;
        }
        if left + right == count {
            return (0..count).map(column).collect();
        }
        (0..left).map(column).chain([Slot::Gap]).chain((count - right..count).map(column)).collect()
    }

    /// The width of every column: what it needs, but for texts that are longer than there is room for. Short columns lose nothing to long ones.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(Column::natural).collect();
        let Some(limit) = self.style.width else { return widths };
        let gap = usize::from(self.slots.contains(&Slot::Gap));
        let room = limit.saturating_sub(frame(self.slots.len()) + gap);
        let shown: Vec<usize> = self
            .slots
            .iter()
            .filter_map(|slot| if let Slot::Column { index, .. } = slot { Some(*index) } else { None })
            .collect();
        let capped = |cap: usize, index: usize| self.columns[index].natural().min(cap).max(self.columns[index].least());
        let fits = |cap: usize| shown.iter().map(|index| capped(cap, *index)).sum::<usize>() <= room;
        let (mut fitting, mut too_wide) = (0, room + 1);
        while too_wide - fitting > 1 {
            let middle = usize::midpoint(fitting, too_wide);
            *(if fits(middle) { &mut fitting } else { &mut too_wide }) = middle;
        }
        for index in shown {
            widths[index] = capped(fitting, index);
        }
        widths
    }

    fn line<'a>(&self, text: &mut String, cell: impl Fn(usize) -> (&'a str, Option<Paint>)) {
        let start = text.len();
        for (place, slot) in self.slots.iter().enumerate() {
            text.push_str(if place == 0 { " " } else { " | " });
            let Slot::Column { index, width } = *slot else {
                text.push(CUT);
                continue;
            };
            let (cell, color) = cell(index);
            let shown = cut(cell, width);
            let gap = " ".repeat(width.saturating_sub(shown.width()));
            let shown = match color.filter(|_| self.style.is_colored) {
                Some(color) => Cow::Owned(paint(&shown, color)),
                None => shown,
            };
            let (before, after) = if self.columns[index].is_number { (gap.as_str(), "") } else { ("", gap.as_str()) };
            text.extend([before, &*shown, after]);
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}

/// What a rule has beside the widths of its columns: the blanks at both sides of each, and what stands between them.
const fn frame(columns: usize) -> usize {
    (columns * 3).saturating_sub(1)
}

/// A text in so many columns of a terminal, at least 1.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let needed = c.width().unwrap_or(0);
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    Cow::Owned(text.chars().take_while(fits).chain([CUT]).collect())
}

/// What steers a terminal: control characters, and those that turn the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A value on one line: what steers as escapes, so that a row stays a row and a value cannot steer the terminal.
pub(super) fn one_line(value: &str) -> String {
    if !value.contains(steers) {
        return value.to_owned();
    }
    value.chars().fold(String::with_capacity(value.len() + 8), |mut text, c| {
        if steers(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(columns: &[(&str, bool)], width: usize) -> Layout {
        let columns = columns.iter().map(|(name, is_number)| ((*name).to_owned(), *is_number)).collect();
        Layout::new(columns, Style { width: Some(width), ..Style::default() })
    }

    fn row(cells: &[&str]) -> Vec<Cell> {
        cells.iter().map(|cell| Cell::new(cell, false)).collect()
    }

    #[test]
    fn long_texts_are_cut_and_short_ones_are_not() {
        let mut layout = layout(&[("id", true), ("name", false), ("comment", false)], 40);
        let long = "a comment that goes on and on and on";
        let text = layout.render(&[row(&["123456789", "Ada", long])]);
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "        id | name | comment",
            "-----------+------+---------------------",
            " 123456789 | Ada  | a comment that goe\u{2026}",
        ];
        assert_eq!(lines, expected);
        assert!(text.lines().all(|line| line.width() <= 40));
        assert_eq!(layout.left_out(), 0);
    }

    #[test]
    fn wide_characters_are_measured_by_their_columns() {
        assert_eq!(cut("猫猫猫猫", 8), "猫猫猫猫");
        assert_eq!(cut("猫猫猫猫", 7), "猫猫猫\u{2026}");
        assert_eq!(cut("猫猫猫猫", 6), "猫猫\u{2026}");
        assert_eq!(cut("ab", 1), "\u{2026}");
    }

    #[test]
    fn columns_in_the_middle_are_left_out_when_cutting_is_not_enough() {
        let names: Vec<String> = (0..20).map(|n| format!("a_rather_long_name_{n}")).collect();
        let columns: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), false)).collect();
        let mut layout = layout(&columns, 80);
        let text = layout.render(&[row(&["x"; 20])]);
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        let header = text.lines().next().unwrap();
        assert!(header.starts_with(" a_rather_") && header.contains(" | \u{2026} | "), "{header}");
        assert_eq!(header.matches(" | ").count() + layout.left_out(), 20);
    }

    #[test]
    fn numbers_are_never_cut() {
        let number = "123456789012345678901234567890";
        for width in [1, 10, 35, 60] {
            let mut layout = layout(&[("a_long_name_of_a_number_that_is_long_as_well", true), ("text", false)], width);
            assert!(layout.render(&[row(&[number, "some text of some length"])]).contains(number), "{width}");
        }
    }

    #[test]
    fn later_rows_keep_the_columns_of_the_first() {
        let mut layout = layout(&[("a", false), ("b", false)], 30);
        layout.render(&[row(&["1", "2"])]);
        let text = layout.render(&[row(&["a text that is much too long for it", "and another one that is too long"])]);
        assert_eq!(text, " a text that\u{2026} | and another\u{2026}\n");
    }
}
