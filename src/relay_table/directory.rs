//! The embedded relay table: a directory with one small file for each address, `user<TAB>epoch` a line.
//!
//! A file is named as its address is written: `192.0.2.7`, `2001:db8::1`. In a directory that has grown it lies two levels
//! deeper, `3/f/192.0.2.7`; readers look at both places, so nothing is ever out of sight. Who changes a file holds a lock on
//! the directory, writes another one and renames it; who reads needs neither. The time in a row counts, not the file's.

mod clean;
mod file;

use std::fs::{self, File, Permissions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use crate::cdb;
use crate::relay_table::age::Window;
use crate::relay_table::directory::file::{Entry, read, write};
use crate::relay_table::login::{Login, Row, is_same_user};
use crate::relay_table::trouble::Trouble;

/// The name of the file that tells that the directory has two levels.
const HASHED: &str = ".hashed";
/// The name of what is being written, in the directory itself.
const NEW: &str = ".new";
/// The mode of a directory that we make.
const DIRECTORY_MODE: u32 = 0o755;
/// How often somebody else's lock is tried, in milliseconds.
const LOCK_PAUSE_MILLISECONDS: u64 = 1;

/// A table in a directory.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The table in this directory, which need not exist yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether this user has read mail from this address in the window before `now`. Reads at most two small files.
    ///
    /// # Errors
    ///
    /// [`Trouble::Table`] when there is no such directory, or a file cannot be read.
    pub fn contains(&self, user: &[u8], address: IpAddr, window: Window, now: i64) -> Result<bool, Trouble> {
        let mut found = false;
        for path in [self.flat(address), self.hashed(address)] {
            if let Some(entries) = read(&path)? {
                found = true;
                let counts =
                    |entry: &Entry| is_same_user(entry.user.as_bytes(), user) && window.is_live(entry.time, now);
                if entries.iter().any(counts) {
                    return Ok(true);
                }
            }
        }
        if !found {
            // That nobody has read mail from there is only known of a directory that is there.
            fs::read_dir(&self.path).map_err(|error| Trouble::at(&self.path, &error))?;
        }
        Ok(false)
    }

    /// Records a login, in place of an earlier one of the same user from there. The directory is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Trouble::Table`] when it cannot be written, or somebody else holds the lock up to `deadline`.
    pub fn record(&self, login: &Login, now: i64, deadline: Instant) -> Result<(), Trouble> {
        self.put(&Row { user: Some(login.user.clone()), address: login.address, time: now }, deadline)
    }

    /// Puts a row in, unless there is a newer one of the same user from there.
    ///
    /// # Errors
    ///
    /// As for [`Self::record`]; a row without a user, which this table cannot hold.
    pub fn put(&self, row: &Row, deadline: Instant) -> Result<(), Trouble> {
        let Some(user) = row.user.clone() else {
            return Err(Trouble::Table(
                "a row without a user has no place in a directory, where users relay".to_owned(),
            ));
        };
        self.make()?;
        let _lock = self.lock(deadline)?;
        let mut entries = self.entries(row.address)?;
        let older = entries.iter().position(|entry| is_same_user(entry.user.as_bytes(), user.as_bytes()));
        let time = older.map_or(row.time, |at| entries.swap_remove(at).time.max(row.time));
        entries.push(Entry { user, time });
        self.replace(row.address, &entries)
    }

    /// Gives each row to `each`, address by address.
    ///
    /// # Errors
    ///
    /// [`Trouble`] when something cannot be read, and what `each` says.
    pub fn rows(&self, each: &mut dyn FnMut(Row) -> Result<(), Trouble>) -> Result<(), Trouble> {
        self.each_address(&mut |path, address| {
            for Entry { user, time } in read(path)?.unwrap_or_default() {
                each(Row { user: Some(user), address, time })?;
            }
            Ok(())
        })
    }

    /// Every file that is named as an address, at either place.
    fn each_address(&self, each: &mut dyn FnMut(&Path, IpAddr) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let mut directories = vec![(self.path.clone(), 0)];
        while let Some((directory, depth)) = directories.pop() {
            let unread = |error: io::Error| Trouble::at(&directory, &error);
            for entry in fs::read_dir(&directory).map_err(unread)? {
                let name = entry.map_err(unread)?.file_name();
                let Some(name) = name.to_str() else { continue };
                let path = directory.join(name);
                match name.parse() {
                    Ok(address) => each(&path, address)?,
                    Err(_) if depth < 2 && is_level(name) && path.is_dir() => directories.push((path, depth + 1)),
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Whoever asks may be another user than who makes the directory, whatever the umask of that one.
    fn make(&self) -> Result<(), Trouble> {
        let open = || fs::set_permissions(&self.path, Permissions::from_mode(DIRECTORY_MODE));
        match fs::create_dir(&self.path).and_then(|()| open()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Trouble::at(&self.path, &error)),
        }
    }

    /// Makes the two levels for a file. They are as the directory itself: its mode and, when root makes them, its owner.
    fn make_levels(&self, file: &Path) -> io::Result<()> {
        let second = file.parent().unwrap_or(&self.path);
        let first = second.parent().unwrap_or(&self.path);
        let top = fs::metadata(&self.path)?;
        for level in [first, second] {
            match fs::create_dir(level) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            fs::set_permissions(level, top.permissions())?;
            if geteuid().is_root() {
                chown(level, Some(top.uid()), Some(top.gid()))?;
            }
        }
        Ok(())
    }

    /// The lock that everybody holds who changes something; it ends with the value, also when a process is killed.
    fn lock(&self, deadline: Instant) -> Result<File, Trouble> {
        let directory = File::open(&self.path).map_err(|error| Trouble::at(&self.path, &error))?;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(directory),
                Err(fs::TryLockError::Error(error)) => return Err(Trouble::at(&self.path, &error)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(Trouble::Table(format!("{}: another program holds the lock", self.path.display())));
                }
                Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(LOCK_PAUSE_MILLISECONDS)),
            }
        }
    }

    /// All that is known about an address.
    fn entries(&self, address: IpAddr) -> Result<Vec<Entry>, Trouble> {
        let mut entries = read(&self.flat(address))?.unwrap_or_default();
        entries.extend(read(&self.hashed(address))?.unwrap_or_default());
        Ok(entries)
    }

    /// Replaces all that is known about an address, under the lock.
    fn replace(&self, address: IpAddr, entries: &[Entry]) -> Result<(), Trouble> {
        let (flat, hashed) = (self.flat(address), self.hashed(address));
        let is_hashed = self.path.join(HASHED).exists();
        let (target, other) = if is_hashed { (&hashed, &flat) } else { (&flat, &hashed) };
        if entries.is_empty() {
            remove(target)?;
        } else {
            if is_hashed {
                self.make_levels(target).map_err(|error| Trouble::at(target, &error))?;
            }
            write(&self.path.join(NEW), target, entries)?;
        }
        remove(other)
    }

    fn flat(&self, address: IpAddr) -> PathBuf {
        self.path.join(address.to_string())
    }

    fn hashed(&self, address: IpAddr) -> PathBuf {
        let name = address.to_string();
        let hash = cdb::hash(name.as_bytes());
        self.path.join(format!("{:x}/{:x}/{name}", hash >> 4 & 15, hash & 15))
    }
}

/// Whether a name is that of one of the two levels.
fn is_level(name: &str) -> bool {
    matches!(name.as_bytes(), [b'0'..=b'9' | b'a'..=b'f'])
}

fn remove(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Trouble::at(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
