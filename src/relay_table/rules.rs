//! The static rules of tcp.smtp: what they make of an address before any login counts.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Cursor};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::cdb::make::Maker;
use crate::cdb::read::Cdb;
use crate::client::rules::{self, Client, CompileError, Item, Manner, items};
use crate::control::environment::Environment;
use crate::control::load::Places;
use crate::errno::words;
use crate::relay_table::trouble::Trouble;

/// Where the rules are when `TCP_FILE` does not say so, besides `tcp/tcp.smtp` in the working directory.
const USUAL_FILES: [&str; 3] = ["/home/vpopmail/etc/tcp.smtp", "/etc/tcp.smtp", "/etc/tcprules.d/qmail-smtpd"];

/// The rules file: `TCP_FILE`, else the first of the usual ones that exists; none if there is none.
#[must_use]
pub fn rules_file(environment: &Environment, places: &Places) -> Option<PathBuf> {
    if let Some(named) = environment.get(b"TCP_FILE").filter(|named| !named.is_empty()) {
        return Some(Path::new(OsStr::from_bytes(named)).to_path_buf());
    }
    let usual = USUAL_FILES.iter().map(PathBuf::from);
    std::iter::once(places.working.join("tcp/tcp.smtp")).chain(usual).find(|path| path.is_file())
}

/// What the static rules make of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its connections are closed.
    Denied,
    /// It may relay anyway.
    Relays,
    /// Neither: a login makes a difference.
    Neither,
}

/// The static rules, compiled in memory, so that they say exactly what tcpserver will find.
pub struct StaticRules {
    text: Vec<u8>,
    compiled: Cdb,
}

impl StaticRules {
    /// Reads and compiles a rules file.
    ///
    /// # Errors
    ///
    /// [`Trouble::Table`] when it cannot be read, or has a line that is no rule, which is named.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        let text = fs::read(path).map_err(|error| Trouble::at(path, &error))?;
        let memory = memfd_create("rules", MFdFlags::MFD_CLOEXEC).map(File::from);
        let memory = memory.map_err(|error| Trouble::System(words(&error.into()).into_owned()))?;
        compile(path, &text, &memory)?;
        let compiled = Cdb::new(memory).map_err(|error| Trouble::at(path, &error))?;
        Ok(Self { text, compiled })
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What the rules make of a client of this address and, if it is known, this name.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] when memory cannot be read.
    pub fn standing(&self, address: IpAddr, host: Option<&[u8]>) -> Result<Standing, Trouble> {
        let ip = address.to_string();
        let client = Client { ip: ip.as_bytes(), host, info: None };
        let rule = client.rule(&self.compiled).map_err(|error| Trouble::System(error.to_string()))?;
        let mut standing = Standing::Neither;
        for item in rule.iter().flat_map(|(_, value)| items(value)) {
            match item {
                Item::Deny => return Ok(Standing::Denied),
                Item::Set(text) if text.starts_with(b"RELAYCLIENT=") => standing = Standing::Relays,
                Item::Unset(b"RELAYCLIENT") => standing = Standing::Neither,
                Item::Set(_) | Item::Unset(_) => {}
            }
        }
        Ok(standing)
    }
}

/// Compiles rules into an empty file. What `tcprules` only warns about is taken here without a word: it has been said when
/// the file was made.
pub(super) fn compile(path: &Path, text: &[u8], file: &File) -> Result<(), Trouble> {
    let mut maker = Maker::new(file);
    let compiled = rules::compile(Cursor::new(text), Manner::Classic, &mut maker, |_, _, _| ());
    let compiled = compiled.and_then(|()| maker.finish().map(drop).map_err(CompileError::Make));
    compiled.map_err(|error| match error {
        CompileError::Read(error) => Trouble::at(path, &error),
        CompileError::Make(error) => Trouble::Table(format!("{}: {error}", path.display())),
        CompileError::Line { number, cause, .. } => Trouble::Table(format!("{}:{number}: {cause}", path.display())),
    })
}

/// Whether a client may relay whatever the table says. Where nobody can know, it may not: a login is then recorded once more
/// than needed.
#[must_use]
pub fn may_relay_anyway(environment: &Environment, places: &Places, address: IpAddr, host: Option<&[u8]>) -> bool {
    let rules = rules_file(environment, places).filter(|path| !is_missing(path)).map(|path| StaticRules::read(&path));
    let standing = rules.transpose().ok().flatten().and_then(|rules| rules.standing(address, host).ok());
    standing == Some(Standing::Relays)
}

fn is_missing(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
