//! The layout of vpopmail, and files in the directories of its domains.

use std::fs;

use crate::mariadb::MariaDb;
use crate::site::{Site, vpopmail, vpopmail_line};

fn site(server: &MariaDb) -> (Site, crate::mariadb::Database) {
    let database = vpopmail(server);
    let site = Site::with_server("");
    fs::remove_file(site.home.control().join("host.mysql")).unwrap();
    site.home.write("vpopmail.mysql", vpopmail_line(server, &database));
    (site, database)
}

#[test]
fn who_has_a_mailbox() {
    let (site, database) = site(MariaDb::shared());
    let directory = site.directory("a.ex");
    for file in [".qmail-list", ".qmail-list-default", ".qmail-joe:doe"] {
        fs::write(directory.join(file), "").unwrap();
    }
    fs::write(directory.join(".qmail-default"), "| vdelivermail '' bounce-no-mailbox\n").unwrap();
    let table = [
        ("bob@a.ex", "ok"),
        ("Bob@Alias.ex", "ok"),
        ("full@a.ex", "overquota"),
        ("locked@a.ex", "ok"),
        ("list@a.ex", "ok"),
        ("list-subscribe@a.ex", "ok"),
        ("joe.doe@a.ex", "ok"),
        ("nobody@a.ex", "absent"),
        // Domains without accounts are not checked.
        ("any@unknown.ex", "ok"),
    ];
    for (recipient, expected) in table {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
    // A domain that catches all, and one whose directory is not there.
    fs::write(directory.join(".qmail-default"), "| vdelivermail '' /home/all\n").unwrap();
    assert_eq!((site.rcpt("nobody@a.ex").as_str(), site.rcpt("full@a.ex").as_str()), ("ok", "overquota"));
    assert_eq!(site.rcpt("nobody@b.ex"), "absent");
    let site = site.with("ACCOUNT_FILES", "no");
    assert_eq!((site.rcpt("nobody@a.ex").as_str(), site.rcpt("list@a.ex").as_str()), ("absent", "absent"));
    // Aliases in the database, where they are built in: they come before the account.
    let site = site.with("ACCOUNT_VALIAS", "yes");
    assert!(site.rcpt("bob@a.ex").starts_with("451 "), "there is no table yet");
    database.sql("create table valias (id int, alias varchar(32), domain varchar(96), valias_line text)");
    database.sql("insert into valias values (1, 'team', 'a.ex', '&x'), (2, 'full', 'a.ex', '&x')");
    for (recipient, expected) in [("team@a.ex", "ok"), ("full@a.ex", "ok"), ("bob@a.ex", "ok"), ("x@a.ex", "absent")] {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
}

#[test]
fn a_file_that_cannot_be_looked_at_is_no_answer() {
    let (site, _) = site(MariaDb::shared());
    let directory = site.directory("a.ex");
    fs::create_dir(directory.join(".qmail-default")).unwrap();
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
    assert_eq!(site.rcpt("nobody@a.ex"), crate::site::LATER);
}

#[test]
fn a_table_for_each_domain() {
    let (site, database) = site(MariaDb::shared());
    database.sql("create table a_ex (pw_name varchar(64) not null primary key, pw_gid int)");
    database.sql("insert into a_ex values ('ann', 0)");
    let site = site.with("ACCOUNT_LAYOUT", "vpopmail-domains");
    assert_eq!((site.rcpt("ann@a.ex").as_str(), site.rcpt("bob@a.ex").as_str()), ("ok", "absent"));
    assert!(site.rcpt("ann@b.ex").starts_with("451 "));
    assert_eq!(site.with("ASSIGNDIR", "").rcpt("ann@a.ex"), crate::site::LATER);
}

#[test]
fn limits_of_a_domain_forbid_sending() {
    let (site, database) = site(MariaDb::shared());
    let refused = "553 authorization failure (#5.7.1)";
    assert_eq!(site.mail("locked@a.ex").0, refused);
    assert_eq!(site.mail("bob@a.ex").0, "250 ok");
    let site = site.with("DOMAIN_LIMITS", "");
    assert_eq!(site.mail("bob@a.ex").0, crate::site::LATER, "there is no table yet");
    database.sql("create table limits (domain varchar(96) primary key, disable_smtp tinyint(1))");
    assert_eq!(site.mail("bob@a.ex").0, "250 ok");
    database.sql("insert into limits values ('a.ex', 1)");
    assert_eq!(site.mail("bob@a.ex").0, refused);
    assert_eq!(site.mail("vip@a.ex").0, "250 ok", "for him no limits hold");
}
