//! RCPT: the decision that the program exists for.

use crate::control::{Setup, file_named};
use crate::policy::listing::{Listing, Names};
use crate::policy::recipient::state;
use crate::policy::relay::suffix_of_variable;
use crate::policy::rules::RuleFile;
use crate::policy::verdict::{Answer, Ask, LookupFailed, Question, Reason, Verdict};
use crate::policy::{Facts, judge_rcpt};
use crate::session::mail::by_user;
use crate::session::{AskBy, Greeted, Recipient, Session, Stage, Transaction, Turn, ruled, rules_line};
use crate::smtp::parameter::check_rcpt_parameters;
use crate::smtp::path::{Path, domain, ip4_literal};
use crate::smtp::printable::loggable;
use crate::smtp::reply;

impl Session<'_> {
    pub(super) fn rcpt(&mut self, argument: &[u8], ask: &mut AskBy<'_>) -> Turn {
        let base = self.setup;
        if let Some(turn) = self.gated() {
            return turn;
        }
        if matches!(self.stage, Stage::Idle) {
            return Turn::say(reply::WANT_MAIL);
        }
        let Ok(path) = Path::parse(argument) else { return Turn::say(reply::BAD_ADDRESS) };
        if check_rcpt_parameters(path.parameters).is_err() {
            return Turn::say(reply::BAD_PARAMETER);
        }
        let address = match self.own_literal_replaced(path.address, &mut |question| ask(base, question)) {
            Ok(address) => address,
            Err(failed) => return Turn::cannot_tell(b"RCPT", failed),
        };
        self.judge(address, argument, ask)
    }

    fn judge(&mut self, address: Vec<u8>, argument: &[u8], ask: &mut AskBy<'_>) -> Turn {
        let known = self.known_of_client();
        let Self { setup: base, stage, credentials, witness, .. } = self;
        let Stage::Mail(transaction) = stage else { return Turn::say(reply::WANT_MAIL) };
        let setup = transaction.settings().unwrap_or(base);
        let facts = Facts {
            sender: &transaction.sender,
            parameters: transaction.parameters,
            recipient: &address,
            recipients: transaction.recipients.len(),
            invalid_recipients: transaction.invalid_recipients,
            ..Facts::new(setup, credentials)
        };
        let delay = tarpit_delay_seconds(&facts);
        match judge_rcpt(&facts, &mut |question| ask(setup, question), *witness) {
            Verdict::Accept(reason) => {
                let ruled = match by_recipient(transaction, base, &address, &reason, ask) {
                    Ok(ruled) => ruled,
                    Err(Other::CannotTell(failed)) => return Turn::cannot_tell(b"RCPT", failed).delayed(delay),
                    Err(Other::Settings) => {
                        let (sender, recipient) = (loggable(&transaction.sender), loggable(&address));
                        let line = [b"Other queue: MAIL from <".as_slice(), &sender, b"> RCPT <", &recipient, b">"];
                        let line = [line.concat(), known].concat();
                        let turn = Turn::say(reply::OTHER_QUEUE).because(line, Reason::Setting("domainqueue"));
                        return turn.delayed(delay);
                    }
                };
                // RELAYCLIENT's text goes behind every recipient; a list's only behind those that it let in.
                // The grant of AUTH takes its place, for all recipients.
                let has_own_grant = credentials.user.is_some() && !credentials.without_relay;
                let suffix = base.client.relay_suffix.as_deref().filter(|_| !has_own_grant);
                let variable = suffix_of_variable(&base.control, suffix);
                let stored = [address.as_slice(), variable, reason.suffix()].concat();
                let line = [accepted_line(&transaction.sender, &stored, &reason), known].concat();
                let turn = Turn::say(reply::OK).because(line, reason.clone());
                transaction.recipients.push(Recipient { address: stored, reason });
                turn.after(ruled).delayed(delay)
            }
            Verdict::Refuse(reply, reason) => {
                let line = [refusal_line(&facts, argument, &reason), known].concat();
                let (is_unfit, setting) = (matches!(reason, Reason::Unfit(..)), reason.setting());
                let turn = Turn::say(reply).because(line, reason);
                if is_unfit {
                    let turn = turn.delayed(setup.control.penalty_seconds);
                    transaction.invalid_recipients = transaction.invalid_recipients.saturating_add(1);
                    return turn;
                }
                match setting {
                    Some("MAX_RCPT_ERRCOUNT") => turn.close(1),
                    Some("bounce") => turn.delayed(delay),
                    _ => turn,
                }
            }
        }
    }

    /// What the log tells of the client behind a decision about a recipient, so that the decision can be made again (D50).
    fn known_of_client(&self) -> Vec<u8> {
        let client = &self.setup.client;
        let helo = match &self.helo {
            Greeted::With(helo) => Some(helo.name.as_slice()),
            Greeted::Silently | Greeted::Badly | Greeted::NotAgain => None,
        };
        let fields = [(" name=", client.name.as_deref()), (" helo=", helo), (" class=", client.class.as_deref())];
        let told = fields.into_iter().filter_map(|(field, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some([field.as_bytes(), &field_value(value)].concat())
        });
        told.flatten().collect()
    }

    /// The address, with `localiphost` in the place of an address literal of this host.
    pub(super) fn own_literal_replaced(&self, address: Vec<u8>, ask: &mut Ask<'_>) -> Result<Vec<u8>, LookupFailed> {
        let Some(host) = &self.setup.control.local_ip_host else { return Ok(address) };
        let Some(literal) = ip4_literal(&address) else { return Ok(address) };
        match ask(Question::OwnAddress(literal.into()))? {
            Answer::Yes(_) => {
                let domain_octets = domain(&address).map_or(0, <[u8]>::len);
                let local_part = address.get(..address.len() - domain_octets).unwrap_or_default();
                Ok([local_part, host].concat())
            }
            Answer::No
            | Answer::Absent
            | Answer::Excepted(_)
            | Answer::NeedsDns
            | Answer::Unfit(_)
            | Answer::Applied(_) => Ok(address),
        }
    }
}

/// How long the recipient waits that would be the next of its message, whatever it then hears.
fn tarpit_delay_seconds(facts: &Facts<'_>) -> u32 {
    let (control, number) = (facts.control, facts.recipients.saturating_add(1));
    if control.tarpit_count > 0 && number >= control.tarpit_count { control.tarpit_delay_seconds } else { 0 }
}

/// Why a recipient cannot be one of this message.
enum Other {
    /// It needs other settings than those before it (D74).
    Settings,
    CannotTell(LookupFailed),
}

/// Gives the message the settings that domainqueue has for the recipient; the log line about it, if any.
fn by_recipient(
    transaction: &mut Transaction,
    base: &Setup,
    address: &[u8],
    reason: &Reason,
    ask: &mut AskBy<'_>,
) -> Result<Option<Vec<u8>>, Other> {
    let Some(domain) = domain(address).filter(|_| !reason.is_blackholed()) else { return Ok(None) };
    let by_sender = transaction.setup.as_deref().unwrap_or(base);
    let applied = ruled(RuleFile::ByRecipient, domain, by_sender, ask).map_err(Other::CannotTell)?;
    let line = applied.as_ref().map(|applied| rules_line("DomainQueue Rule", applied, &loggable(address)));
    let own = applied.map(|applied| Box::new(applied.setup));
    match &transaction.by_recipient {
        Some(settled) if *settled != own => return Err(Other::Settings),
        Some(_) => {}
        None => transaction.by_recipient = Some(own),
    }
    Ok(line)
}

/// A value in a line of fields: blanks would end it.
fn field_value(value: &[u8]) -> Vec<u8> {
    let mut value = loggable(value);
    value.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'?');
    value
}

fn accepted_line(sender: &[u8], recipient: &[u8], reason: &Reason) -> Vec<u8> {
    let (sender, recipient) = (loggable(sender), loggable(recipient));
    let what: &[u8] = if reason.is_blackholed() { b"Blackholed RECIPIENT address" } else { b"Accepted RECIPIENT" };
    [what, b": MAIL from <", &sender, b"> RCPT <", &recipient, b">"].concat()
}

fn refusal_line(facts: &Facts<'_>, argument: &[u8], reason: &Reason) -> Vec<u8> {
    let (sender, recipient) = (loggable(facts.sender), loggable(facts.recipient));
    if let Reason::Unfit(unfit, _) = reason {
        let state = state(*unfit).as_bytes();
        let parts: [&[u8]; 7] =
            [b"Invalid RECIPIENT address: MAIL from <", &sender, b"> RCPT <", &recipient, b"> state <", state, b">"];
        return parts.concat();
    }
    match reason.setting() {
        Some("CUGMAIL") => [b"Invalid CUG RECIPIENT address: RCPT TO <", recipient.as_slice(), b">"].concat(),
        Some("maxrecipients") => {
            let last = loggable(argument);
            [b"Too many RECIPIENTS: MAIL from <", sender.as_slice(), b"> Last RCPT <", &last, b">"].concat()
        }
        Some("MAX_RCPT_ERRCOUNT") => {
            let count = facts.invalid_recipients;
            [format!("Too many Invalid RECIPIENTS ({count}): MAIL from <").as_bytes(), &sender, b">"].concat()
        }
        _ => {
            let of_mailbox = facts.control.check_recipient.is_some() && is_of_mailbox(reason);
            let unrelayed = matches!(reason, Reason::NoRelay | Reason::RelayLevel | Reason::LookupFailed(_));
            let unrelayed = unrelayed && !of_mailbox && !is_of_refusing_list(facts, reason);
            let (what, user): (&[u8], _) = match unrelayed {
                true => (b"Invalid RELAY client", by_user(facts)),
                false => (b"Invalid RECIPIENT address", Vec::new()),
            };
            [what, b": MAIL from <", &sender, b"> RCPT <", &recipient, b">", &user].concat()
        }
    }
}

/// Whether nobody could tell whether the recipient has a mailbox.
fn is_of_mailbox(reason: &Reason) -> bool {
    matches!(reason, Reason::LookupFailed(failed) if ["accounts", "recipients", "passwd"].contains(&failed.source_name()))
}

/// Whether a list could not tell that refuses or checks recipients, or drops their mail, by the name that it has here.
fn is_of_refusing_list(facts: &Facts<'_>, reason: &Reason) -> bool {
    let Reason::LookupFailed(failed) = reason else { return false };
    let name = failed.source_name();
    let name = name.strip_suffix(".cdb").or_else(|| name.strip_suffix(".sql")).unwrap_or(name);
    let is_named = |Names { file, variable }: Names| {
        let other = facts.environment.get(variable.as_bytes()).filter(|other| !other.is_empty());
        other.map_or(file.into(), |other| file_named(other, facts.environment, &facts.control.directory)) == name
    };
    let lists = [Listing::BadRcptTo, Listing::GoodRcptTo, Listing::CheckedRecipients, Listing::BlackholedRcpt];
    is_named(Names { file: "accesslist", variable: "ACCESSLIST" })
        || lists.iter().any(|list| is_named(list.names()) || list.patterns().is_some_and(is_named))
}
