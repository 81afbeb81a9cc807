//! `--into DIR`: the files of a conversion, all of them or none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::operator::convert::Conversion;

/// Why the files were not written.
#[derive(Debug)]
pub enum IntoError {
    /// This one exists, and what an operator wrote is not ours to replace.
    Exists(PathBuf),
    /// The system refused.
    System(PathBuf, io::Error),
}

/// Writes every file of `conversion` into `directory`, which is made if it is not there; tells their paths.
///
/// # Errors
///
/// A file that exists, or what the system says. Nothing is left behind then.
pub fn write_into(conversion: &Conversion, directory: &Path) -> Result<Vec<PathBuf>, IntoError> {
    let files: Vec<(PathBuf, String)> = conversion.files().map(|(name, text)| (directory.join(name), text)).collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(IntoError::Exists(path.clone()));
    }
    fs::create_dir_all(directory).map_err(|error| IntoError::System(directory.to_owned(), error))?;
    let mut written = Vec::new();
    for (path, text) in files {
        let done = OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
            written.push(path.clone());
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = done {
            for path in &written {
                // The first error is the one to tell.
                let _ = fs::remove_file(path);
            }
            let exists = error.kind() == io::ErrorKind::AlreadyExists;
            return Err(if exists { IntoError::Exists(path) } else { IntoError::System(path, error) });
        }
    }
    Ok(written)
}
