//! `postern lint` about checkers of passwords.

use std::fs;

use crate::support::program;
use crate::{home, lint};

#[test]
fn a_checker_that_says_yes_to_everybody_is_found() {
    let home = home(&[]);
    let checker = |script: &str| {
        let path = home.path().join("checker");
        // The script is read, not started: a file that another test's child has open for writing cannot be.
        fs::write(&path, script).unwrap();
        let path = path.to_str().unwrap().to_owned();
        lint(&home, &["--env", "SECURE_AUTH=", "--", "mx.test", "/bin/sh", &path])
    };
    assert_eq!(checker("exit 1"), (Some(0), vec![]));
    let (code, found) = checker("exit 0");
    assert_eq!((code, found.len()), (Some(2), 1));
    assert!(found[0].starts_with("error: arguments: /bin/sh says yes to the user nobody-"), "{found:#?}");
    let cannot = "warning: arguments: /bin/sh cannot tell: exit code 111 no database";
    assert_eq!(checker("echo no database; exit 111"), (Some(1), vec![cannot.to_owned()]));

    let open = "warning: arguments: passwords of LOGIN and PLAIN go over the wire as they are; set SECURE_AUTH to take them \
                only under TLS";
    assert_eq!(lint(&home, &["--", "mx.test", "/bin/false"]), (Some(1), vec![open.to_owned()]));
    for arguments in [&["--", "/bin/checker", "/bin/true"][..], &["--", "mx.test", "/bin/true"]] {
        let (code, found) = lint(&home, arguments);
        assert!(code == Some(2) && found[0].starts_with("error: arguments: AUTH is off: "), "{found:#?}");
    }
    assert_eq!(lint(&home, &["--", "mx.test"]), (Some(0), vec![]));
    let word = "error: arguments: AUTH is off: AUTH_EXIT3 cannot be `no-relay`, only norelay";
    for arguments in [&[][..], &["--", "mx.test", "/bin/false"]] {
        let arguments = [&["--env", "SECURE_AUTH=", "--env", "AUTH_EXIT3=no-relay"][..], arguments].concat();
        assert_eq!(lint(&home, &arguments), (Some(2), vec![word.to_owned()]));
    }
    let own = program("auth-cdb");
    let cram = ["--env", "SECURE_AUTH=", "--env", "AUTH_CHECKS=cram-md5", "--", "mx.test", own.to_str().unwrap()];
    let (code, found) = lint(&home, &cram);
    assert!(
        code == Some(1) && found[0].starts_with("warning: arguments: whoever can read the file of auth-cdb"),
        "{found:?}"
    );
}

#[test]
fn vchkpw_wants_a_convention_of_its_own() {
    let home = home(&[]);
    let path = home.path().join("vchkpw");
    fs::write(&path, "exit 3").unwrap();
    let arguments = ["--", "mx.test", "/bin/sh", path.to_str().unwrap()];
    let text = "warning: arguments: vchkpw wants AUTH_CONVENTION=vpopmail: without it every CRAM-MD5 fails";
    for (variable, expected) in [("AUTH_CONVENTION=", vec![text.to_owned()]), ("AUTH_CONVENTION=vpopmail", vec![])] {
        let arguments = [&["--env", "SECURE_AUTH=", "--env", variable][..], &arguments].concat();
        assert_eq!(lint(&home, &arguments).1, expected);
    }
}
