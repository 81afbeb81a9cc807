//! `postern lint` about the table of POP before SMTP.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::home::Home;
use crate::{check, home, lint};

/// The table of POP before SMTP: a place that is none, one that everybody may write, a password that everybody may read.
#[test]
fn the_relay_table() {
    let asked = ["--env", "CHECKRELAY="];
    let table = |home: &Home, mode: u32| {
        fs::create_dir(home.control().join("relay")).unwrap();
        fs::set_permissions(home.control().join("relay"), fs::Permissions::from_mode(mode)).unwrap();
    };
    let named = home(&[("relaydb", "relay\n")]);
    check(&named, &asked, 2, &["error: relay: cannot be read (No such file or directory (os error 2)); whoever needs"]);
    check(&named, &[], 2, &["error: relay: cannot be read"]);
    table(&named, 0o770);
    check(&named, &asked, 0, &[]);
    fs::set_permissions(named.control().join("relay"), fs::Permissions::from_mode(0o755)).unwrap();
    check(&named, &asked, 1, &["warning: relay: everyone on this host may see who has read mail"]);
    fs::set_permissions(named.control().join("relay"), fs::Permissions::from_mode(0o1777)).unwrap();
    check(&named, &asked, 2, &["error: relay: can be written by everyone, so everyone may let anybody relay"]);
    check(&home(&[("relaydb", "\n")]), &[], 2, &["error: relaydb: "]);
    let window = home(&[("relaydb", "relay\n")]);
    table(&window, 0o750);
    let wrong = ["--env", "RELAY_CLEAR_MINUTES=abc", "--env", "RELAY_DB_TIMEOUT=0", "--env", "CHECKRELAY=1"];
    check(
        &window,
        &wrong,
        2,
        &["error: RELAY_CLEAR_MINUTES: RELAY_CLEAR_MINUTES is `abc`", "error: RELAY_DB_TIMEOUT: "],
    );
    window.write("relaylevel", "none\n");
    check(&window, &[], 1, &["warning: relaydb: is not used, because relaylevel is `none`"]);

    let database = home(&[("host.mysql", "db.test:joe:secret:3306\n")]);
    let is_open = "warning: host.mysql: can be read by everyone on this host";
    check(&database, &[], 1, &[is_open]);
    fs::set_permissions(database.control().join("host.mysql"), fs::Permissions::from_mode(0o640)).unwrap();
    check(&database, &[], 0, &[]);
    check(&database, &asked, 1, &["warning: host.mysql: answers of db.test:3306 cross the network in the clear"]);
    fs::write(database.control().join("host.mysql"), "db.test:joe:secret:3306:ssl\n").unwrap();
    check(&database, &asked, 0, &[]);
    fs::write(database.control().join("host.mysql"), "db.test:joe:secret:33x\n").unwrap();
    let (code, found) = lint(&database, &asked);
    assert!(
        code == Some(2) && found[0].contains("neither the path of a socket nor a port") && !found[0].contains("secret")
    );
}
