//! Versions and cipher suites (D88), where certificates are and the names that clients ask for (D84).

use rustls::{CipherSuite, version};

use crate::certificates::{Authority, Kind};
use crate::secure::{Client, Secure};
use crate::{client, home};

/// What the handshake of a client that knows only this version comes to.
fn tried(method: &str, versions: Vec<&'static rustls::SupportedProtocolVersion>) -> String {
    let home = home();
    home.write("tlsservermethod", format!("{method}\n"));
    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
    let reply = session.ask("STARTTLS");
    if reply != "220 ready for tls" {
        return reply;
    }
    match session.encrypt(&Client { versions, ..client() }) {
        Ok(()) => {
            assert_eq!(session.ask("NOOP"), "250 ok");
            "ok".to_owned()
        }
        Err(_) => "failed".to_owned(),
    }
}

#[test]
fn tlsservermethod_chooses_versions() {
    let (old, new) = (|| vec![&version::TLS12], || vec![&version::TLS13]);
    for (method, in_old, in_new) in [
        ("", "ok", "ok"),
        ("TLSv1_3", "ok", "ok"),
        ("TLSv1_2", "ok", "failed"),
        ("TLSv1_3:TLSv1_3", "failed", "ok"),
        ("TLSv1_3:", "failed", "ok"),
        (":TLSv1_2", "ok", "failed"),
        ("TLSv1:TLSv1_1", "ok", "failed"),
        ("SSLv23", "ok", "ok"),
        ("TLSv1.2", "454 unable to initialize TLS (#4.3.0)", "454 unable to initialize TLS (#4.3.0)"),
    ] {
        assert_eq!((tried(method, old()).as_str(), tried(method, new()).as_str()), (in_old, in_new), "{method}");
    }
}

#[test]
fn each_suite_has_its_name_in_the_trace_header() {
    let home = home();
    let rsa = Authority::shared().server("mx.test", Kind::Rsa);
    for (suite, kind, told) in [
        (CipherSuite::TLS13_AES_256_GCM_SHA384, Kind::Ecdsa, "TLSv1.3 TLS_AES_256_GCM_SHA384 bits=256"),
        (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, Kind::Ecdsa, "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 bits=256"),
        (CipherSuite::TLS13_AES_128_GCM_SHA256, Kind::Rsa, "TLSv1.3 TLS_AES_128_GCM_SHA256 bits=128"),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            Kind::Ecdsa,
            "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 bits=256",
        ),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Kind::Ecdsa,
            "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 bits=128",
        ),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            Kind::Ecdsa,
            "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305 bits=256",
        ),
        (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, Kind::Rsa, "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384 bits=256"),
        (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Kind::Rsa, "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 bits=128"),
        (
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            Kind::Rsa,
            "TLSv1.2 ECDHE-RSA-CHACHA20-POLY1305 bits=256",
        ),
    ] {
        home.write("rsa.pem", &rsa);
        let variables: &[_] = if kind == Kind::Rsa { &[("SERVERCERT", "rsa.pem")] } else { &[] };
        let versions = if told.starts_with("TLSv1.2") { vec![&version::TLS12] } else { vec![&version::TLS13] };
        let client = Client { suite: Some(suite), versions, ..client() };
        let mut session = Secure::encrypted(&home, &client, variables, &[]);
        assert_eq!(session.ask("EHLO c.example"), "250 HELP");
        assert!(session.deliver("a@b.example", "u@our.example").starts_with("250 ok "));
        assert_eq!(session.quit().code(), Some(0));
        let trace = home.deliveries().last().unwrap().trace_and_content().0;
        let trace = String::from_utf8(trace).unwrap();
        assert!(trace.contains(&format!(" with ESMTPS ({told}); ")), "{trace}");
    }
}

#[test]
fn lists_of_ciphers_hold_for_both_versions() {
    let home = home();
    home.write("servercipherlist", "ECDHE-ECDSA-CHACHA20-POLY1305\nAES128-SHA\n");
    home.write("serverciphersuite", "TLS_AES_128_GCM_SHA256\n");
    let suite = |version, variables: &[(&str, &str)]| {
        let client = Client { versions: vec![version], ..client() };
        let session = Secure::encrypted(&home, &client, variables, &[]);
        session.tls.as_ref().unwrap().negotiated_cipher_suite().unwrap().suite()
    };
    use CipherSuite::*;
    assert_eq!(suite(&version::TLS12, &[]), TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    assert_eq!(suite(&version::TLS13, &[]), TLS13_AES_128_GCM_SHA256);
    // The variables win, and the list's order counts, not the client's.
    let variables = [
        ("TLS_CIPHER_LIST", "ECDHE-ECDSA-AES128-GCM-SHA256:HIGH"),
        ("TLS_CIPHER_SUITE", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"),
    ];
    assert_eq!(suite(&version::TLS12, &variables), TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    assert_eq!(suite(&version::TLS13, &variables), TLS13_CHACHA20_POLY1305_SHA256);
    // What the log says of words that name nothing, and that nothing is left.
    let mut session = Secure::encrypted(&home, &client(), &[], &[]);
    assert!(session.log().contains("servercipherlist: no cipher here is called AES128-SHA\n"));
    home.write("servercipherlist", "AES128-SHA:DES-CBC3-SHA\n");
    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
    assert_eq!(session.ask("STARTTLS"), "454 unable to initialize TLS (#4.3.0)");
    assert!(session.log().contains("unable to initialize TLS: servercipherlist: leaves no cipher\n"));
}

#[test]
fn certificates_that_cannot_be_used_are_454_and_the_session_goes_on() {
    let good = Authority::shared().server("other.test", Kind::Ecdsa);
    let other = Authority::shared().server("another.test", Kind::Ecdsa);
    let parts = |pem: &[u8]| {
        let text = String::from_utf8(pem.to_vec()).unwrap();
        let at = text.find("-----BEGIN PRIVATE KEY-----").unwrap();
        (text[..at].to_owned(), text[at..].to_owned())
    };
    let ((chain, key), (_, foreign_key)) = (parts(&good), parts(&other));
    for (content, why) in [
        (String::new(), "there is no certificate in it"),
        (key.clone(), "there is no certificate in it"),
        (chain.clone(), "there is no private key in it that can be read without a password"),
        (chain.clone() + &foreign_key, "keys may not be consistent: KeyMismatch"),
        (chain.replacen("MII", "MIJ", 1) + &key, "invalid peer certificate: BadEncoding"),
    ] {
        let home = home();
        home.write("servercert.pem", &content);
        let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
        assert_eq!(session.ask("STARTTLS"), "454 unable to initialize TLS (#4.3.0)", "{why}");
        assert_eq!(session.ask("STARTTLS"), "454 unable to initialize TLS (#4.3.0)", "{why}");
        // The file is mended meanwhile: nothing of the failure is left.
        home.write("servercert.pem", chain.clone() + &key);
        session.starttls(&Client { name: "other.test", ..client() }).unwrap();
        assert_eq!(session.quit().code(), Some(0));
        let log = session.log();
        assert!(log.contains(&format!("servercert.pem: {why}")), "{why}: {log}");
    }
}

#[test]
fn certdir_and_servercert_say_where_it_is() {
    let home = home();
    let elsewhere = home.path().join("certificates");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(home.control().join("servercert.pem"), elsewhere.join("mine.pem")).unwrap();
    let directory = elsewhere.to_str().unwrap();
    let whole = elsewhere.join("mine.pem");
    for (variables, is_offered) in [
        (&[("CERTDIR", directory), ("SERVERCERT", "mine.pem")][..], true),
        (&[("SERVERCERT", whole.to_str().unwrap())], true), // D84
        (&[("CERTDIR", directory)], false),
        (&[], false),
    ] {
        let mut session = Secure::greeted(&home, &[&[("STARTTLS", "")], variables].concat(), &[]);
        session.send("EHLO c.example\r\n");
        assert_eq!(session.lines().contains(&"250-STARTTLS".to_owned()), is_offered, "{variables:?}");
        if is_offered {
            session.starttls(&client()).unwrap();
            assert_eq!(session.quit().code(), Some(0));
        }
    }
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let home = home();
    let asked = |name, variables: &[(&str, &str)]| {
        let mut session = Secure::greeted(&home, &[&[("STARTTLS", "")], variables].concat(), &[]);
        let result = session.starttls(&Client { name, ..client() }).map_err(|_| ());
        (result, session.log())
    };
    // The client looks for its name in the certificate: success is the right one.
    assert!(asked("mail.our.example", &[]).0.is_err());
    std::fs::create_dir(home.control().join("mail.our.example")).unwrap();
    let certificate = Authority::shared().server("mail.our.example", Kind::Rsa);
    home.write("mail.our.example/servercert.pem", &certificate);
    assert!(asked("mail.our.example", &[]).0.is_ok());
    assert!(asked("MAIL.our.example", &[]).0.is_ok());
    assert!(asked("mx.test", &[]).0.is_ok());
    // One that cannot be used is told, and the certificate for everybody is shown.
    home.write("mail.our.example/servercert.pem", "damaged");
    let (result, log) = asked("mail.our.example", &[]);
    assert!(result.is_err());
    let _ = log;
    std::fs::create_dir(home.control().join("mx.test")).unwrap();
    home.write("mx.test/servercert.pem", "damaged");
    let (result, log) = asked("mx.test", &[]);
    assert!(result.is_ok());
    assert!(log.contains("mx.test/servercert.pem: there is no certificate in it\n"), "{log}");
}
