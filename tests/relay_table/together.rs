//! How smtpd asks: only when it matters, once for each sender, for one transaction; and many at once.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use postern::control::load::Places;
use postern::relay_table::age::{self, Window};
use postern::relay_table::login::Login;
use postern::relay_table::mysql::Patience;
use postern::relay_table::question::Question;
use postern::relay_table::sources::{Purpose, Sources};
use postern::relay_table::table::Table;

use crate::hanging::HangingServer;
use crate::mariadb::{Layout, MariaDb};
use crate::site::{LATER, OK, REFUSED, Site};

/// How many questions a server was asked.
fn questions(server: &MariaDb) -> usize {
    let log = server.sql(None, "select argument from mysql.general_log where command_type = 'Execute'");
    log.lines().filter(|line| line.contains("UNIX_TIMESTAMP()") && line.starts_with("SELECT")).count()
}

#[test]
fn the_table_is_asked_once_for_each_sender_and_only_when_it_matters() {
    let server = MariaDb::start_with(&["--log-output=TABLE", "--general-log=1"]);
    let database = server.database();
    database.table(Layout::IndiMail);
    let site = Site::with_database(&database);
    site.login("joe@x.ex", "192.0.2.7");
    let smtp = site.session("192.0.2.7");
    for line in [
        "EHLO x",
        "MAIL FROM:<joe@x.ex>",
        "RCPT TO:<ann@local.ex>",
        "RCPT TO:<bob@local.ex>",
        "RSET",
        "MAIL FROM:<>",
        "RCPT TO:<ann@local.ex>",
    ] {
        assert!(smtp.ask(line).starts_with("250"), "{line}");
    }
    assert_eq!(questions(&server), 0, "nobody needed to know");
    for line in [
        "MAIL FROM:<joe@x.ex>",
        "RCPT TO:<a@far.ex>",
        "RCPT TO:<b@far.ex>",
        "RSET",
        "MAIL FROM:<JOE@x.ex>",
        "RCPT TO:<c@far.ex>",
    ] {
        assert!(smtp.ask(line).starts_with("250"), "{line}");
    }
    assert_eq!(questions(&server), 1);
    assert_eq!(smtp.ask("MAIL FROM:<ann@x.ex>"), OK);
    for recipient in ["a", "b", "c"] {
        assert_eq!(smtp.ask(&format!("RCPT TO:<{recipient}@far.ex>")), REFUSED);
    }
    assert_eq!(questions(&server), 2);
    // Whoever has another grant needs none of the table.
    for (name, value) in [("RELAYCLIENT", ""), ("RELAYLEVEL", "")] {
        let site = Site::with_database(&database).with(name, value);
        if name == "RELAYLEVEL" {
            site.home.write("relaylevel", "none\n");
        }
        let expected = if name == "RELAYLEVEL" { REFUSED } else { OK };
        assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), expected, "{name}");
    }
    let listed = Site::with_database(&database);
    listed.home.write("relayclients", "192.0.2.7\n");
    assert_eq!(listed.rcpt("joe@x.ex", "192.0.2.7"), OK);
    assert_eq!(questions(&server), 2);
}

/// A table that hangs makes a client wait once in a session, not for each of its recipients.
#[test]
fn a_failure_is_an_answer_for_the_session() {
    let hanging = HangingServer::silent();
    let site = Site::with_server(&hanging.host_mysql_line()).with("RELAY_DB_TIMEOUT", "1");
    let smtp = site.session("192.0.2.7");
    assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
    let began = std::time::Instant::now();
    for number in 0..20 {
        assert_eq!(smtp.ask(&format!("RCPT TO:<u{number}@far.ex>")), LATER);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_grant_ends_with_its_transaction() {
    for site in [Site::with_directory(), database_site()] {
        site.login("joe@x.ex", "192.0.2.7");
        let smtp = site.session("192.0.2.7");
        assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
        assert_eq!(smtp.ask("RCPT TO:<you@far.ex>"), OK);
        for between in ["RSET", "NOOP", "HELO x", "EHLO x"] {
            smtp.ask(between);
            assert_eq!(smtp.ask("MAIL FROM:<ann@x.ex>"), OK);
            assert_eq!(smtp.ask("RCPT TO:<you@far.ex>"), REFUSED, "after {between}");
        }
        assert_eq!(smtp.ask("MAIL FROM:<>"), OK);
        assert_eq!(smtp.ask("RCPT TO:<you@far.ex>"), REFUSED);
        assert_eq!(smtp.ask("MAIL FROM:<joe@x.ex>"), OK);
        assert_eq!(smtp.ask("RCPT TO:<you@far.ex>"), OK);
    }
}

fn database_site() -> Site {
    let database = MariaDb::shared().database();
    database.table(Layout::IndiMail);
    Site::with_database(&database)
}

/// Without CHECKRELAY nothing of it is looked at, whatever lies there.
#[test]
fn without_checkrelay_nobody_asks() {
    let site = Site::with_directory().without("CHECKRELAY");
    site.login("joe@x.ex", "192.0.2.7");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED);
    std::fs::remove_file(site.home.control().join("relaydb")).unwrap();
    std::fs::create_dir(site.home.control().join("relaydb")).unwrap();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED, "a relaydb that cannot be read does not matter");
    let trace = site.home.path().join("trace");
    let mut strace = std::process::Command::new("strace");
    let smtpd = site.command("smtpd");
    strace.args(["-f", "-o"]).arg(&trace).arg(smtpd.get_program()).env("TCPREMOTEIP", "192.0.2.7");
    strace.envs(smtpd.get_envs().filter_map(|(name, value)| Some((name, value?)))).stderr(std::process::Stdio::null());
    let smtp = crate::smtp::Smtp::start(&mut strace);
    for line in ["EHLO x", "MAIL FROM:<joe@x.ex>", "RCPT TO:<you@far.ex>", "QUIT"] {
        smtp.ask(line);
    }
    drop(smtp);
    let traced = std::fs::read_to_string(&trace).unwrap();
    assert!(traced.contains("rcpthosts") && !traced.contains("relaydb") && !traced.contains("checkrelay"));
}

#[test]
fn explain_asks_the_table_too() {
    for site in [Site::with_directory(), database_site()] {
        site.login("joe@x.ex", "192.0.2.7");
        let said = site.explain("joe@x.ex", "192.0.2.7");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(
            said.output.contains("CHECKRELAY: yes, relaydb\n") && said.output.contains("reason: relaydb"),
            "{said:?}"
        );
        assert!(said.output.contains("would be refused if CHECKRELAY were not set"), "{said:?}");
        let said = site.explain("ann@x.ex", "192.0.2.7");
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.output.contains("CHECKRELAY: ann@x.ex has not read mail from 192.0.2.7 lately\n"), "{said:?}");
        // At another moment.
        let control = site.home.control().display().to_string();
        let later = (crate::site::now() + 4000).to_string();
        let (line, variables) = (
            ["explain", "--control", &control, "--ip", "192.0.2.7", "--from", "joe@x.ex"],
            ["--rcpt", "you@far.ex", "--at", &later],
        );
        let mut command = site.command("postern");
        let pairs: Vec<String> = command
            .get_envs()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value?.to_str()?)))
            .filter(|pair| !pair.starts_with("PATH=") && !pair.starts_with("CONTROLDIR="))
            .collect();
        command.args(line).args(variables).args(pairs.iter().flat_map(|pair| ["--env", pair.as_str()]));
        assert_eq!(command.output().unwrap().status.code(), Some(1));
    }
    let said = Site::with_server("127.0.0.1:u:secret:1").explain("joe@x.ex", "192.0.2.7");
    assert!(said.code == Some(111) && said.output.contains("CHECKRELAY: cannot tell: Database error: "), "{said:?}");
}

const WRITERS: usize = 100;
const READERS: usize = 500;

/// A hundred writers and five hundred readers, all at once: nobody's login is lost, nobody's question fails.
#[test]
fn many_writers_and_readers_at_once_lose_nothing() {
    let server = MariaDb::start_with(&["--max-connections=1000", "--back-log=1000"]);
    for layout in [None, Some(Layout::IndiMail), Some(Layout::VpopmailVarchar)] {
        let site = match layout {
            None => Site::with_directory(),
            Some(layout) => {
                let database = server.database();
                database.table(layout);
                Site::with_database(&database)
            }
        };
        site.login("reader@x.ex", "192.0.2.1");
        let environment = site.environment();
        let places = Places { working: site.home.path().to_path_buf(), control: site.home.control() };
        let sources = Sources { environment: &environment, places: &places };
        let time = Duration::from_secs(60);
        let question = Question { sender: b"reader@x.ex".into(), address: [192, 0, 2, 1].into(), at: None };
        let start = Barrier::new(WRITERS + READERS);
        thread::scope(|scope| {
            let (start, question) = (&start, &question);
            for number in 0..WRITERS {
                scope.spawn(move || {
                    // Many users behind few addresses.
                    let address = format!("192.0.2.{}", 1 + number % 4);
                    let login = Login::parse(format!("u{number}@x.ex").as_bytes(), address.as_bytes(), None).unwrap();
                    let table = Table::open(sources, Purpose::Write, Patience::in_all(time)).unwrap();
                    start.wait();
                    table.record(&login, time).unwrap();
                });
            }
            for _ in 0..READERS {
                scope.spawn(move || {
                    let window = Window::of(sources.environment).unwrap();
                    let table = Table::open(sources, Purpose::Read, Patience::in_all(time)).unwrap();
                    start.wait();
                    let found = match table {
                        Table::Directory(table) => {
                            table.contains(&question.sender, question.address, window, age::now())
                        }
                        Table::MySql(table) => table.answer(question, window),
                    };
                    assert_eq!(found, Ok(true), "{layout:?}");
                });
            }
        });
        // vpopmail's table has a row for each address.
        let expected = if layout == Some(Layout::VpopmailVarchar) { 4 } else { WRITERS + 1 };
        assert_eq!(site.rows().len(), expected, "{layout:?}");
    }
}

/// The same by the programs themselves, a few at a time.
#[test]
fn programs_at_once_lose_nothing() {
    for site in [Site::with_directory(), database_site()] {
        let site = &site;
        site.login("reader@x.ex", "192.0.2.1");
        thread::scope(|scope| {
            for writer in 0..4 {
                scope.spawn(move || {
                    for number in 0..10 {
                        site.login(&format!("u{writer}-{number}@x.ex"), "192.0.2.1");
                        let said = site.run_with("checkrelay", &[], b"reader@x.ex\x00192.0.2.1\0\0");
                        assert_eq!((said.code, said.output.as_str()), (Some(0), "yes\n"));
                    }
                });
            }
        });
        assert_eq!(site.rows().len(), 41);
    }
}

/// The cleaner and logins at once: what is refreshed while the cleaner works stays.
#[test]
fn a_login_during_the_cleaning_stays() {
    for site in [Site::with_directory(), database_site()] {
        let old: String = (0..500).map(|n: u32| format!("u{n}@x.ex\t192.0.2.{}\t5\n", n % 50)).collect();
        assert_eq!(site.run_with("opensmtp", &["--import"], old.as_bytes()).code, Some(0));
        let site = &site;
        thread::scope(|scope| {
            scope.spawn(move || {
                for number in (0..500).step_by(25) {
                    site.login(&format!("u{number}@x.ex"), &format!("192.0.2.{}", number % 50));
                }
            });
            scope.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(site.run("clearopensmtp", &["-s", "--batch", "20"]).code, Some(0));
                }
            });
        });
        assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0));
        assert_eq!(site.rows().len(), 20);
    }
}
