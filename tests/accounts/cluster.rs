//! The accounts of an IndiMail cluster: `host.cntrl`, `mcdinfo` and several databases.

use crate::mariadb::{Database, MariaDb};
use crate::site::{LATER, OK, Site, indimail};

/// The tables of a central database.
fn central(server: &MariaDb) -> Database {
    let database = server.database();
    database.sql("create table aliasdomain (alias char(64) not null primary key, domain char(67))");
    database.sql("create table host_table (host char(64) not null primary key, ipaddr char(46))");
    database.sql(
        "create table hostcntrl (pw_name char(40) not null, pw_domain char(67) not null, pw_passwd char(128), host char(64), \
         primary key (pw_name, pw_domain))",
    );
    database.sql("insert into aliasdomain values ('unknown.ex', 'a.ex')");
    database.sql("insert into host_table values ('one.ex', '10.0.0.1'), ('two.ex', '10.0.0.2')");
    database.sql(
        "insert into hostcntrl (pw_name, pw_domain, host) values ('bob', 'a.ex', 'one.ex'), ('zoe', 'a.ex', 'two.ex'), \
         ('team', 'a.ex', 'one.ex'), ('lost', 'a.ex', 'none.ex')",
    );
    database
}

fn stanza(server: &MariaDb, database: &Database, host: &str) -> String {
    format!(
        "server localhost\nmdahost {host}\nport {}\nuse_ssl 0\ndatabase {}\nuser {}\npass {}\n",
        server.socket().display(),
        database.name,
        database.user,
        database.password
    )
}

/// a.ex is on two hosts, b.ex on one, and nothing is at the server of host.mysql.
fn site(server: &MariaDb) -> (Site, Database) {
    let (central, one, two) = (central(server), indimail(server), indimail(server));
    two.sql("insert into indimail (pw_name, pw_domain, pw_gid) values ('zoe', 'a.ex', 0), ('new', 'a.ex', 0)");
    let site = Site::with_database(&server.database()).with("CNTRL_DATABASE", &central.name);
    site.home.write("host.cntrl", format!("{}\n", central.host_mysql_line_socket()));
    let (first, second) = (stanza(server, &one, "10.0.0.1"), stanza(server, &two, "two.ex"));
    site.home.write("mcdinfo", format!("# cluster\ndomain a.ex 1\n{first}{second}domain b.ex 0\n{first}"));
    (site, central)
}

#[test]
fn an_account_is_asked_for_where_it_is() {
    let (site, central) = site(MariaDb::shared());
    let table = [
        ("bob@a.ex", "ok"),
        ("zoe@a.ex", "ok"),
        ("bob@alias.ex", "ok"),
        ("zoe@unknown.ex", "ok"),
        ("team@a.ex", "ok"),
        // There, but the central database does not say where.
        ("mel@a.ex", "absent"),
        ("new@a.ex", "absent"),
        ("bob@b.ex", "ok"),
        ("x@b.ex", "absent"),
        // mcdinfo has no such host.
        ("lost@a.ex", LATER),
    ];
    for (recipient, expected) in table {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
    assert_eq!(site.mail("zoe@a.ex").0, OK);
    central.sql("insert into hostcntrl (pw_name, pw_domain, host) values ('*', 'a.ex', 'two.ex')");
    assert_eq!((site.rcpt("new@a.ex").as_str(), site.rcpt("x@a.ex").as_str()), ("ok", "absent"));
    central.sql("insert into hostcntrl (pw_name, pw_domain, host) values ('mel', 'a.ex', 'none.ex')");
    assert_eq!(site.rcpt("mel@a.ex"), LATER, "her own row counts");
    central.sql("drop table hostcntrl");
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("bob@b.ex").as_str()), (LATER, "ok"));
    site.home.write("mcdinfo", "domain a.ex 1\nserver localhost\n");
    assert_eq!(site.rcpt("bob@b.ex"), LATER, "mcdinfo cannot be read");
}

#[test]
fn without_mcdinfo_the_local_database_has_all() {
    let database = indimail(MariaDb::shared());
    let central = central(MariaDb::shared());
    let site = Site::with_database(&database).with("CNTRL_DATABASE", &central.name);
    site.home.write("host.cntrl", format!("{}\n", central.host_mysql_line_socket()));
    for (recipient, expected) in [("bob@a.ex", "ok"), ("bob@unknown.ex", "ok"), ("x@a.ex", "absent")] {
        assert_eq!(site.rcpt(recipient), expected, "{recipient}");
    }
    site.home.write("host.cntrl", "localhost:nobody:Sup3rSecret:/nonexistent/socket\n");
    assert_eq!((site.rcpt("bob@a.ex").as_str(), site.rcpt("bob@unknown.ex").as_str()), ("ok", LATER));
}

#[test]
fn the_central_database_by_variables() {
    let (site, central) = site(MariaDb::shared());
    site.home.write("host.cntrl", "127.0.0.1\n");
    central.sql("rename table hostcntrl to whereabouts");
    let by_port = site.with("CNTRL_USER", &central.user).with("CNTRL_PASSWD", &central.password);
    let by_port = by_port.with("CNTRL_TABLE", "whereabouts").with("CNTRL_VPORT", &MariaDb::shared().port().to_string());
    assert_eq!((by_port.rcpt("zoe@a.ex").as_str(), by_port.rcpt("new@a.ex").as_str()), ("ok", "absent"));
    let by_socket = by_port.with("CNTRL_VPORT", "1");
    assert_eq!(by_socket.rcpt("zoe@a.ex"), LATER);
    let by_socket = by_socket.with("CNTRL_SOCKET", &MariaDb::shared().socket().display().to_string());
    assert_eq!(by_socket.rcpt("zoe@a.ex"), "ok");
    assert_eq!(by_socket.with("CNTRL_TABLE", "a`b").rcpt("zoe@a.ex"), LATER);
}
