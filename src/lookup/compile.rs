//! Compiles a control list such as `relaymailfrom` into records, entry by entry as its text is read: `qmail-cdb`.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};

use crate::cdb::make::{MakeError, Maker};
use crate::control::text::entries;
use crate::lookup::clients::Rejected;
use crate::lookup::mail_from::{CONDITION, sender_key};
use crate::lookup::sender_line::SenderLine;

/// What the keys of the list look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The entry itself.
    Entry,
    /// A colon, then the entry: the files of `users/` that the recipients check reads.
    ColonEntry,
    /// The entry itself, where it is an address; the other forms of relaymailfrom have keys that no address has (D44).
    Sender,
}

/// Why a list could not be compiled.
#[derive(Debug)]
pub enum ListError {
    /// The list could not be read.
    Read(io::Error),
    /// The cdb could not be written.
    Make(MakeError),
}

impl From<MakeError> for ListError {
    fn from(error: MakeError) -> Self {
        Self::Make(error)
    }
}

/// Adds a record with an empty value for each entry of the list, in lower case (A to Z only), in order, duplicates included.
/// Returns the lines that are malformed; only a list of senders can have some.
///
/// # Errors
///
/// [`ListError`] tells which side failed.
pub fn compile<W: Write + Seek>(mut list: impl Read, keys: Keys, maker: &mut Maker<W>) -> Result<Rejected, ListError> {
    let mut text = Vec::new();
    list.read_to_end(&mut text).map_err(ListError::Read)?;
    let mut key = Vec::new();
    let mut conditions = Conditions::default();
    for entry in entries(&text) {
        key.clear();
        match keys {
            Keys::Entry => {}
            Keys::ColonEntry => key.push(b':'),
            Keys::Sender if conditions.takes(entry.line, entry.text) => continue,
            Keys::Sender => {}
        }
        key.extend(entry.text.iter().map(u8::to_ascii_lowercase));
        maker.add(&key, b"")?;
    }
    for (key, lines) in conditions.records {
        maker.add(&[&[CONDITION], key.as_slice()].concat(), lines.join(&b"\n"[..]).as_slice())?;
    }
    Ok(conditions.rejected)
}

/// The lines of relaymailfrom that are no addresses.
#[derive(Default)]
struct Conditions {
    /// By sender: `12+client`, or `12+` for every client; under `!` the exceptions that cannot be read.
    records: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    rejected: Rejected,
}

impl Conditions {
    /// Whether the line is one of these.
    fn takes(&mut self, line: u32, entry: &[u8]) -> bool {
        let (key, value) = match SenderLine::parse(entry) {
            SenderLine::Address => return false,
            SenderLine::Condition { sender, client } => {
                (sender_key(sender).to_ascii_lowercase(), client.unwrap_or_default().to_vec())
            }
            SenderLine::Malformed { exception, client: _, fault } => {
                let why = self.rejected.add(line, entry, &fault);
                if !exception {
                    return true;
                }
                (b"!".to_vec(), why.into_bytes())
            }
        };
        let value = [line.to_string().as_bytes(), b"+", &value].concat();
        self.records.entry(key).or_default().push(value);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn keys(list: &[u8], keys: Keys) -> Vec<String> {
        let mut maker = Maker::new(Cursor::new(Vec::new()));
        compile(list, keys, &mut maker).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.cdb");
        std::fs::write(&path, maker.finish().unwrap().into_inner()).unwrap();
        let cdb = crate::cdb::read::Cdb::open(&path).unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        cdb.iter(100).map(|record| record.unwrap()).map(|(key, value)| text(key) + &text(value)).collect()
    }

    #[test]
    fn the_rules_of_the_text_form_hold() {
        let input = b"Joe@A.example \t\n#no\n\n  lead\n #odd\n\0gone\none\0TWO\0\nJoe@a.example\nlast\r";
        let entries = ["joe@a.example", "  lead", " #odd", "one", "two", "joe@a.example", "last\r"];
        assert_eq!(keys(input, Keys::Entry), entries);
        assert_eq!(keys(input, Keys::Sender), entries);
        assert_eq!(keys(b"A@b\n", Keys::ColonEntry), [":a@b"]);
    }

    #[test]
    fn the_case_of_a_line_says_the_same_compiled_as_in_the_text() {
        assert_eq!(keys(b"=LocalHosts\n@A.ex&=Me\n", Keys::Sender), ["\0=localhosts1+", "\0@a.ex2+=Me"]);
    }

    #[test]
    fn conditions_have_keys_that_no_address_has() {
        let input = b"@A.ex&10.\na&b@d.ex\n=localusers\n@a.ex&=me\n@b.ex&1.2\n!@c.ex&10.\n";
        let expected = [
            "a&b@d.ex",
            "\0!6+!@c.ex&10.: only user@domain, @domain, =localhosts and =localusers can have a condition",
            "\0=localusers3+",
            "\0@a.ex1+10.\n4+=me",
        ];
        assert_eq!(keys(input, Keys::Sender), expected);
    }
}
