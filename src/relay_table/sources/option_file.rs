//! Option files of the MySQL client: `name = value` in groups.

use std::collections::BTreeMap;

/// The options that count: those of `[client]`, and of a group of its own, which win. Has a password in it: never shown.
#[derive(Clone, Default)]
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads a text. Names may be written with `_` for `-`; a value may stand in quotes; `!include` is not followed.
    pub fn parse(text: &str, group: &str) -> Self {
        let (mut client, mut own) = (BTreeMap::new(), BTreeMap::new());
        let mut section = "";
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';', '!']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.trim();
                continue;
            }
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let options = match section {
                section if section == group => &mut own,
                "client" => &mut client,
                _ => continue,
            };
            options.insert(name.trim().replace('_', "-"), unquoted(value.trim()));
        }
        client.append(&mut own);
        Self(client)
    }

    /// The value of an option.
    pub fn value_of(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A value without its quotes, or without the comment behind it.
fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.to_owned();
        }
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}
