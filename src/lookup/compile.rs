//! Compiles a control list such as `relaymailfrom` into records, entry by entry as its text is read: `qmail-cdb`.

use std::io::{self, Read, Seek, Write};

use crate::cdb::make::{MakeError, Maker};
use crate::control::text::entries;

/// What the keys of the list look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The entry itself.
    Entry,
    /// A colon, then the entry: the files of `users/` that the recipients check reads.
    ColonEntry,
}

/// Why a list could not be compiled.
#[derive(Debug)]
pub enum ListError {
    /// The list could not be read.
    Read(io::Error),
    /// The cdb could not be written.
    Make(MakeError),
}

/// Adds a record with an empty value for each entry of the list, in lower case (A to Z only), in order, duplicates included.
///
/// # Errors
///
/// [`ListError`] tells which side failed.
pub fn compile<W: Write + Seek>(mut list: impl Read, keys: Keys, maker: &mut Maker<W>) -> Result<(), ListError> {
    let mut text = Vec::new();
    list.read_to_end(&mut text).map_err(ListError::Read)?;
    text.make_ascii_lowercase();
    let mut key = Vec::new();
    for entry in entries(&text) {
        key.clear();
        match keys {
            Keys::Entry => {}
            Keys::ColonEntry => key.push(b':'),
        }
        key.extend_from_slice(entry.text);
        maker.add(&key, b"").map_err(ListError::Make)?;
    }
    Ok(())
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
        cdb.iter(0).map(|record| String::from_utf8(record.unwrap().0).unwrap()).collect()
    }

    #[test]
    fn the_rules_of_the_text_form_hold() {
        let input = b"Joe@A.example \t\n#no\n\n  lead\n #odd\n\0gone\none\0TWO\0\nJoe@a.example\nlast\r";
        let entries = ["joe@a.example", "  lead", " #odd", "one", "two", "joe@a.example", "last\r"];
        assert_eq!(keys(input, Keys::Entry), entries);
        assert_eq!(keys(b"A@b\n", Keys::ColonEntry), [":a@b"]);
    }
}
