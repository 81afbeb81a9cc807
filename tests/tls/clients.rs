//! tlsclients (D89): what certificates of clients are worth, good and bad, also in a resumed session.

use std::process::Command;

use rustls::{HandshakeKind, version};

use crate::certificates::{Authority, Kind};
use crate::home::Home;
use crate::secure::{Client, Secure};
use crate::support::program;
use crate::{client, home};

const REFUSED: &str = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication; no valid cert for gateway";

/// A home that lets certificates of joe@c.example relay.
fn listing_home(authority: &Authority) -> Home {
    let home = home();
    home.write("tlsclients", "# who may relay\nJoe@c.example\nann@c.example\n");
    home.write("clientca.pem", authority.certificate());
    home
}

/// The reply to a recipient elsewhere, and the log.
fn relayed(home: &Home, client: &Client) -> (String, String) {
    let mut session = Secure::encrypted(home, client, &[], &[]);
    assert_eq!(session.ask("EHLO c.example"), "250 HELP");
    let local = session.deliver("a@b.example", "u@our.example");
    assert!(local.starts_with("250 ok "), "ordinary mail: {local}");
    let reply = session.deliver("a@b.example", "u@far.example");
    assert_eq!(session.quit().code(), Some(0));
    (reply, session.log())
}

#[test]
fn a_listed_certificate_relays_and_others_do_not() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    let server = Authority::shared().certificate();
    let none = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication; no valid cert for gateway  #5.7.1";
    let by_name = authority.issue("by-name", Kind::Rsa, "/CN=ann", "client-by-name", "ann@c.example", "30");
    let expired = authority.issue("expired", Kind::Ecdsa, "/emailAddress=joe@c.example", "client", "none", "-1");
    let nameless = authority.issue("nameless", Kind::Ecdsa, "/CN=joe", "client", "none", "30");
    let of_server =
        authority.issue("of-server", Kind::Ecdsa, "/emailAddress=joe@c.example", "server", "c.example", "30");
    let strange = Authority::new().client("joe@c.example");
    for version in [&version::TLS12, &version::TLS13] {
        for (own, expected) in [
            (None, none.to_owned()),
            (Some(authority.client("joe@c.example")), "250 ok ".to_owned()),
            (Some(by_name.clone()), "250 ok ".to_owned()),
            (
                Some(authority.client("jim@c.example")),
                format!("{REFUSED}: email address not in my list of tlsclients  #5.7.1"),
            ),
            (Some(nameless.clone()), format!("{REFUSED}: contains no email address  #5.7.1")),
            (Some(strange.clone()), format!("{REFUSED}: unable to get local issuer certificate  #5.7.1")),
            (Some(expired.clone()), format!("{REFUSED}: certificate has expired  #5.7.1")),
            (Some(of_server.clone()), format!("{REFUSED}: unsuitable certificate purpose  #5.7.1")),
        ] {
            let client = Client { own, versions: vec![version], ..Client::new(&server) };
            let (reply, log) = relayed(&home, &client);
            assert!(reply.starts_with(&expected), "{expected}\n{reply}\n{log}");
        }
    }
}

#[test]
fn what_a_certificate_has_let_in_says_so() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    let client = Client::with(authority.client("joe@c.example"), &Authority::shared().certificate());
    let (reply, log) = relayed(&home, &client);
    assert!(reply.starts_with("250 ok "), "{reply}");
    assert!(log.contains(" reason=tlsclients:2\n"), "{log}");
    let deliveries = home.deliveries();
    let trace = |at: usize| String::from_utf8(deliveries[at].trace_and_content().0).unwrap();
    assert!(
        trace(1).contains(" with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384 bits=256)\n  (cert joe@c.example); "),
        "{}",
        trace(1)
    );
    assert!(!trace(0).contains("(cert "), "{}", trace(0));
    let exported = |at: usize| deliveries[at].environment.iter().any(|line| line == "AUTHENTICATED=1");
    assert_eq!((exported(0), exported(1)), (false, true));
}

/// It is a right to relay before there is a recipient: HELO needs no dot, and auth.envrules are for its messages.
#[test]
fn a_certificate_is_a_right_for_helo_and_for_rules() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    home.write("auth.envrules", ":BY_RULE=1\n");
    let server = Authority::shared().certificate();
    for (name, has_right) in [("joe@c.example", true), ("jim@c.example", false)] {
        let client = Client::with(authority.client(name), &server);
        let mut session = Secure::encrypted(&home, &client, &[("ENFORCE_FQDN_HELO", "")], &[]);
        let greeted = session.ask("EHLO localhost");
        assert_eq!(greeted == "250 HELP", has_right, "{name}: {greeted}");
        let mut session = Secure::encrypted(&home, &client, &[], &[]);
        session.ask("EHLO c.example");
        let local = session.deliver("a@b.example", "u@our.example");
        assert!(local.starts_with("250 ok "), "{local}");
        assert_eq!(session.quit().code(), Some(0));
        let log = session.log();
        assert_eq!(log.contains("Setting EnvRule No 1: MAIL from <authorized>"), has_right, "{name}: {log}");
    }
}

#[test]
fn a_certificate_is_asked_for_only_where_it_could_help() {
    let authority = Authority::new();
    let own = authority.client("joe@c.example");
    let server = Authority::shared().certificate();
    let home = listing_home(&authority);
    let why = |log: &str| log.lines().find_map(|line| line.split_once("tlsclients: ")).map(|(_, why)| why.to_owned());
    for (file, content, remark) in [
        ("tlsclients", "# nobody yet\n", None),
        ("clientca.pem", "no certificate\n", Some("clientca.pem: there is no certificate of an authority in it")),
    ] {
        let before = std::fs::read(home.control().join(file)).unwrap();
        home.write(file, content);
        let (reply, log) = relayed(&home, &Client::with(own.clone(), &server));
        // As a client without one.
        assert_eq!(reply, format!("{REFUSED}  #5.7.1"), "{file}");
        match remark {
            None => assert_eq!(why(&log), None),
            Some(remark) => assert!(why(&log).unwrap().ends_with(remark), "{log}"),
        }
        home.write(file, before);
    }
    std::fs::remove_file(home.control().join("tlsclients")).unwrap();
    assert_eq!(relayed(&home, &Client::with(own, &server)).0, format!("{REFUSED}  #5.7.1"));
}

/// Nobody can know whom it has: it may be this client, and is nobody without a certificate.
#[test]
fn a_list_that_cannot_be_read_is_a_refusal_for_now() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    std::fs::remove_file(home.control().join("tlsclients")).unwrap();
    std::fs::create_dir(home.control().join("tlsclients")).unwrap();
    let server = Authority::shared().certificate();
    assert_eq!(relayed(&home, &Client::new(&server)).0, format!("{REFUSED}  #5.7.1"));
    let client = Client::with(authority.client("joe@c.example"), &server);
    let mut session = Secure::encrypted(&home, &client, &[], &[]);
    assert_eq!(session.ask("EHLO c.example"), "250 HELP");
    assert!(session.deliver("a@b.example", "u@our.example").starts_with("250 ok "));
    let reply = session.deliver("a@b.example", "u@far.example");
    assert_eq!(reply, "451 Sorry, I'm unable to read controls (#4.3.0)");
    assert!(session.log().contains(" unable to read controls [tlsclients] "));
}

#[test]
fn the_list_of_the_revoked_counts() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    let server = Authority::shared().certificate();
    let client = Client::with(authority.client("joe@c.example"), &server);
    let other = Client::with(authority.client("ann@c.example"), &server);
    home.write("clientcrl.pem", authority.revoke(None));
    assert!(relayed(&home, &client).0.starts_with("250 ok "));
    home.write("clientcrl.pem", authority.revoke(Some("joe@c.example")));
    assert_eq!(relayed(&home, &client).0, format!("{REFUSED}: certificate revoked  #5.7.1"));
    assert!(relayed(&home, &other).0.starts_with("250 ok "));
    // One that cannot be read, or is another authority's, revokes everybody.
    for damaged in [b"damaged".to_vec(), Authority::new().revoke(None)] {
        home.write("clientcrl.pem", damaged);
        assert!(relayed(&home, &other).0.starts_with(&format!("{REFUSED}: ")));
    }
}

#[test]
fn a_resumed_session_is_judged_by_the_list_of_now() {
    for version in [&version::TLS12, &version::TLS13] {
        let authority = Authority::new();
        let home = listing_home(&authority);
        let mut command = Command::new(program("postern"));
        command.env_clear().args(["ticket-keys".as_ref(), "--certdir".as_ref(), home.control().as_os_str()]);
        assert!(command.status().unwrap().success());
        let own = authority.client("joe@c.example");
        let client = Client { versions: vec![version], ..Client::with(own, &Authority::shared().certificate()) };
        let visit = || {
            let mut session = Secure::encrypted(&home, &client, &[], &[]);
            assert_eq!(session.ask("EHLO c.example"), "250 HELP");
            let kind = session.tls.as_ref().unwrap().handshake_kind().unwrap();
            (kind == HandshakeKind::Resumed, session.deliver("a@b.example", "u@far.example"))
        };
        home.write("clientcrl.pem", authority.revoke(None));
        let (is_resumed, reply) = visit();
        assert!(!is_resumed && reply.starts_with("250 ok "), "{reply}");
        let (is_resumed, reply) = visit();
        assert!(is_resumed && reply.starts_with("250 ok "), "{reply}");
        home.write("clientcrl.pem", authority.revoke(Some("joe@c.example")));
        let (is_resumed, reply) = visit();
        assert!(is_resumed, "it is still the same session");
        assert_eq!(reply, format!("{REFUSED}: certificate revoked  #5.7.1"));
    }
}

#[test]
fn relaylevel_none_leaves_certificates_their_right() {
    let authority = Authority::new();
    let home = listing_home(&authority);
    home.write("relaylevel", "none\n");
    let client_of_joe = Client::with(authority.client("joe@c.example"), &Authority::shared().certificate());
    assert!(relayed(&home, &client_of_joe).0.starts_with("250 ok "));
    assert_eq!(relayed(&home, &client()).0, format!("{REFUSED}  #5.7.1"));
}
