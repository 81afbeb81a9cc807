//! clearopensmtp: which rows go, the rules that it makes, its lock, and its exit codes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::hanging::HangingServer;
use crate::mariadb::{Database, Layout, MariaDb};
use crate::site::Site;
use crate::support::program;

fn database(layout: Layout) -> (Database, Site) {
    let database = MariaDb::shared().database();
    database.table(layout);
    let site = Site::with_database(&database);
    (database, site)
}

/// What tcpserver makes of an address by these rules.
fn rule(site: &Site, ip: &str) -> String {
    let cdb = site.rules().with_extension("smtp.cdb");
    let output = Command::new(program("tcprulescheck")).arg(cdb).env_clear().env("TCPREMOTEIP", ip).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const RULES: &str = "# static\n198.51.100.:deny\n192.0.2.9:allow,MAXLOAD=\"5\"\n:allow";

#[test]
fn a_window_that_is_no_positive_number_deletes_nothing() {
    for (layout, site) in
        [(Layout::IndiMail, database(Layout::IndiMail)), (Layout::VpopmailChar, database(Layout::VpopmailChar))]
    {
        let (database, site) = site;
        site.login("joe@x.ex", "192.0.2.7");
        database.sql("update relay set timestamp = 5");
        for minutes in ["abc", "-5", "", "0", "1e3", " 5", "60m", "99999999999"] {
            let site = Site::with_database(&database).with("RELAY_CLEAR_MINUTES", minutes);
            for arguments in [&[][..], &["-s"], &["-t"], &["--dry-run"]] {
                let said = site.run("clearopensmtp", arguments);
                assert_eq!(said.code, Some(100), "{layout:?} {minutes:?} {arguments:?}: {said:?}");
                assert!(said.errors.contains("RELAY_CLEAR_MINUTES"), "{said:?}");
            }
        }
        assert_eq!(database.sql("select count(*) from relay"), "1", "{layout:?}");
    }
}

#[test]
fn the_rules_are_made_anew_with_the_static_ones_first() {
    for layout in [Layout::IndiMail, Layout::VpopmailVarchar] {
        let (database, site) = database(layout);
        site.write_rules(RULES);
        for (ip, user) in [
            ("192.0.2.7", "joe@x.ex"),
            ("192.0.2.9", "joe@x.ex"),
            ("198.51.100.7", "joe@x.ex"),
            ("2001:db8::1", "ann@x.ex"),
        ] {
            site.login(user, ip);
        }
        let (columns, values) = match layout {
            Layout::IndiMail => (
                "email, ipaddr, timestamp",
                "('ann@x.ex', '192.0.2.7', unix_timestamp()), ('x', '', unix_timestamp()), ('x', 'nonsense', unix_timestamp()), ('x', '1.2.3.4:allow', unix_timestamp()), ('old@x.ex', '192.0.2.8', 5), ('x', '192.0.2.5', null)",
            ),
            Layout::IndiMailWide | Layout::VpopmailChar | Layout::VpopmailVarchar => (
                "ip_addr, timestamp",
                "('', unix_timestamp()), ('nonsense', unix_timestamp()), ('1.2.3.4:allow', unix_timestamp()), ('192.0.2.8', 5), ('192.0.2.5', null), ('2001_db8__2', unix_timestamp())",
            ),
        };
        database.sql(&format!("insert into relay ({columns}) values {values}"));
        let said = site.run("clearopensmtp", &["-t", "--verbose"]);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{layout:?}");
        let also = if layout == Layout::IndiMail { "" } else { "set environment variable RBLSMTPD=\n" };
        let relays = |ip: &str| format!("rule {ip}:\nset environment variable RELAYCLIENT=\n{also}allow connection\n");
        assert_eq!(rule(&site, "192.0.2.7"), relays("192.0.2.7"), "{layout:?}");
        assert!(rule(&site, "2001:db8::1").contains("RELAYCLIENT="), "{layout:?}");
        for ip in ["192.0.2.8", "192.0.2.5", "1.2.3.4", "203.0.113.1"] {
            assert_eq!(rule(&site, ip), "rule :\nallow connection\n", "{layout:?} {ip}");
        }
        assert_eq!(
            rule(&site, "198.51.100.7"),
            "rule 198.51.100.:\ndeny connection\n",
            "an administrator's deny stands"
        );
        assert_eq!(rule(&site, "192.0.2.9"), "rule 192.0.2.9:\nset environment variable MAXLOAD=5\nallow connection\n");
        // -t forgets nothing; without options both is done.
        let count = || database.sql("select count(*) from relay").parse::<u32>().unwrap();
        let before = count();
        assert_eq!(site.run("clearopensmtp", &[]).code, Some(0));
        assert_eq!(count(), before - 2, "{layout:?}");
        assert_eq!(
            fs::read_dir(site.home.path())
                .unwrap()
                .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp") })
                .count(),
            0
        );
    }
}

#[test]
fn a_static_line_that_is_no_rule_keeps_the_old_cdb() {
    let site = Site::with_directory();
    site.login("joe@x.ex", "192.0.2.7");
    site.write_rules(RULES);
    assert_eq!(site.run("clearopensmtp", &[]).code, Some(0));
    let cdb = site.rules().with_extension("smtp.cdb");
    let old = fs::read(&cdb).unwrap();
    site.write_rules(":allow\n# fine\n192.0.2.1:dney\n");
    let said = site.run("clearopensmtp", &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.contains("tcp.smtp:3: "), "{said:?}");
    assert_eq!(fs::read(&cdb).unwrap(), old);
    fs::remove_file(site.rules()).unwrap();
    assert_eq!(site.run("clearopensmtp", &["-t"]).code, Some(1), "TCP_FILE names a file that is missing");
    assert_eq!(fs::read(&cdb).unwrap(), old);
}

#[test]
fn a_rebuild_that_is_killed_leaves_the_old_cdb() {
    let site = Site::with_directory();
    site.login("joe@x.ex", "192.0.2.7");
    // Enough rules for a moment.
    let rules: String =
        (0..400_000).map(|n: u32| format!("10.{}.{}.{}:allow\n", n >> 16, n >> 8 & 255, n & 255)).collect();
    site.write_rules(":allow\n");
    assert_eq!(site.run("clearopensmtp", &["-t"]).code, Some(0));
    let cdb = site.rules().with_extension("smtp.cdb");
    let old = fs::read(&cdb).unwrap();
    site.write_rules(&rules);
    let is_writing = || {
        fs::read_dir(site.home.path())
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().contains(".tmp."))
    };
    let mut child = site.command("clearopensmtp").arg("-t").stderr(Stdio::null()).spawn().unwrap();
    crate::keeper::wait_until("it writes, or has written", || is_writing() || child.try_wait().unwrap().is_some());
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(was_running && fs::read(&cdb).unwrap() == old, "the old cdb is whole");
    // What it left is no obstacle.
    site.write_rules(":allow\n");
    assert_eq!(site.run("clearopensmtp", &["-t"]).code, Some(0));
}

#[test]
fn one_at_a_time() {
    let hanging = HangingServer::silent();
    let site = Site::with_server(&hanging.host_mysql_line()).with("RELAY_DB_TIMEOUT", "3");
    let mut first = site.command("clearopensmtp").arg("-s").stderr(Stdio::null()).spawn().unwrap();
    let is_locked = || {
        let directory = fs::File::open(site.home.control()).unwrap();
        directory.try_lock().is_err()
    };
    crate::keeper::wait_until("the first one has the lock", is_locked);
    let second = site.run("clearopensmtp", &["-s"]);
    assert_eq!((second.code, second.errors.as_str()), (Some(1), "clearopensmtp: clearopensmtp is already running\n"));
    assert!(first.try_wait().unwrap().is_none());
    assert_eq!(first.wait().unwrap().code(), Some(1), "the database hangs");
    assert!(!is_locked(), "the lock ends with the program");
    assert_eq!(fs::read_dir(site.home.control()).unwrap().count(), 3, "no file lies about");
}

#[test]
fn every_option_and_exit_code() {
    let (database, site) = database(Layout::IndiMail);
    for option in ["-V", "--version"] {
        let said = site.run("clearopensmtp", &[option]);
        assert_eq!(said.output, format!("clearopensmtp {} (Postern)\n", env!("CARGO_PKG_VERSION")));
    }
    assert!(site.run("clearopensmtp", &["--help"]).output.contains("RELAY_CLEAR_MINUTES"));
    for wrong in [&["-x"][..], &["--batch", "0"], &["--batch", "x"], &["-s", "-t"], &["-C", "-t"], &["surplus"]] {
        assert_eq!(site.run("clearopensmtp", wrong).code, Some(100), "{wrong:?}");
    }
    assert_eq!(site.run("clearopensmtp", &["-C"]).code, Some(100), "there is no mcdinfo");
    // Without rules there is nothing to make.
    let bare = Site::with_database(&database).without("TCP_FILE").with("SYSCONFDIR", "/nonexistent");
    drop(bare);
    database.sql("insert into relay values ('a@x.ex', '192.0.2.1', 5), ('b@x.ex', '192.0.2.1', 6), ('c@x.ex', '192.0.2.1', unix_timestamp())");
    site.write_rules(":allow\n");
    assert_eq!(site.run("clearopensmtp", &["--dry-run"]).output, "2\n");
    assert_eq!(database.sql("select count(*) from relay"), "3", "nothing is changed");
    assert!(!site.rules().with_extension("smtp.cdb").exists());
    let said = site.run("clearopensmtp", &["--verbose", "--batch", "1"]);
    assert_eq!(said.code, Some(0));
    assert!(said.output.contains("2 rows deleted\n") && said.output.contains("rules for 1 addresses"), "{said:?}");
    assert_eq!(database.sql("select email from relay"), "c@x.ex");
    // Trouble with this machine.
    let said = site.with("CONTROLDIR", "/nonexistent/control").run("clearopensmtp", &["-s"]);
    assert!(matches!(said.code, Some(111 | 100)), "{said:?}");
}

/// -C: the databases of a cluster, which mcdinfo names; the rules are then left alone.
#[test]
fn the_databases_of_a_cluster() {
    let (own, site) = database(Layout::IndiMail);
    let (one, two) = (MariaDb::shared().database(), MariaDb::shared().database());
    one.table(Layout::IndiMail);
    two.table(Layout::VpopmailVarchar);
    own.sql("insert into relay values ('a@x.ex', '192.0.2.1', 5)");
    one.sql("insert into relay values ('a@x.ex', '192.0.2.1', 5)");
    two.sql("insert into relay values ('192.0.2.1', 5), ('192.0.2.2', unix_timestamp())");
    let stanza = |database: &Database, number: u32| {
        let port = MariaDb::shared().port();
        format!(
            "domain d{number}.ex 1\nserver 127.0.0.1\nmdahost 127.0.0.1\nport {port}\nuse_ssl 0\ndatabase {}\nuser {}\npass {}\n",
            database.name, database.user, database.password
        )
    };
    site.home.write("mcdinfo", stanza(&one, 1) + &stanza(&two, 2) + &stanza(&one, 3));
    site.write_rules(":allow\n");
    assert_eq!(site.run("clearopensmtp", &["-C", "--dry-run"]).output, "3\n");
    assert_eq!(site.run("clearopensmtp", &["-C"]).code, Some(0));
    let count = |database: &Database| database.sql("select count(*) from relay");
    assert_eq!((count(&own), count(&one), count(&two)), ("0".into(), "0".into(), "1".into()));
    let said = site.run("clearopensmtp", &["--verbose"]);
    assert!(said.code == Some(0) && said.output.contains("mcdinfo"), "{said:?}");
    assert!(!site.rules().with_extension("smtp.cdb").exists());
    // One that cannot be reached does not keep the others from being cleared.
    own.sql("insert into relay values ('a@x.ex', '192.0.2.1', 5)");
    two.sql("insert into relay values ('192.0.2.1', 5)");
    one.sql("drop table relay");
    let said = site.run("clearopensmtp", &["-C"]);
    assert!(said.code == Some(1) && said.errors.contains("doesn't exist"), "{said:?}");
    assert_eq!((count(&own), count(&two)), ("0".into(), "1".into()));
    site.home.write("mcdinfo", "server one.ex\nport\n");
    let said = site.run("clearopensmtp", &["-C"]);
    assert!(said.code == Some(100) && said.errors.contains("mcdinfo: line 2"), "{said:?}");
}

/// A server whose binary log cannot hold what is done at the level of locks that we ask for.
#[test]
fn a_binary_log_of_statements() {
    let server = MariaDb::start_with(&["--server-id=1", "--log-bin=log", "--binlog-format=STATEMENT"]);
    for layout in Layout::ALL {
        let database = server.database();
        database.table(layout);
        let site = Site::with_database(&database);
        site.login("joe@x.ex", "192.0.2.7");
        database.sql("update relay set timestamp = 5");
        let said = site.run("clearopensmtp", &["-s"]);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{layout:?}");
        assert_eq!(database.sql("select count(*) from relay"), "0", "{layout:?}");
    }
}

/// Batches of any size delete the same rows, whichever way the table is walked.
#[test]
fn many_rows_in_batches() {
    for layout in Layout::ALL {
        let (database, site) = database(layout);
        let user = if matches!(layout, Layout::IndiMail | Layout::IndiMailWide) { "'joe@x.ex', " } else { "" };
        let rows: Vec<String> = (0..1000)
            .map(|number: u32| {
                let time = if number.is_multiple_of(3) { "unix_timestamp()" } else { "5" };
                format!("({user}'10.0.{}.{}', {time})", number >> 8, number & 255)
            })
            .collect();
        for batch in ["1", "7", "333", "334", "1000", "100000"] {
            database.sql(&format!("delete from relay; insert into relay values {}", rows.join(",")));
            let said = site.run("clearopensmtp", &["-s", "--batch", batch, "--verbose"]);
            assert_eq!(
                (said.code, said.output.as_str()),
                (Some(0), "clearopensmtp: 666 rows deleted\n"),
                "{layout:?} {batch}"
            );
            assert_eq!(database.sql("select count(*) from relay where timestamp > 5"), "334", "{layout:?} {batch}");
        }
    }
}

/// vpopmail's table has no index on the time: it is walked by its key, so that no batch looks at all rows.
#[test]
fn each_layout_is_walked_by_an_index_that_it_has() {
    let server = MariaDb::start_with(&["--log-output=TABLE", "--general-log=1"]);
    for (layout, by) in [(Layout::IndiMail, "ORDER BY timestamp LIMIT"), (Layout::VpopmailChar, "AND ip_addr < ")] {
        let database = server.database();
        database.table(layout);
        let site = Site::with_database(&database);
        (1..=5).for_each(|number| site.login("joe@x.ex", &format!("192.0.2.{number}")));
        assert_eq!(site.run("clearopensmtp", &["-s", "--batch", "2"]).code, Some(0));
        let text = "select argument from mysql.general_log where command_type = 'Execute' and argument like 'DELETE%'";
        let said = server.sql(None, text);
        assert!(said.lines().any(|line| line.contains(by)), "{layout:?}: {said}");
        server.sql(None, "truncate mysql.general_log");
    }
}

/// On a terminal long work shows how far it is; elsewhere nothing is said.
#[test]
fn progress_is_shown_on_a_terminal() {
    let (database, site) = database(Layout::IndiMail);
    let fill = || {
        let rows: Vec<String> = (0..2000).map(|number: u32| format!("('u{number}@x.ex', '192.0.2.1', 5)")).collect();
        database.sql(&format!("insert into relay values {}", rows.join(",")));
    };
    fill();
    let quiet = site.run("clearopensmtp", &["-s", "--batch", "10"]);
    assert_eq!((quiet.code, quiet.output.as_str(), quiet.errors.as_str()), (Some(0), "", ""));
    fill();
    let mut command = site.command("clearopensmtp");
    command.env("TERM", "xterm");
    let program = command.get_program().to_owned();
    let line = format!("{} -s --batch 10", Path::new(&program).display());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().stdin(Stdio::null());
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = script.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("of 2000 rows"), "{text:?}");
}
