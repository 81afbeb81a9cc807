//! `users/cdb`, made of `users/assign`: which domains have accounts, where, and which is another name of which.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::control::environment::Environment;
use crate::errno::words;

/// The longest record that is read, in octets.
const RECORD_OCTETS_MAX: usize = 4096;
/// The most domains that [`Assign::domains`] tells.
const DOMAINS_MAX: usize = 100_000;

/// A domain that has accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its real name, which its accounts have.
    pub name: Vec<u8>,
    /// Where its users are.
    pub directory: PathBuf,
}

/// The file, in its directory.
#[derive(Debug)]
pub struct Assign {
    path: PathBuf,
}

impl Assign {
    /// The file in `ASSIGNDIR`, else in `users` of the working directory; none if `ASSIGNDIR` is empty.
    #[must_use]
    pub fn find(environment: &Environment, working_directory: &Path) -> Option<Self> {
        let directory = match environment.get(b"ASSIGNDIR") {
            Some(b"") => return None,
            Some(named) => working_directory.join(OsStr::from_bytes(named)),
            None => working_directory.join("users"),
        };
        Some(Self { path: directory.join("cdb") })
    }

    /// Whether there is such a file at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound)
    }

    /// The domain, in lower case, as its line `+domain-:real:uid:gid:directory:-::` has it; none if there is no such line.
    ///
    /// vpopmail writes the real name of an alias domain into the second field; IndiMail makes its directory a symbolic link to
    /// that of the real domain.
    ///
    /// # Errors
    ///
    /// What keeps the file or the link from being read, in words; a missing file, too.
    pub fn domain(&self, domain: &[u8]) -> Result<Option<Domain>, String> {
        let key = [b"!", domain, b"-"].concat();
        let Some(record) = self.get(&self.open()?, &key)? else { return Ok(None) };
        let mut fields = record.split(|octet| *octet == 0);
        let (real, directory) = (fields.next().unwrap_or_default().to_ascii_lowercase(), fields.nth(2));
        let unusable = || self.failed(&format_args!("the record of {} is no domain's", domain.escape_ascii()));
        let directory = directory.filter(|directory| directory.starts_with(b"/")).ok_or_else(unusable)?;
        let directory = PathBuf::from(OsStr::from_bytes(directory));
        let name = if real == domain { linked(&directory)?.unwrap_or(real) } else { real };
        if is_domain(&name) { Ok(Some(Domain { name, directory })) } else { Err(unusable()) }
    }

    /// Every domain that has accounts, those of two names twice.
    ///
    /// # Errors
    ///
    /// As [`Self::domain`]; more than 100,000 domains, too.
    pub fn domains(&self) -> Result<Vec<Domain>, String> {
        let mut domains = Vec::new();
        for record in self.open()?.iter(RECORD_OCTETS_MAX) {
            let (key, _) = record.map_err(|error| self.failed(&error))?;
            let Some(name) = domain_of(&key) else { continue };
            if domains.len() == DOMAINS_MAX {
                return Err(self.failed(&format_args!("more than {DOMAINS_MAX} domains")));
            }
            domains.extend(self.domain(name)?);
        }
        Ok(domains)
    }

    /// Whether a line `=name:…` is about this user, in lower case, or a line `+prefix:…` about what the name begins with
    /// (qmail-users(5)). A line `+:…` is about whoever is left, and so tells of nobody.
    ///
    /// # Errors
    ///
    /// As [`Self::domain`].
    pub fn has_user(&self, name: &[u8]) -> Result<bool, String> {
        let cdb = self.open()?;
        if self.get(&cdb, &[b"!", name, b"\0"].concat())?.is_some() {
            return Ok(true);
        }
        // The record of the empty key has the last octets of all prefixes.
        let ends = self.get(&cdb, b"")?.unwrap_or_default();
        for octets in (1..=name.len()).rev() {
            let prefix = name.get(..octets).unwrap_or_default();
            let may_be = prefix.last().is_some_and(|end| ends.contains(end));
            if may_be && self.get(&cdb, &[b"!", prefix].concat())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open(&self) -> Result<Cdb, String> {
        Cdb::open(&self.path).map_err(|error| self.failed(&words(&error)))
    }

    fn get(&self, cdb: &Cdb, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        cdb.get(key, RECORD_OCTETS_MAX).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> String {
        format!("{}: {error}", self.path.display())
    }
}

/// The domain of a key `!domain-`; other keys of that form are of users, whose names seldom have a dot.
fn domain_of(key: &[u8]) -> Option<&[u8]> {
    let name = key.strip_prefix(b"!")?.strip_suffix(b"-")?;
    (is_domain(name) && name.contains(&b'.')).then_some(name)
}

/// The last part of what a symbolic link says; none if it is no link, or the mailboxes are on another host.
fn linked(directory: &Path) -> Result<Option<Vec<u8>>, String> {
    match std::fs::read_link(directory) {
        Ok(target) => Ok(target.file_name().map(|name| name.as_bytes().to_ascii_lowercase())),
        Err(error) if is_no_link(&error) => Ok(None),
        Err(error) => Err(format!("{}: {}", directory.display(), words(&error))),
    }
}

fn is_no_link(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_domain(name: &[u8]) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    !name.is_empty() && name.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use crate::cdb::make::Maker;

    use super::*;

    fn assign(records: &[(&str, &str)]) -> (tempfile::TempDir, Assign) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("users")).unwrap();
        let mut maker = Maker::new(File::create(dir.path().join("users/cdb")).unwrap());
        for (key, value) in records {
            let value = value.replace("HOME", dir.path().to_str().unwrap()).replace('|', "\0");
            maker.add(key.replace('|', "\0").as_bytes(), value.as_bytes()).unwrap();
        }
        maker.finish().unwrap();
        let assign = Assign::find(&Environment::default(), dir.path()).unwrap();
        (dir, assign)
    }

    #[test]
    fn an_alias_domain_has_a_real_one() {
        let (dir, assign) = assign(&[
            ("!a.ex-", "a.ex|1|1|HOME/a.ex|-||"),
            ("!vpop.ex-", "a.ex|1|1|HOME/a.ex|-||"),
            ("!indi.ex-", "indi.ex|1|1|HOME/indi.ex|-||"),
            ("!gone.ex-", "gone.ex|1|1|HOME/gone.ex|-||"),
            ("!file.ex-", "file.ex|1|1|HOME/users/cdb/x|-||"),
            ("!bad.ex-", "b d|1|1|HOME/a.ex|-||"),
            ("!short.ex-", "short.ex|1|1"),
            ("!relative.ex-", "relative.ex|1|1|domains|-||"),
        ]);
        fs::create_dir(dir.path().join("a.ex")).unwrap();
        std::os::unix::fs::symlink("A.ex", dir.path().join("indi.ex")).unwrap();
        let name = |domain: &str| assign.domain(domain.as_bytes()).map(|found| found.map(|found| found.name));
        for domain in ["a.ex", "vpop.ex", "indi.ex"] {
            assert_eq!(name(domain), Ok(Some(b"a.ex".to_vec())), "{domain}");
        }
        assert_eq!(name("gone.ex"), Ok(Some(b"gone.ex".to_vec())));
        assert_eq!(name("file.ex"), Ok(Some(b"file.ex".to_vec())));
        assert_eq!(name("other.ex"), Ok(None));
        for domain in ["bad.ex", "short.ex", "relative.ex"] {
            assert!(name(domain).is_err(), "{domain}");
        }
    }

    #[test]
    fn a_user_has_a_line_or_what_his_name_begins_with_has_one() {
        let (_dir, assign) = assign(&[
            ("", "-="),
            ("!joe|", "joe|1|1|/home/joe|||"),
            ("!ann-", "ann|1|1|/home/ann|-||"),
            ("!ann-x=", "ann|1|1|/home/ann|-|x|"),
            ("!bob", "bob|1|1|/home/bob|||"),
            ("!", "alias|1|1|/var/qmail/alias|-||"),
        ]);
        for (name, expected) in [
            ("joe", true),
            ("joe-list", false),
            ("ann", false),
            ("ann-", true),
            ("ann-list", true),
            ("ann-x=y", true),
            // The empty key knows of no prefix that ends in b.
            ("bob-list", false),
            ("postmaster", false),
            ("", false),
        ] {
            assert_eq!(assign.has_user(name.as_bytes()), Ok(expected), "{name}");
        }
    }

    #[test]
    fn every_domain_is_told_and_no_user() {
        let (_dir, assign) = assign(&[
            ("!a.ex-", "a.ex|1|1|HOME/a.ex|-||"),
            ("!ann-", "ann|1|1|/home/ann|-||"),
            ("!joe|", "joe|1|1|/home/joe|||"),
            ("!vpop.ex-", "a.ex|1|1|HOME/a.ex|-||"),
        ]);
        let names: Vec<Vec<u8>> = assign.domains().unwrap().into_iter().map(|domain| domain.name).collect();
        assert_eq!(names, [b"a.ex", b"a.ex"]);
    }

    #[test]
    fn a_missing_or_damaged_file_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let environment = |value: &str| [(b"ASSIGNDIR".to_vec(), value.into())].into_iter().collect::<Environment>();
        assert!(Assign::find(&environment(""), dir.path()).is_none());
        let assign = Assign::find(&environment(dir.path().to_str().unwrap()), Path::new("/nonexistent")).unwrap();
        assert!(!assign.exists());
        assert!(assign.domain(b"a.ex").is_err_and(|error| error.ends_with("/cdb: file does not exist")));
        assert!(assign.has_user(b"joe").is_err_and(|error| error.ends_with("/cdb: file does not exist")));
        fs::write(dir.path().join("cdb"), "xx").unwrap();
        assert!(assign.exists() && assign.domain(b"a.ex").is_err());
        fs::remove_file(dir.path().join("cdb")).unwrap();
        std::os::unix::fs::symlink("gone", dir.path().join("cdb")).unwrap();
        assert!(assign.exists() && assign.domain(b"a.ex").is_err());
    }
}
