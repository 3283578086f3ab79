//! Columns that line up, for people.

use unicode_width::UnicodeWidthStr;

use super::{Output, Style, escape};

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Returns a cell with this text, escaped.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: escape(text.as_ref()), style: Style::Plain }
    }

    /// Returns the cell in this style.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// A table with a line of headings.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Returns a table with these columns.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Says whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it. Columns in which every cell is empty are left out.
    pub fn print(&self, out: &Output) {
        let used: Vec<usize> = (0..self.headings.len())
            .filter(|column| {
                self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.text.is_empty()))
            })
            .collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            cells.max().unwrap_or(0).max(self.headings[column].width())
        };
        let widths: Vec<usize> = used.iter().map(|column| width(*column)).collect();
        let line = |cells: Vec<(&str, Style)>| {
            let last = cells.len().saturating_sub(1);
            let mut line = String::new();
            for (index, (text, style)) in cells.into_iter().enumerate() {
                line.push_str(&out.paint(style, text));
                if index < last {
                    line.push_str(&" ".repeat(widths[index] - text.width() + 2));
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        out.line(&line(used.iter().map(|column| (self.headings[*column], Style::Faint)).collect()));
        for row in &self.rows {
            let cell = |column: &usize| {
                row.get(*column).map_or(("", Style::Plain), |cell| (cell.text.as_str(), cell.style))
            };
            out.line(&line(used.iter().map(cell).collect()));
        }
    }
}
