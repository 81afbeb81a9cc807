//! Accounts that cannot be asked for: 451 for those who need the answer, never a mailbox and never none.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::hanging::HangingServer;
use crate::mariadb::MariaDb;
use crate::site::{LATER, OK, Site, indimail};

/// What every site with broken accounts has in common.
fn defers(site: &Site, why: &str) {
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    let began = Instant::now();
    for recipient in ["bob@a.ex", "nobody@a.ex", "bob@a.ex", "bob@b.ex", "x@a.ex"] {
        assert_eq!(smtp.ask(&format!("RCPT TO:<{recipient}>")), LATER, "{recipient}");
    }
    // Only the first has waited.
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert!(smtp.ask("QUIT").starts_with("221 "));
    let log = smtp.log();
    assert!(log.contains(" sql database error: ") && log.contains(why), "{why}: {log}");
    assert!(log.contains(" Invalid RECIPIENT address: ") && log.contains(" reason=temp:accounts"), "{log}");
    assert!(!log.contains("ecret"), "a password is in the log: {log}");
    let (reply, log) = site.mail("bob@a.ex");
    assert!(reply == LATER && log.contains("Database error getting record for user <bob@a.ex>"), "{log}");
    let began = Instant::now();
    let explained = site.explain("bob@a.ex");
    assert_eq!(explained.status.code(), Some(111), "{explained:?}");
    assert!(began.elapsed() < Duration::from_secs(8), "explain has waited for {:?}", began.elapsed());
    assert!(!String::from_utf8_lossy(&explained.stdout).contains("ecret"), "{explained:?}");
}

#[test]
fn a_server_that_is_not_there() {
    let mut server = MariaDb::start();
    let site = Site::with_database(&indimail(&server));
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
    server.stop();
    defers(&site, "file does not exist");
    server.start_again();
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("x@a.ex").as_str()), ("ok", "absent"));
}

#[test]
fn a_server_that_hangs_or_speaks_no_mysql() {
    let hanging = HangingServer::silent();
    defers(&Site::with_server(&hanging.host_mysql_line()).with("RELAY_DB_TIMEOUT", "2"), "it does not answer in time");
    let garbage = HangingServer::garbage();
    defers(&Site::with_server(&garbage.host_mysql_line()).with("RELAY_DB_TIMEOUT", "1"), "127.0.0.1:");
}

#[test]
fn a_server_that_stands_still() {
    let server = MariaDb::start();
    let database = indimail(&server);
    let site = Site::with_server(&database.host_mysql_line_tcp()).with("MYSQL_DATABASE", &database.name);
    let site = site.with("RELAY_DB_TIMEOUT", "1");
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
    server.freeze();
    defers(&site, "it does not answer in time");
    server.thaw();
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
}

#[test]
fn the_next_server_is_asked() {
    let server = MariaDb::start();
    let database = indimail(&server);
    let line = format!("192.0.2.250,127.0.0.1:{}:{}:{}", database.user, database.password, server.port());
    let site = Site::with_server(&line).with("MYSQL_DATABASE", &database.name);
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("x@a.ex").as_str()), ("ok", "absent"));
}

#[test]
fn a_server_that_is_killed_while_it_looks() {
    let mut server = MariaDb::start();
    let database = indimail(&server);
    let site = Site::with_database(&database);
    let mut locker = Command::new("mariadb");
    locker.args(["--no-defaults", "--user=root", "--socket"]).arg(server.socket()).arg(&database.name);
    locker.arg("--execute=lock tables indimail write; select sleep(60)").stdout(Stdio::null()).stderr(Stdio::null());
    let mut locker = locker.spawn().unwrap();
    let count = |like: &str| {
        let text = format!("select count(*) from information_schema.processlist where {like}");
        server.sql(None, &text).parse::<u32>().unwrap()
    };
    crate::keeper::wait_until("the table is locked", || count("info like 'select sleep%'") == 1);
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    smtp.send("RCPT TO:<bob@a.ex>\r\n");
    crate::keeper::wait_until("smtpd's question waits", || {
        count("state like '%lock%' and info like '(SELECT 0%'") == 1
    });
    server.kill();
    assert_eq!(smtp.reply(), [LATER]);
    assert!(smtp.ask("RCPT TO:<x@far.ex>").starts_with("553 "), "the session goes on");
    let _ = locker.kill();
    let _ = locker.wait();
}

#[test]
fn a_wrong_password_a_missing_table_column_or_right() {
    let server = MariaDb::shared();
    let database = indimail(server);
    let line = format!("localhost:{}:Sup3rSecret:{}", database.user, server.socket().display());
    defers(&Site::with_server(&line), "Access denied");
    let nothing = server.database();
    defers(&Site::with_database(&nothing), "doesn't exist");
    assert_eq!(nothing.sql("show tables"), "", "nobody has made a table");
    let site = Site::with_database(&database);
    database.sql("alter table indibak drop column pw_gid");
    defers(&site, "pw_gid");
    database.sql("alter table indibak add column pw_gid int");
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
    let (user, name) = (&database.user, &database.name);
    server.sql(
        None,
        &format!("revoke all on {name}.* from '{user}'@'%'; grant select on {name}.indimail to '{user}'@'%'"),
    );
    defers(&site, "denied");
    // Rights to the columns that are asked for are enough; nobody sees passwords.
    let columns =
        ["indimail (pw_name, pw_domain, pw_gid)", "indibak (pw_name, pw_domain, pw_gid)", "valias (alias, domain)"];
    server.sql(None, &format!("revoke select on {name}.indimail from '{user}'@'%'"));
    for column in columns {
        let (table, columns) = column.split_once(' ').unwrap();
        server.sql(None, &format!("grant select {columns} on {name}.{table} to '{user}'@'%'"));
    }
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("gone@a.ex").as_str()), ("ok", "inactive"));
}

#[test]
fn domains_that_nobody_knows() {
    let site = Site::with_database(&indimail(MariaDb::shared()));
    let cdb = site.home.path().join("users/cdb");
    fs::write(&cdb, "damaged").unwrap();
    defers(&site, "users/cdb: ");
    fs::remove_file(&cdb).unwrap();
    defers(&site, "users/cdb: file does not exist");
    // Who says that there is none has domains without other names.
    let site = site.with("ASSIGNDIR", "");
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("bob@alias.ex").as_str()), ("ok", "absent"));
    // With a central database, that is asked for other names.
    site.home.write("host.cntrl", "localhost:u:p:/nonexistent/socket\n");
    assert_eq!(site.rcpt("bob@alias.ex"), LATER);
}

#[test]
fn settings_that_are_none() {
    let database = indimail(MariaDb::shared());
    let site = || Site::with_database(&database);
    for (variable, value) in [
        ("ACCOUNT_LAYOUT", "sun"),
        ("ACCOUNT_VALIAS", "1"),
        ("ACCOUNT_FILES", "1"),
        ("NO_SMTP_BITS", "x"),
        ("MYSQL_TABLE", "indimail`; drop table indimail; --"),
        ("RELAY_DB_TIMEOUT", "0"),
    ] {
        defers(&site().with(variable, value), variable);
    }
}

/// A program beside smtpd that only exits with 0 makes nobody exist; nor one that only says so.
#[test]
fn another_program_of_that_name_knows_nobody() {
    for script in
        ["exit 0", "exit 1", "echo ok; exit 1", "echo absent; exit 0", "echo ok, of course; exit 0", "kill -9 $$"]
    {
        let site = Site::with_server("localhost");
        let directory = site.home.path().join("bin");
        fs::create_dir(&directory).unwrap();
        fs::copy(crate::support::program("smtpd"), directory.join("smtpd")).unwrap();
        fs::write(directory.join("checkaddress"), format!("#!/bin/sh\n{script}\n")).unwrap();
        assert!(Command::new("chmod").arg("755").arg(directory.join("checkaddress")).status().unwrap().success());
        let known = site.command("smtpd");
        let mut command = Command::new(directory.join("smtpd"));
        command.env_clear().envs(known.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TCPREMOTEIP", "192.0.2.7");
        let smtp = crate::smtp::Smtp::start(&mut command);
        assert!(smtp.reply().pop().unwrap().starts_with("220 "));
        assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
        assert_eq!(smtp.ask("RCPT TO:<bob@a.ex>"), LATER, "{script}");
    }
}
