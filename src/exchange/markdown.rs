//! The tables of a Markdown document that have a column for ports.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::fields::Columns;
use super::{Document, ParseError};

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line_of = |offset: usize| lines.partition_point(|end| *end < offset) + 1;
    let mut document = Document::default();
    let mut tables = 0;
    let (mut columns, mut cells, mut cell) = (None, Vec::new(), String::new());
    let mut line = None;
    for (event, place) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Table(_)) => columns = None,
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                cells.clear();
                line = Some(line_of(place.start));
            }
            Event::Start(Tag::TableCell) => cell.clear(),
            Event::End(TagEnd::TableCell) => cells.push(std::mem::take(&mut cell)),
            Event::End(TagEnd::TableHead) => {
                columns = Columns::new(&cells);
                tables += usize::from(columns.is_some());
            }
            Event::End(TagEnd::TableRow) => {
                if let Some(columns) = &columns {
                    columns.add(&mut document, line, &cells, false)?;
                }
            }
            Event::Text(text) | Event::Code(text) => cell.push_str(&text),
            Event::SoftBreak | Event::HardBreak => cell.push(' '),
            _ => {}
        }
    }
    if tables == 0 {
        return Err(ParseError::new(None, "no table has a column for ports")
            .hint("one of its columns is called 'Port'"));
    }
    Ok(document)
}
