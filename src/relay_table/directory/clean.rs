//! Forgets the logins of a directory that no longer count, and gives it two levels when it has grown.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::relay_table::age::Window;
use crate::relay_table::directory::file::{Entry, read};
use crate::relay_table::directory::{Directory, HASHED, NEW};
use crate::relay_table::trouble::Trouble;

/// With more addresses than this a directory gets two levels.
pub(super) const FLAT_ADDRESSES_MAX: usize = 10_000;
/// How long a writer may hold the lock before the cleaner gives up, in seconds.
const LOCK_SECONDS_MAX: u64 = 10;

impl Directory {
    /// Forgets every login that does not count at the moment `now`, and returns how many those were. The lock is held for one
    /// file at a time, so that no login waits for more than that. `progress` is told how many were forgotten so far.
    ///
    /// # Errors
    ///
    /// [`Trouble::Table`] when the directory is missing or something in it cannot be read or changed: the first such thing,
    /// when all others are done.
    pub fn clean(&self, window: Window, now: i64, progress: &mut dyn FnMut(u64)) -> Result<u64, Trouble> {
        let (mut forgotten, mut failed) = (0, Ok(()));
        let mut flat = Vec::new();
        self.each_address(&mut |path, address| {
            match self.clean_address(path, address, window, now) {
                Ok(count) => forgotten += count,
                Err(trouble) => failed = failed.clone().and(Err(trouble)),
            }
            progress(forgotten);
            if path.parent() == Some(self.path.as_path()) && path.exists() {
                flat.push(address);
            }
            Ok(())
        })?;
        failed?;
        if flat.len() > FLAT_ADDRESSES_MAX || self.path.join(HASHED).exists() {
            self.deepen(&flat)?;
        }
        Ok(forgotten)
    }

    /// A file in which nothing but live rows stands needs no lock.
    fn clean_address(&self, path: &Path, address: IpAddr, window: Window, now: i64) -> Result<u64, Trouble> {
        let entries = read(path)?.unwrap_or_default();
        let is_clean = !entries.is_empty() && entries.iter().all(|entry| window.is_live(entry.time, now));
        if is_clean { Ok(0) } else { self.forget(address, window, now) }
    }

    /// How many logins [`Self::clean`] would forget.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn count_expired(&self, window: Window, now: i64) -> Result<u64, Trouble> {
        let mut count = 0;
        self.rows(&mut |row| {
            count += u64::from(!window.is_live(row.time, now));
            Ok(())
        })?;
        Ok(count)
    }

    fn forget(&self, address: IpAddr, window: Window, now: i64) -> Result<u64, Trouble> {
        let _lock = self.lock_for_cleaning()?;
        // Read again: somebody may have logged in since.
        let entries = self.entries(address)?;
        let live: Vec<Entry> = entries.iter().filter(|entry| window.is_live(entry.time, now)).cloned().collect();
        self.replace(address, &live)?;
        Ok((entries.len() - live.len()) as u64)
    }

    /// Moves files two levels deeper. From now on every writer does so, too.
    fn deepen(&self, addresses: &[IpAddr]) -> Result<(), Trouble> {
        let marker = self.path.join(HASHED);
        if !marker.exists() {
            let _lock = self.lock_for_cleaning()?;
            File::create(&marker).map_err(|error| Trouble::at(&marker, &error))?;
        }
        for address in addresses {
            let _lock = self.lock_for_cleaning()?;
            self.replace(*address, &self.entries(*address)?)?;
        }
        let _lock = self.lock_for_cleaning()?;
        super::remove(Path::new(&self.path.join(NEW)))
    }

    fn lock_for_cleaning(&self) -> Result<File, Trouble> {
        self.lock(Instant::now() + Duration::from_secs(LOCK_SECONDS_MAX))
    }
}
