//! CHECKSENDER with a database.

use crate::mariadb::MariaDb;
use crate::site::{OK, Site, indimail};

const REFUSED: &str = "553 authorization failure (#5.7.1)";

#[test]
fn who_may_send() {
    let site = Site::with_database(&indimail(MariaDb::shared()));
    let table = [
        ("bob@a.ex", OK, ""),
        ("BOB@alias.ex", OK, ""),
        ("full@a.ex", OK, ""),
        ("old@a.ex", OK, ""),
        ("locked@a.ex", REFUSED, "CHECKSENDER: SMTP Access denied to <locked@a.ex>: No SMTP Flag reason=nosmtp"),
        ("gone@a.ex", REFUSED, "CHECKSENDER: SMTP Access denied to <gone@a.ex>: user inactive reason=inactive"),
        ("nobody@a.ex", REFUSED, "CHECKSENDER: SMTP Access denied to <nobody@a.ex>: user does not exist reason=absent"),
        // An alias is nobody who could send.
        ("team@a.ex", REFUSED, "CHECKSENDER: SMTP Access denied to <team@a.ex>: user does not exist reason=absent"),
        ("any@far.ex", OK, ""),
    ];
    for (sender, expected, line) in table {
        let (reply, log) = site.mail(sender);
        assert_eq!(reply, expected, "{sender}: {log}");
        assert!(log.contains(line), "{sender}: {log}");
    }
    // The flag differs by system and age.
    let site = site.with("NO_SMTP_BITS", "0x200");
    assert_eq!((site.mail("locked@a.ex").0.as_str(), site.mail("old@a.ex").0.as_str()), (OK, REFUSED));
}

/// Flags that are none are no answer.
#[test]
fn who_cannot_be_judged() {
    let site = Site::with_database(&indimail(MariaDb::shared()));
    let (reply, log) = site.mail("lost@a.ex");
    assert_eq!(reply, crate::site::LATER);
    assert!(log.contains("Database error getting record for user <lost@a.ex> reason=temp:accounts"), "{log}");
    assert_eq!(site.with("NO_SMTP_BITS", "many").mail("bob@a.ex").0, crate::site::LATER);
}

#[test]
fn limits_of_a_domain() {
    let database = indimail(MariaDb::shared());
    database.sql("create table vlimits (domain char(67) primary key, disable_smtp tinyint(1))");
    database.sql("insert into vlimits values ('b.ex', 1)");
    let site = Site::with_database(&database);
    assert_eq!(site.mail("bob@b.ex").0, OK);
    let site = site.with("DOMAIN_LIMITS", "");
    assert_eq!((site.mail("bob@b.ex").0.as_str(), site.mail("vip@b.ex").0.as_str()), (REFUSED, OK));
    assert_eq!(site.mail("bob@a.ex").0, OK);
}

/// A user may send by every name of his domain.
#[test]
fn two_names_of_a_domain_are_one() {
    let site = Site::with_database(&indimail(MariaDb::shared())).with("CHECKSENDER", "");
    let checker = site.home.path().join("checker");
    std::fs::write(&checker, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&checker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = site.command("smtpd");
    command.arg("mx.local.ex").arg(&checker).arg("/bin/false").env("TCPREMOTEIP", "192.0.2.7");
    let smtp = crate::smtp::Smtp::start(&mut command);
    assert!(smtp.reply().pop().unwrap().starts_with("220 "));
    // bob@a.ex
    assert_eq!(smtp.ask("AUTH PLAIN AGJvYkBhLmV4AHNlY3JldA=="), "235 ok, go ahead (#2.0.0)");
    assert_eq!(smtp.ask("MAIL FROM:<bob@alias.ex>"), OK);
    assert_eq!(smtp.ask("MAIL FROM:<Bob@link.ex>"), OK);
    let other = "553 sorry, this MTA does not accept masquerading/forging, auth <bob@a.ex> #5.7.1";
    assert_eq!(smtp.ask("MAIL FROM:<bob@b.ex>"), other);
}
