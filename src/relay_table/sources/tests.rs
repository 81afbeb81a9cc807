//! Every source of the settings of a server, in its order, and what is said about what is wrong.

use super::*;

/// A control directory with these files, asked with these variables; what it names, in short.
fn server(files: &[(&str, &str)], variables: &[(&str, &str)], purpose: Purpose) -> Result<String, Trouble> {
    let dir = tempfile::tempdir().unwrap();
    let places = Places { working: dir.path().to_path_buf(), control: dir.path().join("control") };
    std::fs::create_dir(&places.control).unwrap();
    for (name, text) in files {
        std::fs::write(places.control.join(name), text).unwrap();
    }
    let octets = |text: &str| text.replace("<dir>", &dir.path().display().to_string()).into_bytes();
    let environment = variables.iter().map(|(name, value)| (name.as_bytes().to_vec(), octets(value))).collect();
    let server = Sources { environment: &environment, places: &places }.server(purpose)?;
    let endpoints: Vec<String> = server.endpoints.iter().map(ToString::to_string).collect();
    let tls = server.tls.map_or(String::new(), |tls| format!(" tls:{:?}", tls.verification));
    let password = server.password.unwrap_or("-".to_owned());
    Ok(format!("{}:{}:{password}@{}{tls}", server.user, server.database, endpoints.join(" ")))
}

#[test]
fn every_source_is_read_in_its_order() {
    let local = ("MYSQL_OPT_PROTOCOL", "1");
    let cases: &[(&[(&str, &str)], &[(&str, &str)], &str)] = &[
        (&[], &[local], "indimail:indimail:-@localhost:3306"),
        (&[("host.mysql", "db.ex:joe:secret:3307:nossl\n")], &[], "joe:indimail:secret@db.ex:3307"),
        (&[("host.mysql", "db.ex:joe:secret:3307:ssl")], &[], "joe:indimail:secret@db.ex:3307 tls:Nothing"),
        (&[("host.mysql", "localhost:joe:secret:/run/x.sock\nmore\n")], &[], "joe:indimail:secret@/run/x.sock"),
        (&[("host.mysql", "db1.ex,db2.ex:joe::3307\n")], &[], "joe:indimail:-@db1.ex:3307 db2.ex:3307"),
        (&[("host.mysql", "[2001:db8::1],db2.ex:joe\n")], &[], "joe:indimail:-@[2001:db8::1]:3306 db2.ex:3306"),
        (&[("host.mysql", "db.ex:::0\n")], &[], "indimail:indimail:-@db.ex:3306"),
        // The specification wins over the variables, which fill its gaps.
        (
            &[("host.mysql", "db.ex:joe\n")],
            &[("MYSQL_USER", "ann"), ("MYSQL_PASSWD", "p"), ("MYSQL_VPORT", "99"), ("MYSQL_DATABASE", "mail")],
            "joe:mail:p@db.ex:99",
        ),
        (&[("host.mysql", "db.ex:joe\n")], &[("MYSQL_HOST", "other.ex:ann")], "ann:indimail:-@other.ex:3306"),
        (&[("host.mysql", "127.0.0.1:joe\n")], &[("MYSQL_SOCKET", "/x.sock")], "joe:indimail:-@/x.sock"),
        (&[("host.mysql", "db.ex:joe\n")], &[("MYSQL_SOCKET", "/x.sock")], "joe:indimail:-@db.ex:3306"),
        (
            &[("vpopmail.mysql", "# c\n\nlocalhost|0|vpop||pw|vdb\nmaster.ex|33|w|pw2|vdb\n")],
            &[local],
            "vpop:vdb:pw@localhost:3306",
        ),
        (
            &[("vpopmail.mysql", "h|/x.sock|vpop|pw|vdb\n"), ("host.mysql", "db.ex\n")],
            &[],
            "indimail:indimail:-@db.ex:3306",
        ),
        // Of option files the group of its own wins over [client].
        (
            &[(
                "my.cnf",
                "[client]\nuser=c\nport = 44\n[mysqld]\nuser=x\n[indimail]\nhost=o.ex\n user = 'joe' # c\npassword=\"a#b\"\n",
            )],
            &[("MYSQL_READ_DEFAULT_FILE", "<dir>/control/my.cnf")],
            "joe:indimail:a#b@o.ex:44",
        ),
        (
            &[("my.cnf", "[a]\nuser=joe\ndatabase=d\nssl_ca=/ca.pem\n"), ("host.mysql", "db.ex:::5\n")],
            &[("MYSQL_READ_DEFAULT_FILE", "<dir>/control/my.cnf"), ("MYSQL_READ_DEFAULT_GROUP", "a")],
            "joe:d:-@db.ex:5 tls:Chain",
        ),
        (
            &[("host.mysql", "db.ex:::5:ssl\n")],
            &[("MYSQL_OPT_SSL_VERIFY_CERT", "")],
            "indimail:indimail:-@db.ex:5 tls:Name",
        ),
        (
            &[("host.mysql", "db.ex:::5\n")],
            &[("MYSQL_OPT_SSL_MODE", "verify_ca")],
            "indimail:indimail:-@db.ex:5 tls:Chain",
        ),
    ];
    for (files, variables, expected) in cases {
        assert_eq!(server(files, variables, Purpose::Read).as_deref(), Ok(*expected), "{files:?} {variables:?}");
    }
}

#[test]
fn rows_go_to_the_master() {
    let read = ("host.mysql", "replica.ex:r:x:1\n");
    let cases: &[(&[(&str, &str)], &[(&str, &str)], &str)] = &[
        (&[read], &[], "r:indimail:x@replica.ex:1"),
        (&[read, ("host.master", "master.ex:w:y:2\n")], &[], "w:indimail:y@master.ex:2"),
        (&[read, ("host.master", "master.ex:w:y:2\n")], &[("MASTER_HOST", "m2.ex:w:y:3")], "w:indimail:y@m2.ex:3"),
        (&[("vpopmail.mysql", "r|1|u|p|d\n# c\nw|2|u2|p2|d2\n")], &[], "u2:d2:p2@w:2"),
        (&[("vpopmail.mysql", "r|1|u|p|d\n")], &[], "u:d:p@r:1"),
    ];
    for (files, variables, expected) in cases {
        assert_eq!(server(files, variables, Purpose::Write).as_deref(), Ok(*expected), "{files:?} {variables:?}");
    }
}

#[test]
fn what_is_wrong_is_told_without_what_is_secret() {
    let cases: &[(&[(&str, &str)], &[(&str, &str)], &str)] = &[
        (&[("host.mysql", "")], &[], "host.mysql: incomplete line"),
        (&[("host.mysql", "db.ex:u:secret:33x\n")], &[], "host.mysql: neither the path"),
        (&[("host.mysql", "db.ex:u:secret:33:ssl \n")], &[], "host.mysql: the fifth field"),
        (&[("host.mysql", "db.ex:u:secret:33:ssl:x\n")], &[], "host.mysql: there are more than five fields"),
        (&[("host.mysql", "[::1:u:secret\n")], &[], "host.mysql: a bracket"),
        (&[("vpopmail.mysql", "# secret\n")], &[], "vpopmail.mysql: has no line"),
        (&[("vpopmail.mysql", "h|1|u|secret\n")], &[], "vpopmail.mysql: the line has no database"),
        (&[], &[("MYSQL_READ_DEFAULT_FILE", "<dir>/none")], "none: MYSQL_READ_DEFAULT_FILE names it"),
        (&[], &[("RELAY_TABLE", "relay; drop")], "RELAY_TABLE is `relay; drop`"),
        (&[], &[("RELAY_TABLE", "a.b.c")], "RELAY_TABLE is `a.b.c`"),
        (&[], &[("RELAY_LAYOUT", "sun")], "RELAY_LAYOUT is `sun`"),
        (&[], &[("MYSQL_OPT_SSL_MODE", "9")], "MYSQL_OPT_SSL_MODE is `9`"),
        (&[("host.mysql", "h:u:secret::ssl\n")], &[("MYSQL_OPT_SSL_CRL", "x")], "MYSQL_OPT_SSL_CRL cannot be heeded"),
        (&[("host.mysql", "h:u:secret::ssl\n")], &[("MYSQL_OPT_SSL_CERT", "x")], "MYSQL_OPT_SSL_CERT and"),
        (&[("host.mysql", "h:u:secret::ssl\n")], &[("MYSQL_OPT_SSL_KEY", "x")], "MYSQL_OPT_SSL_CERT and"),
    ];
    for (files, variables, expected) in cases {
        let said = match server(files, variables, Purpose::Read) {
            Err(Trouble::Configuration(said)) => said,
            other => panic!("{files:?} {variables:?}: {other:?}"),
        };
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_cluster_has_servers_for_each_domain() {
    let stanza = |server: &str, pass: &str| {
        format!("server {server}\nmdahost m.ex\nport 33 # c\nuse_ssl 0\ndatabase d\nuser u\npass {pass}\n")
    };
    let text = format!(
        "# cluster\ncount 2\ndomain a.ex 1\n{}domain b.ex 1\n{}{}",
        stanza("one.ex", "p"),
        stanza("one.ex", "p"),
        stanza("two.ex", "q")
    );
    let named = named::parse_mcdinfo(&text).unwrap_or_default();
    let told = |stanza: &named::Stanza| {
        let hosts = stanza.named.hosts.join(",");
        format!("{} {} {} {hosts}", stanza.domain, stanza.is_distributed, stanza.mail_host)
    };
    let told: Vec<_> = named.iter().map(told).collect();
    assert_eq!(told, ["a.ex true m.ex one.ex", "b.ex true m.ex one.ex", "b.ex true m.ex two.ex"]);
    for (bad, expected) in [
        ("server a\nport\n", "line 2 has no value"),
        ("port 3\n", "line 1: a stanza begins with `server`"),
        ("server a\nhost b\n", "line 2: `host` is no keyword"),
        ("server a\nport 33\n", "its last stanza is incomplete"),
    ] {
        assert_eq!(named::parse_mcdinfo(bad).err().as_deref(), Some(expected));
    }
}
