//! The form of a mappings file: tables, their entries, and lines that are neither.

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// The number of the line with its name.
    pub(super) line: usize,
    pub(super) items: Vec<Item>,
}

/// What stands in a table.
#[derive(Debug)]
pub(super) enum Item {
    Entry(Entry),
    /// A line after which nobody can tell what is an entry of this table: what it grants from here on is not carried over.
    Break {
        line: usize,
        text: String,
        why: &'static str,
    },
}

/// A pattern and what is answered when it is the first to match.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: usize,
    /// Both as they stand, for remarks.
    pub(super) text: String,
    pub(super) pattern: String,
    pub(super) template: String,
}

/// Reads a file into its tables; what stands before the first is in one without a name.
pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables = vec![Table { name: String::new(), line: 0, items: Vec::new() }];
    let mut has_ended = false;
    for (number, line) in logical_lines(text) {
        let trimmed = line.trim();
        if line.starts_with(is_name_start) && trimmed.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            let items = match tables.iter().any(|table| table.name.eq_ignore_ascii_case(trimmed)) {
                true => vec![item_break(number, trimmed, "a table of this name came before, which is not allowed")],
                false => Vec::new(),
            };
            tables.push(Table { name: trimmed.to_owned(), line: number, items });
            has_ended = false;
            continue;
        }
        let Some(table) = tables.last_mut() else { continue };
        if trimmed.is_empty() {
            has_ended = table.items.iter().any(|item| matches!(item, Item::Entry(_)));
        } else if trimmed.starts_with('!') {
            // A comment.
        } else if line.starts_with('<') {
            table.items.push(item_break(number, trimmed, "another file is included here: give it as a further FILE"));
        } else if !line.starts_with([' ', '\t']) {
            let why = "no entry, because it does not begin with a blank; nor is it the name of a table";
            table.items.push(item_break(number, trimmed, why));
        } else {
            if has_ended {
                let why = "behind a blank line, where the table has ended";
                table.items.push(item_break(number, trimmed, why));
                has_ended = false;
            }
            table.items.push(Item::Entry(entry(number, trimmed)));
        }
    }
    tables
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic()
}

fn item_break(line: usize, text: &str, why: &'static str) -> Item {
    Item::Break { line, text: text.to_owned(), why }
}

/// Lines with those that a `\` at the end joins to them, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in (1..).zip(text.lines()) {
        let end = line.trim_end();
        let is_comment = !continues && end.trim_start().starts_with('!');
        let (part, goes_on) = match end.strip_suffix('\\') {
            Some(part) if !is_comment => (part, true),
            Some(_) | None => (end, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some((_, before)) => join(before, part),
            None => lines.push((number, part.to_owned())),
        }
        continues = goes_on;
    }
    lines
}

/// Blanks around the place belong to the layout where a `|` stands beside it, else they end the pattern.
fn join(before: &mut String, part: &str) {
    let had_blank = before.ends_with([' ', '\t']) || part.starts_with([' ', '\t']);
    before.truncate(before.trim_end().len());
    let part = part.trim_start();
    if had_blank && !before.ends_with('|') && !part.starts_with('|') {
        before.push(' ');
    }
    before.push_str(part);
}

/// The pattern ends at the first blank that no `$` quotes.
fn entry(line: usize, text: &str) -> Entry {
    let mut quoted = false;
    let end = text.find(|c: char| {
        let ends = !quoted && c.is_whitespace();
        quoted = !quoted && c == '$';
        ends
    });
    let (pattern, template) = text.split_at(end.unwrap_or(text.len()));
    Entry { line, text: text.to_owned(), pattern: pattern.to_owned(), template: template.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let item = |item: Item| match item {
            Item::Entry(entry) => format!("{}: {} -> {}", entry.line, entry.pattern, entry.template),
            Item::Break { line, .. } => format!("{line}: break"),
        };
        tables(text)
            .into_iter()
            .flat_map(|table| std::iter::once(table.name).chain(table.items.into_iter().map(item)))
            .collect()
    }

    #[test]
    fn entries_begin_with_a_blank_and_names_do_not() {
        let text = "! a file\nINTERNAL_IP\n\n  127.0.0.1\t$Y\n! a comment\n192.0.2.1 $Y\n  a$ b  $N no\n\nB\n\n TCP|*| \\\n  25|*  $Y\n 1 \\\n $N\n";
        let expected = [
            "",
            "INTERNAL_IP",
            "4: 127.0.0.1 -> $Y",
            "6: break",
            "7: a$ b -> $N no",
            "B",
            "11: TCP|*|25|* -> $Y",
            "13: 1 -> $N",
        ];
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn a_table_ends_at_a_blank_line_and_has_its_name_once() {
        assert_eq!(
            shown("A\n 1 $Y\n\n 2 $Y\nA\n 3 $Y\n"),
            ["", "A", "2: 1 -> $Y", "4: break", "4: 2 -> $Y", "A", "5: break", "6: 3 -> $Y"]
        );
        assert_eq!(shown("</etc/more\n"), ["", "1: break"]);
    }
}
