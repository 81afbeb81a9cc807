//! A table that cannot be asked: 451 for those who need it, nothing for the others, and never a grant.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::hanging::HangingServer;
use crate::mariadb::{Database, Layout, MariaDb};
use crate::site::{LATER, OK, REFUSED, Site, said};

/// What every site with a broken table has in common.
fn defers(site: &Site, why: &str) {
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert_eq!(reply, LATER, "{log}");
    assert!(log.contains(" Database error: ") && log.contains(why), "{why}: {log}");
    assert!(log.contains(" reason=temp:relaydb"), "{log}");
    assert!(!log.contains("ecret"), "a password is in the log: {log}");
    let began = Instant::now();
    let explained = site.explain("joe@x.ex", "192.0.2.7");
    assert_eq!(explained.code, Some(111), "{explained:?}");
    // It tries many changes, and the table only once more for all of them.
    assert!(began.elapsed() < Duration::from_secs(8), "explain has waited for {:?}", began.elapsed());
    assert!(!explained.output.contains("ecret") && !explained.errors.contains("ecret"), "{explained:?}");
    // Who does not need the table does not wait for it.
    let smtp = site.session("192.0.2.7");
    assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
    let began = Instant::now();
    assert_eq!(smtp.ask("RCPT TO:<ann@local.ex>"), OK);
    assert!(began.elapsed() < Duration::from_secs(1), "a local recipient has waited for the table");
    let granted = site.command("smtpd").env("RELAYCLIENT", "").env("TCPREMOTEIP", "192.0.2.7").output();
    assert!(granted.is_ok());
    // A login goes on all the same, with one line of warning.
    let began = Instant::now();
    let login = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7", "--", "sh", "-c", "echo in; exit 7"]);
    assert_eq!((login.code, login.output.as_str()), (Some(7), "in\n"), "{login:?}");
    assert_eq!(login.errors.lines().count(), 1, "{login:?}");
    assert!(login.errors.starts_with("opensmtp: warning: login not recorded: ") && !login.errors.contains("ecret"));
    assert!(began.elapsed() < Duration::from_secs(4), "a login has waited for {:?}", began.elapsed());
    // The cleaner says so, too.
    let began = Instant::now();
    let cleared = site.run("clearopensmtp", &[]);
    assert!(matches!(cleared.code, Some(1 | 100 | 111)), "{cleared:?}");
    assert!(!cleared.errors.is_empty() && !cleared.errors.contains("ecret"), "{cleared:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "the cleaner has waited for {:?}", began.elapsed());
}

fn table(server: &MariaDb) -> Database {
    let database = server.database();
    database.table(Layout::IndiMail);
    database
}

#[test]
fn a_server_that_is_not_there() {
    let mut server = MariaDb::start();
    let database = table(&server);
    let (by_socket, by_tcp) = (Site::with_database(&database), Site::with_server(&database.host_mysql_line_tcp()));
    by_socket.login("joe@x.ex", "192.0.2.7");
    server.stop();
    defers(&by_socket, "file does not exist");
    defers(&by_tcp, "connection refused");
    server.start_again();
    assert_eq!(by_socket.rcpt("joe@x.ex", "192.0.2.7"), OK, "when it is back");
}

#[test]
fn a_server_that_takes_connections_and_says_nothing() {
    let hanging = HangingServer::silent();
    let site = Site::with_server(&hanging.host_mysql_line()).with("RELAY_DB_TIMEOUT", "1");
    defers(&site, "it does not answer in time");
    let began = Instant::now();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), LATER);
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    // The default is five seconds in all.
    let site = site.without("RELAY_DB_TIMEOUT");
    let began = Instant::now();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), LATER);
    assert!((4..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_speaks_no_mysql() {
    let garbage = HangingServer::garbage();
    defers(&Site::with_server(&garbage.host_mysql_line()).with("RELAY_DB_TIMEOUT", "1"), "127.0.0.1:");
}

#[test]
fn a_server_that_stands_still() {
    let server = MariaDb::start();
    let database = table(&server);
    let site = Site::with_server(&database.host_mysql_line_tcp()).with("MYSQL_DATABASE", &database.name);
    let site = site.with("RELAY_DB_TIMEOUT", "1");
    site.login("joe@x.ex", "192.0.2.7");
    server.freeze();
    defers(&site, "it does not answer in time");
    server.thaw();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
}

#[test]
fn a_server_that_is_killed_while_it_looks() {
    let mut server = MariaDb::start();
    let database = table(&server);
    let site = Site::with_database(&database);
    site.login("joe@x.ex", "192.0.2.7");
    // Who looks has to wait for this lock.
    let mut locker = Command::new("mariadb");
    locker.args(["--no-defaults", "--user=root", "--socket"]).arg(server.socket()).arg(&database.name);
    locker.arg("--execute=lock tables relay write; select sleep(60)").stdout(Stdio::null()).stderr(Stdio::null());
    let mut locker = locker.spawn().unwrap();
    let count = |like: &str| {
        let text = format!("select count(*) from information_schema.processlist where {like}");
        server.sql(None, &text).parse::<u32>().unwrap()
    };
    crate::keeper::wait_until("the table is locked", || count("info like 'select sleep%'") == 1);
    let smtp = site.session("192.0.2.7");
    assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
    smtp.send("RCPT TO:<you@far.ex>\r\n");
    crate::keeper::wait_until("smtpd's question waits", || count("info like 'SELECT email%'") == 1);
    server.kill();
    assert_eq!(smtp.reply(), [LATER]);
    // The session goes on.
    assert_eq!(smtp.ask("RCPT TO:<ann@local.ex>"), OK);
    let _ = locker.kill();
    let _ = locker.wait();
}

#[test]
fn a_wrong_password_and_a_missing_table() {
    let server = MariaDb::shared();
    let database = table(server);
    let line = format!("localhost:{}:Sup3rSecret:{}", database.user, server.socket().display());
    defers(&Site::with_server(&line), "Access denied");
    let nothing = server.database();
    let site = Site::with_database(&nothing);
    defers(&site, "doesn't exist");
    assert_eq!(nothing.sql("show tables"), "", "nobody has made a table");
    let named = Site::with_database(&database).with("RELAY_TABLE", "logins");
    defers(&named, "doesn't exist");
    database.table_named("logins", Layout::IndiMail);
    named.login("joe@x.ex", "192.0.2.7");
    assert_eq!(named.rcpt("joe@x.ex", "192.0.2.7"), OK);
    assert_eq!(Site::with_database(&database).rcpt("joe@x.ex", "192.0.2.7"), REFUSED);
}

#[test]
fn settings_that_are_none() {
    let database = table(MariaDb::shared());
    let site = || Site::with_database(&database);
    defers(&site().with("RELAY_TABLE", "relay`; drop table relay; --"), "RELAY_TABLE");
    defers(&site().with("RELAY_LAYOUT", "sun"), "RELAY_LAYOUT");
    let site = Site::new();
    site.home.write("host.mysql", "");
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("host.mysql: incomplete line"), "{log}");
    assert_eq!(site.run("clearopensmtp", &[]).code, Some(100));
    for minutes in ["abc", "0", "-5", ""] {
        let site = Site::with_database(&database).with("RELAY_CLEAR_MINUTES", minutes);
        let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
        assert!(reply == LATER && log.contains("RELAY_CLEAR_MINUTES"), "{log}");
    }
    let site = Site::with_database(&database).with("RELAY_DB_TIMEOUT", "0");
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("RELAY_DB_TIMEOUT"), "{log}");
}

#[test]
fn a_directory_that_is_missing_or_none() {
    let site = Site::with_directory();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), LATER, "a missing store is no empty one");
    assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(1));
    std::fs::write(site.table(), "a file").unwrap();
    defers(&site, "not a directory");
}

/// A program beside smtpd that only exits with 0 must let nobody in; nor one that only says so.
#[test]
fn another_program_of_that_name_grants_nothing() {
    for script in [
        "exit 0",
        "echo yes; exit 1",
        "echo yes; exit 111",
        "echo no; exit 0",
        "echo yes, of course; exit 0",
        "kill -9 $$",
    ] {
        let site = Site::with_server("localhost");
        let directory = site.home.path().join("bin");
        std::fs::create_dir(&directory).unwrap();
        std::fs::copy(crate::support::program("smtpd"), directory.join("smtpd")).unwrap();
        std::fs::write(directory.join("checkrelay"), format!("#!/bin/sh\n{script}\n")).unwrap();
        let chmod = Command::new("chmod").arg("755").arg(directory.join("checkrelay")).status().unwrap();
        assert!(chmod.success());
        let mut command = site.command("smtpd");
        let mut other = Command::new(directory.join("smtpd"));
        other
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("TCPREMOTEIP", "192.0.2.7");
        command = other;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        use std::io::Write;
        child.stdin.take().unwrap().write_all(b"MAIL FROM:<joe@x.ex>\r\nRCPT TO:<you@far.ex>\r\nQUIT\r\n").unwrap();
        let said = said(child.wait_with_output().unwrap());
        assert!(said.output.contains(LATER), "{script}: {said:?}");
    }
}

/// Neither the command line of a program nor its environment beyond what was given has the password.
#[test]
fn a_password_is_in_no_command_line() {
    let hanging = HangingServer::silent();
    let site =
        Site::with_server(&format!("127.0.0.1:user:Sup3rSecret:{}", hanging.port())).with("RELAY_DB_TIMEOUT", "2");
    let smtp = site.session("192.0.2.7");
    assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
    smtp.send("RCPT TO:<you@far.ex>\r\n");
    let pid = smtp.pid();
    let children = || std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    crate::keeper::wait_until("checkrelay runs", || !children().trim().is_empty());
    thread::sleep(Duration::from_millis(50));
    for file in ["cmdline", "environ"] {
        for pid in children().split_whitespace().chain([pid.to_string().as_str()]) {
            let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains("ecret"), "{file}");
        }
    }
    assert_eq!(smtp.reply(), [LATER]);
}
