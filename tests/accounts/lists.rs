//! Lists of addresses in a database: `badmailfrom.sql` and its kin.

use crate::hanging::HangingServer;
use crate::mariadb::{Database, MariaDb};
use crate::site::{OK, Site};

const BAD_SENDER: &str = "553 sorry, your envelope sender has been denied (#5.7.1)";
const LOCAL_FAILURE: &str = "451 Sorry, there is a local system failure (#4.3.0)";

fn table(database: &Database, table: &str, addresses: &[&str]) -> String {
    database.sql(&format!("create table {table} (email char(64) primary key, timestamp timestamp, index (timestamp))"));
    for address in addresses {
        database.sql(&format!("insert into {table} (email) values ('{address}')"));
    }
    format!("localhost:{}:{}:{}:{table}\n", database.user, database.password, database.name)
}

fn site(server: &MariaDb) -> Site {
    let site = Site::with_server("localhost")
        .with("CHECKRECIPIENT", "3")
        .with("MYSQL_SOCKET", &server.socket().display().to_string());
    site.home.write("recipients", "!*\n");
    site
}

fn mail(site: &Site, sender: &str) -> String {
    site.session().ask(&format!("MAIL FROM:<{sender}>"))
}

#[test]
fn senders_and_recipients_in_a_table() {
    let server = MariaDb::shared();
    let (site, database) = (site(server), server.database());
    site.home.write("badmailfrom", "text@x.ex\n");
    site.home.write("badmailfrom.sql", table(&database, "bad", &["joe@bad.ex", "@worse.ex", "mel@bad.ex"]));
    // The database takes this letter and a for the same.
    database.sql("insert into bad (email) values (concat('@m', convert(x'C3A1' using utf8mb4), 're.ex'))");
    site.home.write("badrcptto.sql", table(&database, "badrcpt", &["no@a.ex"]));
    for sender in ["joe@bad.ex", "JOE@Bad.ex", "any@worse.ex", "text@x.ex"] {
        assert_eq!(mail(&site, sender), BAD_SENDER, "{sender}");
    }
    for sender in
        ["ok@bad.ex", "", "m\u{e9}l@bad.ex", "x' or '1'='1@bad.ex", "joe@bad.ex.org", "%@bad.ex", "any@mare.ex"]
    {
        assert_eq!(mail(&site, sender), OK, "{sender}");
    }
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    assert_eq!(smtp.ask("RCPT TO:<No@a.ex>"), "553 sorry, your envelope recipient has been denied (#5.7.1)");
    assert_eq!(smtp.ask("RCPT TO:<yes@a.ex>"), OK);
    assert!(smtp.ask("QUIT").starts_with("221 "));
    assert!(smtp.log().contains("reason=badrcptto.sql"), "{}", smtp.log());
}

#[test]
fn a_list_that_grants() {
    let server = MariaDb::shared();
    let (site, database) = (site(server), server.database());
    site.home.write("relaymailfrom.sql", table(&database, "relaying", &["joe@here.ex"]));
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<joe@here.ex>"), OK);
    assert_eq!(smtp.ask("RCPT TO:<x@far.ex>"), OK);
    assert_eq!(smtp.ask("MAIL FROM:<ann@here.ex>"), OK);
    assert!(smtp.ask("RCPT TO:<x@far.ex>").starts_with("553 "));
    database.sql("drop table relaying");
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<joe@here.ex>"), OK);
    assert_eq!(smtp.ask("RCPT TO:<x@far.ex>"), LOCAL_FAILURE, "never a grant");
    assert_eq!(smtp.ask("RCPT TO:<x@a.ex>"), OK, "who needs no grant does not need the list");
    assert_eq!(database.sql("show tables"), "", "nobody has made a table");
}

#[test]
fn a_list_that_cannot_be_asked() {
    let server = MariaDb::shared();
    let (site, database) = (site(server), server.database());
    let good = table(&database, "bad", &["joe@bad.ex"]);
    site.home.write("badmailfrom", "text@x.ex\n");
    let silent = HangingServer::silent();
    let hangs = format!("127.0.0.1:user:Sup3rSecret:{}:t\n", database.name);
    let broken: [(&str, String); 6] = [
        ("Access denied", good.replace(&database.password, "Sup3rSecret")),
        ("doesn't exist", good.replace(":bad\n", ":other\n")),
        ("Invalid database config", "localhost:user:Sup3rSecret\n".to_owned()),
        ("is no name of a table", good.replace(":bad\n", ":bad`x\n")),
        ("Invalid database config", String::new()),
        ("it does not answer in time", hangs),
    ];
    for (why, line) in broken {
        site.home.write("badmailfrom.sql", line);
        let mut command = site.command("smtpd");
        command.env("TCPREMOTEIP", "192.0.2.7").env("MYSQL_TIMEOUT", "1");
        if why.contains("in time") {
            command.env_remove("MYSQL_SOCKET").env("MYSQL_VPORT", silent.port().to_string());
        }
        let smtp = crate::smtp::Smtp::start(&mut command);
        assert!(smtp.reply().pop().unwrap().starts_with("220 "));
        for sender in ["joe@bad.ex", "ok@bad.ex"] {
            assert_eq!(smtp.ask(&format!("MAIL FROM:<{sender}>")), LOCAL_FAILURE, "{why}");
        }
        assert_eq!(smtp.ask("MAIL FROM:<text@x.ex>"), BAD_SENDER, "who is refused anyway needs no table");
        assert!(smtp.ask("QUIT").starts_with("221 "));
        let log = smtp.log();
        assert!(log.contains(" address_match: badmailfrom.sql: ") && log.contains(why), "{why}: {log}");
        assert!(!log.contains("ecret"), "{log}");
    }
    // A directory in its place cannot be read.
    let _ = std::fs::remove_file(site.home.control().join("badmailfrom.sql"));
    std::fs::create_dir(site.home.control().join("badmailfrom.sql")).unwrap();
    assert_eq!(mail(&site, "ok@bad.ex"), LOCAL_FAILURE);
}
