//! A session as RFC 5321 and the operator see it: the checks in the order of smtpd(8), and what a transaction has.

use std::collections::BTreeSet;

use postern::policy::listing::Listing;
use postern::policy::rules::RuleFile;

use crate::grounds::{grounds, is_trusted, local_or_own, rights, suffix_of_all};
use crate::rules::Gives;
use crate::steps::{FROM, OTHERS, Step, TO};
use crate::world::{Is, World};

/// What must follow a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A reply with this code.
    Code(u16),
    /// 553, in the operator's words if there are any.
    NoGrant,
    /// Content is received.
    Message,
    /// The end.
    Close,
}

/// A ground that a transaction or a recipient had, and what ended the transaction. No other one may have it for that.
type Had = (&'static str, &'static str);

/// What a transaction has.
struct Transaction {
    sender: &'static str,
    recipients: Vec<Recipient>,
    /// All of it is thrown away.
    is_dropped: bool,
    /// Recipients without a mailbox.
    invalid: u32,
    /// What rules give by the sender.
    gives: Gives,
    /// The same for the recipients, once there is one that rules may be about.
    settled: Option<Gives>,
}

struct Recipient {
    stored: String,
    is_dropped: bool,
    /// Somebody may relay to it.
    is_relayed: bool,
}

impl Transaction {
    fn gives(&self) -> Gives {
        self.settled.unwrap_or(self.gives)
    }
}

/// What becomes of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub sender: String,
    pub recipients: Vec<String>,
    /// No queue program sees it.
    pub is_dropped: bool,
    /// The settings that it has.
    pub databytes: u64,
}

/// A session that knows the whole world.
pub struct Model<'w> {
    world: &'w World,
    transaction: Option<Transaction>,
    /// The grounds of this transaction, and those of earlier ones.
    has: BTreeSet<&'static str>,
    had: BTreeSet<Had>,
}

impl<'w> Model<'w> {
    pub fn new(world: &'w World) -> Self {
        Self { world, transaction: None, has: BTreeSet::new(), had: BTreeSet::new() }
    }

    pub fn hear(&mut self, step: &Step, count: &impl Fn(String)) -> Expected {
        let code = match *step {
            Step::Helo => self.end("HELO", 250),
            Step::Ehlo => self.end("EHLO", 250),
            Step::Rset => self.end("RSET", 250),
            Step::Mail(number) => {
                self.end("MAIL", 0);
                match mail(self.world, FROM[number].1) {
                    Ok(transaction) => {
                        if transaction.gives != Gives::default() {
                            self.has.insert("rules");
                        }
                        self.transaction = Some(transaction);
                        250
                    }
                    Err((check, code)) => {
                        count(format!("check: {check}, {code}"));
                        code
                    }
                }
            }
            Step::BadMail => self.end("a bad MAIL", 555),
            Step::Rcpt(number) => match self.rcpt(TO[number].1, count) {
                Ok(()) => 250,
                Err(expected) => return expected,
            },
            Step::Data => return self.data(),
            Step::Other(number) => match OTHERS[number].1 {
                555 if self.transaction.is_none() => 503,
                code => code,
            },
            Step::Quit => return Expected::Close,
        };
        Expected::Code(code)
    }

    fn data(&mut self) -> Expected {
        let Some(transaction) = &mut self.transaction else { return Expected::Code(503) };
        if transaction.recipients.is_empty() {
            return Expected::Code(503);
        }
        let has_grant = transaction.recipients.iter().any(|one| one.is_relayed);
        let given = self.world.checks.rules.give(RuleFile::OfClients, "");
        let is_about = match given {
            Ok(None) => Is::Never,
            Ok(Some(_)) | Err(()) if has_grant => Is::Yes,
            Ok(Some(_)) | Err(()) => is_trusted(self.world, transaction.sender),
        };
        match (is_about, given) {
            (Is::Yes, Ok(Some(gives))) => transaction.settled = Some(transaction.gives().and(gives)),
            (Is::Later, _) | (Is::Yes, Err(())) => return Expected::Code(self.end("DATA", 451)),
            (Is::Yes | Is::Never, _) => {}
        }
        Expected::Message
    }

    /// What must become of it. Nothing is left for the next one.
    pub fn take_message(&mut self, count: &impl Fn(String)) -> Message {
        let transaction = self.transaction.take().unwrap();
        self.end("DATA", 354);
        let databytes = transaction.gives().databytes;
        let is_dropped = transaction.is_dropped || transaction.recipients.iter().all(|one| one.is_dropped);
        if !is_dropped && transaction.recipients.iter().any(|one| one.is_dropped) {
            count("dropped beside others".to_string());
        }
        // The log tells of them all where nobody gets it.
        let kept = transaction.recipients.into_iter().filter(|one| is_dropped || !one.is_dropped);
        let recipients = kept.map(|one| one.stored).collect();
        Message { sender: transaction.sender.to_string(), recipients, is_dropped, databytes }
    }

    fn end(&mut self, by: &'static str, code: u16) -> u16 {
        self.transaction = None;
        self.had.extend(std::mem::take(&mut self.has).into_iter().map(|ground| (ground, by)));
        code
    }

    fn rcpt(&mut self, recipient: &'static str, count: &impl Fn(String)) -> Result<(), Expected> {
        let world = self.world;
        let Some(transaction) = &mut self.transaction else { return Err(Expected::Code(503)) };
        let (sender, gives) = (transaction.sender, transaction.gives());
        let counted = |(check, code): Refused| {
            count(format!("check: {check}, {code}"));
            Expected::Code(code)
        };
        before_relaying(world, sender, recipient, gives).map_err(counted)?;
        let grounds = grounds(world, sender, recipient, gives);
        let Some((ground, _, suffix)) = grounds.iter().find(|(_, is, _)| *is == Is::Yes) else {
            let is = if grounds.iter().any(|(_, is, _)| *is == Is::Later) { Is::Later } else { Is::Never };
            count(format!("refused: {is:?}"));
            self.had.iter().for_each(|(ground, by)| count(format!("refused after: {ground}, {by}")));
            self.has.iter().for_each(|ground| count(format!("refused beside: {ground}")));
            if is == Is::Never {
                count(format!("refused by relaylevel: {}", world.level));
                return Err(Expected::NoGrant);
            }
            return Err(Expected::Code(451));
        };
        count(format!("grounds: {ground}"));
        let is_dropped = match limits(world, transaction, recipient) {
            Ok(is_dropped) => is_dropped,
            Err(refused) => {
                if refused == ("CHECKRECIPIENT", 550) {
                    transaction.invalid += 1;
                }
                return Err(counted(refused));
            }
        };
        if !is_dropped {
            settle(world, transaction, recipient).map_err(counted)?;
        }
        self.has.insert(ground);
        if transaction.gives() == Gives::default() {
            self.had.iter().filter(|(had, _)| *had == "rules").for_each(|(_, by)| count(format!("after rules: {by}")));
        } else {
            self.has.insert("rules");
        }
        let stored = [recipient, suffix_of_all(world), suffix].concat();
        let is_relayed = !["local", "own domain"].contains(ground);
        transaction.recipients.push(Recipient { stored, is_dropped, is_relayed });
        Ok(())
    }
}

/// The check that refuses, and the code of the reply.
type Refused = (&'static str, u16);

fn refused_if(is: Is, check: &'static str, code: u16) -> Result<(), Refused> {
    match is {
        Is::Yes => Err((check, code)),
        Is::Never => Ok(()),
        Is::Later => Err((check, 451)),
    }
}

fn closed_to(world: &World, gives: Gives, address: &str) -> Is {
    match local_or_own(world, address) {
        _ if !world.cugmail && !gives.cugmail => Is::Never,
        Is::Yes => Is::Never,
        Is::Never => Is::Yes,
        Is::Later => Is::Later,
    }
}

/// smtpd(8), ORDER OF CHECKS, MAIL: 5 to 14.
fn mail(world: &World, sender: &'static str) -> Result<Transaction, Refused> {
    let checks = &world.checks;
    let gives = checks.rules.give(RuleFile::BySender, sender).map_err(|()| ("from.envrules", 451))?;
    let gives = gives.unwrap_or_default();
    refused_if(checks.is_strange(sender), "hostaccess", 553)?;
    if (checks.require_auth || gives.require_auth) && !world.is_user {
        return Err(("REQUIREAUTH", 530));
    }
    refused_if(checks.has(Listing::BadMailFrom, sender), "badmailfrom", 553)?;
    refused_if(closed_to(world, gives, sender), "CUGMAIL", 553)?;
    check_sender(world, sender).map_err(|code| ("CHECKSENDER", code))?;
    let is_dropped = match checks.has(Listing::BlackholedSender, sender) {
        Is::Later => return Err(("blackholedsender", 451)),
        Is::Yes => true,
        Is::Never => false,
    };
    Ok(Transaction { sender, recipients: Vec::new(), is_dropped, invalid: 0, gives, settled: None })
}

/// A sender of ours, or a user whoever he says he is, has an account; and comes from who may relay, or is that user.
fn check_sender(world: &World, sender: &str) -> Result<(), u16> {
    let Some(accounts) = world.checks.accounts else { return Ok(()) };
    let is_ours = if sender.is_empty() { Is::Never } else { local_or_own(world, sender) };
    let subject = match is_ours {
        Is::Later => return Err(451),
        Is::Yes => sender,
        Is::Never if world.is_user => World::USER,
        Is::Never => return Ok(()),
    };
    match world.checks.is_in_scope(Listing::CheckedSenders, subject) {
        Is::Later => return Err(451),
        Is::Never => return Ok(()),
        Is::Yes => {}
    }
    match accounts.says(subject) {
        Some(Is::Yes) if world.is_user && (sender.is_empty() || sender == World::USER) => Ok(()),
        Some(Is::Yes) if world.is_user => Err(553),
        Some(Is::Yes) => {
            let may = |wanted| rights(world, sender).iter().any(|(_, is, _)| *is == wanted);
            if may(Is::Yes) { Ok(()) } else { Err(if may(Is::Later) { 451 } else { 530 }) }
        }
        Some(Is::Later) => Err(451),
        Some(Is::Never) | None => Err(553),
    }
}

/// RCPT: 5 to 8.
fn before_relaying(world: &World, sender: &str, recipient: &str, gives: Gives) -> Result<(), Refused> {
    refused_if(closed_to(world, gives, recipient), "CUGMAIL", 553)?;
    let local_part = recipient.rsplit_once('@').map_or(recipient, |(local_part, _)| local_part);
    if local_part.contains(['@', '%', '!']) {
        return Err(("relay probe", 550));
    }
    refused_if(unless_good(world, recipient, world.checks.is_bad(recipient, gives)), "badrcptto", 553)?;
    refused_if(world.checks.is_denied(sender, recipient), "accesslist", 553)
}

/// goodrcptto takes away what would be refused or dropped.
fn unless_good(world: &World, recipient: &str, is: Is) -> Is {
    match (is, world.checks.has(Listing::GoodRcptTo, recipient)) {
        (Is::Never, _) | (_, Is::Yes) => Is::Never,
        (is, Is::Never) => is,
        (_, Is::Later) => Is::Later,
    }
}

/// RCPT: 10 to 15; whether its copy is thrown away.
fn limits(world: &World, transaction: &Transaction, recipient: &str) -> Result<bool, Refused> {
    let (checks, number) = (&world.checks, transaction.recipients.len());
    if checks.invalid_max > 0 && transaction.invalid >= checks.invalid_max {
        return Err(("MAX_RCPT_ERRCOUNT", 421));
    }
    refused_if(is_without_mailbox(world, recipient), "CHECKRECIPIENT", 550)?;
    let most = if transaction.gives().one_recipient { 1 } else { world.recipients_max };
    if number >= most {
        return Err(("maxrecipients", 557));
    }
    if transaction.sender.is_empty() && number > 0 {
        return Err(("bounce", 553));
    }
    match unless_good(world, recipient, checks.has(Listing::BlackholedRcpt, recipient)) {
        Is::Later => Err(("blackholedrcpt", 451)),
        Is::Yes => Ok(true),
        Is::Never => Ok(false),
    }
}

fn is_without_mailbox(world: &World, recipient: &str) -> Is {
    let Some(mailboxes) = world.checks.mailboxes else { return Is::Never };
    match (local_or_own(world, recipient), world.checks.is_in_scope(Listing::CheckedRecipients, recipient)) {
        (Is::Never, _) | (Is::Yes, Is::Never) => return Is::Never,
        (Is::Later, _) | (Is::Yes, Is::Later) => return Is::Later,
        (Is::Yes, Is::Yes) => {}
    }
    let is_without = match mailboxes.says(recipient) {
        Some(Is::Yes) => Is::Never,
        Some(Is::Later) => Is::Later,
        Some(Is::Never) | None => Is::Yes,
    };
    unless_good(world, recipient, is_without)
}

/// RCPT: 16. The first recipient with a domain settles what rules give the message.
fn settle(world: &World, transaction: &mut Transaction, recipient: &str) -> Result<(), Refused> {
    let Some((_, domain)) = recipient.rsplit_once('@') else { return Ok(()) };
    let given = world.checks.rules.give(RuleFile::ByRecipient, domain).map_err(|()| ("domainqueue", 451))?;
    let gives = given.map_or(transaction.gives, |given| transaction.gives.and(given));
    match transaction.settled {
        Some(settled) if settled != gives => Err(("domainqueue", 452)),
        Some(_) | None => {
            transaction.settled = Some(gives);
            Ok(())
        }
    }
}
