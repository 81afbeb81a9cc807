//! Who hears what is asked, answered and said in a session, and knows nothing of the order of rules.

use postern::control::{Control, Setup};
use postern::message::Flaw;
use postern::policy::listing::Listing;
use postern::policy::rules::RuleFile;
use postern::policy::verdict::{Answer, LookupFailed, Question, Reason, Using};
use postern::queue::status::QueueStatus;
use postern::session::{Delivery, Outcome, Session, Then, Turn};
use postern::smtp::command::Command;
use postern::smtp::path::{Path, domain, ip4_literal};
use postern::smtp::reply;

use super::session::{presentable, printable};

/// What rules give: `databytes` tells which, and the others change what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given(u64);

impl Given {
    /// The smallest `databytes` of rules.
    const FIRST: u64 = 1_000_000;

    pub fn of(number: u8) -> Self {
        Self(Self::FIRST + u64::from(number))
    }

    /// What a transaction has that settings are of.
    fn in_control(control: &Control) -> Self {
        Self(control.databytes)
    }

    pub fn put_into(self, control: &mut Control) {
        control.databytes = self.0;
        control.auth_all |= self.gives_auth_all();
    }

    fn gives_auth_all(self) -> bool {
        self.0 >= Self::FIRST && self.0 & 1 > 0
    }
}

/// A question as it was asked, the settings it was asked by, and the answer to it.
pub struct Asked {
    question: String,
    by: Given,
    answer: Result<Answer, LookupFailed>,
}

impl Asked {
    pub fn new(question: Question<'_>, settings: &Setup, answer: Result<Answer, LookupFailed>) -> Self {
        Self { question: format!("{question:?}"), by: Given::in_control(&settings.control), answer }
    }

    fn is(&self, question: Question<'_>) -> bool {
        self.question == format!("{question:?}")
    }

    fn is_yes(&self) -> bool {
        matches!(self.answer, Ok(Answer::Yes(_)))
    }

    /// The list has it, or may have it.
    fn may_be_yes(&self) -> bool {
        self.is_yes() || self.answer.is_err()
    }

    fn gives(&self) -> Option<Given> {
        match &self.answer {
            Ok(Answer::Applied(applied)) => Some(Given::in_control(&applied.setup.control)),
            _ => None,
        }
    }
}

/// Sees what is said and answered.
pub struct Witness<'s> {
    setup: &'s Setup,
    transaction: Option<Transaction>,
}

/// What was heard since MAIL was accepted.
struct Transaction {
    sender: Vec<u8>,
    is_dropped: bool,
    recipients: Vec<Recipient>,
    by_sender: Given,
    by_recipient: Option<Given>,
    by_client: Option<Given>,
}

struct Recipient {
    stored: Vec<u8>,
    is_dropped: bool,
    has_grant: bool,
}

impl Transaction {
    fn given(&self) -> Given {
        self.by_recipient.unwrap_or(self.by_sender)
    }
}

impl<'s> Witness<'s> {
    pub fn new(setup: &'s Setup) -> Self {
        Self { setup, transaction: None }
    }

    pub fn hear(&mut self, line: &[u8], turn: &Turn, asked: &[Asked]) {
        let is_accepted = turn.reply.code() == 250;
        self.every_failure_is_temporary(turn, asked);
        match Command::parse(line) {
            Command::Helo(_) | Command::Ehlo(_) | Command::Rset(b"") => self.transaction = None,
            Command::Mail(argument) => {
                self.transaction = None;
                self.transaction = is_accepted.then(|| self.begun(argument, asked));
            }
            Command::Rcpt(argument) if is_accepted => self.accepted(argument, asked),
            Command::Rcpt(_) => {
                // Before one of them settles it, rules by recipient give nothing.
                let given = self.transaction.as_ref().map(Transaction::given);
                given.iter().for_each(|given| self.asked_by(asked, *given));
            }
            Command::Data(b"") => self.data(turn, asked),
            Command::Data(_) | Command::Rset(_) | Command::Noop(_) | Command::Auth(_) => {}
            Command::StartTls { .. } => assert!(self.transaction.is_none() || !matches!(turn.then, Then::Encrypt)),
            Command::Vrfy | Command::Help | Command::Quit | Command::Unknown { .. } => {}
        }
        if !matches!(Command::parse(line), Command::Data(b"")) {
            assert!(!matches!(turn.then, Then::Receive(_)));
        }
    }

    /// Who cannot tell refuses nobody for good, neither as a list that refuses nor as one that might have granted.
    fn every_failure_is_temporary(&self, turn: &Turn, asked: &[Asked]) {
        let kinds: &[&str] = match &turn.reason {
            Some(Reason::LookupFailed(_)) => {
                assert_eq!(turn.reply.code(), 451);
                return;
            }
            Some(Reason::NoRelay) => &["OwnDomain", "Relay", "Listed(AuthDomains"],
            Some(Reason::Setting("CHECKSENDER")) => &["OwnDomain", "Relay", "Listed(CheckedSenders", "Sender"],
            Some(Reason::Unfit(_, _)) => &["Listed(Checked", "Sender", "Mailbox"],
            Some(_) | None => return,
        };
        let failed = |one: &&Asked| kinds.iter().any(|kind| one.question.starts_with(kind)) && one.answer.is_err();
        let failed = asked.iter().find(failed).map(|one| &one.question);
        assert!(turn.reply.code() >= 530 && failed.is_none(), "refused for good, while {failed:?} could not tell");
    }

    /// Settings of rules are asked by in their transaction, and the connection's before and after it.
    fn asked_by(&self, asked: &[Asked], given: Given) {
        let base = Given::in_control(&self.setup.control);
        let by_sender = self.transaction.as_ref().map_or(base, |transaction| transaction.by_sender);
        for one in asked {
            let wanted = match one.question.as_str() {
                question if question.starts_with("OwnAddress") || question.starts_with("Rules(BySender") => base,
                question if question.starts_with("Rules(ByRecipient") => by_sender,
                _ => given,
            };
            assert_eq!(one.by, wanted, "{} was asked by the wrong settings", one.question);
        }
    }

    /// MAIL was accepted: nothing refuses this sender, and everybody could tell.
    fn begun(&self, argument: &[u8], asked: &[Asked]) -> Transaction {
        let sender = address(argument, asked);
        let rules = asked.iter().find(|one| one.is(Question::Rules(RuleFile::BySender, &sender)));
        assert!(rules.expect("the rules of senders are asked").answer.is_ok());
        let by_sender = rules.and_then(Asked::gives).unwrap_or(Given::in_control(&self.setup.control));
        self.asked_by(asked, by_sender);
        for one in asked {
            let refuses = [Question::HostAccess(&sender), Question::Listed(Listing::BadMailFrom, &sender)];
            let is_refused = refuses.into_iter().any(|question| one.is(question)) && one.may_be_yes();
            assert!(!is_refused, "accepted after {}", one.question);
            assert!(!one.question.starts_with("Sender") || one.is_yes(), "accepted after {}", one.question);
        }
        let blackhole = asked.iter().find(|one| one.is(Question::Listed(Listing::BlackholedSender, &sender)));
        let blackhole = blackhole.expect("the list of blackholes is asked");
        assert!(blackhole.answer.is_ok());
        let is_dropped = blackhole.is_yes();
        Transaction { sender, is_dropped, recipients: Vec::new(), by_sender, by_recipient: None, by_client: None }
    }

    /// RCPT was accepted: nothing refuses the recipient, somebody has said yes to it, and everybody could tell.
    fn accepted(&mut self, argument: &[u8], asked: &[Asked]) {
        let transaction = self.transaction.as_ref().expect("RCPT was accepted without MAIL");
        let given = transaction.given();
        self.asked_by(asked, given);
        let recipient = address(argument, asked);
        let good = Question::Listed(Listing::GoodRcptTo, &recipient);
        // Only a list of good recipients, asked behind it, makes a list harmless that has the recipient, or cannot tell.
        let harmed = |question: Question<'_>| {
            let at = asked.iter().position(|one| one.is(question)).filter(|at| asked[*at].may_be_yes())?;
            let is_good = asked.get(at + 1).is_some_and(|next| next.is(good) && next.is_yes());
            (!is_good).then_some(&asked[at])
        };
        assert!(harmed(Question::Listed(Listing::BadRcptTo, &recipient)).is_none(), "accepted a bad recipient");
        let blackholed = harmed(Question::Listed(Listing::BlackholedRcpt, &recipient));
        assert!(blackholed.is_none_or(|one| one.answer.is_ok()), "nobody knows whether the recipient is blackholed");
        for one in asked {
            let refuses = one.question.starts_with("AccessList") && one.may_be_yes();
            let is_without = one.question.starts_with("Mailbox") && !one.is_yes();
            let is_unknown = one.question.starts_with("Rules") && one.answer.is_err();
            assert!(!refuses && !is_without && !is_unknown, "accepted after {}", one.question);
        }
        self.has_mailbox(&recipient, asked);
        let (list_suffix, has_grant) = self.granted(&recipient, asked);
        let variable = self.setup.client.relay_suffix.as_deref().unwrap_or_default();
        let stored = [recipient.as_slice(), variable, list_suffix].concat();
        let is_dropped = blackholed.is_some();
        let rules = asked.iter().find(|one| one.question.starts_with("Rules(ByRecipient"));
        let settled = rules.map(|rules| rules.gives().unwrap_or(transaction.by_sender));
        assert_eq!(rules.is_some(), domain(&recipient).is_some() && !is_dropped);
        let transaction = self.transaction.as_mut().expect("it is there");
        if let (Some(before), Some(now)) = (transaction.by_recipient, settled) {
            assert_eq!(before, now, "recipients that need other settings are in one message");
        }
        transaction.by_recipient = transaction.by_recipient.or(settled);
        transaction.recipients.push(Recipient { stored, is_dropped, has_grant });
    }

    /// CHECKRECIPIENT: whom it is about has a mailbox, or is good.
    fn has_mailbox(&self, recipient: &[u8], asked: &[Asked]) {
        let at = asked.iter().position(|one| one.question.starts_with("Listed(CheckedRecipients"));
        let Some(at) = at.filter(|at| asked[*at].may_be_yes() || asked[*at].answer == Ok(Answer::Absent)) else {
            return;
        };
        let good = Question::Listed(Listing::GoodRcptTo, recipient);
        let is_good = asked.get(at + 1).is_some_and(|next| next.is(good) && next.is_yes());
        let has_mailbox = asked.get(at + 2).is_some_and(|next| next.question.starts_with("Mailbox") && next.is_yes());
        assert!(asked[at].answer.is_ok() && (is_good || has_mailbox), "nobody knows whether there is a mailbox");
    }

    /// What a list puts behind the recipient, and whether it lets the client relay. Somebody must have said yes to it: the
    /// environment, a list of domains while authdomains has not the sender, or a list of who may relay, first of all.
    fn granted<'a>(&self, recipient: &[u8], asked: &'a [Asked]) -> (&'a [u8], bool) {
        let transaction = self.transaction.as_ref().expect("it is there");
        let sender = &transaction.sender;
        let auth_all = self.setup.control.auth_all || transaction.given().gives_auth_all();
        let has_right = Question::Listed(Listing::AuthDomains, sender);
        let is_free = |one: &Asked| one.is(has_right) && !one.may_be_yes();
        let is_local = match domain(recipient) {
            None => asked.iter().any(is_free),
            Some(domain) => asked
                .windows(2)
                .any(|two| two[0].is(Question::OwnDomain(domain)) && two[0].is_yes() && is_free(&two[1])),
        };
        if is_local {
            assert!(!auth_all, "AUTH_ALL makes no recipient our own");
            return (b"", false);
        }
        if self.setup.client.relay_suffix.is_some() {
            return (b"", true);
        }
        let both = [Using::Files, Using::Dns];
        let mut may: Vec<Question<'_>> = both.map(Question::RelayClients).to_vec();
        may.extend([Question::RelayDomains, Question::RelayTable(sender)]);
        may.extend(both.map(|using| Question::RelayMailFrom(sender, using)));
        may.extend(domain(recipient).map(Question::RelayMx));
        let yes = asked.iter().find(|one| one.is_yes() && may.iter().any(|question| one.is(*question)));
        match yes.map(|one| &one.answer) {
            Some(Ok(Answer::Yes(evidence))) => (&evidence.suffix, true),
            _ => panic!("{} was let in by nobody", recipient.escape_ascii()),
        }
    }

    /// DATA begins a message where there are recipients, unless nobody knows by which rules.
    fn data(&mut self, turn: &Turn, asked: &[Asked]) {
        let is_begun = matches!(turn.then, Then::Receive(_));
        let is_ready = self.transaction.as_ref().is_some_and(|transaction| !transaction.recipients.is_empty());
        if !is_ready {
            assert!(!is_begun);
            return;
        }
        let given = self.transaction.as_ref().map(Transaction::given);
        given.iter().for_each(|given| self.asked_by(asked, *given));
        let rules = asked.iter().find(|one| one.question.starts_with("Rules(OfClients"));
        let rules = rules.expect("the rules of clients are asked");
        let Some(transaction) = self.transaction.as_mut().filter(|_| is_begun) else {
            assert!(turn.reply.code() == 451 && asked.iter().any(|one| one.answer.is_err()));
            self.transaction = None;
            return;
        };
        let may_relay = self.setup.client.relay_suffix.is_some()
            || transaction.recipients.iter().any(|recipient| recipient.has_grant)
            || asked.iter().any(|one| one.question.starts_with("Relay") && one.is_yes());
        // What is wrong with rules concerns only those whom they are about.
        assert!(rules.answer.is_ok() || !may_relay);
        transaction.by_client = rules.gives().filter(|_| may_relay);
    }

    /// The message is for those who were accepted and are not blackholed, and ends the transaction.
    pub fn receive(&mut self, session: &Session<'_>, delivery: &Delivery) {
        let transaction = self.transaction.take().unwrap();
        let is_dropped = transaction.is_dropped || transaction.recipients.iter().all(|one| one.is_dropped);
        assert_eq!(delivery.is_blackholed(), is_dropped, "a queue program is for messages that somebody gets");
        let kept = transaction.recipients.iter().filter(|one| is_dropped || !one.is_dropped);
        let recipients: Vec<&[u8]> = kept.map(|one| one.stored.as_slice()).collect();
        assert_eq!(delivery.envelope.recipients(), recipients);
        assert_eq!(delivery.envelope.sender(), transaction.sender);
        let given = Given::in_control(&delivery.setup().unwrap_or(self.setup).control);
        assert_eq!(given, transaction.by_client.unwrap_or(transaction.given()));

        let header = session.trace_header(delivery, "Sat, 21 Nov 2026 19:21:46 +0000");
        let lines = if self.setup.control.hide_host { 1 } else { 2 };
        assert_eq!(header.iter().filter(|byte| **byte == b'\n').count(), lines);
        assert!(header.iter().all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\n'));
        settled(session, delivery, recipients.len());
    }
}

/// Only a message that was queued gets 250.
fn settled(session: &Session<'_>, delivery: &Delivery, recipients: usize) {
    let refused =
        QueueStatus::Refused { reply: reply::TOO_BIG, text: b"a\nb".to_vec(), pid: 1, said: b"c\nd".to_vec() };
    for outcome in [
        Outcome::NotStarted("no\nprogram".to_string()),
        Outcome::Flawed(Flaw::TooManyHops),
        Outcome::Flawed(Flaw::TooBig),
        Outcome::Handed(refused),
        Outcome::Handed(QueueStatus::Queued { pid: 1 }),
    ] {
        let turn = session.settle(&outcome, 1, 1);
        presentable(&turn);
        let lines: Vec<Vec<u8>> = session.outcome_lines(delivery, 1, &outcome, b"a\nremark").collect();
        lines.iter().for_each(|line| printable(line));
        let lines_expected = if matches!(outcome, Outcome::NotStarted(_)) { 0 } else { recipients };
        assert_eq!(lines.len(), lines_expected);
        assert_eq!(turn.reply.code() == 250, matches!(outcome, Outcome::Handed(QueueStatus::Queued { .. })));
    }
}

/// The address in an argument; `mx.test` stands for an address literal that the lists call our own.
fn address(argument: &[u8], asked: &[Asked]) -> Vec<u8> {
    let Ok(path) = Path::parse(argument) else { return Vec::new() };
    let is_own = |one: &Asked| one.question.starts_with("OwnAddress") && one.is_yes();
    if ip4_literal(&path.address).is_some() && asked.first().is_some_and(is_own) {
        let local_part = path.address.iter().rposition(|byte| *byte == b'@').unwrap();
        return [&path.address[..local_part], b"@mx.test"].concat();
    }
    path.address
}
