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
