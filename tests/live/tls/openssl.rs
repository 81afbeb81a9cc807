//! `openssl s_client`: versions, sessions that are resumed, certificates of clients, names, and what is refused.

use std::process::Command;

use super::{DEADLINE, ELSEWHERE, Site, USER, make_ticket_keys, session, talk, write};
use crate::certificates::{Authority, Kind};
use crate::home;
use crate::net::TcpServer;

const VERSIONS: [(&str, &str); 2] = [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")];
/// Clients have to ask for what they hold to be too weak.
const ANYTHING: &str = "DEFAULT:@SECLEVEL=0";

/// Runs it against this server; it verifies that the certificate is of localhost.
fn s_client(server: &TcpServer, authority: &str, more: &[&str], input: &str) -> (i32, String) {
    named(server, authority, &[&["-verify_hostname", "localhost"], more].concat(), input)
}

fn named(server: &TcpServer, authority: &str, more: &[&str], input: &str) -> (i32, String) {
    let address = format!("localhost:{}", server.port);
    let arguments = ["s_client", "-connect", &address, "-crlf", "-ign_eof", "-CAfile", authority];
    talk("openssl", &[&arguments[..], &["-verify_return_error"], more].concat(), Some(input))
}

#[test]
fn both_versions_over_starttls_and_from_the_first_octet() {
    let site = Site::start();
    let mut count = 0;
    for (server, starttls) in [(&site.submission, &["-starttls", "smtp"][..]), (&site.submissions, &[])] {
        for (option, version) in VERSIONS {
            let input = "EHLO client.example\nAUTH PLAIN AGpvZUBvdXIuZXhhbXBsZQBwZW5jaWw=\n".to_owned();
            let input = input + &session("client.example", USER, ELSEWHERE);
            let (code, said) = s_client(server, &site.authority(), &[starttls, &[option]].concat(), &input);
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("Verification: OK\nVerified peername: localhost\n"), "{said}");
            assert!(said.contains(&format!("New, {version}, Cipher is ")), "{said}");
            assert!(said.contains("\nCompression: NONE\n"), "{said}");
            count += 1;
            site.arrived(count, &format!(" with ESMTPSA ({version} "));
        }
    }
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    for (option, version) in VERSIONS {
        let site = Site::start();
        let kept = site.home.path().join("session");
        let kept = kept.to_str().unwrap();
        let visit = |how: &str| {
            let (code, said) = s_client(&site.submissions, &site.authority(), &[option, how, kept], "NOOP\nQUIT\n");
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("221 mx.test"), "{said}");
            said.contains(&format!("Reused, {version}, Cipher is "))
        };
        make_ticket_keys(&site.home.control());
        assert!(!visit("-sess_out"));
        assert!(visit("-sess_in"), "{version}");
        assert!(!visit("-sess_out"));
        std::fs::remove_file(site.home.control().join("ticketkeys")).unwrap();
        assert!(!visit("-sess_in"), "{version}: without keys there is nothing to resume with");
    }
}

/// A site whose users are their certificates, and the arguments of s_client for one of joe's.
fn with_certificates(authority: &Authority) -> Site {
    let home = home();
    home.write("servercert.pem", Authority::shared_local());
    home.write("tlsclients", "joe@our.example\n");
    home.write("clientca.pem", authority.certificate());
    Site::of(home)
}

#[test]
fn a_certificate_of_a_client_relays() {
    let authority = Authority::new();
    let site = with_certificates(&authority);
    let listed = write(&site.home, "listed.pem", authority.client(USER));
    let other = write(&site.home, "other.pem", authority.client("jim@our.example"));
    let mut count = 0;
    for (option, version) in VERSIONS {
        let input = session("client.example", USER, ELSEWHERE);
        let visit = |own: &str| {
            let own = [option, "-starttls", "smtp", "-cert", own, "-key", own];
            s_client(&site.submission, &site.authority(), &own, &input).1
        };
        let said = visit(&listed);
        assert!(said.contains("\n354 go ahead\n"), "{said}");
        count += 1;
        site.arrived(count, "\n  (cert joe@our.example); ");
        site.arrived(count, &format!(" with ESMTPS ({version} "));
        site.submission.wait_for_log(&format!(" TLS={version} reason=tlsclients:1\n"));
        let said = visit(&other);
        assert!(said.contains("no valid cert for gateway: email address not in my list of tlsclients"), "{said}");
    }
    assert_eq!(site.home.deliveries().len(), count);
}

/// A certificate of X.509 version 1 with its key: the way of openssl if no extension is asked for.
fn of_version_1(home: &home::Home) -> String {
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("timeout").args([DEADLINE, "openssl"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let (key, request, certificate) = (path("v1.key"), path("v1.csr"), path("v1.crt"));
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key]);
    openssl(&["req", "-new", "-key", &key, "-subj", "/CN=old/emailAddress=joe@our.example", "-out", &request]);
    openssl(&["x509", "-req", "-in", &request, "-signkey", &key, "-out", &certificate]);
    let text = openssl(&["x509", "-in", &certificate, "-noout", "-text"]);
    assert!(String::from_utf8(text).unwrap().contains("Version: 1 (0x0)"));
    let both = [std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap()].concat();
    write(home, "v1.pem", both)
}

#[test]
fn a_certificate_of_version_1_is_as_none() {
    let authority = Authority::new();
    let site = with_certificates(&authority);
    let own = of_version_1(&site.home);
    for (number, (option, version)) in VERSIONS.into_iter().enumerate() {
        let own = [option, "-cert", &own, "-key", &own];
        let visit = |recipient: &str| {
            let input = session("client.example", USER, recipient);
            s_client(&site.submissions, &site.authority(), &own, &input).1
        };
        let said = visit("bob@test");
        assert!(said.contains("\n354 go ahead\n"), "{said}");
        let deliveries = site.home.deliveries();
        assert_eq!(deliveries.len(), number + 1);
        let trace = String::from_utf8(deliveries[number].trace_and_content().0).unwrap();
        assert!(trace.contains(&format!(" with ESMTPS ({version} ")) && !trace.contains("(cert "), "{trace}");
        let said = visit(ELSEWHERE);
        assert!(said.contains("\n553 sorry, that domain isn't allowed to be relayed"), "{said}");
    }
}

#[test]
fn a_chain_of_10_mb_is_refused_and_takes_no_memory() {
    const OCTETS: usize = 10_000_000;
    /// Address space of the session, in octets: it has this limit, so that what grows fails.
    const MEMORY: &str = "--as=16777216";
    let authority = Authority::new();
    let site = with_certificates(&authority);
    let own = write(&site.home, "own.pem", authority.client(USER));
    let one = authority.certificate();
    // The text of a certificate is a third longer than its octets.
    let chain = write(&site.home, "chain.pem", one.repeat(OCTETS * 4 / 3 / one.len()));
    let id = site.submissions.id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &id, MEMORY]).status().unwrap().success());
    for (count, (option, _)) in VERSIONS.into_iter().enumerate() {
        let input = session("client.example", USER, ELSEWHERE);
        let visit = |more: &[&str]| {
            let own = [option, "-cert", &own, "-key", &own];
            s_client(&site.submissions, &site.authority(), &[&own[..], more].concat(), &input)
        };
        let (_, said) = visit(&["-cert_chain", &chain]);
        assert!(!said.contains("\n220 "), "{said}");
        site.submissions.wait_for_log(" TLS handshake failed: ");
        // The next one is served, in as much memory.
        let (_, said) = visit(&[]);
        assert!(said.contains("\n354 go ahead\n"), "{said}");
        site.arrived(count + 1, "\n  (cert joe@our.example); ");
    }
    let log = site.submissions.log();
    assert_eq!(log.matches(" TLS handshake failed: ").count(), 2, "{log}");
    assert!(!log.contains("memory allocation"), "{log}");
}

#[test]
fn the_name_that_is_asked_for_gets_its_certificate() {
    let site = Site::start();
    let directory = site.home.control().join("other.example");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("servercert.pem"), Authority::shared().server("other.example", Kind::Rsa)).unwrap();
    for (name, shown) in
        [("other.example", "other.example"), ("localhost", "localhost"), ("third.example", "localhost")]
    {
        let verified = ["-servername", name, "-verify_hostname", shown];
        let (code, said) = named(&site.submissions, &site.authority(), &verified, "QUIT\n");
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("Verified peername: {shown}\n")), "{said}");
        assert!(said.contains(&format!("subject=CN = {shown}\n")), "{said}");
    }
}

#[test]
fn old_versions_and_weak_ciphers_are_refused() {
    let site = Site::start();
    for more in [
        &["-tls1", "-cipher", ANYTHING][..],
        &["-tls1_1", "-cipher", ANYTHING],
        &["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
        &[
            "-tls1_2",
            "-cipher",
            "AES128-SHA:AES256-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0",
        ],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "kDHE:@SECLEVEL=0"],
    ] {
        for (server, starttls) in [(&site.submission, &["-starttls", "smtp"][..]), (&site.submissions, &[])] {
            let (code, said) = s_client(server, &site.authority(), &[more, starttls].concat(), "QUIT\n");
            assert_eq!(code, 1, "{more:?}: {said}");
            // The server refuses, not the client: there is an alert.
            assert!(said.contains(":SSL alert number "), "{more:?}: {said}");
            assert!(said.contains("Cipher is (NONE)"), "{more:?}: {said}");
        }
    }
    // What it takes for the last of them is the cipher alone.
    let good = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"];
    let (code, said) = s_client(&site.submissions, &site.authority(), &good, "QUIT\n");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn nothing_is_renegotiated() {
    let site = Site::start();
    let address = format!("localhost:{}", site.submissions.port);
    let authority = site.authority();
    let arguments = ["s_client", "-connect", &address, "-crlf", "-tls1_2", "-CAfile", &authority];
    let (code, said) = talk("openssl", &arguments, Some("R\n"));
    assert!(said.contains("\nRENEGOTIATING\n"), "{said}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    assert_eq!(site.submissions.log().matches("ssl-version").count(), 1, "one handshake: {}", site.submissions.log());
}
