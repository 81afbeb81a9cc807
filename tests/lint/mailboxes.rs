//! `postern lint` about mailboxes: recipients, accounts and lists in a database.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::{check, home};

#[test]
fn sources_of_mailboxes_that_cannot_tell() {
    let home =
        home(&[("recipients", "!open.test\n@a.test:none.cdb\n:x\n@b.test|/nonexistent/program x\n@b.test|true\n")]);
    let missing = format!("error: recipients:2: {}/none.cdb: file does not exist", home.path().display());
    let expected = [
        missing.as_str(),
        "error: recipients:3: `:x` cannot be used: no domain before the colon or bar",
        "error: recipients:4: /nonexistent/program: there is no such program",
    ];
    check(&home, &["--env", "CHECKRECIPIENT=3"], 2, &expected);
    let expected = [&["warning: CHECKRECIPIENT: is `4`, which counts as 3"], expected.as_slice()].concat();
    check(&home, &["--env", "CHECKRECIPIENT=4"], 2, &expected);
    let wrong = ["--env", "CHECKRECIPIENT=3", "--env", "LOCAL_USERS=passwd users", "--env", "ACCOUNT_OVERQUOTA=later"];
    let settings = [
        "error: LOCAL_USERS: is `users`: write passwd, extension, assign or alias; whoever",
        "error: ACCOUNT_OVERQUOTA: is `later`: write 550 or 452; whoever",
    ];
    check(&home, &wrong, 2, &[settings.as_slice(), &expected[1..]].concat());
    fs::remove_file(home.control().join("recipients")).unwrap();
    check(&home, &["--env", "LOCAL_USERS=alias", "--env", "ACCOUNT_OVERQUOTA=452"], 0, &[]);
    let without =
        "error: recipients: is missing, and without a database CHECKRECIPIENT 1 asks it for domains that are not in";
    check(&home, &["--env", "CHECKRECIPIENT=1"], 2, &[without]);
    home.write("locals", "Ours.test\n");
    check(&home, &["--env", "CHECKRECIPIENT=1"], 0, &[]);
    check(&home, &["--env", "CHECKRECIPIENT=2"], 2, &["error: recipients: is missing, and CHECKRECIPIENT asks it"]);
    check(&home, &["--env", "MASQUERADE=x@a.test"], 1, &["warning: MASQUERADE: does nothing without CHECKSENDER"]);
}

#[test]
fn accounts_and_lists_in_a_database() {
    let home = home(&[("host.mysql", "localhost:u:p:/tmp/x.sock\n"), ("badmailfrom.sql", "localhost:u:p:d:t\n")]);
    let closed = |name: &str| {
        fs::set_permissions(home.control().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    closed("host.mysql");
    let open = "warning: badmailfrom.sql: can be read by everyone on this host";
    check(&home, &[], 1, &[open]);
    closed("badmailfrom.sql");
    check(&home, &[], 0, &[]);
    let missing = format!("error: users/cdb: {}/users/cdb: file does not exist", home.path().display());
    let check_accounts = ["--env", "CHECKRECIPIENT=1"];
    check(&home, &check_accounts, 2, &[&missing]);
    let without = [&check_accounts[..], &["--env", "ASSIGNDIR="]].concat();
    check(&home, &without, 0, &[]);
    let wrong = ["--env", "ACCOUNT_LAYOUT=sun", "--env", "NO_SMTP_BITS=x"];
    check(&home, &[&without[..], &wrong].concat(), 2, &["error: accounts: ACCOUNT_LAYOUT is `sun`"]);
    home.write("badmailfrom.sql", "localhost\n");
    home.write("host.cntrl", "\n");
    closed("host.cntrl");
    let expected = ["error: host.cntrl: ", "error: badmailfrom.sql:1: "];
    check(&home, &without, 2, &expected);
    check(
        &home,
        &["--env", "INFIFO=x"],
        2,
        &["warning: INFIFO: is set and has no effect here: checkaddress", "error: badmailfrom.sql:1: "],
    );
}
