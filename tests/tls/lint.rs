//! What `postern lint` says about certificates, their keys and what goes with them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::certificates::{Authority, Kind};
use crate::home::Home;
use crate::support::program;

/// The exit code, and what is said about TLS.
fn lint(home: &Home, variables: &[&str]) -> (i32, String) {
    let mut command = Command::new(program("postern"));
    command.env_clear().args(["lint", "--gateway", "203.0.113.254", "--control"]).arg(home.control());
    let output = command.args(variables.iter().flat_map(|variable| ["--env", variable])).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// A home with this certificate, which only its owner may read.
fn with(certificate: &[u8]) -> Home {
    let home = crate::home();
    write(&home, "servercert.pem", certificate, 0o600);
    home
}

fn write(home: &Home, name: &str, content: &[u8], mode: u32) {
    home.write(name, content);
    fs::set_permissions(home.control().join(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn lint_tells_what_is_wrong_with_tls() {
    let authority = Authority::new();
    let of = |days: &str| authority.issue("server", Kind::Ecdsa, "/CN=mx.test", "server", "mx.test", days);
    let good = of("30");
    assert_eq!(lint(&with(&good), &["STARTTLS="]), (0, String::new()));
    assert_eq!(lint(&with(&good), &["SMTPS=", "TLS_CIPHER_LIST=HIGH"]), (0, String::new()));

    let expects = |home: &Home, variables: &[&str], code: i32, text: &str| {
        let (found, said) = lint(home, variables);
        assert!(found == code && said.contains(text), "{code} {text}:\n{found} {said}");
    };
    expects(&with(&of("-1")), &["STARTTLS="], 2, "servercert.pem: the certificate has expired: clients");
    expects(&with(&of("5")), &["STARTTLS="], 1, "servercert.pem: the certificate expires in ");
    // It is found without a variable too: tcp.smtp may set that.
    expects(&with(b"damaged"), &[], 2, "servercert.pem: there is no certificate in it");
    expects(&with(&good), &["STARTTLS=", "SERVERCERT=other.pem"], 2, "other.pem: file does not exist");
    expects(&with(&good), &["TLS_CIPHER_LIST=RC4-SHA"], 2, "servercipherlist: leaves no cipher");
    expects(&with(&good), &["TLS_CIPHER_LIST=HIGH:RC4-SHA"], 1, "no cipher here is called RC4-SHA");
    expects(&with(&good), &["SSL_BITS=4096"], 1, "SSL_BITS: is set and has no effect here: ");

    let home = with(&good);
    write(&home, "servercert.pem", &good, 0o644);
    expects(&home, &[], 1, "servercert.pem: everybody may read it, and the private key is in it");
    let home = with(&good);
    write(&home, "ticketkeys", &[7; 96], 0o604);
    expects(&home, &[], 1, "ticketkeys: everybody may read it, and the keys of all sessions are in it");
    write(&home, "ticketkeys", &[7; 95], 0o600);
    expects(&home, &[], 1, "it is damaged: `postern ticket-keys` makes new ones");
    let home = with(&good);
    home.write("tlsservermethod", "TLSv1.3\n");
    expects(&home, &[], 2, "tlsservermethod: `TLSv1.3` is no version: write TLSv1_2 or TLSv1_3");
    let home = with(&good);
    home.write("tlsclients", "joe@c.example\n");
    expects(&home, &[], 1, "clientca.pem: file does not exist");
}
