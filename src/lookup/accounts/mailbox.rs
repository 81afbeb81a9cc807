//! CHECKRECIPIENT and CHECKSENDER: who has a mailbox and who may send, asked of `recipients`, the system and a database.

use std::path::Path;

use crate::account_table::assign::Assign;
use crate::account_table::question::{Asked, Status};
use crate::control::CheckRecipient;
use crate::control::environment::Environment;
use crate::lookup::accounts::{Accounts, Address, Whom, is_plain};
use crate::policy::verdict::{Answer, Evidence, FileName, LookupFailed, Unfit};

/// The domain of a recipient without one, in `recipients`.
const NO_DOMAIN: &[u8] = b"localhost";
/// The variable with the code for a mailbox that is over quota.
const OVER_QUOTA: &str = "ACCOUNT_OVERQUOTA";
/// Files that tell of a database with accounts.
const DATABASES: [&str; 3] = ["libindimail", "host.mysql", "vpopmail.mysql"];

/// Who can tell of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// `recipients`, which has to be there.
    Recipients,
    /// `recipients`, if it is there.
    RecipientsIfAny,
    /// The users of this host.
    System,
    /// The accounts of a database.
    Database,
}

impl Accounts<'_> {
    /// Whether a recipient has a mailbox. One source that knows it is enough.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when a source fails and none of the others knows the recipient: nobody can know now.
    pub fn recipient(&mut self, address: &[u8], check: CheckRecipient) -> Result<Answer, LookupFailed> {
        let whole = address.to_ascii_lowercase();
        let Some(askable) = Askable::parse(&whole) else { return Ok(Answer::Unfit(Unfit::Absent)) };
        let is_of_system = self.is_of_system(askable.domain)?;
        let elsewhere = match (is_of_system, self.has_database()) {
            (true, _) => Some(Source::System),
            (false, true) => Some(Source::Database),
            (false, false) => None,
        };
        let sources = match (check, elsewhere) {
            (CheckRecipient::Recipients, _) | (CheckRecipient::Accounts, None) => [Some(Source::Recipients), None],
            (CheckRecipient::Both, elsewhere) => [Some(Source::Recipients), elsewhere],
            // Without a database there is nothing else but the original's last resort.
            (CheckRecipient::Accounts, Some(Source::System)) if !self.has_database() => {
                [elsewhere, Some(Source::RecipientsIfAny)]
            }
            (CheckRecipient::Accounts, elsewhere) => [elsewhere, None],
        };
        self.first_to_know(sources, &askable, Whom::Recipient)
    }

    /// Whether a sender, or a user, has an account and may send. [`Answer::Absent`]: nobody knows the accounts of its domain.
    ///
    /// # Errors
    ///
    /// As [`Self::recipient`].
    pub fn sender(&mut self, address: &[u8]) -> Result<Answer, LookupFailed> {
        let whole = address.to_ascii_lowercase();
        let Some(askable) = Askable::parse(&whole) else { return Ok(Answer::Unfit(Unfit::Absent)) };
        let source = match (self.is_of_system(askable.domain)?, self.has_database()) {
            (true, _) => Source::System,
            (false, true) => Source::Database,
            (false, false) if self.setup.control.directory.join("recipients").exists() => Source::Recipients,
            (false, false) => return Ok(Answer::Absent),
        };
        self.first_to_know([Some(source), None], &askable, Whom::User)
    }

    /// Whether one domain is another name of the other, as `users/cdb` tells. Without such a file no domain has two names.
    ///
    /// # Errors
    ///
    /// [`LookupFailed::Accounts`] when the file is there, or named, and cannot be read.
    pub fn is_same_domain(&self, domain: &[u8], other: &[u8]) -> Result<Answer, LookupFailed> {
        let environment = &self.setup.environment;
        let assign = Assign::find(environment, self.setup.working_directory());
        let assign = assign.filter(|assign| assign.exists() || environment.get(b"ASSIGNDIR").is_some());
        let Some(assign) = assign else { return Ok(Answer::No) };
        let real = |domain: &[u8]| {
            let domain = domain.to_ascii_lowercase();
            let found = assign.domain(&domain).map_err(LookupFailed::Accounts)?;
            Ok(found.map_or(domain, |found| found.name))
        };
        Ok(if real(domain)? == real(other)? { yes("users/cdb", None) } else { Answer::No })
    }

    /// Whether the users of a domain are those of this host.
    fn is_of_system(&mut self, domain: Option<&[u8]>) -> Result<bool, LookupFailed> {
        domain.map_or(Ok(true), |domain| self.is_in_locals(domain))
    }

    fn has_database(&self) -> bool {
        has_database(&self.setup.control.directory, &self.setup.environment)
    }

    fn first_to_know(
        &mut self,
        sources: [Option<Source>; 2],
        askable: &Askable<'_>,
        whom: Whom,
    ) -> Result<Answer, LookupFailed> {
        let mut answer = Ok(Answer::Unfit(Unfit::Absent));
        for source in sources.into_iter().flatten() {
            match self.ask_source(source, askable, whom) {
                Ok(Answer::Unfit(Unfit::Absent)) => {}
                Ok(known) => return Ok(known),
                Err(failed) => answer = answer.and(Err(failed)),
            }
        }
        answer
    }

    fn ask_source(&mut self, source: Source, askable: &Askable<'_>, whom: Whom) -> Result<Answer, LookupFailed> {
        match source {
            Source::System => Ok(match self.of_host(askable.name)? {
                Some(place) => yes(place.file(), None),
                None => Answer::Unfit(Unfit::Absent),
            }),
            Source::Database => {
                let asked = if whom == Whom::User { Asked::Sender } else { Asked::Recipient };
                let address = [askable.name, b"@", askable.domain.unwrap_or_default()].concat();
                of_status(self.database.ask(self.setup, asked, address)?, &self.setup.environment)
            }
            Source::Recipients | Source::RecipientsIfAny => {
                let whole = [askable.name, b"@", askable.domain.unwrap_or(NO_DOMAIN)].concat();
                let Some(address) = Address::parse(&whole) else { return Ok(Answer::Unfit(Unfit::Absent)) };
                match self.in_recipients(&address, whom).map_err(of_recipients)? {
                    Some(Some(line)) => Ok(yes("recipients", Some(line))),
                    None if source == Source::Recipients => {
                        let remedy = match self.has_database() {
                            true => "set CHECKRECIPIENT to 1",
                            // Then 1 would ask it, too.
                            false => "name a database with accounts, as checkaddress(8) tells, for CHECKRECIPIENT 1",
                        };
                        let missing = format!("there is no control/recipients file: create it, or {remedy}");
                        Err(LookupFailed::Recipients(missing))
                    }
                    Some(None) | None => Ok(Answer::Unfit(Unfit::Absent)),
                }
            }
        }
    }
}

/// Whether anything tells of a database with accounts: its server, or the library of the original.
#[must_use]
pub fn has_database(control: &Path, environment: &Environment) -> bool {
    [b"VIRTUAL_PKG_LIB".as_slice(), b"MYSQL_HOST"].iter().any(|name| environment.get(name).is_some())
        || DATABASES.iter().any(|file| control.join(file).exists())
}

/// An address that somebody may have, in lower case; without a domain it is a user of this host.
struct Askable<'a> {
    name: &'a [u8],
    domain: Option<&'a [u8]>,
}

impl<'a> Askable<'a> {
    /// Nobody has an address without a name, or with NUL, CR or LF.
    fn parse(whole: &'a [u8]) -> Option<Self> {
        let (name, domain) = match memchr::memrchr(b'@', whole) {
            Some(at) => (whole.get(..at)?, Some(whole.get(at + 1..)?)),
            None => (whole, None),
        };
        (!name.is_empty() && is_plain(whole)).then_some(Self { name, domain })
    }
}

/// The original says the same of all that keeps the sources of `recipients` from telling; only the file itself is another matter.
fn of_recipients(failed: LookupFailed) -> LookupFailed {
    if matches!(failed, LookupFailed::Unreadable { .. }) {
        failed
    } else {
        LookupFailed::Recipients(failed.to_string())
    }
}

fn of_status(status: Status, environment: &Environment) -> Result<Answer, LookupFailed> {
    Ok(match status {
        Status::Ok => yes("accounts", None),
        Status::Absent => Answer::Unfit(Unfit::Absent),
        Status::Inactive => Answer::Unfit(Unfit::Inactive),
        Status::OverQuota => Answer::Unfit(
            environment
                .get(OVER_QUOTA.as_bytes())
                .map_or(Ok(Unfit::OverQuota), over_quota)
                .map_err(|error| LookupFailed::BadSetting { file: OVER_QUOTA.into(), error })?,
        ),
        Status::NoSmtp => Answer::Unfit(Unfit::NoSmtp),
    })
}

/// What it means that a mailbox is over quota, by the code in `ACCOUNT_OVERQUOTA`: refused, as in the original, or for now.
///
/// # Errors
///
/// What it says instead, and what to write.
pub fn over_quota(code: &[u8]) -> Result<Unfit, String> {
    match code {
        b"550" => Ok(Unfit::OverQuota),
        b"452" => Ok(Unfit::FullForNow),
        other => Err(format!("`{}`: write 550 or 452", other.escape_ascii())),
    }
}

fn yes(source: &'static str, line: Option<u32>) -> Answer {
    Answer::Yes(Evidence { file: FileName::from(source), line, suffix: Vec::new() })
}
