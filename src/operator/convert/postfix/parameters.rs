//! The parameters of main.cf, with `$name` written out.

use crate::operator::convert::Conversion;

/// How deep parameters may refer to each other.
const DEPTH_MAX: usize = 16;
/// What mydestination is when it is not set.
pub(super) const DESTINATION: &str = "$myhostname, localhost.$mydomain, localhost";

/// What main.cf sets.
pub(super) struct Parameters {
    all: Vec<Parameter>,
    /// A line is none, and Postfix would not start.
    pub(super) is_broken: bool,
}

/// `name = value`; lines that go on are one.
pub(super) struct Parameter {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// One part of a list.
pub(super) struct Item {
    pub(super) line: usize,
    /// The part with its parameters written out; as it stands there if that cannot be done.
    pub(super) text: Result<String, String>,
}

impl Parameters {
    pub(super) fn read(text: &str, conversion: &mut Conversion) -> Parameters {
        let (mut all, mut is_broken) = (Vec::new(), false);
        for (line, text) in logical_lines(text) {
            match text.split_once('=') {
                Some((name, value)) if is_parameter(name.trim()) => {
                    all.push(Parameter { line, name: name.trim().to_owned(), value: value.trim().to_owned() });
                }
                _ => {
                    is_broken = true;
                    conversion.not_carried(
                        line,
                        &text,
                        "no `name = value`: Postfix would not start, so nothing is granted",
                    );
                }
            }
        }
        Parameters { all, is_broken }
    }

    /// The last line that sets it, which is the one that counts.
    pub(super) fn last(&self, name: &str) -> Option<&Parameter> {
        self.all.iter().rev().find(|parameter| parameter.name == name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter()
    }

    /// Whether another parameter writes `$name`.
    pub(super) fn is_referred(&self, name: &str) -> bool {
        let forms = [format!("${name}"), format!("${{{name}"), format!("$({name}")];
        self.all.iter().any(|parameter| forms.iter().any(|form| parameter.value.contains(form.as_str())))
    }

    /// The parts of a list, none if it is not set.
    pub(super) fn items(&self, name: &str) -> Vec<Item> {
        self.last(name).map(|parameter| self.parts(parameter.line, &parameter.value)).unwrap_or_default()
    }

    /// The parts of `value`.
    pub(super) fn parts(&self, line: usize, value: &str) -> Vec<Item> {
        let mut items = Vec::new();
        for part in split(value) {
            match self.written_out(part, DEPTH_MAX) {
                Some(text) => {
                    items.extend(split(&text).into_iter().map(|text| Item { line, text: Ok(text.to_owned()) }))
                }
                None => items.push(Item { line, text: Err(part.to_owned()) }),
            }
        }
        items
    }

    /// `None` if it names what this file does not set, or has a form that is not read, as `${name?value}`.
    fn written_out(&self, text: &str, depth: usize) -> Option<String> {
        let mut pieces = text.split('$');
        let mut result = pieces.next()?.to_owned();
        while let Some(piece) = pieces.next() {
            if piece.is_empty() && pieces.clone().next().is_some() {
                // `$$` is a dollar.
                result.push('$');
                result += pieces.next()?;
                continue;
            }
            let (name, rest) = match piece.chars().next()? {
                '{' => piece.get(1..)?.split_once('}')?,
                '(' => piece.get(1..)?.split_once(')')?,
                _ => piece.split_at(piece.find(|character| !is_of_name(character)).unwrap_or(piece.len())),
            };
            result += &self.value(name, depth.checked_sub(1)?)?;
            result += rest;
        }
        Some(result)
    }

    fn value(&self, name: &str, depth: usize) -> Option<String> {
        if !is_parameter(name) {
            return None;
        }
        match (self.last(name), name) {
            (Some(parameter), _) => self.written_out(&parameter.value, depth),
            (None, "mydestination") => self.written_out(DESTINATION, depth),
            (None, "mydomain") => {
                let host = self.value("myhostname", depth.checked_sub(1)?)?;
                host.split_once('.').map(|(_, domain)| domain.to_owned())
            }
            (None, "relay_domains" | "permit_mx_backup_networks" | "proxy_interfaces") => Some(String::new()),
            (None, _) => None,
        }
    }
}

impl Parameter {
    pub(super) fn shown(&self) -> String {
        format!("{} = {}", self.name, self.value)
    }
}

/// Lines without comments; one that begins with a blank goes on the one before.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let is_comment = text.trim().is_empty() || text.trim_start().starts_with('#');
        match lines.last_mut() {
            _ if is_comment => {}
            Some((_, last)) if text.starts_with(char::is_whitespace) => {
                last.push(' ');
                last.push_str(text.trim());
            }
            _ => lines.push((number, text.trim().to_owned())),
        }
    }
    lines
}

/// Cut at blanks and commas that are in no braces.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(|character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (character.is_whitespace() || character == ',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_of_name)
}
