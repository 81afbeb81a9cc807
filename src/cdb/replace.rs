//! Replaces a file in one step: readers see the old one or the whole new one, also after a crash.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A new file under its temporary name. Dropped without [`Replacement::install`], it is removed.
///
/// The file is always a fresh one: no link is followed, and what an earlier run left at the temporary name is removed
/// first. While it is written it is locked, so that a second writer with the same temporary name gives up instead of
/// removing or installing a half-written file.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    installed: bool,
}

/// Which step of the replacement failed.
#[derive(Debug)]
pub enum InstallError {
    /// The new file could not be brought to the disk.
    Sync(io::Error),
    /// It could not be renamed, or the renaming could not be brought to the disk.
    Move(io::Error),
}

impl Replacement {
    /// Creates the temporary file with mode 0644, less the umask. When both names are the same, a longer temporary
    /// name is used, so that the old file stays until the new one is whole. Something at the temporary name that is
    /// neither a file nor a link is left alone: an error.
    pub fn create(target: &Path, temporary: &Path) -> io::Result<Replacement> {
        let mut temporary = temporary.to_path_buf();
        if temporary == target {
            temporary.as_mut_os_string().push(".tmp");
        }
        let file = match create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_remains(&temporary)?;
                create_new(&temporary)?
            }
            created => created?,
        };
        // Whoever found our file before we locked it has removed it: the name is theirs.
        file.try_lock()?;
        if !is_at(&file, &temporary)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Replacement { file, temporary, target: target.to_path_buf(), installed: false })
    }

    /// The temporary file, open for writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the file, renames it over the target and syncs the directory.
    pub fn install(mut self) -> Result<(), InstallError> {
        self.file.sync_all().map_err(InstallError::Sync)?;
        fs::rename(&self.temporary, &self.target).map_err(InstallError::Move)?;
        self.installed = true;
        sync_directory(&self.target).map_err(InstallError::Move)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.installed {
            // There is nobody left to tell, and the next run removes it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)
}

/// Removes a link, or a file that nobody is writing, so that the name is free.
fn remove_remains(path: &Path) -> io::Result<()> {
    let remains = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if remains.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if remains.is_symlink() {
        return fs::remove_file(path);
    }
    if !remains.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    // Held until the name is removed. A file that we may not even read was not left by a writer of our own.
    let held = match open {
        Ok(file) => {
            file.try_lock()?;
            if !is_at(&file, path)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some(file)
        }
        Err(_) => None,
    };
    fs::remove_file(path)?;
    drop(held);
    Ok(())
}

/// Whether `path` still names `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Brings a renaming in the directory of `path` to the disk, as far as the directory can be opened and synced.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    match synced {
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_dropped_replacement_leaves_nothing_but_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let (target, temporary) = (dir.path().join("t"), dir.path().join("t.tmp"));
        fs::write(&target, "old").unwrap();
        let replacement = Replacement::create(&target, &temporary).unwrap();
        replacement.file().write_all(b"new").unwrap();
        assert!(temporary.exists());
        drop(replacement);
        assert!(!temporary.exists());
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn a_link_at_the_temporary_name_is_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, temporary, victim) = (dir.path().join("t"), dir.path().join("t.tmp"), dir.path().join("v"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &temporary).unwrap();
        let replacement = Replacement::create(&target, &temporary).unwrap();
        replacement.file().write_all(b"new").unwrap();
        replacement.install().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&target).unwrap().is_file());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn a_second_writer_gives_up_and_the_first_is_not_disturbed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, temporary) = (dir.path().join("t"), dir.path().join("t.tmp"));
        let first = Replacement::create(&target, &temporary).unwrap();
        first.file().write_all(b"first").unwrap();
        let second = Replacement::create(&target, &temporary).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        first.install().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first");
        // What a killed writer left is no obstacle.
        fs::write(&temporary, "remains, longer than the new file").unwrap();
        let third = Replacement::create(&target, &temporary).unwrap();
        third.file().write_all(b"third").unwrap();
        third.install().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"third");
    }

    #[test]
    fn one_name_for_both_keeps_the_old_file_until_the_new_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        fs::write(&target, "old").unwrap();
        let replacement = Replacement::create(&target, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        replacement.install().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
