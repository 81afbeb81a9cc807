//! The exchanges of the RFCs, and what is no message of a mechanism.

use super::*;

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
    let (mut exchange, step) = begin(Mechanism::CramMd5, None);
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
        let (mut exchange, _) = begin(Mechanism::CramMd5, None);
        assert_eq!(told(&exchange.hear(&encoded(message.as_bytes()))), *expected, "{message:?}");
    }
    assert_eq!(told(&begin(Mechanism::CramMd5, Some(b"Ym9i")).1), "malformed");
}

/// RFC 7677, 3: the account, and both nonces.
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

fn pencil() -> Verifier {
    Verifier::of_password(b"pencil", &STANDARD.decode(SALT).unwrap(), 4096)
}

#[test]
fn a_verifier_is_that_of_rfc_7677() {
    let text = format!(
        "{{SCRAM-SHA-256}}4096,{SALT},WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
    assert_eq!(String::from_utf8_lossy(&pencil().to_text()), text);
    for behind in ["", "\n", ",$1$crypt", ":00ff:clear,crypt", "\r\nmore"] {
        assert_eq!(Verifier::parse(format!("{text}{behind}").as_bytes()), Some(pencil()), "{behind:?}");
    }
    for wrong in
        ["", "{SCRAM-SHA-1}4096", &text.replace("4096", "4095"), &text.replace("4096", "4294967296"), &text[1..]]
    {
        assert_eq!(Verifier::parse(wrong.as_bytes()), None, "{wrong:?}");
    }
    assert!(pencil().accepts(b"pencil") && !pencil().accepts(b"pencils") && !pencil().accepts(b""));
}

#[test]
fn nobody_has_a_verifier_that_stays_the_same() {
    let nobody = Verifier::of_nobody(b"secret", b"joe", 4096);
    assert_eq!(nobody, Verifier::of_nobody(b"secret", b"joe", 4096));
    assert_ne!(nobody.salt(), Verifier::of_nobody(b"secret", b"jo", 4096).salt());
    assert_ne!(nobody.salt(), Verifier::of_nobody(b"other", b"joe", 4096).salt());
    assert_eq!((nobody.salt().len(), nobody.iterations()), (Verifier::SALT_OCTETS, 4096));
    assert_eq!(Verifier::parse(&nobody.to_text()), Some(nobody));
}

/// Plays the exchange of RFC 7677 with these messages of the client, and tells every step.
fn scram(first: &str, last: &str) -> Vec<String> {
    scram_bound(Mechanism::ScramSha256, &Binding::Unoffered, first, last)
}

fn scram_bound(mechanism: Mechanism, binding: &Binding, first: &str, last: &str) -> Vec<String> {
    let (mut exchange, step) = bound(mechanism, binding, None);
    let mut steps = vec![told(&step)];
    if let State::Scram(scram) = &mut exchange.state {
        scram.replace_nonce(SERVER_NONCE);
    }
    let step = exchange.hear(&encoded(first.as_bytes()));
    steps.push(told(&step));
    if matches!(step, Step::Check(_)) {
        steps.push(told(&exchange.verify_with(&pencil().to_text()).unwrap()));
        steps.push(told(&exchange.hear(&encoded(last.as_bytes()))));
        steps.push(told(&exchange.hear(b"")));
    }
    steps
}

#[test]
fn scram_is_that_of_rfc_7677() {
    let first = format!("n,,n=user,r={CLIENT_NONCE}");
    let last = format!("c=biws,r={CLIENT_NONCE}{SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let asked = format!("challenge r={CLIENT_NONCE}{SERVER_NONCE},s={SALT},i=4096");
    let check = r"check user\x00\x00\x00\x0c\x00";
    let answered = "challenge v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(scram(&first, &last), ["challenge ", check, &asked, answered, "proven"]);
    // Another proof, header or nonce; and then nothing proves anything any more.
    for wrong in [last.replace("p=d", "p=e"), last.replace("biws", "eSws"), last.replace("$k0", "$k1")] {
        let steps = scram(&first, &wrong);
        assert_eq!(steps[3], "refused", "{wrong}");
    }
    for wrong in ["", "c=biws", "p=AAAA", &last.replace(",p=", ",q="), &last.replace("VQ=", "VQ")] {
        assert_eq!(scram(&first, wrong)[3], "malformed", "{wrong}");
    }
}

#[test]
fn the_first_message_of_scram_is_read() {
    let table: &[(&str, &str)] = &[
        ("y,,n=user,r=a", r"check user\x00\x00\x00\x0c\x00"),
        ("n,a=user,n=user,r=a", r"check user\x00\x00\x00\x0c\x00"),
        ("n,,n=a=2Cb=3Dc,r=a,x=y", r"check a,b=c\x00\x00\x00\x0c\x00"),
        ("n,a=root,n=user,r=a", "refused"),
        ("n,root,n=user,r=a", "refused"),
        ("p=tls-exporter,,n=user,r=a", "refused"),
        ("x,,n=user,r=a", "refused"),
        ("n,,m=x,n=user,r=a", "refused"),
        ("n,,n=a=2cb,r=a", "refused"),
        ("n,,n=a=,r=a", "refused"),
        ("n,,n=,r=a", "malformed"),
        ("n,,n=a\0b,r=a", "malformed"),
        ("n,,n=user,r=", "malformed"),
        ("n,,n=user,r=a b", "malformed"),
        ("n,,n=user", "malformed"),
        ("n,", "malformed"),
        ("", "malformed"),
    ];
    for (message, expected) in table {
        let (_, step) = begin(
            Mechanism::ScramSha256,
            Some(&encoded(message.as_bytes())).filter(|line| !line.is_empty()).map(|line| &line[..]),
        );
        let step = if message.is_empty() { begin(Mechanism::ScramSha256, Some(b"=")).1 } else { step };
        assert_eq!(told(&step), *expected, "{message:?}");
    }
    let (mut exchange, _) = begin(Mechanism::Plain, None);
    assert!(exchange.verify_with(&pencil().to_text()).is_none());
}

/// A connection whose exporter gives 0 to 31 and whose certificate has the hash `certificate`.
fn channel() -> Channel {
    let exporter = std::array::from_fn(|index| index as u8);
    Channel { exporter: Some(exporter), server_end_point: Some(b"certificate".to_vec()) }
}

#[test]
fn scram_plus_is_bound_to_its_channel() {
    let first = format!("p=tls-exporter,,n=user,r={CLIENT_NONCE}");
    let header = "cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let proof = "QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=";
    let last = format!("c={header},r={CLIENT_NONCE}{SERVER_NONCE},p={proof}");
    let asked = format!("challenge r={CLIENT_NONCE}{SERVER_NONCE},s={SALT},i=4096");
    let check = r"check user\x00\x00\x00\x0f\x00";
    let answered = "challenge v=2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=";
    let plus = |channel, last: &str| scram_bound(Mechanism::ScramSha256Plus, &Binding::To(channel), &first, last);
    assert_eq!(plus(channel(), &last), ["challenge ", check, &asked, answered, "proven"]);
    // Somebody who sits between has two connections, and the client's proof is about the other.
    let mut other = channel();
    other.exporter = Some([7; 32]);
    assert_eq!(plus(other, &last)[3], "refused");
    // The proof is about the header too: nobody can say that the client has bound to nothing.
    assert_eq!(plus(channel(), &last.replace(header, "biws"))[3], "refused");
    assert_eq!(plus(channel(), &last.replace(header, "cD10bHMtZXhwb3J0ZXIsLA=="))[3], "refused");
}

/// RFC 5802, 6: whom the client takes the server for has to agree with what the server has offered.
#[test]
fn what_a_client_says_of_binding_agrees_with_what_was_offered() {
    let (plain, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    let only = |exporter: Option<[u8; 32]>| Binding::To(Channel { exporter, ..Channel::default() });
    let of_certificate = Binding::To(Channel { exporter: None, ..channel() });
    let both = Binding::To(channel());
    let table: &[(Mechanism, &Binding, &str, bool)] = &[
        (plain, &Binding::Unoffered, "n", true),
        (plain, &Binding::Unoffered, "y", true),
        (plain, &Binding::Unoffered, "p=tls-exporter", false),
        (plain, &Binding::Offered, "n", true),
        (plain, &Binding::Offered, "y", false),
        (plain, &Binding::Offered, "p=tls-exporter", false),
        (plus, &both, "n", false),
        (plus, &both, "y", false),
        (plus, &both, "p=tls-exporter", true),
        (plus, &both, "p=tls-server-end-point", true),
        (plus, &both, "p=tls-unique", false),
        (plus, &both, "p=TLS-EXPORTER", false),
        (plus, &both, "p=", false),
        (plus, &both, "p", false),
        (plus, &both, "tls-exporter", false),
        (plus, &of_certificate, "p=tls-exporter", false),
        (plus, &of_certificate, "p=tls-server-end-point", true),
        (plus, &only(Some([7; 32])), "p=tls-exporter", true),
        (plus, &only(Some([7; 32])), "p=tls-server-end-point", false),
        (plus, &only(None), "p=tls-exporter", false),
    ];
    for (mechanism, binding, flag, goes_on) in table {
        let message = encoded(format!("{flag},,n=user,r=a").as_bytes());
        let step = told(&bound(*mechanism, binding, Some(&message)).1);
        let expected = format!(r"check user\x00\x00\x00\x{:02x}\x00", mechanism.number());
        assert_eq!(step, if *goes_on { expected.as_str() } else { "refused" }, "{mechanism} {binding:?} {flag}");
    }
    let shown = format!("{both:?}");
    assert!(!shown.contains("certificate") && !shown.contains("31"), "{shown}");
}
