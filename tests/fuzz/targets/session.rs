//! A whole session: lines from a stranger, answers from lists that say anything, and never a message without a grant.

use std::net::IpAddr;

use postern::auth::Channel;
use postern::client::Client;
use postern::control::{CheckRecipient, Control, Setup};
use postern::message::received::Encryption;
use postern::policy::rules::Applied;
use postern::policy::verdict::{Answer, Evidence, LookupFailed, Question, Unfit};
use postern::session::{Session, Then, Turn};

use super::Input;
use super::witness::{Asked, Given, Witness};

/// More lines than this are not heard.
const LINES_MAX: usize = 200;

/// First the settings, then the answers of what grants and of what refuses, drops, excepts or gives settings, each behind
/// their number, then lines that end in LF.
pub fn session(input: &[u8]) {
    let mut input = Input(input);
    let setup = setup(&mut input);
    let (mut grants, mut others) = (Input(input.counted()), Input(input.counted()));
    let mut session = Session::new(&setup);
    let mut witness = Witness::new(&setup);
    presentable(&session.greet("Sat, 21 Nov 2026 19:21:46 +0000", &mut |_, _| Ok(Answer::No)));
    presentable(&session.early_talker());
    presentable(&session.terminated());
    for line in input.0.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let mut asked = Vec::new();
        let turn = session.hear(line, &mut |settings, question| {
            let answer = match question {
                Question::Rules(_, _) => rules(others.byte(), settings),
                Question::Listed(_, _) | Question::HostAccess(_) | Question::AccessList { .. } => {
                    refusal(others.byte())
                }
                Question::Mailbox { .. } | Question::Sender(_) => refusal(others.byte()),
                Question::OwnDomain(_)
                | Question::TlsClients(_)
                | Question::OwnCertificate
                | Question::RelayClients(_)
                | Question::RelayDomains
                | Question::RelayMailFrom(_, _)
                | Question::RelayTable(_)
                | Question::RelayMx(_)
                | Question::BadHost
                | Question::SameDomain(_, _)
                | Question::OwnAddress(_) => answer(grants.byte()),
            };
            asked.push(Asked::new(question, settings, answer.clone()));
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
            }
            Then::Draw(_) | Then::Check(_) | Then::Dismiss(_) => unreachable!("nobody checks passwords here"),
            Then::Close { .. } => return,
        }
    }
}

fn setup(input: &mut Input<'_>) -> Setup {
    let (switches, more, checks) = (input.byte(), input.byte(), input.byte());
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
        check_recipient: (checks & 1 > 0).then_some(CheckRecipient::Accounts),
        check_sender: checks & 2 > 0,
        invalid_recipients_max: u32::from(checks >> 2 & 1),
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

/// What refuses, drops or excepts: half of it is not about anybody, else nothing would be left to look at.
fn refusal(octet: u8) -> Result<Answer, LookupFailed> {
    if octet & 0x10 == 0 { Ok(Answer::No) } else { answer(octet) }
}

/// Rules apply more often than not.
fn rules(octet: u8, settings: &Setup) -> Result<Answer, LookupFailed> {
    match octet % 8 {
        0 => Ok(Answer::Absent),
        1 => Ok(Answer::No),
        7 => answer(octet),
        _ => {
            let mut setup = settings.clone();
            Given::of(octet >> 6).put_into(&mut setup.control);
            let evidence = Evidence { file: "rules".into(), line: Some(1), suffix: Vec::new() };
            Ok(Answer::Applied(Box::new(Applied { evidence, number: 1, names: Vec::new(), setup })))
        }
    }
}

/// Replies and log lines have no control octets, and waits have an end.
pub(super) fn presentable(turn: &Turn) {
    assert!((200..600).contains(&turn.reply.code()));
    assert!(turn.delay_seconds <= Control::WAIT_SECONDS_MAX);
    turn.reply.lines().chain(turn.log.iter().map(Vec::as_slice)).for_each(printable);
}

pub(super) fn printable(line: &[u8]) {
    let line = std::str::from_utf8(line).unwrap();
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
