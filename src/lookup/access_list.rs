//! accesslist: which sender may write to which recipient.

use std::ops::ControlFlow;

use crate::control::Setup;
use crate::lookup::address::each_entry;
use crate::lookup::ere::BadExpression;
use crate::lookup::shape::{Expressions, Shaped};
use crate::lookup::undecided::Undecided;
use crate::lookup::{entry_of, failed, list_name};
use crate::policy::verdict::{Answer, LookupFailed};
use crate::smtp::path::domain;

/// The recipients that everybody may write to.
const ALWAYS: [&[u8]; 2] = [b"postmaster", b"abuse"];

/// Whom a line is about in the first place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// `rcpt:`: such recipients hear only from such senders.
    Recipients,
    /// `from:`: such senders write only to such recipients.
    Senders,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// Whom it is about.
    pub about: About,
    /// The pattern of senders.
    pub sender: &'a [u8],
    /// The pattern of recipients.
    pub recipient: &'a [u8],
}

impl<'a> Access<'a> {
    /// Reads a line, `rcpt:SENDER:RECIPIENT` or `from:SENDER:RECIPIENT`; none if it is no such line.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Option<Self> {
        let (about, rest) = match (entry.strip_prefix(b"rcpt:"), entry.strip_prefix(b"from:")) {
            (Some(rest), _) => (About::Recipients, rest),
            (None, Some(rest)) => (About::Senders, rest),
            (None, None) => return None,
        };
        let colon = memchr::memchr(b':', rest)?;
        Some(Self { about, sender: rest.get(..colon)?, recipient: rest.get(colon + 1..)? })
    }
}

/// Whether the list refuses this sender to this recipient; the line that does.
pub(super) fn answer(
    sender: &[u8],
    recipient: &[u8],
    setup: &Setup,
    expressions: &mut Expressions,
) -> Result<Answer, LookupFailed> {
    let local_part = match domain(recipient) {
        Some(domain) => recipient.get(..recipient.len() - domain.len() - 1).unwrap_or_default(),
        None => recipient,
    };
    if sender.is_empty() || sender == b"#@[]" || ALWAYS.iter().any(|name| name.eq_ignore_ascii_case(local_part)) {
        return Ok(Answer::No);
    }
    let file = list_name(setup, "ACCESSLIST", "accesslist");
    let path = setup.control.directory.join(file.as_ref());
    let (from, to) = (Shaped::new(sender, setup), Shaped::new(recipient, setup));
    let mut by_recipient = Pass::default();
    let mut by_sender = Pass::default();
    let read = each_entry(
        &path,
        |_| true,
        |line, entry| {
            if let Some(access) = Access::parse(entry) {
                let sides = [(&to, access.recipient), (&from, access.sender)];
                by_recipient.see(line, access.about == About::Recipients, sides, expressions);
                let sides = [(&from, access.sender), (&to, access.recipient)];
                by_sender.see(line, access.about == About::Senders, sides, expressions);
            }
            ControlFlow::Continue(())
        },
    );
    let read = read.map_err(|unreadable| failed(file.clone(), Undecided::Unreadable(unreadable)))?;
    if read.is_none() {
        return Ok(Answer::Absent);
    }
    if by_recipient.allowed || by_sender.allowed {
        return Ok(Answer::No);
    }
    match (by_recipient.bad.or(by_sender.bad), by_recipient.restricted_by.or(by_sender.restricted_by)) {
        (Some((line, error)), _) => Err(failed(file, Undecided::Expression { path, line, error })),
        (None, Some(line)) => Ok(entry_of(file, Some(line))),
        (None, None) => Ok(Answer::No),
    }
}

/// What the lines so far have said from one side. D64: they stay as they are, whomever they let through.
#[derive(Debug, Default)]
struct Pass {
    restricted_by: Option<u32>,
    allowed: bool,
    /// D05: a line that does not compile restricts nobody and lets nobody through; whom it may be about comes again.
    bad: Option<(u32, BadExpression)>,
}

impl Pass {
    /// A line whose first pattern matches restricts, if it `restricts`; once restricted, whose second one matches may pass.
    fn see(&mut self, line: u32, restricts: bool, sides: [(&Shaped, &[u8]); 2], expressions: &mut Expressions) {
        let mut is_about = |(text, pattern): (&Shaped, &[u8])| match text.matches(pattern, expressions) {
            Ok(matches) => matches || text.is(pattern),
            Err(error) => {
                self.bad.get_or_insert((line, error));
                false
            }
        };
        let [first, second] = sides;
        // A line of the other kind matters only to whom a line has restricted.
        let matters = restricts || self.restricted_by.is_some();
        if self.allowed || !matters || !is_about(first) {
            return;
        }
        if restricts {
            self.restricted_by.get_or_insert(line);
        }
        self.allowed = self.restricted_by.is_some() && is_about(second);
    }
}
