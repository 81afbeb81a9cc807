//! Flags that forbid sending, as `postern lint` counts them: rows that the choice of NO_SMTP_BITS leaves out.

use crate::hanging::HangingServer;
use crate::mariadb::MariaDb;
use crate::site::{Site, indimail, vpopmail, vpopmail_line};

/// The findings about flags and accounts.
fn lint(site: &Site, variables: &[&str]) -> Vec<String> {
    let mut command = site.command("postern");
    command.args(["lint", "--gateway", "240.0.0.1", "--control"]).arg(site.home.control());
    for variable in site.variables().iter().map(String::as_str).chain(variables.iter().copied()) {
        command.args(["--env", variable]);
    }
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!text.contains("ecret"), "a password is told: {text}");
    let is_about = |line: &&str| line.contains(" NO_SMTP_BITS: ") || line.contains(" accounts: ");
    text.lines().filter(is_about).map(str::to_owned).collect()
}

const CHECKED: &str = "CHECKSENDER=";

#[test]
fn rows_of_an_older_or_newer_indimail() {
    let database = indimail(MariaDb::shared());
    let site = Site::with_database(&database);
    // `lost` has all flags, as a row has that nobody can read.
    database.sql("delete from indimail where pw_name = 'lost'");
    database.sql("insert into indimail (pw_name, pw_domain, pw_gid) values ('older', 'b.ex', 512 + 1)");
    let newer = "warning: NO_SMTP_BITS: is 0x100: 1 account with 0x100, which forbids sending in IndiMail since May 2024, may not send; \
                 2 accounts with 0x200, which forbade it before, may send; with NO_SMTP_BITS=0x200 those with 0x200 could not, and \
                 all others could";
    assert_eq!(lint(&site, &[CHECKED]), [newer]);
    assert_eq!(lint(&site, &[CHECKED, "NO_SMTP_BITS=0x100"]), [newer]);
    let older = "warning: NO_SMTP_BITS: is 0x200: 1 account with 0x100, which forbids sending in IndiMail since May 2024, may send; \
                 2 accounts with 0x200, which forbade it before, may not send; with NO_SMTP_BITS=0x100 those with 0x100 could not, \
                 and all others could";
    assert_eq!(lint(&site, &[CHECKED, "NO_SMTP_BITS=0x200"]), [older]);
    let both = "warning: NO_SMTP_BITS: is 0x300: no IndiMail forbids sending with both flags; write the one of yours";
    assert_eq!(lint(&site, &[CHECKED, "NO_SMTP_BITS=0x300"]), [both]);
    // Nobody asks where no sender is checked.
    assert_eq!(lint(&site, &[]), Vec::<String>::new());
    database.sql("update indimail set pw_gid = 0 where pw_gid & 512");
    assert_eq!(lint(&site, &[CHECKED]), Vec::<String>::new());
}

#[test]
fn rows_of_a_large_site() {
    let database = MariaDb::shared().database();
    let table = |name: &str, flags: &str| {
        database.sql(&format!("create table {name} (pw_gid int)"));
        database.sql(&format!("insert into {name} values {flags}"));
    };
    table("a_ex", "(0), (512), (null)");
    let site = Site::with_database(&database).with("ACCOUNT_LAYOUT", "indimail-large");
    let missing = lint(&site, &[CHECKED]);
    assert!(missing.len() == 1 && missing[0].starts_with("warning: accounts: cannot be counted now: "), "{missing:?}");
    table("b_ex", "(512)");
    let found = lint(&site, &[CHECKED]);
    assert!(found.len() == 1 && found[0].contains("; 2 accounts with 0x200"), "{found:?}");
}

#[test]
fn rows_of_vpopmail() {
    let server = MariaDb::shared();
    let database = vpopmail(server);
    let site = Site::with_server("");
    std::fs::remove_file(site.home.control().join("host.mysql")).unwrap();
    site.home.write("vpopmail.mysql", vpopmail_line(server, &database));
    // What 0x100 and 0x200 mean there is for the site to say.
    database
        .sql("insert into vpopmail (pw_name, pw_domain, pw_gid) values ('own', 'a.ex', 512), ('other', 'a.ex', 256)");
    assert_eq!(lint(&site, &[CHECKED]), Vec::<String>::new());
    let expected = "warning: NO_SMTP_BITS: is 0x100: 1 account with 0x800, which forbids sending in vpopmail, may send; with \
                    NO_SMTP_BITS=0x800 those with 0x800 could not, and all others could";
    assert_eq!(lint(&site, &[CHECKED, "NO_SMTP_BITS=0x100"]), [expected]);
}

#[test]
fn a_database_that_cannot_be_asked_is_a_finding() {
    let server = MariaDb::shared();
    let database = indimail(server);
    let line = format!("localhost:{}:Sup3rSecret:{}", database.user, server.socket().display());
    let found = lint(&Site::with_server(&line), &[CHECKED]);
    assert!(found.len() == 1 && found[0].contains("Access denied"), "{found:?}");
    let found = lint(&Site::with_server("localhost:u:Sup3rSecret:/nonexistent/socket"), &[CHECKED]);
    assert!(found.len() == 1 && found[0].contains("file does not exist"), "{found:?}");
    let hanging = HangingServer::silent();
    let found = lint(&Site::with_server(&hanging.host_mysql_line()), &[CHECKED, "RELAY_DB_TIMEOUT=1"]);
    assert!(found.len() == 1 && found[0].contains("it does not answer in time"), "{found:?}");
}
