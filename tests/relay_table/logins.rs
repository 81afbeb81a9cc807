//! A real login through Dovecot opens the way for the next mail, and the cleaner closes it.

use std::net::IpAddr;

use crate::dovecot::{Dovecot, PASSWORD, USER};
use crate::mariadb::{Layout, MariaDb};
use crate::site::{OK, REFUSED, Site};
use crate::support::program;

/// Mail is read, then sent; the rows get older than the window by `age`.
fn reads_then_sends(site: &Site, age: impl Fn()) {
    let dovecot = Dovecot::start(site.home.path(), &program("opensmtp"), &[]);
    assert_eq!(site.rcpt(USER, "127.0.0.1"), REFUSED, "before the login");
    type Login = fn(&Dovecot, &str, &str) -> String;
    for (name, login) in [("imap", Dovecot::imap_login as Login), ("pop3", Dovecot::pop3_login)] {
        let answer = login(&dovecot, USER, PASSWORD);
        assert!(answer.contains("OK"), "{name}: {answer}\n{}", dovecot.log());
        assert_eq!(site.rcpt(USER, "127.0.0.1"), OK, "{name}: after the login: {}", dovecot.log());
        assert_eq!(site.rcpt("ann@local.ex", "127.0.0.1"), REFUSED, "{name}: another sender");
        assert_eq!(site.rcpt(USER, "127.0.0.2"), REFUSED, "{name}: another address");
        age();
        assert_eq!(site.rcpt(USER, "127.0.0.1"), REFUSED, "{name}: after the window");
        assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0));
        assert!(site.rows().is_empty(), "{name}: {:?}", site.rows());
    }
    let wrong = dovecot.imap_login(USER, "wrong");
    assert!(!wrong.contains(" OK Logged in"), "{wrong}");
    assert!(site.rows().is_empty(), "who gives a wrong password has not read mail");
}

#[test]
fn dovecot_and_mariadb() {
    let database = MariaDb::shared().database();
    database.table(Layout::IndiMail);
    // Dovecot's programs run as another user, who reaches the server by TCP.
    let site = Site::with_server(&database.host_mysql_line_tcp());
    let line = std::fs::read_to_string(site.home.control().join("host.mysql")).unwrap();
    site.home.write("host.mysql", line);
    let variables = [("MYSQL_DATABASE", database.name.as_str())];
    let site = variables.iter().fold(site, |site, (name, value)| site.with(name, value));
    site.home.write("indimail.cnf", "");
    std::fs::write(site.home.path().join("indimail.cnf"), format!("[indimail]\ndatabase={}\n", database.name)).unwrap();
    reads_then_sends(&site, || {
        database.sql("update relay set timestamp = unix_timestamp() - 3600");
    });
}

#[test]
fn dovecot_and_a_directory() {
    let site = Site::with_directory();
    std::fs::create_dir(site.table()).unwrap();
    let open = std::process::Command::new("chmod").arg("777").arg(site.table()).status().unwrap();
    assert!(open.success());
    reads_then_sends(&site, || {
        let ip: IpAddr = [127, 0, 0, 1].into();
        let path = site.table().join(ip.to_string());
        let time = crate::site::now() - 3600;
        std::fs::write(path, format!("{USER}\t{time}\n")).unwrap();
    });
}

/// A database that is down is no reason not to let somebody read his mail.
#[test]
fn dovecot_goes_on_without_a_table() {
    let site = Site::with_server("127.0.0.1:user:secret:1");
    let dovecot = Dovecot::start(site.home.path(), &program("opensmtp"), &[]);
    let answer = dovecot.imap_login(USER, PASSWORD);
    assert!(answer.contains("OK"), "{answer}\n{}", dovecot.log());
    dovecot.wait_for_log("opensmtp: warning: login not recorded: joe@local.ex from 127.0.0.1: ");
}
