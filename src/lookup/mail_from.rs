//! relaymailfrom: whether a sender may relay, and from where.

use std::ops::ControlFlow;
use std::path::PathBuf;

use memchr::memmem;

use crate::control::Setup;
use crate::lookup::accounts::Accounts;
use crate::lookup::address::{AddressList, each_entry};
use crate::lookup::client_list::{World, decide};
use crate::lookup::clients::{Reading, Rejected, Sought};
use crate::lookup::compiled::Compiled;
use crate::lookup::listed;
use crate::lookup::sender_line::{Sender, SenderLine};
use crate::lookup::sql_list::SqlList;
use crate::lookup::undecided::Undecided;
use crate::lookup::{ByUse, compiled_failed, failed};
use crate::policy::verdict::{Answer, Evidence, FileName, LookupFailed, Using};
use crate::smtp::path::domain;

/// The keys of conditions in a compiled list begin so, because no address does.
pub(super) const CONDITION: u8 = 0;

/// The list, and what it said of the sender that was asked for last.
pub(super) struct MailFrom<'s> {
    file: FileName,
    path: PathBuf,
    addresses: AddressList,
    sql: SqlList,
    compiled: Compiled,
    accounts: Accounts<'s>,
    /// The lines of the text that are conditions; read once.
    conditions: Option<Conditions>,
    last: Option<(Vec<u8>, ByUse)>,
}

#[derive(Debug, Default)]
struct Conditions {
    lines: Vec<Condition>,
    /// A line that excepts nobody knows whom.
    unreadable: Option<(u32, String)>,
}

/// A line that is about some senders, or about some of their clients.
#[derive(Debug, Clone)]
struct Condition {
    line: u32,
    /// As in the line: `@domain`, `user@domain`, `=localhosts`, `=localusers`.
    sender: Vec<u8>,
    client: Option<Vec<u8>>,
}

impl<'s> MailFrom<'s> {
    pub(super) fn new(setup: &'s Setup, file: FileName) -> Self {
        let directory = &setup.control.directory;
        Self {
            path: directory.join(file.as_ref()),
            addresses: AddressList::new(directory, &file)
                .without(|line| !matches!(SenderLine::parse(line), SenderLine::Address)),
            sql: SqlList::new(directory, &file),
            compiled: Compiled::new(directory.join(format!("{file}.cdb"))),
            accounts: Accounts::new(setup),
            conditions: None,
            last: None,
            file,
        }
    }

    /// Whether a sender may relay from this client.
    pub(super) fn find(
        &mut self,
        sender: &[u8],
        sought: Option<&Sought<'_>>,
        using: Using,
        world: &mut World<'_>,
    ) -> Result<Answer, LookupFailed> {
        let last = self.last.take().filter(|(asked, _)| asked == sender);
        let (asked, mut answers) = last.unwrap_or_else(|| (sender.to_vec(), ByUse::default()));
        let known = answers.get(using).cloned();
        let answer = known.unwrap_or_else(|| self.search(sender, sought, using, world));
        let answer = answers.keep(using, answer);
        self.last = Some((asked, answers));
        answer
    }

    fn search(
        &mut self,
        sender: &[u8],
        sought: Option<&Sought<'_>>,
        using: Using,
        world: &mut World<'_>,
    ) -> Result<Answer, LookupFailed> {
        let by_address = self.by_address(sender, world.setup);
        if by_address == Ok(Answer::Absent) {
            return by_address; // There is neither a text nor a compiled list to look for conditions in.
        }
        let Conditions { lines, unreadable } = self.conditions_for(sender, world.notes)?;
        let answer = match by_address {
            Ok(Answer::Yes(evidence)) => Ok(Answer::Yes(evidence)),
            otherwise => match self.by_condition(&lines, sender, sought, using, world)? {
                Answer::No | Answer::Absent => otherwise,
                answer @ (Answer::Yes(_)
                | Answer::NeedsDns
                | Answer::Excepted(_)
                | Answer::Unfit(_)
                | Answer::Applied(_)) => Ok(answer),
            },
        };
        match (answer, unreadable) {
            (Ok(Answer::Yes(_)), Some((line, error))) => {
                Err(LookupFailed::Exception { file: self.file.clone(), line, error })
            }
            (answer, _) => answer,
        }
    }

    /// What the lines of the original's forms say.
    fn by_address(&mut self, sender: &[u8], setup: &Setup) -> Result<Answer, LookupFailed> {
        let found = listed::answer(self.addresses.find(sender, listed::syntax(setup)), &self.file, None);
        self.sql.also(found, sender, setup)
    }

    /// What the conditions that may be about this sender say. A failure is none if another line grants.
    fn by_condition(
        &mut self,
        lines: &[Condition],
        sender: &[u8],
        sought: Option<&Sought<'_>>,
        using: Using,
        world: &mut World<'_>,
    ) -> Result<Answer, LookupFailed> {
        let (mut failed, mut needs_dns) = (None, false);
        for condition in lines {
            match self.weigh(condition, sender, sought, using, world) {
                Ok(Answer::Yes(evidence)) => return Ok(Answer::Yes(evidence)),
                Ok(Answer::NeedsDns) => needs_dns = true,
                Ok(Answer::No | Answer::Absent | Answer::Excepted(_) | Answer::Unfit(_) | Answer::Applied(_)) => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        match failed {
            Some(failed) => Err(failed),
            None if needs_dns => Ok(Answer::NeedsDns),
            None => Ok(Answer::No),
        }
    }

    /// What one line says. It is asked about the sender only where it holds for the client, and DNS only where it is about
    /// the sender: what cannot change the answer cannot make it 451 either.
    fn weigh(
        &mut self,
        condition: &Condition,
        sender: &[u8],
        sought: Option<&Sought<'_>>,
        using: Using,
        world: &mut World<'_>,
    ) -> Result<Answer, LookupFailed> {
        let Some(client) = &condition.client else {
            return Ok(if self.is_about(condition, sender)? {
                Answer::Yes(self.evidence(condition))
            } else {
                Answer::No
            });
        };
        let Some(sought) = sought else { return Ok(Answer::No) };
        let mut reading = Reading::default();
        reading.see(condition.line, client, sought);
        let here = decide(&reading, &self.file, sought, Using::Files, world);
        if matches!(here, Ok(Answer::No | Answer::Absent | Answer::Excepted(_))) || !self.is_about(condition, sender)? {
            return Ok(Answer::No);
        }
        let answer = match (here?, using) {
            (Answer::NeedsDns, Using::Dns) => decide(&reading, &self.file, sought, using, world)?,
            (answer, _) => answer,
        };
        Ok(if matches!(answer, Answer::Yes(_)) { Answer::Yes(self.evidence(condition)) } else { answer })
    }

    fn evidence(&self, condition: &Condition) -> Evidence {
        Evidence { file: self.file.clone(), line: Some(condition.line), suffix: Vec::new() }
    }

    fn is_about(&mut self, condition: &Condition, sender: &[u8]) -> Result<bool, LookupFailed> {
        match condition.sender.as_slice() {
            b"=localhosts" => domain(sender).map_or(Ok(false), |domain| self.accounts.is_local_host(domain)),
            b"=localusers" => self.accounts.is_local_user(sender),
            literal => Ok(literal_keys(sender).any(|key| key.eq_ignore_ascii_case(literal))),
        }
    }

    /// The conditions that may be about the sender: those of the text, and those of the compiled list under its keys.
    fn conditions_for(&mut self, sender: &[u8], notes: &mut Vec<String>) -> Result<Conditions, LookupFailed> {
        if self.conditions.is_none() {
            self.conditions = Some(self.read_conditions(notes)?);
        }
        let text = self.conditions.as_ref();
        let may_be = |condition: &&Condition| {
            let literal = condition.sender.as_slice();
            literal.starts_with(b"=") || literal_keys(sender).any(|key| key.eq_ignore_ascii_case(literal))
        };
        let mut lines: Vec<Condition> =
            text.map(|text| text.lines.iter().filter(may_be).cloned().collect()).unwrap_or_default();
        let mut unreadable = text.and_then(|text| text.unreadable.clone());
        let words: [&[u8]; 3] = [b"=localhosts", b"=localusers", b"!"];
        for key in literal_keys(sender).chain(words) {
            for (line, rest) in self.compiled_conditions(key)? {
                if key == b"!" {
                    unreadable.get_or_insert((line, String::from_utf8_lossy(&rest).into_owned()));
                } else {
                    let client = Some(rest).filter(|client| !client.is_empty());
                    lines.push(Condition { line, sender: key.to_vec(), client });
                }
            }
        }
        Ok(Conditions { lines, unreadable })
    }

    /// The lines under a key of the compiled list, each `12+client`.
    fn compiled_conditions(&mut self, key: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, LookupFailed> {
        let key = [&[CONDITION], key.to_ascii_lowercase().as_slice()].concat();
        let value = self.compiled.get(&key).map_err(|undecided| {
            let error = undecided.to_string();
            compiled_failed(format!("{}.cdb", self.file).into(), self.compiled.path().to_owned(), error)
        })?;
        let lines = value.unwrap_or_default();
        let read = |line: &[u8]| {
            let sign = memchr::memchr(b'+', line)?;
            let number = std::str::from_utf8(line.get(..sign)?).ok()?.parse().ok()?;
            Some((number, line.get(sign + 1..)?.to_vec()))
        };
        Ok(lines.split(|byte| *byte == b'\n').filter_map(read).collect())
    }

    fn read_conditions(&self, notes: &mut Vec<String>) -> Result<Conditions, LookupFailed> {
        let mut conditions = Conditions::default();
        let mut rejected = Rejected::default();
        let may_hold = |piece: &crate::lookup::pieces::Piece<'_>| {
            memchr::memchr2(b'&', 0, piece.framed).is_some() || memmem::find(piece.framed, b"\n=").is_some()
        };
        let read = each_entry(&self.path, may_hold, |line, entry| {
            conditions.see(line, entry, &mut rejected);
            ControlFlow::Continue(())
        });
        read.map_err(|unreadable| failed(self.file.clone(), Undecided::Unreadable(unreadable)))?;
        notes.extend(rejected.notes(&self.file));
        Ok(conditions)
    }
}

impl Conditions {
    fn see(&mut self, line: u32, entry: &[u8], rejected: &mut Rejected) {
        match SenderLine::parse(entry) {
            SenderLine::Address => {}
            SenderLine::Condition { sender, client } => {
                let sender = sender_key(sender).to_vec();
                self.lines.push(Condition { line, sender, client: client.map(<[u8]>::to_vec) });
            }
            SenderLine::Malformed { exception, client: _, fault } => {
                let why = rejected.add(line, entry, &fault);
                if exception {
                    self.unreadable.get_or_insert((line, why));
                }
            }
        }
    }
}

/// What stands for a sender in a compiled list.
pub(super) fn sender_key(sender: Sender<'_>) -> &[u8] {
    match sender {
        Sender::Literal(text) => text,
        Sender::LocalHosts => b"=localhosts",
        Sender::LocalUsers => b"=localusers",
    }
}

/// The sender, and `@` with its domain.
fn literal_keys(sender: &[u8]) -> impl Iterator<Item = &[u8]> {
    let domain = memchr::memrchr(b'@', sender).and_then(|at| sender.get(at..));
    std::iter::once(sender).chain(domain).filter(|key| !key.is_empty())
}
