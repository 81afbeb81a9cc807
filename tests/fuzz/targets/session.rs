//! A whole session: lines from a stranger, answers from lists that say anything, and never a message without a grant.

use std::net::IpAddr;

use postern::auth::Channel;
use postern::client::Client;
use postern::control::{Control, Setup};
use postern::message::Flaw;
use postern::message::received::Encryption;
use postern::policy::verdict::{Answer, Evidence, LookupFailed, Question, Unfit, Using};
use postern::queue::status::QueueStatus;
use postern::session::{Delivery, Outcome, Session, Then, Turn};
use postern::smtp::command::Command;
use postern::smtp::path::{Path, domain, ip4_literal};
use postern::smtp::reply;

use super::Input;

/// Questions whose answer lets nobody in.
const NO_GRANTS: [&str; 4] = ["OwnAddress", "Listed", "HostAccess", "AccessList"];
/// More lines than this are not heard.
const LINES_MAX: usize = 200;

/// First the settings, then the answers of the lists behind their number, then lines that end in LF.
pub fn session(input: &[u8]) {
    let mut input = Input(input);
    let setup = setup(&mut input);
    let mut answers = Input(input.counted());
    let mut session = Session::new(&setup);
    let mut witness = Witness { setup: &setup, sender: Vec::new(), recipients: None };
    presentable(&session.greet("Sat, 21 Nov 2026 19:21:46 +0000", &mut |_, _| Ok(Answer::No)));
    presentable(&session.early_talker());
    presentable(&session.terminated());
    for line in input.0.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let mut asked = Vec::new();
        let turn = session.hear(line, &mut |_, question| {
            if matches!(question, Question::Rules(_, _)) {
                return Ok(Answer::No); // Rules let nobody in.
            }
            let answer = match (question, answer(answers.byte())) {
                // What refuses or drops by itself would leave nothing to look at.
                (Question::Listed(_, _) | Question::HostAccess(_) | Question::AccessList { .. }, Ok(_)) => {
                    Ok(Answer::No)
                }
                (_, answer) => answer,
            };
            asked.push((format!("{question:?}"), answer.clone()));
            answer
        });
        presentable(&turn);
        witness.hear(line, &turn, &asked);
        match turn.then {
            Then::Listen => {}
            Then::Receive(delivery) => witness.receive(&session, &delivery),
            Then::Encrypt => {
                session.start_over();
                let encryption = Encryption { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", bits: 128 };
                session.encrypted(encryption, Channel::default(), None);
                // Nothing of what was said in clear is known any more.
                witness.recipients = None;
            }
            Then::Draw(_) | Then::Check(_) | Then::Dismiss(_) => unreachable!("nobody checks passwords here"),
            Then::Close { .. } => return,
        }
    }
}

fn setup(input: &mut Input<'_>) -> Setup {
    let (switches, more) = (input.byte(), input.byte());
    let mut control = Control {
        greeting: vec![b"mx.test".to_vec(), b"second line".to_vec()],
        local_ip_host: (switches & 1 > 0).then(|| b"mx.test".to_vec()),
        auth_all: switches & 2 > 0,
        closed_user_group: switches & 4 > 0,
        smtputf8: switches & 8 > 0,
        hide_host: switches & 16 > 0,
        fqdn_helo: switches & 32 > 0,
        databytes: if switches & 64 > 0 { 1000 } else { 0 },
        recipients_max: if switches & 128 > 0 { 2 } else { 50 },
        tarpit_count: usize::from(more & 1),
        starttls: more & 128 > 0,
        ..Control::default()
    };
    // Seldom, because they refuse everything.
    match more >> 4 {
        1 => control.shutdown = Some(input.counted().to_vec()),
        2 => control.paranoid = Some(input.counted().to_vec()),
        3 => control.require_ptr = Some(input.counted().to_vec()),
        4 => control.open_relay = true,
        5 => control.bounce_mail = Some(input.counted().to_vec()),
        6 => control.require_auth = true,
        7 => control.force_tls = true,
        _ => {}
    }
    let client = Client {
        address: (more & 2 > 0).then_some(IpAddr::from([192, 0, 2, 1])),
        address_text: input.counted().to_vec(),
        name: (more & 4 > 0).then(|| input.counted().to_vec()),
        info: (more & 4 > 0).then(|| input.counted().to_vec()),
        relay_suffix: (more & 8 > 0).then(|| b".relayed".to_vec()),
        class: (more & 8 > 0).then(|| input.counted().to_vec()),
    };
    let mut setup = Setup::default();
    (setup.client, setup.control) = (client, control);
    setup
}

fn answer(octet: u8) -> Result<Answer, LookupFailed> {
    let file = std::borrow::Cow::Borrowed("a list");
    match octet % 8 {
        0 => Ok(Answer::No),
        1 => Ok(Answer::Unfit(Unfit::Inactive)),
        2 => Ok(Answer::Absent),
        3 => {
            let suffix = if octet < 128 { b"".to_vec() } else { b".listed".to_vec() };
            Ok(Answer::Yes(Evidence { file, line: Some(octet.into()), suffix }))
        }
        4 => Err(LookupFailed::BadEntry { file, line: 1, error: "no\nentry".to_string() }),
        5 => Ok(Answer::NeedsDns),
        6 => Ok(Answer::Excepted(Evidence { file, line: Some(octet.into()), suffix: b".excepted".to_vec() })),
        _ => Err(LookupFailed::Unreadable { file, path: "/a\nfile".into(), error: "broken".to_string() }),
    }
}

/// A question as it was asked, and the answer to it.
type Asked = (String, Result<Answer, LookupFailed>);

/// Sees what is said and answered, and knows nothing of rules.
struct Witness<'s> {
    setup: &'s Setup,
    sender: Vec<u8>,
    /// Who was accepted since MAIL was; none without a transaction.
    recipients: Option<Vec<Vec<u8>>>,
}

impl Witness<'_> {
    fn hear(&mut self, line: &[u8], turn: &Turn, asked: &[Asked]) {
        let is_accepted = turn.reply.code() == 250;
        match Command::parse(line) {
            Command::Helo(_) | Command::Ehlo(_) | Command::Rset(b"") => self.recipients = None,
            Command::Mail(argument) => {
                self.recipients = is_accepted.then(Vec::new);
                self.sender = address(argument, asked);
            }
            Command::Rcpt(argument) if is_accepted => {
                let stored = self.granted(argument, asked);
                self.recipients.as_mut().expect("RCPT was accepted without MAIL").push(stored);
            }
            Command::Data(b"") => {
                let is_ready = self.recipients.as_ref().is_some_and(|recipients| !recipients.is_empty());
                assert_eq!(matches!(turn.then, Then::Receive(_)), is_ready);
            }
            Command::Rcpt(_) | Command::Data(_) | Command::Rset(_) | Command::Noop(_) | Command::Auth(_) => {}
            Command::StartTls { .. } => assert!(self.recipients.is_none() || !matches!(turn.then, Then::Encrypt)),
            Command::Vrfy | Command::Help | Command::Quit | Command::Unknown { .. } => {}
        }
        if !matches!(Command::parse(line), Command::Data(_)) {
            assert!(!matches!(turn.then, Then::Receive(_)));
        }
    }

    /// The recipient as it is stored. Somebody must have said yes to it: the environment, or a list, last of all.
    fn granted(&self, argument: &[u8], asked: &[Asked]) -> Vec<u8> {
        let recipient = address(argument, asked);
        let asked: Vec<&Asked> =
            asked.iter().filter(|(question, _)| !NO_GRANTS.iter().any(|kind| question.starts_with(kind))).collect();
        let variable = self.setup.client.relay_suffix.as_deref();
        let mut stored = [recipient.as_slice(), variable.unwrap_or_default()].concat();
        match asked.last() {
            Some((question, Ok(Answer::Yes(_)))) if question.starts_with("OwnDomain") => {
                let own = domain(&recipient).expect("a list of domains let in a recipient without one");
                assert_eq!(*question, format!("{:?}", Question::OwnDomain(own)));
                assert!(!self.setup.control.auth_all || variable.is_some(), "AUTH_ALL makes no domain our own");
            }
            Some((question, Ok(Answer::Yes(evidence)))) => {
                let both = [Using::Files, Using::Dns];
                let mut may = both.map(|using| format!("{:?}", Question::RelayMailFrom(&self.sender, using))).to_vec();
                may.extend(both.map(|using| format!("{:?}", Question::RelayClients(using))));
                may.push(format!("{:?}", Question::RelayDomains));
                may.push(format!("{:?}", Question::RelayTable(&self.sender)));
                may.extend(domain(&recipient).map(|domain| format!("{:?}", Question::RelayMx(domain))));
                assert!(may.contains(question), "{question}");
                stored.extend_from_slice(&evidence.suffix);
            }
            Some(_) | None => {
                let is_local = domain(&recipient).is_none() && !self.setup.control.auth_all;
                assert!(variable.is_some() || is_local, "{} was let in by nobody", recipient.escape_ascii());
            }
        }
        stored
    }

    /// The message is for those who were accepted, and ends the transaction.
    fn receive(&mut self, session: &Session<'_>, delivery: &Delivery) {
        let recipients = self.recipients.take().unwrap();
        assert_eq!(delivery.envelope.recipients(), recipients);
        assert_eq!(delivery.envelope.sender(), self.sender);

        let header = session.trace_header(delivery, "Sat, 21 Nov 2026 19:21:46 +0000");
        let lines = if self.setup.control.hide_host { 1 } else { 2 };
        assert_eq!(header.iter().filter(|byte| **byte == b'\n').count(), lines);
        assert!(header.iter().all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\n'));

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
            let lines_expected = if matches!(outcome, Outcome::NotStarted(_)) { 0 } else { recipients.len() };
            assert_eq!(lines.len(), lines_expected);
            assert_eq!(turn.reply.code() == 250, matches!(outcome, Outcome::Handed(QueueStatus::Queued { .. })));
        }
    }
}

/// The address in an argument; `mx.test` stands for an address literal that the lists call our own.
fn address(argument: &[u8], asked: &[Asked]) -> Vec<u8> {
    let Ok(path) = Path::parse(argument) else { return Vec::new() };
    let is_own =
        |(question, answer): &Asked| question.starts_with("OwnAddress") && matches!(answer, Ok(Answer::Yes(_)));
    if ip4_literal(&path.address).is_some() && asked.first().is_some_and(is_own) {
        let local_part = path.address.iter().rposition(|byte| *byte == b'@').unwrap();
        return [&path.address[..local_part], b"@mx.test"].concat();
    }
    path.address
}

/// Replies and log lines have no control octets, and waits have an end.
fn presentable(turn: &Turn) {
    assert!((200..600).contains(&turn.reply.code()));
    assert!(turn.delay_seconds <= Control::WAIT_SECONDS_MAX);
    turn.reply.lines().chain(turn.log.iter().map(Vec::as_slice)).for_each(printable);
}

fn printable(line: &[u8]) {
    let line = std::str::from_utf8(line).unwrap();
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
