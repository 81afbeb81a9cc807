//! Sessions that are resumed by another process (D90), with the keys of `postern ticket-keys`.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use rustls::{HandshakeKind, version};

use crate::home::Home;
use crate::secure::{Client, Secure};
use crate::support::program;
use crate::{client, home};

fn rotate(home: &Home) -> Output {
    let mut command = Command::new(program("postern"));
    command.env_clear().arg("ticket-keys").args(["--certdir".as_ref(), home.control().as_os_str()]).output().unwrap()
}

/// Whether the handshake of a new process was a resumed one, and its log.
fn resumed(home: &Home, client: &Client) -> (bool, String) {
    let mut session = Secure::encrypted(home, client, &[], &[]);
    // The ticket comes with the first reply.
    assert_eq!(session.ask("EHLO c.example"), "250 HELP");
    let kind = session.tls.as_ref().unwrap().handshake_kind().unwrap();
    assert_eq!(session.quit().code(), Some(0));
    (kind == HandshakeKind::Resumed, session.log())
}

#[test]
fn sessions_are_resumed_across_processes_as_long_as_their_key_is_there() {
    for version in [&version::TLS12, &version::TLS13] {
        let home = home();
        let client = Client { versions: vec![version], ..client() };
        assert!(!resumed(&home, &client).0);
        assert!(!resumed(&home, &client).0, "without keys nothing is resumed");

        let output = rotate(&home);
        assert!(output.status.success(), "{output:?}");
        assert!(!resumed(&home, &client).0);
        for _ in 0..3 {
            assert!(resumed(&home, &client).0);
        }
        // A ticket of TLS 1.3 is used once, so the last session is the newest one.
        for rotation in 1..=5 {
            assert!(rotate(&home).status.success());
            let kept = std::fs::metadata(home.control().join("ticketkeys")).unwrap().len();
            assert_eq!(kept, 48 * (rotation + 1));
        }
        assert!(resumed(&home, &client).0, "five rotations later");
        for _ in 0..6 {
            assert!(rotate(&home).status.success());
        }
        assert_eq!(std::fs::metadata(home.control().join("ticketkeys")).unwrap().len(), 48 * 6);
        assert!(!resumed(&home, &client).0, "its key is gone");
    }
}

#[test]
fn damaged_keys_mean_full_handshakes_and_a_line_in_the_log() {
    let home = home();
    home.write("ticketkeys", [7; 50]);
    let client = client();
    for _ in 0..2 {
        let (is_resumed, log) = resumed(&home, &client);
        assert!(!is_resumed);
        assert!(
            log.contains("ticketkeys: it is damaged: `postern ticket-keys` makes new ones; sessions are not resumed\n")
        );
    }
    let output = rotate(&home);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("held no keys"), "{output:?}");
    assert!(!resumed(&home, &client).0);
    assert!(resumed(&home, &client).0);
}

#[test]
fn the_keys_are_readable_for_those_who_may_read_the_certificate_and_nobody_else() {
    let home = home();
    let certificate = home.control().join("servercert.pem");
    for (of_certificate, of_keys) in [(0o640, 0o440), (0o600, 0o400), (0o644, 0o440)] {
        std::fs::set_permissions(&certificate, std::fs::Permissions::from_mode(of_certificate)).unwrap();
        assert!(rotate(&home).status.success());
        let mode = std::fs::metadata(home.control().join("ticketkeys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, of_keys, "{of_certificate:o}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_that_names_it() {
    let home = home();
    let mut command = Command::new(program("postern"));
    let absent = home.path().join("absent");
    let output = command.env_clear().args(["ticket-keys".as_ref(), "--certdir".as_ref(), absent.as_os_str()]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert!(String::from_utf8_lossy(&output.stderr).contains(absent.to_str().unwrap()), "{output:?}");
}
