//! The domains we receive mail for: `rcpthosts`, then `morercpthosts.cdb`.

use std::path::Path;

use crate::lookup::compiled::Compiled;
use crate::lookup::list::{self, Found, List};
use crate::lookup::undecided::Undecided;

/// What the two files say about a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// There is no `rcpthosts`; `morercpthosts.cdb` was not asked.
    NoFile,
    /// Neither has it.
    No,
    /// `rcpthosts` has it on this line, counted from 1.
    Listed(u32),
    /// `morercpthosts.cdb` has it.
    Compiled,
}

/// Both files; each is read when it is first needed.
#[derive(Debug)]
pub struct Hosts {
    listed: List,
    compiled: Compiled,
}

impl Hosts {
    /// The files in this control directory.
    #[must_use]
    pub fn new(control: &Path) -> Self {
        Self {
            listed: List::new(control.join("rcpthosts")),
            compiled: Compiled::new(control.join("morercpthosts.cdb")),
        }
    }

    /// Whether the domain, or a part of it that begins with a dot, is in one of the files. An empty domain never is.
    ///
    /// # Errors
    /// A file that exists and cannot be read, and a damaged one.
    pub fn find(&mut self, domain: &[u8]) -> Result<Host, Undecided> {
        match self.listed.find_domain(domain)? {
            Found::Absent => return Ok(Host::NoFile),
            Found::Yes { line, .. } => return Ok(Host::Listed(line)),
            Found::No => {}
        }
        let domain = domain.to_ascii_lowercase();
        let keys = list::domain_keys(&domain);
        let compiled = !keys.is_empty() && self.compiled.contains_any(&keys)? == Some(true);
        Ok(if compiled { Host::Compiled } else { Host::No })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use crate::cdb::make::Maker;

    use super::*;

    #[test]
    fn the_text_is_asked_first_and_an_empty_domain_is_in_neither() {
        let dir = tempfile::tempdir().unwrap();
        let mut maker = Maker::new(File::create(dir.path().join("morercpthosts.cdb")).unwrap());
        ["", "more.ex", ".sub.ex", "both.ex"].iter().for_each(|key| maker.add(key.as_bytes(), b"value").unwrap());
        maker.finish().unwrap();
        assert_eq!(Hosts::new(dir.path()).find(b"more.ex").unwrap(), Host::NoFile);
        fs::write(dir.path().join("rcpthosts"), "a.ex\n# no\nBoth.ex\n").unwrap();
        let mut hosts = Hosts::new(dir.path());
        let cases = [
            ("A.ex", Host::Listed(1)),
            ("both.EX", Host::Listed(3)),
            ("More.ex", Host::Compiled),
            ("x.y.Sub.ex", Host::Compiled),
            ("x.more.ex", Host::No),
            ("sub.ex", Host::No),
            ("", Host::No),
        ];
        for (domain, expected) in cases {
            assert_eq!(hosts.find(domain.as_bytes()).unwrap(), expected, "{domain}");
        }
    }

    #[test]
    fn a_damaged_file_decides_nothing_that_the_text_does_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rcpthosts"), "a.ex\n").unwrap();
        fs::write(dir.path().join("morercpthosts.cdb"), "xx").unwrap();
        let mut hosts = Hosts::new(dir.path());
        assert_eq!(hosts.find(b"a.ex").unwrap(), Host::Listed(1));
        let error = hosts.find(b"b.ex").unwrap_err();
        assert!(matches!(error, Undecided::Compiled { .. }), "{error}");
        assert!(error.to_string().contains("morercpthosts.cdb: "), "{error}");
    }
}
