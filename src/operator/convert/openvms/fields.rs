//! The fields of SMTP.CONFIG, and the lists in their values.

use crate::client::network::Network;
use crate::operator::convert::Conversion;
use crate::operator::convert::clients::{is_name, masked_network};

/// The longest value, in octets; what stands behind is not read there.
pub(super) const VALUE_OCTETS_MAX: usize = 500;

/// What a line that is no field may have been meant for.
const CLOSING: &[&str] = &["relay", "bad-clients"];

/// A part of a list.
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) text: String,
    /// It stands behind what is read of a value.
    pub(super) is_beyond: bool,
}

/// Whom an entry names.
pub(super) enum Client {
    Network(Network),
    /// A name that is resolved: its addresses, or if it has none those of its MX hosts.
    Name(String),
    Unreadable,
}

/// `Field: value`.
pub(super) struct Field {
    pub(super) line: usize,
    pub(super) name: String,
    /// The value, a part for each line.
    parts: Vec<(usize, String)>,
}

/// The fields of the file; a value that ends in a comma goes on in the next line.
pub(super) fn fields(text: &str, conversion: &mut Conversion) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.starts_with('!') && !text.trim().is_empty()) {
        let named = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let named = named.filter(|(name, _)| is_field_name(name));
        match (named, fields.last_mut()) {
            (Some((name, value)), _) => {
                goes_on = value.ends_with(',');
                fields.push(Field { line, name: name.to_owned(), parts: vec![(line, value.to_owned())] });
            }
            (None, Some(last)) if goes_on => {
                goes_on = text.trim().ends_with(',');
                last.parts.push((line, text.trim().to_owned()));
            }
            (None, _) => {
                conversion.not_carried(line, text, "no `Field: value`");
                let start = text.trim().to_ascii_lowercase();
                if CLOSING.iter().any(|name| start.contains(name)) {
                    // What was meant to take something away must not be lost: the flag is off.
                    fields.push(Field { line, name: "Relay".to_owned(), parts: vec![(line, "OFF".to_owned())] });
                }
            }
        }
    }
    fields
}

fn is_field_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Field {
    pub(super) fn value(&self) -> String {
        self.parts.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The parts of a list, without empty ones.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut end = 0;
        for (line, part) in &self.parts {
            for text in part.split_inclusive(',') {
                end += text.len();
                let text = text.trim_end_matches(',').trim();
                if !text.is_empty() {
                    entries.push(Entry { line: *line, text: text.to_owned(), is_beyond: end > VALUE_OCTETS_MAX });
                }
            }
        }
        entries
    }
}

impl Entry {
    pub(super) fn client(&self) -> Client {
        match masked_network(&self.text) {
            Some(network) => Client::Network(network),
            None if is_name(&self.text) => Client::Name(self.text.trim_end_matches('.').to_owned()),
            None => Client::Unreadable,
        }
    }
}
