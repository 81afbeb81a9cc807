//! The file of one address: read whole, replaced whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::relay_table::trouble::Trouble;

/// The largest file that is read, in octets: some 50,000 users behind one address.
const FILE_OCTETS_MAX: u64 = 4 << 20;

/// The mode of a file: smtpd may run as another user than who records logins.
const FILE_MODE: u32 = 0o644;

/// A row without its address, which is the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub user: String,
    pub time: i64,
}

/// The rows of a file; none if there is no such file. A line that is none says nothing.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Entry>>, Trouble> {
    // A fifo in the place of the file must not hang us.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| Trouble::at(path, &error))?,
    };
    let mut text = Vec::new();
    file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut text).map_err(|error| Trouble::at(path, &error))?;
    if text.len() as u64 > FILE_OCTETS_MAX {
        return Err(Trouble::Table(format!("{}: has more than {FILE_OCTETS_MAX} octets", path.display())));
    }
    Ok(Some(text.split(|octet| *octet == b'\n').filter_map(entry).collect()))
}

fn entry(line: &[u8]) -> Option<Entry> {
    let (user, time) = std::str::from_utf8(line).ok()?.split_once('\t')?;
    let time = time.parse().ok().filter(|_| !user.is_empty())?;
    Some(Entry { user: user.to_owned(), time })
}

/// Writes the rows to `new` and renames it to `path`. Nothing is synced: what a crash takes costs a login.
pub(super) fn write(new: &Path, path: &Path, entries: &[Entry]) -> Result<(), Trouble> {
    let text: String = entries.iter().map(|entry| format!("{}\t{}\n", entry.user, entry.time)).collect();
    let written = create(new).and_then(|mut file| file.write_all(text.as_bytes())).and_then(|()| fs::rename(new, path));
    written.map_err(|error| Trouble::at(path, &error))
}

/// A fresh file that others may read, whatever the umask: what a killed writer left is removed, a link in its place is not
/// followed.
fn create(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).open(path);
    let file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(path).and_then(|()| create()),
        created => created,
    }?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}
