//! Columns that line up, for people.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Output, Style, escape};

/// Between columns.
const GAP: usize = 2;

/// What is left of a cell that is cut, unless its heading is longer: less says nothing.
const LEAST: usize = 10;

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

    /// Prints it. Columns in which every cell is empty are left out. On a terminal the widest are cut until
    /// a row fits on a line; who wants all of it asks for it with `--verbose`, or reads it through a pipe.
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
        let mut widths: Vec<usize> = used.iter().map(|column| width(*column)).collect();
        if let Some(available) = out.width() {
            let least: Vec<usize> =
                used.iter().map(|column| self.headings[*column].width().max(LEAST)).collect();
            fit(&mut widths, &least, available);
        }
        let line = |cells: Vec<(&str, Style)>| {
            let last = cells.len().saturating_sub(1);
            let mut line = String::new();
            for (index, (text, style)) in cells.into_iter().enumerate() {
                let text = cut(text, widths[index]);
                line.push_str(&out.paint(style, &text));
                if index < last {
                    line.push_str(&" ".repeat(widths[index] - text.width() + GAP));
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

/// Takes from the widest columns until a row fits, or nothing can be taken any more.
fn fit(widths: &mut [usize], least: &[usize], available: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > available {
        let widest = (0..widths.len()).filter(|index| widths[*index] > least[*index]);
        let Some(widest) = widest.max_by_key(|index| widths[*index]) else { return };
        widths[widest] -= 1;
    }
}

/// Returns the text, its end left out where it is too wide.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut left = width.saturating_sub(1);
    let fits = |letter: &char| {
        let needed = letter.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    Cow::Owned(kept + "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_are_cut_first() {
        let fitted = |mut widths: Vec<usize>, available| {
            let least = vec![LEAST; widths.len()];
            fit(&mut widths, &least, available);
            widths
        };
        assert_eq!(fitted(vec![5, 20, 30], 80), [5, 20, 30]);
        assert_eq!(fitted(vec![5, 20, 30], 49), [5, 20, 20]);
        assert_eq!(fitted(vec![5, 60, 30], 49), [5, 20, 20]);
        assert_eq!(fitted(vec![5, 60, 30], 3), [5, LEAST, LEAST]);
        assert!(fitted(Vec::new(), 0).is_empty());
    }

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!(cut("feature", 7), "feature");
        assert_eq!(cut("feature", 6), "featu…");
        assert_eq!(cut("日本語の枝", 6), "日本…");
        assert_eq!(cut("日本語の枝", 7), "日本語…");
        assert_eq!(cut("ab", 1), "…");
    }
}
