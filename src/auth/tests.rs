//! The exchanges of the RFCs, and what is no message of a mechanism.

use super::*;

mod scram;

const CHANCE: Chance = Chance { octets: *b"0123456789abcdefgh", now_seconds: 1_795_288_965 };

fn begin(mechanism: Mechanism, initial: Option<&[u8]>) -> (Exchange, Step) {
    bound(mechanism, &Binding::Unoffered, initial)
}

fn bound(mechanism: Mechanism, binding: &Binding, initial: Option<&[u8]>) -> (Exchange, Step) {
    Exchange::begin(mechanism, &CHANCE, b"mx.example.org", binding.clone(), initial)
}

fn encoded(text: &[u8]) -> Vec<u8> {
    STANDARD.encode(text).into_bytes()
}

/// What the step is, without its secrets: `check bob pw`, `malformed`, a challenge.
fn told(step: &Step) -> String {
    match step {
        Step::Challenge(text) => format!("challenge {}", text.escape_ascii()),
        Step::Check(claim) => format!("check {}", claim.record(Convention::IndiMail).escape_ascii()),
        Step::Proven => "proven".to_owned(),
        Step::Over => "over".to_owned(),
        Step::Cancelled => "cancelled".to_owned(),
        Step::Malformed => "malformed".to_owned(),
        Step::Refused => "refused".to_owned(),
    }
}

#[test]
fn plain_has_three_fields() {
    let long = |octets: usize| "p".repeat(octets);
    let table: &[(&str, &str)] = &[
        ("\0bob\0secret", r"check bob\x00secret\x00\x00\x02\x00"),
        ("bob\0bob\0secret", r"check bob\x00secret\x00\x00\x02\x00"),
        ("root\0bob\0secret", "refused"),
        ("\0bob\0secret\0", "malformed"),
        ("\0bob\0sec\0ret", "malformed"),
        ("bob\0secret", "malformed"),
        ("\0\0secret", "malformed"),
        ("\0bob\0", "malformed"),
        ("\0b\nob\0secret", "malformed"),
        ("", "malformed"),
        (&format!("\0bob\0{}", long(1025)), "refused"),
        (&format!("\0{}\0secret", long(256)), "refused"),
    ];
    for (message, expected) in table {
        let (mut exchange, step) = begin(Mechanism::Plain, None);
        assert_eq!(told(&step), "challenge ");
        let line = encoded(message.as_bytes());
        assert_eq!(told(&exchange.hear(&line)), *expected, "{message:?}");
        let (_, step) = begin(Mechanism::Plain, Some(&line));
        assert_eq!(told(&step), *expected, "{message:?}");
    }
    let (_, step) = begin(Mechanism::Plain, Some(&encoded(b"\0b\xffb\0secret")));
    assert_eq!(told(&step), "malformed");
    let (_, step) = begin(Mechanism::Plain, Some(b"AGJvYgBzZWNyZXQ="));
    assert_eq!(told(&step), r"check bob\x00secret\x00\x00\x02\x00");
}

#[test]
fn base64_is_strict() {
    let lines: [&[u8]; 12] = [
        b"=",
        b"====",
        b"A====",
        b"A=AA",
        b"AGJvYgBzZWNyZXQ",
        b"AGJvYgBzZWNyZXR=",
        b"AGJvYgBz ZWNyZXQ=",
        b"AGJvYgBzZWNyZXQ=\r",
        b"AGJv\0",
        b"-_==",
        b"!",
        b" ",
    ];
    for line in lines {
        let (mut exchange, _) = begin(Mechanism::Plain, None);
        assert_eq!(told(&exchange.hear(line)), "malformed", "{}", line.escape_ascii());
    }
    for mechanism in Mechanism::ALL {
        assert_eq!(told(&begin(mechanism, None).0.hear(b"*")), "cancelled");
        let (_, step) = begin(mechanism, Some(b"="));
        assert_eq!(told(&step), "malformed");
    }
}

#[test]
fn login_asks_twice() {
    let (mut exchange, step) = begin(Mechanism::Login, None);
    assert_eq!(told(&step), "challenge Username:");
    assert_eq!(told(&exchange.hear(b"Ym9i")), "challenge Password:");
    assert_eq!(exchange.user(), b"bob");
    assert_eq!(told(&exchange.hear(b"c2VjcmV0")), r"check bob\x00secret\x00\x00\x01\x00");

    let (mut exchange, step) = begin(Mechanism::Login, Some(b"Ym9i"));
    assert_eq!(told(&step), "challenge Password:");
    assert_eq!(told(&exchange.hear(b"")), "malformed");
    // What would be the fields of CRAM-MD5.
    for name in [b"victim\0<old>\0digest\0\x03".as_slice(), b"", b"a\r\nb"] {
        assert_eq!(told(&begin(Mechanism::Login, Some(&encoded(name))).1), "malformed");
        let (mut exchange, _) = begin(Mechanism::Login, Some(b"Ym9i"));
        let expected =
            if name.contains(&0) || name.is_empty() { "malformed" } else { r"check bob\x00a\r\nb\x00\x00\x01\x00" };
        assert_eq!(told(&exchange.hear(&encoded(name))), expected);
    }
}

#[test]
fn cram_md5_hands_challenge_and_digest_on() {
    let (mut exchange, step) = begin(Mechanism::Cram(Digest::Md5), None);
    let challenge = "<30313233343536373839616263646566.1795288965@mx.example.org>";
    assert_eq!(told(&step), format!("challenge {challenge}"));
    // RFC 2195, 2.
    let digest = "b913a602c7eda7a495b4e6e7334d3890";
    let step = exchange.hear(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    assert_eq!(told(&step), format!(r"check tim\x00{challenge}\x00{digest}\x00\x03\x00"));
    let Step::Check(claim) = step else { panic!("{step:?}") };
    let record = claim.record(Convention::Vpopmail);
    assert_eq!(record.escape_ascii().to_string(), format!(r"tim\x00{digest}\x00{challenge}\x00"));

    let named = format!(r"check a b\x00{challenge}\x00{digest}\x00\x03\x00");
    let table: &[(&str, &str)] = &[
        (&format!("a b {digest}"), &named),
        (&format!(" {digest}"), "malformed"),
        ("bob ", "malformed"),
        ("bob", "malformed"),
        (&format!("bob {}", digest.to_uppercase()), "refused"),
        (&format!("bob {digest}0"), "refused"),
        (&format!("bob\0x {digest}"), "malformed"),
    ];
    for (message, expected) in table {
        let (mut exchange, _) = begin(Mechanism::Cram(Digest::Md5), None);
        assert_eq!(told(&exchange.hear(&encoded(message.as_bytes()))), *expected, "{message:?}");
    }
    assert_eq!(told(&begin(Mechanism::Cram(Digest::Md5), Some(b"Ym9i")).1), "malformed");
}

/// Section 3 and the numbers of IndiMail's checkers.
#[test]
fn a_mechanism_has_one_name_and_one_number() {
    let numbers: Vec<u8> = Mechanism::ALL.iter().map(|mechanism| mechanism.number()).collect();
    assert_eq!(numbers, [1, 2, 17, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15]);
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::of_name(mechanism.name().to_lowercase().as_bytes()), Some(mechanism));
        assert_eq!(Mechanism::of_number(mechanism.number()), Some(mechanism));
    }
    assert_eq!((Mechanism::of_name(b"DIGEST-MD5"), Mechanism::of_number(10)), (None, None));
    let usual: Vec<&str> =
        Mechanism::ALL.into_iter().filter(|mechanism| !mechanism.is_legacy()).map(Mechanism::name).collect();
    assert_eq!(usual, ["LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]);
}

#[test]
fn the_digest_of_cram_has_its_own_length() {
    let table = [
        (Digest::Md5, 32, 3),
        (Digest::Sha1, 40, 4),
        (Digest::Sha224, 56, 5),
        (Digest::Sha256, 64, 6),
        (Digest::Sha384, 96, 7),
        (Digest::Sha512, 128, 8),
        (Digest::Ripemd, 40, 9),
    ];
    let challenge = r"<30313233343536373839616263646566.1795288965@mx.example.org>";
    for (digest, octets, number) in table {
        let told = |octets: usize| {
            let (mut exchange, _) = begin(Mechanism::Cram(digest), None);
            told(&exchange.hear(&encoded(format!("tim {}", "0f".repeat(octets / 2)).as_bytes())))
        };
        let (digits, number) = ("0f".repeat(octets / 2), (number as u8).escape_ascii().to_string());
        assert_eq!(told(octets), format!(r"check tim\x00{challenge}\x00{digits}\x00{number}\x00"));
        assert_eq!((told(octets - 2), told(octets + 2)), ("refused".to_owned(), "refused".to_owned()));
    }
}

#[test]
fn xoauth2_has_a_user_and_a_token() {
    let token = |octets: usize| format!("user=a\x01auth=Bearer {}\x01\x01", "t".repeat(octets));
    let table: &[(&str, &str)] = &[
        ("user=bob@example.org\x01auth=Bearer tok123\x01\x01", r"check bob@example.org\x00tok123\x00\x00\x11\x00"),
        ("user=bob@example.org\x01auth=Bearer tok123\x01", "malformed"),
        ("user=bob@example.org\x01auth=Basic tok123\x01\x01", "malformed"),
        ("user=bob@example.org auth=Bearer tok123\x01\x01", "malformed"),
        ("bob@example.org\x01auth=Bearer tok123\x01\x01", "malformed"),
        ("user=\x01auth=Bearer tok123\x01\x01", "malformed"),
        ("user=bob\x01auth=Bearer \x01\x01", "malformed"),
        ("user=bob\x01auth=Bearer tok\x01x=y\x01\x01", "malformed"),
        ("user=bo\0b\x01auth=Bearer tok\x01\x01", "malformed"),
        ("user=bob\x01auth=Bearer to\0k\x01\x01", "malformed"),
        ("user=bob\x01auth=Bearer to k\x01\x01", "malformed"),
        ("", "malformed"),
        (&token(8193), "refused"),
        (&format!("user={}\x01auth=Bearer t\x01\x01", "u".repeat(256)), "refused"),
    ];
    for (message, expected) in table {
        let (mut exchange, step) = begin(Mechanism::Xoauth2, None);
        assert_eq!(told(&step), "challenge ");
        assert_eq!(told(&exchange.hear(&encoded(message.as_bytes()))), *expected, "{message:?}");
    }
    let (_, step) = begin(Mechanism::Xoauth2, Some(b"dXNlcj1ib2JAZXhhbXBsZS5vcmcBYXV0aD1CZWFyZXIgdG9rMTIzAQE="));
    assert_eq!(told(&step), table[0].1);
    let (mut exchange, step) = begin(Mechanism::Xoauth2, Some(&encoded(token(8192).as_bytes())));
    assert!(matches!(step, Step::Check(_)));
    // What the client is told is JSON, whatever the scope is; what it answers does not matter.
    let refusal = exchange.refuse("a \"scope\"\n").unwrap();
    assert_eq!(refusal, br#"{"status":"401","schemes":"bearer","scope":"a \"scope\"\n"}"#);
    assert_eq!(told(&exchange.hear(b"*")), "over");
    let (mut exchange, _) = begin(Mechanism::Plain, None);
    assert!(exchange.refuse("").is_none());
}
