//! The layout of IndiMail.

use crate::mariadb::MariaDb;
use crate::site::{OK, Site, indimail};

#[test]
fn who_has_a_mailbox() {
    let site = Site::with_database(&indimail(MariaDb::shared()));
    let table = [
        ("bob@a.ex", "ok"),
        ("BOB@A.ex", "ok"),
        ("bob@b.ex", "ok"),
        ("nul@a.ex", "ok"),
        ("0@a.ex", "ok"),
        ("full@a.ex", "overquota"),
        ("gone@a.ex", "inactive"),
        ("gonealias@a.ex", "inactive"),
        ("team@a.ex", "ok"),
        ("locked@a.ex", "ok"),
        ("old@a.ex", "ok"),
        ("nobody@a.ex", "absent"),
        ("nobody@b.ex", "absent"),
        // By the field and by the link of users/cdb; what only the alias domain has is nowhere.
        ("bob@alias.ex", "ok"),
        ("bob@link.ex", "ok"),
        ("only@alias.ex", "absent"),
        ("bob@unknown.ex", "absent"),
    ];
    for (recipient, expected) in table {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
}

/// What a client writes is compared, and nothing else: not run, not folded, not cut.
#[test]
fn names_that_mean_harm() {
    let database = indimail(MariaDb::shared());
    let site = Site::with_database(&database);
    // The database takes the letter in this domain and a for the same.
    let other = "concat(convert(x'C3A1' using utf8mb4), '.ex')";
    database.sql(&format!("insert into indimail (pw_name, pw_domain, pw_gid) values ('rob', {other}, 0)"));
    let long = format!("{}@a.ex", "b".repeat(41));
    let names = [
        "m\u{e9}l@a.ex",
        "\"bob \"@a.ex",
        "bob'@a.ex",
        "\"x' or '1'='1\"@a.ex",
        "\"x\\\" or \\\"1\\\"=\\\"1\"@a.ex",
        "bob\\\\@a.ex",
        "rob@a.ex",
        "bo_@a.ex",
        "*@a.ex",
        "b*b@a.ex",
        "00@a.ex",
        "0.0@a.ex",
        "\"; drop table indimail; --\"@a.ex",
        long.as_str(),
        "BOB\u{212a}@a.ex",
    ];
    for name in names {
        let smtp = site.session();
        assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
        let reply = smtp.ask(&format!("RCPT TO:<{name}>"));
        assert!(
            reply.starts_with("550 sorry, s@far.ex mailbox <") && reply.ends_with(" is absent on this domain (#5.1.1)"),
            "{name}: {reply}"
        );
    }
    assert_eq!(database.sql("select count(*) from indimail"), "11");
}

#[test]
fn one_question_for_each_recipient_and_one_statement_for_each_question() {
    let server = MariaDb::start();
    let site = Site::with_database(&indimail(&server));
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    let asked = || -> u32 {
        server
            .sql(
                None,
                "select variable_value from information_schema.global_status where variable_name = 'com_stmt_execute'",
            )
            .parse()
            .unwrap()
    };
    let before = asked();
    for recipient in ["bob@a.ex", "nobody@a.ex", "bob@a.ex", "Bob@A.ex", "nobody@a.ex", "bob@b.ex"] {
        smtp.ask(&format!("RCPT TO:<{recipient}>"));
    }
    assert_eq!(asked() - before, 3);
}

/// Nothing is asked for whom other rules refuse, or where recipients are not checked.
#[test]
fn who_is_not_asked_for() {
    let site = Site::with_server("localhost:user:secret:/nonexistent/socket");
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    assert!(smtp.ask("RCPT TO:<x@far.ex>").starts_with("553 "));
    site.home.write("goodrcptto", "sales@a.ex\n");
    site.home.write("chkrcptdomains", "@b.ex\n");
    let smtp = site.session();
    assert_eq!(smtp.ask("MAIL FROM:<s@far.ex>"), OK);
    assert_eq!(smtp.ask("RCPT TO:<any@a.ex>"), OK);
    assert_eq!(site.with("CHECKRECIPIENT", "3").rcpt("x@b.ex"), "451 unable to check recipients (#4.3.2)");
}

#[test]
fn recipients_come_first_with_2() {
    let site = Site::with_database(&indimail(MariaDb::shared())).with("CHECKRECIPIENT", "2");
    site.home.write("recipients", "!b.ex\n");
    for (recipient, expected) in
        [("any@b.ex", "ok"), ("bob@a.ex", "ok"), ("any@a.ex", "absent"), ("full@a.ex", "overquota")]
    {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
}

/// Over quota is for good, as in the original, unless ACCOUNT_OVERQUOTA has the code of a refusal for now (D99).
#[test]
fn who_is_over_quota_may_have_room_again() {
    let site = || Site::with_database(&indimail(MariaDb::shared()));
    assert_eq!(site().with("ACCOUNT_OVERQUOTA", "550").rcpt("full@a.ex"), "overquota");
    let site = site().with("ACCOUNT_OVERQUOTA", "452");
    let reply = "452 sorry, s@far.ex mailbox <full@a.ex> is overquota on this domain (#4.2.2)";
    assert_eq!(site.rcpt("full@a.ex"), reply);
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("gone@a.ex").as_str()), ("ok", "inactive"));
    let site = site.with("ACCOUNT_OVERQUOTA", "later");
    assert_eq!(site.rcpt("full@a.ex"), "451 Sorry, there is a local system failure (#4.3.0)");
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
}

#[test]
fn a_large_site_has_a_table_for_each_domain() {
    let database = MariaDb::shared().database();
    database.sql("create table a_ex (pw_name char(40) not null primary key, pw_passwd char(128), pw_gid int)");
    database.sql("insert into a_ex values ('bob', '', 0), ('full', '', 16)");
    database.sql("create table valias (alias char(40), domain char(67), valias_line char(190))");
    database.sql("insert into valias values ('team', 'a.ex', '&x')");
    let site = Site::with_database(&database).with("ACCOUNT_LAYOUT", "indimail-large");
    let table = [
        ("bob@a.ex", "ok"),
        ("full@a.ex", "overquota"),
        ("team@alias.ex", "ok"),
        ("x@a.ex", "absent"),
        ("bob@unknown.ex", "absent"),
    ];
    for (recipient, expected) in table {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
    // The table of b.ex is missing: nobody can know.
    assert!(site.rcpt("bob@b.ex").starts_with("451 "));
}

#[test]
fn other_names_of_tables() {
    let database = indimail(MariaDb::shared());
    database.sql("rename table indimail to accounts, indibak to sleepers");
    let site = Site::with_database(&database).with("MYSQL_TABLE", "accounts").with("MYSQL_INACTIVE_TABLE", "sleepers");
    assert_eq!((site.rcpt("bob@a.ex"), site.rcpt("gone@a.ex")), ("ok".to_owned(), "inactive".to_owned()));
    database.sql("drop table valias");
    assert!(site.rcpt("bob@a.ex").starts_with("451 "));
    let site = site.with("ACCOUNT_VALIAS", "no");
    assert_eq!(site.rcpt("bob@a.ex"), "ok");
}

/// explain asks the same program, and says the same.
#[test]
fn explain_follows() {
    let site = Site::with_database(&indimail(MariaDb::shared()));
    for (recipient, code, words) in [
        ("bob@a.ex", 0, "CHECKRECIPIENT: no such file; "),
        ("nobody@a.ex", 1, "there is no such mailbox"),
        ("gone@a.ex", 1, "the mailbox is inactive"),
        ("full@a.ex", 1, "the mailbox is over quota"),
    ] {
        let output = site.explain(recipient);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(code == 0 || text.contains(words), "{recipient}: {text}");
    }
    let text = String::from_utf8(site.explain("nobody@a.ex").stdout).unwrap();
    assert!(text.contains("would be accepted if there were a file goodrcptto with the line `nobody@a.ex`"), "{text}");
}
