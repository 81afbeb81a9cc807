//! Who is a local host and a local user: `=localhosts` and `=localusers` of relaymailfrom; who has a mailbox.

pub mod database;
pub mod mailbox;
pub mod system;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::control::Setup;
use crate::errno::words;
use crate::helper;
use crate::lookup::accounts::database::Database;
use crate::lookup::compiled::Compiled;
use crate::lookup::keyed::KeyedList;
use crate::lookup::list::{self, Found, List};
use crate::lookup::passwd;
use crate::lookup::recipients::{self, Rule, Source};
use crate::lookup::undecided::{Undecided, Unreadable};
use crate::policy::verdict::LookupFailed;
use crate::spawn;

/// Where the users of this host are.
const PASSWD: &str = "/etc/passwd";
/// How long the programs of `recipients` may take for an address, all together, in seconds.
const PROGRAM_SECONDS_MAX: u64 = 5;
/// The exit code of a program that cannot tell now.
const TEMPORARY: i32 = 111;
/// The most compiled lists of `recipients` kept open; a site may have one for each of its domains.
const OPEN_CDBS_MAX: usize = 16;
/// The most answers kept of either kind.
const ANSWERS_MAX: usize = 64;

/// The local hosts and users of this site, as far as files tell. Nothing is read before it is asked for; compiled lists stay
/// open and answers are kept for the session, failures are not.
pub struct Accounts<'s> {
    setup: &'s Setup,
    passwd: PathBuf,
    locals: List,
    virtual_domains: KeyedList,
    rcpthosts: List,
    cdbs: BTreeMap<PathBuf, Compiled>,
    hosts: Answers,
    users: Answers,
    database: Database,
}

impl<'s> Accounts<'s> {
    /// The accounts that the control directory of `setup` and the system know.
    #[must_use]
    pub fn new(setup: &'s Setup) -> Self {
        Self::with_passwd(setup, PathBuf::from(PASSWD))
    }

    /// The same with what a database has answered already, in a session before.
    pub(super) fn with_known(setup: &'s Setup, database: Database) -> Self {
        Self { database, ..Self::new(setup) }
    }

    /// What a database has answered, for [`Self::with_known`].
    pub(super) fn into_known(self) -> Database {
        self.database
    }

    fn with_passwd(setup: &'s Setup, passwd: PathBuf) -> Self {
        let directory = &setup.control.directory;
        Self {
            setup,
            passwd,
            locals: List::new(directory.join("locals")),
            virtual_domains: KeyedList::new(directory.join("virtualdomains")),
            rcpthosts: List::new(directory.join("rcpthosts")),
            cdbs: BTreeMap::new(),
            hosts: Answers::default(),
            users: Answers::default(),
            database: Database::default(),
        }
    }

    /// Whether the domain is in `locals`, in `virtualdomains`, or in `rcpthosts` without a dot in front.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when one of the files cannot be read and none of the others has the domain.
    pub fn is_local_host(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        let domain = domain.to_ascii_lowercase();
        // `.host.ex` would find the line for what is below host.ex, `joe@host.ex` the line for joe alone.
        if matches!(domain.first(), None | Some(b'.')) || domain.contains(&b'@') || !is_plain(&domain) {
            return Ok(false);
        }
        if let Some(known) = self.hosts.get(&domain) {
            return Ok(known);
        }
        let sources = [Self::is_in_locals, Self::is_virtual, Self::is_in_rcpthosts];
        let answer = any(sources.into_iter().map(|source| source(self, &domain)))?;
        self.hosts.keep(domain, answer);
        Ok(answer)
    }

    /// Whether there is an account of this name in exactly this domain, which must be a local host: in a list or by a
    /// program of `recipients`, or, where the domain is in `locals`, in `/etc/passwd`. The null sender is nobody.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when a source fails and none of the others has the account.
    pub fn is_local_user(&mut self, address: &[u8]) -> Result<bool, LookupFailed> {
        let whole = address.to_ascii_lowercase();
        let Some(address) = Address::parse(&whole) else { return Ok(false) };
        if let Some(known) = self.users.get(&whole) {
            return Ok(known);
        }
        let sources = [Self::is_in_recipients, Self::is_in_passwd];
        let answer =
            self.is_local_host(address.domain)? && any(sources.into_iter().map(|source| source(self, &address)))?;
        self.users.keep(whole, answer);
        Ok(answer)
    }

    /// A missing `locals` stands for the name in `me`.
    fn is_in_locals(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        match self.locals.find_any(&[domain]).map_err(|error| unreadable("locals", error))? {
            Found::Absent => Ok(self.setup.control.me.as_ref().is_some_and(|me| me.eq_ignore_ascii_case(domain))),
            Found::No => Ok(false),
            Found::Yes { .. } => Ok(true),
        }
    }

    /// The most specific line speaks; one without a prepend, or without a colon, makes an exception.
    fn is_virtual(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        let found = self.virtual_domains.find_keyed(&list::domain_keys(domain));
        match found.map_err(|error| unreadable("virtualdomains", error))? {
            Found::Absent | Found::No => Ok(false),
            Found::Yes { value, .. } => Ok(!value.is_empty()),
        }
    }

    fn is_in_rcpthosts(&mut self, domain: &[u8]) -> Result<bool, LookupFailed> {
        match self.rcpthosts.find_any(&[domain]).map_err(|error| unreadable("rcpthosts", error))? {
            Found::Absent | Found::No => Ok(false),
            Found::Yes { .. } => Ok(true),
        }
    }

    fn is_in_recipients(&mut self, address: &Address<'_>) -> Result<bool, LookupFailed> {
        Ok(self.in_recipients(address, Whom::User)?.is_some_and(|line| line.is_some()))
    }

    /// The line of `recipients` that has the address; none at all if there is no such file.
    fn in_recipients(&mut self, address: &Address<'_>, whom: Whom) -> Result<Option<Option<u32>>, LookupFailed> {
        let path = self.setup.control.directory.join("recipients");
        let rules = recipients::rules_for(&path, address.domain);
        let rules = rules.map_err(|error| unreadable("recipients", Unreadable { path, error }))?;
        let Some(rules) = rules else { return Ok(None) };
        let deadline = Instant::now() + Duration::from_secs(PROGRAM_SECONDS_MAX);
        let mut found = None;
        any(rules.into_iter().map(|rule| {
            let line = rule.line;
            let answer = self.ask(rule, address, whom, deadline);
            found = found.or((answer == Ok(true)).then_some(line));
            answer
        }))?;
        Ok(Some(found))
    }

    fn is_in_passwd(&mut self, address: &Address<'_>) -> Result<bool, LookupFailed> {
        Ok(self.is_in_locals(address.domain)?
            && passwd::is_user(&self.passwd, address.name)
                .map_err(|error| unreadable(PASSWD, Unreadable { path: self.passwd.clone(), error }))?)
    }

    fn ask(
        &mut self,
        Rule { line, source }: Rule,
        address: &Address<'_>,
        whom: Whom,
        deadline: Instant,
    ) -> Result<bool, LookupFailed> {
        let forms = || [Some(address.whole.to_vec()), address.list(whom)].into_iter().flatten();
        let answer = match source {
            Source::Anybody => Ok(whom == Whom::Recipient), // A line that lets everybody pass knows no accounts.
            Source::Cdb(path) => {
                return self.is_in_cdb(self.setup.working_directory().join(OsStr::from_bytes(&path)), forms());
            }
            Source::Program(text) => forms().try_fold(false, |known, form| match known {
                true => Ok(true),
                false => self.ask_program(&text, &form, deadline),
            }),
            Source::Unusable(why) => Err(why.to_owned()),
        };
        answer.map_err(|error| LookupFailed::BadEntry { file: "recipients".into(), line, error })
    }

    fn is_in_cdb(&mut self, path: PathBuf, forms: impl Iterator<Item = Vec<u8>>) -> Result<bool, LookupFailed> {
        if self.cdbs.len() >= OPEN_CDBS_MAX && !self.cdbs.contains_key(&path) {
            self.cdbs.clear();
        }
        let cdb = self.cdbs.entry(path.clone()).or_insert_with(|| Compiled::new(path.clone()));
        let keys: Vec<Vec<u8>> = forms.map(|form| [b":".as_slice(), &form].concat()).collect();
        let error = match cdb.contains_any(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>()) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => words(&io::Error::from_raw_os_error(libc::ENOENT)).into_owned(),
            Err(Undecided::Unreadable(unreadable)) => words(&unreadable.error).into_owned(),
            Err(Undecided::Compiled { error, .. }) => error.to_string(),
            Err(Undecided::Expression { error, .. }) => error.to_string(),
        };
        self.cdbs.remove(&path); // It may have been replaced when it is asked again.
        Err(LookupFailed::Compiled { file: "recipients".into(), path, error })
    }

    fn ask_program(&self, text: &[u8], address: &[u8], deadline: Instant) -> Result<bool, String> {
        let environment = &self.setup.environment;
        let mut program = spawn::words(text, |name| environment.get(name).unwrap_or_default().to_vec());
        let Some(name) = program.first_mut() else { return Err("no program".to_owned()) };
        if name.contains(&b'/') {
            *name = self.setup.working_directory().join(OsStr::from_bytes(name)).into_os_string().into_encoded_bytes();
        }
        let name = name.escape_ascii().to_string();
        let question = [address, b"\0\0\0"].concat();
        let answer = helper::ask(&program, environment, helper::Question::OnDescriptor3(&question), deadline)
            .map_err(|error| format!("{name}: {error}"))?;
        match answer.code {
            0 => Ok(true),
            TEMPORARY => match answer.first_line().as_str() {
                "" => Err(format!("{name}: exit code {TEMPORARY}")),
                said => Err(format!("{name}: exit code {TEMPORARY}: {said}")),
            },
            _ => Ok(false),
        }
    }
}

/// Whom `recipients` is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// A user of exactly this name: what an extension or a bounce address stands for is none.
    User,
    /// A recipient: `list-joe=x.ex@here` is for `list-@here`, and a line may let everybody pass.
    Recipient,
}

/// An address, in lower case, that a mailbox may have.
struct Address<'a> {
    whole: &'a [u8],
    name: &'a [u8],
    domain: &'a [u8],
}

impl<'a> Address<'a> {
    /// Nobody has an address without a name or a domain, or with NUL, CR or LF, which have a meaning for programs.
    fn parse(whole: &'a [u8]) -> Option<Self> {
        let at = memchr::memrchr(b'@', whole).filter(|at| *at > 0 && is_plain(whole))?;
        Some(Self { whole, name: whole.get(..at)?, domain: whole.get(at + 1..)? })
    }
}

impl Address<'_> {
    /// The address that the beginning of a recipient's name stands for, up to the first `-`, `=` or `+` (VERP).
    fn list(&self, whom: Whom) -> Option<Vec<u8>> {
        let breaks = memchr::memchr3(b'-', b'=', b'+', self.name).filter(|_| whom == Whom::Recipient)?;
        Some([self.name.get(..=breaks)?, b"@", self.domain].concat())
    }
}

/// One yes is enough; without it a failure means that nobody knows.
fn any(answers: impl Iterator<Item = Result<bool, LookupFailed>>) -> Result<bool, LookupFailed> {
    let mut no = Ok(false);
    for answer in answers {
        match answer {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(failed) => no = no.and(Err(failed)),
        }
    }
    no
}

fn is_plain(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_control)
}

fn unreadable(file: &'static str, Unreadable { path, error }: Unreadable) -> LookupFailed {
    LookupFailed::Unreadable { file: file.into(), path, error: words(&error).into_owned() }
}

/// What was answered in this session.
#[derive(Default)]
struct Answers(BTreeMap<Vec<u8>, bool>);

impl Answers {
    fn get(&self, asked: &[u8]) -> Option<bool> {
        self.0.get(asked).copied()
    }

    fn keep(&mut self, asked: Vec<u8>, answer: bool) {
        if self.0.len() >= ANSWERS_MAX {
            self.0.clear();
        }
        self.0.insert(asked, answer);
    }
}

#[cfg(test)]
mod tests;
