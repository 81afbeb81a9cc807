//! AUTH: any lines from a stranger, a checker that says anything, and nobody is in without its yes.

use postern::auth::checker::Checked;
use postern::auth::users::Decoy;
use postern::auth::{Chance, Channel, Claim, CramContext, Hash, TOKEN_OCTETS_MAX, USER_OCTETS_MAX, Verifier};
use postern::control::checker::{Checker, Checks, Convention};
use postern::control::{Control, Setup};
use postern::message::received::Encryption;
use postern::policy::verdict::Answer;
use postern::session::{Session, Then, Turn};

use super::Input;

/// More lines than this are not heard.
const LINES_MAX: usize = 100;

/// First the checker, then its answers behind their number, then lines that end in LF.
pub fn auth(input: &[u8]) {
    let mut input = Input(input);
    let switches = input.byte();
    let program: &[&[u8]] =
        if switches & 1 > 0 { &[b"/bin/auth-cdb", b"/bin/checker"] } else { &[b"/bin/checker", b"/bin/false"] };
    let program = program.iter().map(|word| word.to_vec()).collect();
    let convention = if switches & 2 > 0 { Convention::Vpopmail } else { Convention::IndiMail };
    let checks = Checks { cram_md5: true, cram_others: true, token: true, scram_sha_1: true, scram_sha_256: true };
    let legacy = switches & 4 > 0;
    let checker = Checker { host: b"mx.test".to_vec(), program, convention, checks, legacy, ..Checker::default() };
    let mut setup = Setup { checker: Some(checker), ..Setup::default() };
    setup.control = Control { greeting: vec![b"mx.test".to_vec()], starttls: true, ..Control::default() };
    let mut answers = Input(input.counted());
    let mut session = Session::new(&setup);
    // That the checker has said yes to this session, or has given it a verifier to prove.
    let (mut is_granted, mut may_prove) = (false, false);
    for line in input.0.split(|octet| *octet == b'\n').take(LINES_MAX) {
        let mut turn = session.hear(line, &mut |_, _| Ok(Answer::No));
        loop {
            presentable(&turn);
            turn = match turn.then {
                Then::Draw(opening) => {
                    let octets = [answers.byte(); Chance::OCTETS];
                    session.drawn(&opening, &Chance { octets, now_seconds: 1 })
                }
                Then::Check(attempt) => {
                    sound(&attempt.claim, convention);
                    let checked = checked(&mut answers);
                    let is_yes = matches!(checked, Checked::Yes(_) | Checked::WithoutRelay(_));
                    let turn = session.checked(*attempt, checked);
                    is_granted |= is_yes && turn.reply.code() == 235;
                    may_prove |= is_yes && turn.reply.code() == 334;
                    turn
                }
                Then::Listen => break,
                Then::Encrypt => {
                    session.start_over();
                    let encryption = Encryption { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", bits: 128 };
                    let channel = Channel { exporter: Some([7; 32]), server_end_point: None };
                    session.encrypted(encryption, channel, None);
                    // Whoever was in has to prove it again.
                    (is_granted, may_prove) = (false, false);
                    break;
                }
                Then::Receive(delivery) => {
                    let is_local = |recipient: &Vec<u8>| !recipient.contains(&b'@');
                    let recipients = delivery.envelope.recipients();
                    assert!(is_granted || may_prove || recipients.iter().all(is_local), "somebody relays");
                    break;
                }
                Then::Dismiss(_) | Then::Close { .. } => return,
            };
        }
        if turn.reply.code() == 235 {
            assert!(is_granted || may_prove, "nobody has said yes");
        }
        assert_eq!(
            session.exported(None).is_empty(),
            !session.exported(None).iter().any(|(name, _)| *name == b"AUTHINFO")
        );
    }
}

/// Nothing in a record can be mistaken for another field.
fn sound(claim: &Claim, convention: Convention) {
    let record = claim.record(convention);
    let fields: Vec<&[u8]> = record.strip_suffix(b"\0").unwrap().split(|octet| *octet == 0).collect();
    assert_eq!(fields.len(), if convention == Convention::IndiMail { 4 } else { 3 });
    assert_eq!(fields[0], claim.user);
    assert!(!claim.user.is_empty() && claim.user.len() <= USER_OCTETS_MAX);
    assert!(!claim.user.iter().any(u8::is_ascii_control));
    assert!(record.len() < USER_OCTETS_MAX + TOKEN_OCTETS_MAX + 10);
    assert!(!format!("{claim:?}").contains("secret-password"));
}

fn checked(answers: &mut Input<'_>) -> Checked {
    let said = match answers.byte() % 3 {
        0 => Vec::new(),
        1 => answers.counted().to_vec(),
        _ => Verifier::of_nobody(b"secret", b"user", Verifier::ITERATIONS_MIN).to_text().to_vec(),
    };
    match answers.byte() % 5 {
        0 | 1 => Checked::Yes(said),
        2 => Checked::WithoutRelay(said),
        3 => Checked::No { code: 1, said: String::from_utf8_lossy(&said).into_owned() },
        _ => Checked::CannotTell("it\nwas\0killed".to_owned()),
    }
}

fn presentable(turn: &Turn) {
    for line in turn.reply.lines().chain(turn.log.iter().map(Vec::as_slice)) {
        let line = std::str::from_utf8(line).unwrap();
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// What is read is written as it was, and every verifier can be used.
pub fn verifier(input: &[u8]) {
    for hash in [Hash::Sha1, Hash::Sha256] {
        if let Some(verifier) = Verifier::parse(hash, input) {
            assert_eq!(Verifier::parse(hash, &verifier.to_text()).as_ref(), Some(&verifier));
            assert!(!verifier.salt().is_empty() && verifier.iterations() >= Verifier::ITERATIONS_MIN);
        }
    }
    if let Some(context) = CramContext::parse(input) {
        assert_eq!(CramContext::parse(&context.to_text()).as_ref(), Some(&context));
        assert!(!context.accepts(input, input));
    }
    if let Some(decoy) = Decoy::parse(input) {
        assert_eq!(Decoy::parse(&decoy.to_text()).unwrap().verifier(b"x"), decoy.verifier(b"x"));
    }
}
