//! The exchanges of SCRAM in the RFCs, and what is none.

use super::*;

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
        assert_eq!(Verifier::parse(Hash::Sha256, format!("{text}{behind}").as_bytes()), Some(pencil()), "{behind:?}");
    }
    for wrong in
        ["", "{SCRAM-SHA-1}4096", &text.replace("4096", "4095"), &text.replace("4096", "4294967296"), &text[1..]]
    {
        assert_eq!(Verifier::parse(Hash::Sha256, wrong.as_bytes()), None, "{wrong:?}");
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
    assert_eq!(Verifier::parse(Hash::Sha256, &nobody.to_text()), Some(nobody));
}

/// Plays the exchange of RFC 7677 with these messages of the client, and tells every step.
fn scram(first: &str, last: &str) -> Vec<String> {
    scram_bound(Mechanism::Scram(Hash::Sha256), &Binding::Unoffered, first, last)
}

fn scram_bound(mechanism: Mechanism, binding: &Binding, first: &str, last: &str) -> Vec<String> {
    played((mechanism, binding), (&pencil().to_text(), SERVER_NONCE), first, last)
}

/// The server has this verifier of the user, and this part of the nonce.
fn played((mechanism, binding): (Mechanism, &Binding), server: (&[u8], &str), first: &str, last: &str) -> Vec<String> {
    let (verifier, nonce) = server;
    let (mut exchange, step) = bound(mechanism, binding, None);
    let mut steps = vec![told(&step)];
    if let State::Scram(scram) = &mut exchange.state {
        scram.replace_nonce(nonce);
    }
    let step = exchange.hear(&encoded(first.as_bytes()));
    steps.push(told(&step));
    if matches!(step, Step::Check(_)) {
        steps.push(told(&exchange.verify_with(verifier).unwrap()));
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
        ("n,a=,n=user,r=a", r"check user\x00\x00\x00\x0c\x00"),
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
            Mechanism::Scram(Hash::Sha256),
            Some(&encoded(message.as_bytes())).filter(|line| !line.is_empty()).map(|line| &line[..]),
        );
        let step = if message.is_empty() { begin(Mechanism::Scram(Hash::Sha256), Some(b"=")).1 } else { step };
        assert_eq!(told(&step), *expected, "{message:?}");
    }
    let (mut exchange, _) = begin(Mechanism::Plain, None);
    assert!(exchange.verify_with(&pencil().to_text()).is_none());
    // The verifier of another hash is none.
    let (mut exchange, _) = begin(Mechanism::Scram(Hash::Sha1), Some(&encoded(b"n,,n=user,r=a")));
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
    let plus =
        |channel, last: &str| scram_bound(Mechanism::ScramPlus(Hash::Sha256), &Binding::To(channel), &first, last);
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
    let (plain, plus) = (Mechanism::Scram(Hash::Sha256), Mechanism::ScramPlus(Hash::Sha256));
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

/// RFC 5802, 5.
#[test]
fn scram_with_sha_1_is_that_of_rfc_5802() {
    let keys = "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=";
    let verifier = format!("{{SCRAM-SHA-1}}4096,QSXCR+Q6sek8bf92,{keys}");
    let (nonce, server_nonce) = ("fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j");
    let last = format!("c=biws,r={nonce}{server_nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    let play = |last: &str| {
        let (how, server) = ((Mechanism::Scram(Hash::Sha1), &Binding::Unoffered), (verifier.as_bytes(), server_nonce));
        played(how, server, &format!("n,,n=user,r={nonce}"), last)
    };
    let (check, asked) = (r"check user\x00\x00\x00\x0b\x00", "s=QSXCR+Q6sek8bf92,i=4096");
    let asked = format!("challenge r={nonce}{server_nonce},{asked}");
    let answered = "challenge v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";
    assert_eq!(play(&last), ["challenge ", check, &asked, answered, "proven"]);
    assert_eq!(play(&last.replace("p=v", "p=w"))[3], "refused");
    // A proof as long as that of SHA-256 is none.
    assert_eq!(
        play(&last.replace("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))[3],
        "malformed"
    );
}
