//! Every source of the settings of a database, each leading to a real server; and TLS.

use std::fs;

use crate::mariadb::{Database, Layout, MariaDb};
use crate::site::{LATER, OK, Site};

fn database(server: &MariaDb) -> Database {
    let database = server.database();
    database.table(Layout::IndiMail);
    database.sql("insert into relay values ('joe@x.ex', '192.0.2.7', unix_timestamp())");
    database
}

#[track_caller]
fn finds(site: &Site) {
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert_eq!(reply, OK, "{log}");
    site.login("ann@x.ex", "192.0.2.8");
    assert_eq!(site.rcpt("ann@x.ex", "192.0.2.8"), OK);
    assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0));
}

#[test]
fn each_source_leads_to_the_table() {
    let server = MariaDb::shared();
    let socket = server.socket().display().to_string();
    let port = server.port().to_string();
    let by_variables = |database: &Database| {
        Site::new()
            .with("MYSQL_USER", &database.user)
            .with("MYSQL_PASSWD", &database.password)
            .with("MYSQL_DATABASE", &database.name)
    };
    let one = database(server);
    finds(&by_variables(&one).with("MYSQL_SOCKET", &socket));
    finds(&by_variables(&one).with("MYSQL_VPORT", &port));
    finds(&by_variables(&one).with("MYSQL_HOST", "127.0.0.1").with("MYSQL_VPORT", &port));
    finds(&by_variables(&one).with("MYSQL_HOST", &format!("localhost:::{socket}")));
    finds(&Site::with_server(&one.host_mysql_line_tcp()).with("MYSQL_DATABASE", &one.name));
    finds(&Site::with_server(&format!("{}:nossl", one.host_mysql_line_socket())).with("MYSQL_DATABASE", &one.name));
    // The name of this host in /etc/hosts, by TCP.
    finds(&by_variables(&one).with("MYSQL_HOST", &format!("localhost:::{port}")).with("MYSQL_OPT_PROTOCOL", "1"));
    finds(&by_variables(&one).with("MYSQL_HOST", &format!("[::1]:::{port}")));
    finds(&by_variables(&one).with("MYSQL_SOCKET", &socket).with("RELAY_TABLE", &format!("{}.relay", one.name)));
    finds(&by_variables(&one).with("MYSQL_SOCKET", &socket).with("CLIENT_COMPRESS", ""));

    let vpopmail = Site::new();
    vpopmail
        .home
        .write("vpopmail.mysql", format!("# read\n127.0.0.1|{port}|{}|{}|{}\n", one.user, one.password, one.name));
    finds(&vpopmail);
    vpopmail.home.write("vpopmail.mysql", format!("localhost|{socket}|{}|{}|{}\n", one.user, one.password, one.name));
    finds(&vpopmail);

    let file = Site::new();
    let options = format!(
        "[client]\nuser=nobody\nsocket={socket}\n[indimail]\nuser={}\npassword='{}'\ndatabase={}\n",
        one.user, one.password, one.name
    );
    fs::write(file.home.path().join("indimail.cnf"), &options).unwrap();
    finds(&file);
    let named = file.home.path().join("named.cnf");
    fs::write(&named, options.replace("[indimail]", "[mail]")).unwrap();
    fs::remove_file(file.home.path().join("indimail.cnf")).unwrap();
    finds(&file.with("MYSQL_READ_DEFAULT_FILE", named.to_str().unwrap()).with("MYSQL_READ_DEFAULT_GROUP", "mail"));
}

/// `mysql:` in relaydb is what no relaydb at all means; a directory wins over a database that is set up.
#[test]
fn relaydb_says_where() {
    let one = database(MariaDb::shared());
    let site = Site::with_database(&one);
    site.home.write("relaydb", "mysql:\n");
    finds(&site);
    site.home.write("relaydb", "relay\n");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), LATER);
    site.login("joe@x.ex", "192.0.2.7");
    assert!(site.table().join("192.0.2.7").is_file());
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    site.home.write("relaydb", "mysql:localhost\n");
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("relaydb: nothing may follow"), "{log}");
}

#[test]
fn tls_is_used_and_verified_as_asked() {
    let server = MariaDb::start_with_tls(&[]);
    let one = database(&server);
    server.sql(None, &format!("alter user '{}'@'%' require ssl", one.user));
    let site = || Site::with_server(&one.host_mysql_line_tls()).with("MYSQL_DATABASE", &one.name);
    let ca = server.ca().display().to_string();
    let other = MariaDb::start_with_tls(&[]);
    let other_ca = other.ca().display().to_string();
    finds(&site());
    finds(&site().with("MYSQL_OPT_SSL_CA", &ca));
    finds(&site().with("MYSQL_OPT_SSL_CA", &ca).with("MYSQL_OPT_SSL_VERIFY_CERT", "1"));
    finds(&site().with("MYSQL_OPT_SSL_CA", &ca).with("MYSQL_OPT_SSL_MODE", "VERIFY_IDENTITY"));
    let without_field = Site::with_server(&one.host_mysql_line_tcp()).with("MYSQL_DATABASE", &one.name);
    let (reply, log) = without_field.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("Access denied"), "the server wants TLS: {log}");
    finds(&without_field.with("MYSQL_OPT_SSL_ENFORCE", ""));
    for refused in [
        site().with("MYSQL_OPT_SSL_CA", &other_ca),
        site().with("MYSQL_OPT_SSL_VERIFY_CERT", ""),
        site().with("MYSQL_OPT_SSL_CA", "/nonexistent/ca.pem"),
        site().with("MYSQL_OPT_SSL_CRL", &ca),
    ] {
        let (reply, log) = refused.rcpt_and_log("joe@x.ex", "192.0.2.7");
        assert!(reply == LATER && !log.contains("ecret"), "{log}");
    }
    // A server without TLS is not spoken to in the clear where TLS was asked for.
    let plain = MariaDb::shared();
    let here = database(plain);
    let (reply, log) = Site::with_server(&here.host_mysql_line_tls())
        .with("MYSQL_DATABASE", &here.name)
        .rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("it has no TLS"), "{log}");
}

/// etc/relay-table.sql: the reader may read, the writer may do what it has to, and neither more.
#[test]
fn the_sample_of_a_table_gives_the_least_rights() {
    let server = MariaDb::start();
    let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/etc/relay-table.sql")).unwrap();
    server.sql(None, &sample);
    let line = |user: &str, password: &str| format!("localhost:{user}:{password}:{}\n", server.socket().display());
    let site = Site::with_server(line("relay_r", "CHANGE-ME").trim());
    let said = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7"]);
    assert!(said.code == Some(111) && said.errors.contains("INSERT"), "the reader may not write: {said:?}");
    let said = site.run("clearopensmtp", &["-s"]);
    assert!(said.code == Some(1) && said.errors.contains("DELETE"), "{said:?}");
    site.home.write("host.master", line("relay_w", "CHANGE-ME-TOO"));
    server.sql(None, "insert into indimail.relay values ('joe@x.ex', '192.0.2.7', 5)");
    site.login("joe@x.ex", "192.0.2.7");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    // Without the right to read there is no answer.
    server.sql(None, "revoke select on indimail.relay from relay_r@localhost");
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("denied"), "{log}");
}
