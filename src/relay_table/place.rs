//! Where the relay table is: a directory of small files, or a database.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::control::load::read_list;
use crate::control::text::first_line;
use crate::relay_table::trouble::Trouble;

/// The control file.
pub const FILE: &str = "relaydb";
/// What stands in it for a database.
const MYSQL: &[u8] = b"mysql:";

/// Where the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this directory.
    Directory(PathBuf),
    /// In a MySQL or MariaDB database, which other settings name.
    MySql,
}

impl Place {
    /// What the control file `relaydb` says: a path, taken in the control directory unless it begins with a slash, or `mysql:`. Without the file it is a database, as the original has it.
    ///
    /// # Errors
    ///
    /// [`Trouble`] when the file cannot be read, or says neither.
    pub fn find(control_directory: &Path) -> Result<Self, Trouble> {
        let file = control_directory.join(FILE);
        let Some(text) = read_list(&file).map_err(|error| Trouble::at(&file, &error))? else { return Ok(Self::MySql) };
        match first_line(&text) {
            b"" => Err(Trouble::in_file(&file, "is empty: write the path of a directory into it, or `mysql:`")),
            MYSQL => Ok(Self::MySql),
            line if line.starts_with(MYSQL) => {
                Err(Trouble::in_file(&file, "nothing may follow `mysql:`: name the server in host.mysql"))
            }
            line if line.contains(&0) => Err(Trouble::in_file(&file, "has a NUL in it")),
            path => Ok(Self::Directory(control_directory.join(Path::new(OsStr::from_bytes(path))))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_database() {
        let dir = tempfile::tempdir().unwrap();
        let control = dir.path();
        assert_eq!(Place::find(control), Ok(Place::MySql));
        let cases = [
            ("relay\n", Some(Place::Directory(control.join("relay")))),
            ("/srv/relay \t\nmore\n", Some(Place::Directory("/srv/relay".into()))),
            ("./relay", Some(Place::Directory(control.join("./relay")))),
            ("mysql:\n", Some(Place::MySql)),
            ("mysql:localhost\n", None),
            ("", None),
            ("\n/srv/relay\n", None),
            ("/srv/re\0lay\n", None),
        ];
        for (text, expected) in cases {
            std::fs::write(control.join(FILE), text).unwrap();
            assert_eq!(Place::find(control).ok(), expected, "{text:?}");
        }
        std::fs::remove_file(control.join(FILE)).unwrap();
        std::fs::create_dir(control.join(FILE)).unwrap();
        assert!(matches!(Place::find(control), Err(Trouble::Table(_))));
    }
}
