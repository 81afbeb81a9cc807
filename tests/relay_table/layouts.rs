//! Both layouts and every type of their columns: whom a row lets relay, and which rows go.

use crate::mariadb::{Database, Layout, MariaDb};
use crate::site::{LATER, OK, REFUSED, Site};

/// A database with a table of this layout, and the site that uses it.
fn site(layout: Layout) -> (Database, Site) {
    let database = MariaDb::shared().database();
    database.table(layout);
    let site = Site::with_database(&database);
    (database, site)
}

fn has_user(layout: Layout) -> bool {
    matches!(layout, Layout::IndiMail | Layout::IndiMailWide)
}

/// Puts a row in, as another writer would; the time is an expression.
fn insert(database: &Database, layout: Layout, user: &str, address: &str, time: &str) {
    database.sql(&match has_user(layout) {
        true => format!("insert into relay (email, ipaddr, timestamp) values ('{user}', '{address}', {time})"),
        false => format!("insert into relay (ip_addr, timestamp) values ('{address}', {time})"),
    });
}

#[test]
fn a_login_lets_its_user_relay_from_its_address() {
    for layout in Layout::ALL {
        let (_database, site) = site(layout);
        assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED, "{layout:?}: nobody has read mail");
        site.login("Joe@X.ex", "192.0.2.7");
        site.login("joe@x.ex", "::ffff:192.0.2.8");
        site.login("joe@x.ex", "2001:DB8::1");
        for ip in ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8:0:0::1"] {
            assert_eq!(site.rcpt("JOE@x.EX", ip), OK, "{layout:?} {ip}");
        }
        for ip in ["192.0.2.70", "192.0.2.9", "2001:db8::2", "::1"] {
            assert_eq!(site.rcpt("joe@x.ex", ip), REFUSED, "{layout:?} {ip}");
        }
        let other = if has_user(layout) { REFUSED } else { OK };
        for sender in ["ann@x.ex", "joe@x.e", "joe@x.ex.evil.ex", "oe@x.ex", "joe"] {
            assert_eq!(site.rcpt(sender, "192.0.2.7"), other, "{layout:?} {sender}");
        }
        assert_eq!(site.rcpt("", "192.0.2.7"), REFUSED, "{layout:?}: the null sender is nobody");
        // The same login again is no second row.
        site.login("joe@x.ex", "192.0.2.7");
        let user = if has_user(layout) { "joe@x.ex" } else { "-" };
        assert_eq!(
            site.rows(),
            ["192.0.2.7", "192.0.2.8", "2001:db8::1"].map(|ip| format!("{user} {ip}")),
            "{layout:?}"
        );
    }
}

#[test]
fn a_row_counts_while_it_is_younger_than_the_window() {
    for layout in Layout::ALL {
        let (database, site) = site(layout);
        let ages = [
            ("192.0.2.1", "unix_timestamp() - 3600", REFUSED),
            ("192.0.2.2", "unix_timestamp() - 3540", OK),
            ("192.0.2.3", "unix_timestamp() + 240", OK),
            ("192.0.2.4", "unix_timestamp() + 400", REFUSED),
            ("192.0.2.5", "null", REFUSED),
            ("192.0.2.6", "0", REFUSED),
        ];
        for (ip, time, expected) in ages {
            insert(&database, layout, "joe@x.ex", ip, time);
            assert_eq!(site.rcpt("joe@x.ex", ip), expected, "{layout:?} {time}");
            assert_eq!(site.explain("joe@x.ex", ip).code, Some(i32::from(expected != OK)), "{layout:?} {time}");
        }
        if layout == Layout::VpopmailChar {
            insert(&database, layout, "", "192.0.2.9", "'abc'");
            assert_eq!(site.rcpt("joe@x.ex", "192.0.2.9"), REFUSED);
        }
        // The cleaner and smtpd agree: it is one predicate.
        let gone = if layout == Layout::VpopmailChar { "5" } else { "4" };
        assert_eq!(site.run("clearopensmtp", &["--dry-run"]).output, format!("{gone}\n"), "{layout:?}");
        assert_eq!(site.run("clearopensmtp", &["-s", "--batch", "2"]).code, Some(0), "{layout:?}");
        let left = ages.iter().filter(|(_, _, expected)| *expected == OK).count();
        assert_eq!(database.sql("select count(*) from relay"), left.to_string(), "{layout:?}");
        // Another window, for all of them.
        let site = site.with("RELAY_CLEAR_MINUTES", "30");
        assert_eq!(site.rcpt("joe@x.ex", "192.0.2.2"), REFUSED, "{layout:?}");
        assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0), "{layout:?}");
        assert_eq!(database.sql("select count(*) from relay"), (left - 1).to_string(), "{layout:?}");
    }
}

#[test]
fn rows_of_other_writers_are_understood() {
    for layout in Layout::ALL {
        let (database, site) = site(layout);
        insert(&database, layout, "joe@x.ex", "::ffff:192.0.2.7", "unix_timestamp()");
        insert(&database, layout, "Joe@X.ex", "2001_db8__1", "unix_timestamp()");
        insert(&database, layout, "joe@x.ex", "", "unix_timestamp()");
        insert(&database, layout, "joe@x.ex", "nonsense", "unix_timestamp()");
        assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK, "{layout:?}");
        assert_eq!(site.rcpt("joe@x.ex", "2001:db8::1"), OK, "{layout:?}");
        assert_eq!(site.rcpt("joe@x.ex", "::1"), REFUSED, "{layout:?}: vpopmail has the empty text for it");
        assert_eq!(site.rows().len(), 2, "{layout:?}");
    }
}

/// `ANSI_QUOTES` breaks statements with double quotes, strict mode refuses what does not fit, and without it a text is cut.
#[test]
fn the_modes_of_a_server_make_no_difference() {
    let long = format!("{}@x.ex", "u".repeat(100));
    for modes in ["--sql-mode=ANSI_QUOTES,STRICT_ALL_TABLES", "--sql-mode="] {
        let server = MariaDb::start_with(&[modes]);
        for layout in Layout::ALL {
            let database = server.database();
            database.table(layout);
            let site = Site::with_database(&database);
            site.login("joe@x.ex", "192.0.2.7");
            assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK, "{modes} {layout:?}");
            insert(&database, layout, "old@x.ex", "192.0.2.9", "unix_timestamp() - 4000");
            assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0), "{modes} {layout:?}");
            assert_eq!(database.sql("select count(*) from relay"), "1", "{modes} {layout:?}");
            if layout == Layout::IndiMail {
                let said = site.run("opensmtp", &["--user", &long, "--ip", "192.0.2.7"]);
                assert!(said.code == Some(111) && said.errors.contains("Data too long"), "{modes}: {said:?}");
                assert_eq!(database.sql("select count(*) from relay"), "1", "{modes}");
            }
        }
    }
}

/// A layout that a setting names is the only one that is tried.
#[test]
fn a_layout_may_be_named() {
    for layout in Layout::ALL {
        let (right, wrong) = if has_user(layout) { ("indimail", "vpopmail") } else { ("vpopmail", "indimail") };
        let (database, _) = site(layout);
        let named = Site::with_database(&database).with("RELAY_LAYOUT", right);
        named.login("joe@x.ex", "192.0.2.7");
        assert_eq!(named.rcpt("joe@x.ex", "192.0.2.7"), OK, "{layout:?}");
        assert_eq!(named.run("clearopensmtp", &["-s"]).code, Some(0), "{layout:?}");
        let misnamed = Site::with_database(&database).with("RELAY_LAYOUT", wrong);
        assert_eq!(misnamed.rcpt("joe@x.ex", "192.0.2.7"), LATER, "{layout:?}");
        assert_eq!(misnamed.run("clearopensmtp", &["-s"]).code, Some(1), "{layout:?}");
    }
}

/// Quotes, backslashes, NUL, invalid UTF-8 and very long texts, as sender and as user, leave the table as it was.
#[test]
fn nothing_that_a_client_says_becomes_sql() {
    let hostile: [&[u8]; 11] = [
        b"joe@x.ex\0' or '1'='1",
        b"'; drop table relay; -- @x.ex",
        b"\"' or \"1\"=\"1@x.ex",
        b"joe@x.ex' or '1'='1",
        b"joe\\'@x.ex",
        b"joe@x.ex\\",
        b"%@x.ex",
        b"joe@x.ex/**/",
        b"j\xff\xfee@x.ex",
        b"jo\xc3\xa9@x.ex",
        b"`relay`@x.ex",
    ];
    for layout in [Layout::IndiMail, Layout::VpopmailVarchar] {
        let (database, site) = site(layout);
        insert(&database, layout, "joe@x.ex", "192.0.2.7", "unix_timestamp()");
        insert(&database, layout, "ann@x.ex", "192.0.2.8", "1");
        let before = database.sql("select * from relay");
        for sender in hostile {
            let smtp = site.session("192.0.2.9");
            let spoken = [b"MAIL FROM:<", sender, b">\r\n"].concat();
            smtp.send(spoken);
            let reply = smtp.reply().pop().unwrap();
            assert!(reply == OK || reply.starts_with("555"), "{}: {reply}", sender.escape_ascii());
            if reply == OK {
                assert_eq!(smtp.ask("RCPT TO:<you@far.ex>"), REFUSED, "{layout:?} {}", sender.escape_ascii());
            }
        }
        for sender in hostile.iter().copied().chain([[b'u'; 10_000].as_slice()]) {
            let mut question = sender.to_vec();
            question.extend_from_slice(b"\x00192.0.2.9\0\0");
            let said = site.run_with("checkrelay", &[], &question);
            assert!(matches!(said.code, Some(1 | 111)), "{}: {said:?}", sender.escape_ascii());
        }
        for ip in ["192.0.2.9' or '1'='1", "192.0.2.9; drop table relay", "1.2.3.4\\", "\"", "1", &"9".repeat(10_000)] {
            let said = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", ip]);
            assert_eq!(said.code, Some(100), "{said:?}");
            assert_eq!(said.errors.lines().count(), 1, "{said:?}");
        }
        assert_eq!(database.sql("select * from relay"), before, "{layout:?}");
        // What can be a user is stored as it is, and found again.
        for user in ["o'neil@x.ex", "back\\slash@x.ex", "\"q\"@x.ex", "a;b--c@x.ex"] {
            site.login(user, "192.0.2.10");
            let question = [user.as_bytes(), b"\x00192.0.2.10\0\0"].concat();
            assert_eq!(site.run_with("checkrelay", &[], &question).output, "yes\n", "{layout:?} {user}");
        }
    }
}

/// The clock of the database decides, not this host's: a server whose clock runs ahead by an hour.
#[test]
fn the_clock_is_that_of_the_database() {
    let (database, site) = site(Layout::IndiMail);
    insert(&database, Layout::IndiMail, "joe@x.ex", "192.0.2.7", "unix_timestamp()");
    let site = site.with("MYSQL_INIT_COMMAND", "SET SESSION timestamp = UNIX_TIMESTAMP() + 3600");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED);
    assert_eq!(site.run("clearopensmtp", &["--dry-run"]).output, "1\n");
    site.login("joe@x.ex", "192.0.2.7");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    let ahead = database.sql("select timestamp - unix_timestamp() > 3500 from relay");
    assert_eq!(ahead, "1");
}
