//! MAIL: a transaction begins.

use crate::control::Setup;
use crate::policy::rules::RuleFile;
use crate::policy::sender::ignored_by_spam_filter;
use crate::policy::verdict::{Ask, LookupFailed, Question, Reason, Unfit, Verdict};
use crate::policy::{Facts, judge_mail};
use crate::session::{AskBy, Greeted, Session, Stage, Transaction, Turn, ruled, rules_line};
use crate::smtp::parameter::MailParameters;
use crate::smtp::path::Path;
use crate::smtp::printable::loggable;
use crate::smtp::reply::{self, Reply};

impl Session<'_> {
    /// D01: whatever MAIL says, the transaction before it is over.
    pub(super) fn mail(&mut self, argument: &[u8], ask: &mut AskBy<'_>) -> Turn {
        self.stage = Stage::Idle;
        let base = self.setup;
        if let Some(turn) = self.gated() {
            return turn;
        }
        if matches!(self.helo, Greeted::Badly | Greeted::NotAgain) {
            return Turn::say(reply::WANT_HELO);
        }
        let Ok(path) = Path::parse(argument) else { return Turn::say(reply::BAD_ADDRESS) };
        let Ok(mut parameters) = MailParameters::parse(path.parameters) else {
            return Turn::say(reply::BAD_PARAMETER);
        };
        parameters.smtputf8 &= self.setup.control.smtputf8;
        let sender = match self.own_literal_replaced(path.address, &mut |question| ask(base, question)) {
            Ok(sender) => sender,
            Err(failed) => return Turn::cannot_tell(b"MAIL", failed),
        };
        match ruled(RuleFile::BySender, &sender, base, ask) {
            Ok(None) => self.judge_sender(sender, parameters, None, ask),
            Ok(Some(applied)) => {
                let line = rules_line("EnvRule", &applied, &loggable(&sender));
                self.judge_sender(sender, parameters, Some(Box::new(applied.setup)), ask).after(Some(line))
            }
            Err(failed) => Turn::cannot_tell(b"MAIL", failed),
        }
    }

    /// Judges by the settings that the sender has.
    fn judge_sender(
        &mut self,
        sender: Vec<u8>,
        parameters: MailParameters,
        own: Option<Box<Setup>>,
        ask: &mut AskBy<'_>,
    ) -> Turn {
        let setup = own.as_deref().unwrap_or(self.setup);
        let ask = &mut |question: Question<'_>| ask(setup, question);
        let facts = Facts { sender: &sender, parameters, ..Facts::new(setup, &self.credentials) };
        match judge_mail(&facts, ask, self.witness) {
            Verdict::Accept(reason) => match without_spam_filter(setup, &sender, ask) {
                Ok(changed) => self.begin(sender, parameters, changed.or(own), reason),
                Err(failed) => Turn::cannot_tell(b"MAIL", failed),
            },
            Verdict::Refuse(reply, reason) => {
                // Quirk: BOUNCEMAIL closes the connection (mail/bouncemail.smtp).
                let closes = reason.setting() == Some("BOUNCEMAIL");
                let line = refusal_line(&facts, &reply, &reason);
                // Who guesses names waits.
                let is_guess = matches!(&reason, Reason::Unfit(Unfit::Absent | Unfit::NotLocal, _));
                let turn = Turn::say(reply).because(line, reason);
                let turn = if is_guess { turn.delayed(self.setup.control.penalty_seconds) } else { turn };
                if closes { turn.close(1) } else { turn }
            }
        }
    }

    /// MAIL is accepted.
    fn begin(
        &mut self,
        sender: Vec<u8>,
        parameters: MailParameters,
        setup: Option<Box<Setup>>,
        reason: Reason,
    ) -> Turn {
        let blackholed = if let Reason::Blackholed(evidence, _) = &reason { Some(evidence.clone()) } else { None };
        let turn = match &blackholed {
            Some(_) => {
                let line = [b"Blackholed SENDER address: MAIL ".as_slice(), &loggable(&sender)].concat();
                Turn::say(reply::OK).because(line, reason)
            }
            None => Turn::say(reply::OK),
        };
        let (recipients, invalid_recipients) = (Vec::new(), 0);
        self.stage = Stage::Mail(Transaction {
            sender,
            parameters,
            recipients,
            invalid_recipients,
            blackholed,
            setup,
            by_recipient: None,
        });
        turn
    }
}

/// The settings of a sender that spamignore has: the queue program must not start the spam filter.
fn without_spam_filter(setup: &Setup, sender: &[u8], ask: &mut Ask<'_>) -> Result<Option<Box<Setup>>, LookupFailed> {
    if setup.environment.get(b"SPAMFILTER").is_none() || ignored_by_spam_filter(sender, ask)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Box::new(Setup { environment: setup.environment.without(b"SPAMFILTER"), ..setup.clone() })))
}

fn refusal_line(facts: &Facts<'_>, reply: &Reply, reason: &Reason) -> Vec<u8> {
    let sender = loggable(facts.sender);
    if let Reason::Unfit(unfit, subject) = reason {
        let why: &[u8] = match unfit {
            Unfit::Absent => b"user does not exist",
            Unfit::Inactive => b"user inactive",
            Unfit::OverQuota | Unfit::FullForNow => b"user over quota",
            Unfit::NoSmtp => b"No SMTP Flag",
            Unfit::NotLocal => b"user not local",
        };
        return [b"CHECKSENDER: SMTP Access denied to <".as_slice(), &loggable(subject), b">: ", why].concat();
    }
    if let Reason::LookupFailed(LookupFailed::Accounts(_)) = reason {
        return [b"Database error getting record for user <", sender.as_slice(), b">"].concat();
    }
    if let Reason::Listed(_) = reason {
        let is_of_host = *reply == reply::BAD_HOST_OF_SENDER;
        let what: &[u8] = if is_of_host {
            b"Invalid SENDER host IP address: MAIL from <"
        } else {
            b"Invalid SENDER address: BAD MAIL from <"
        };
        return [what, sender.as_slice(), b">"].concat();
    }
    match reason.setting() {
        Some("CUGMAIL") => [b"Invalid CUG SENDER address: MAIL from <", sender.as_slice(), b">"].concat(),
        Some("BOUNCEMAIL") => {
            let text = loggable(facts.control.bounce_mail.as_deref().unwrap_or_default());
            [b"Blackholed SENDER address: MAIL from <", sender.as_slice(), b"> Reason <", &text, b">"].concat()
        }
        Some("CHECKSENDER") => {
            [b"CHECKSENDER: unauthenticated local SENDER address: MAIL from <", sender.as_slice(), b">"].concat()
        }
        Some("MASQUERADE") => [b"Invalid SENDER: MAIL from <".as_slice(), &sender, b">", &by_user(facts)].concat(),
        _ => [b"Invalid SENDER address: MAIL from <", sender.as_slice(), b">"].concat(),
    }
}

/// Who has authenticated, and whose senders he may take, as the log tells it behind an address.
pub(super) fn by_user(facts: &Facts<'_>) -> Vec<u8> {
    let Some(user) = &facts.credentials.user else { return Vec::new() };
    let line = [b", Auth <".as_slice(), &loggable(user), b">"].concat();
    match facts.environment.get(b"MASQUERADE") {
        Some(other) => [line.as_slice(), b", MASQUERADE <", &loggable(other), b">"].concat(),
        None => line,
    }
}
