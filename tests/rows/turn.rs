//! The turns of a block: which lines its control files have, and in which order.

use regex_lite::Regex;

use crate::notation::{Block, EACH};

/// One turn of a block: the lines that are tried now.
pub struct Turn<'a> {
    pub block: &'a Block,
    pub each: Option<&'a str>,
    /// The order of the lines of the file in any order: what stands where.
    order: Vec<usize>,
}

/// All of them.
pub fn turns(block: &Block) -> Vec<Turn<'_>> {
    let each: Vec<Option<&str>> = match block.each.is_empty() {
        true => vec![None],
        false => block.each.iter().map(|line| Some(line.as_str())).collect(),
    };
    let file = block.any_order.as_ref().and_then(|name| block.control.iter().find(|(known, _)| known == name));
    let orders = orders(file.map_or(0, |(_, lines)| lines.len()));
    let turn = |each| orders.iter().map(move |order| Turn { block, each, order: order.clone() });
    each.into_iter().flat_map(turn).collect()
}

/// All orders of so many things; one empty order of none.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for thing in 0..count {
        let with = |order: Vec<usize>| {
            (0..=order.len()).map(move |at| [&order[..at], &[thing], &order[at..]].concat()).collect::<Vec<_>>()
        };
        orders = orders.into_iter().flat_map(with).collect();
    }
    orders
}

impl Turn<'_> {
    /// The text of a control file with these lines.
    pub fn lines(&self, name: &str, lines: &[String]) -> String {
        let of_turn =
            |line: &String| if line == EACH { self.each.unwrap_or_default().to_owned() } else { line.clone() };
        let lines: Vec<String> = match self.block.any_order.as_deref() == Some(name) {
            true => self.order.iter().map(|at| of_turn(&lines[*at])).collect(),
            false => lines.iter().map(of_turn).collect(),
        };
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The reason with the number that its line has in this order.
    pub fn reason(&self, written: &str) -> String {
        let Some((file, number)) = written.split_once(':') else { return written.to_owned() };
        match (self.block.any_order.as_deref() == Some(file), number.parse::<usize>()) {
            (true, Ok(number)) => {
                let at = self.order.iter().position(|line| line + 1 == number).unwrap();
                format!("{file}:{}", at + 1)
            }
            (true, Err(_)) | (false, _) => written.to_owned(),
        }
    }

    /// A regular expression for a line of the log: `*` is any text, `<each>` the line of this turn.
    pub fn pattern(&self, text: &str) -> Regex {
        let text = text.replace(EACH, self.each.unwrap_or_default());
        Regex::new(&format!("^qmail-smtpd: pid \\d+( from \\S+)? {}$", regex_lite::escape(&text).replace(r"\*", ".*")))
            .unwrap()
    }
}
