//! Every control file of the table of settings with one wrong line in it: `postern lint` names file and line.

use std::process::Command;

use serde_json::Value;

use crate::support::program;
use crate::{home, lint};

/// A file, its text, variables, and what the finding about it says: the line, none for what has no lines, and words.
type Wrong = (&'static str, &'static str, &'static [&'static str], Option<u32>, &'static str);

const DOS: &str = "ends in CR, as lines of DOS do";
const DAMAGED: &str = "is damaged";
const IN_DATABASE: &str = "whoever needs it gets 451";
const NO_ADDRESS: &str = "never matches an address of that domain: write `@a.test`";
const NO_NUMBER: &str = "is no number";
const QREGEX: &[&str] = &["QREGEX=1"];
const NO_EXPRESSION: &str = "is no regular expression";

#[rustfmt::skip] // a row is a line
const WRONG: &[Wrong] = &[
    ("libindimail", "/usr/lib/x.so\r\n", &[], Some(1), DOS),
    ("me", "mx.test\r\n", &[], Some(1), DOS),
    ("smtpgreeting", "mx.test\nHello\r\n", &[], Some(2), "ends in CR"),
    ("localiphost", "mx.test\r\n", &[], Some(1), DOS),
    ("moreipme", "192.0.2.1\n300.1.1.1\n", &[], Some(2), "it is no IP address"),
    ("notipme", "192.0.2.0/24\n", &[], Some(1), "it is no IP address"),
    ("locals", "a.test\njoe@a.test\n", &[], Some(2), "locals has domains, not addresses; write `a.test`"),
    ("locals", ".a.test\n", &[], Some(1), "subdomains are not covered here"),
    ("virtualdomains", "a.test:joe\nb.test joe\n", &[], Some(2), "has no colon"),
    ("virtualdomains", "*.a.test:joe\n", &[], Some(1), "for the subdomains write `.a.test:"),
    ("timeoutsmtpd", "20 min\n", &[], Some(1), "`20 min` counts as 20"),
    ("maxcmdlen", "long\n", &[], Some(1), "`long` is no number: 2000 is used"),
    ("maxhops", "many\n", &[], Some(1), "`many` is no number: 100 is used"),
    ("greetdelay", "-x\n", &[], Some(1), "counts as 0"),
    ("databytes", "10M\n", &[], Some(1), "`10M` counts as 10: write the number alone"),
    ("databytes", "-1\n", &[], Some(1), NO_NUMBER),
    ("databytes", "10\r\n", &[], Some(1), DOS),
    ("maxrecipients", "ten\n", &[], Some(1), NO_NUMBER),
    ("tarpitcount", "x\n", &[], Some(1), NO_NUMBER),
    ("tarpitdelay", "x\n", &[], Some(1), "`x` is no number: 5 is used"),
    ("badip", "192.0.2.1\na.test\n", &["BADIP=badip"], Some(2), "it is no address"),
    ("badip", "192.0.2.*\n[\n", &["BADIPCHECK=", "QREGEX=1"], Some(2), NO_EXPRESSION),
    ("badip.cdb", "xx", &[], None, DAMAGED),
    ("badip.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("badhost", "*.a.test\n.b.test\n", &["BADHOSTCHECK="], Some(2), "write `*.b.test`"),
    ("badhost", "*.a.test\n*[\n", &["BADHOSTCHECK="], Some(2), "a `[` without its `]`"),
    ("badhost", "[\n", &["BADHOSTCHECK=", "QREGEX=1"], Some(1), NO_EXPRESSION),
    ("badhelo", "@a.test\nlocalhost\n", &["BADHELOCHECK="], Some(2), "write `@localhost`"),
    ("badhelo", "@*.a.test\n@[\n", &["BADHELOCHECK="], Some(2), "a `[` without its `]`"),
    ("badhelo", "^@a\n(\n", &["BADHELOCHECK=", "QREGEX=1"], Some(2), NO_EXPRESSION),
    ("badhelo", "^@a\n^localhost$\n", &["BADHELOCHECK=", "QREGEX=1"], Some(2), "write `^@localhost$`"),
    ("badhelo.cdb", "xx", &[], None, DAMAGED),
    ("badhelo.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("tlsclients", "joe@a.test\na.test\n", &[], Some(2), "write the mail address of a certificate"),
    ("tlsservermethod", "TLSv1_2\r\n", &[], Some(1), DOS),
    ("servercipherlist", "HIGH\r\n", &[], Some(1), "ends in CR"),
    ("serverciphersuite", "TLS_AES_256_GCM_SHA384\r\n", &[], Some(1), "ends in CR"),
    ("rcpthosts", "ours.test\njoe@a.test\n", &[], Some(2), "rcpthosts has domains, not addresses"),
    ("morercpthosts.cdb", "xx", &[], None, DAMAGED),
    ("relayclients", "10.\n10.300.\n", &[], Some(2), "an octet above 255"),
    ("relayclients.cdb", "xx", &[], None, DAMAGED),
    ("relaydomains", ".a.test\n*.b.test\n", &[], Some(2), "there are no wildcards here"),
    ("relaymailfrom", "@a.test&10.\n@a.test&10.0.0.1/8\n", &[], Some(2), "never matches"),
    ("relaymailfrom.cdb", "xx", &[], None, DAMAGED),
    ("relaymailfrom.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("relaydb", "/var/relay\r\n", &[], Some(1), DOS),
    ("host.mysql", "localhost:u:p:x\n", &["CHECKRELAY="], None, "neither the path of a socket nor a port"),
    ("host.mysql", "localhost\r\n", &[], Some(1), DOS),
    ("host.master", "localhost\r\n", &[], Some(1), DOS),
    ("vpopmail.mysql", "localhost|0|u|p|d\r\n", &[], Some(1), "ends in CR"),
    ("mcdinfo", "domain a.test mysql\nx y\r\n", &[], Some(2), DOS),
    ("relaymx", "192.0.2.0/24\n10.0.0.1/8\n", &["RELAYMX_ANYONE="], Some(2), "is not the first of its network"),
    ("relaymx.cdb", "xx", &[], None, DAMAGED),
    ("relaylevel", "opne\n", &[], Some(1), "`opne` is no level"),
    ("relaylevel", "none\r\n", &[], Some(1), DOS),
    ("relaytext", "Go away\r\n", &[], Some(1), DOS),
    ("authdomains", "@a.test\na.test\n", &[], Some(2), NO_ADDRESS),
    ("authdomains.cdb", "xx", &[], None, DAMAGED),
    ("authdomains.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("from.envrules", "*@a.test:DATABYTES=5\na.test:DATABYTES=5\n", &[], Some(2), "write `*@a.test`"),
    ("from.envrules", "# x\n*:DATABYTES=5M\n", &[], Some(2), "DATABYTES `5M` counts as 5"),
    ("from.envrules", "*:DATABYTES=5\r\n", &[], Some(1), "ends in CR, which is part of the last value"),
    ("from.envrules", "*:A=1\n[:A=1\n", QREGEX, Some(2), NO_EXPRESSION),
    ("hostaccess", "a.test:10.\nb.test 10.\n", &[], Some(2), "says nothing"),
    ("badmailfrom", "@a.test\na.test\n", &[], Some(2), NO_ADDRESS),
    ("badmailfrom", "*@*.test\n!@a.test\n", &[], Some(2), "write `!*@a.test`"),
    ("badmailfrom.cdb", "xx", &[], None, DAMAGED),
    ("badmailfrom.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("badmailpatterns", "*@a.test\n@b.test\n", &[], Some(2), "write `*@b.test`"),
    ("blackholedsender", "a.test\n", &[], Some(1), NO_ADDRESS),
    ("blackholedsender.cdb", "xx", &[], None, DAMAGED),
    ("blackholedsender.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("spamignore", "@b.test\n*[\n", &[], Some(2), "is no wildcard"),
    ("spamignore.cdb", "xx", &[], None, DAMAGED),
    ("spamignore.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("chksenderdomains", "a.test\n", &[], Some(1), NO_ADDRESS),
    ("chksenderdomains.cdb", "xx", &[], None, DAMAGED),
    ("chksenderdomains.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("qregex", "yes\n", &[], Some(1), "`yes` is no number: 0 is used"),
    ("chkrcptdomains", "a.test\n", &[], Some(1), NO_ADDRESS),
    ("chkrcptdomains", "a\n(\n", QREGEX, Some(2), NO_EXPRESSION),
    ("chkrcptdomains.cdb", "xx", &[], None, DAMAGED),
    ("chkrcptdomains.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("recipients", "!a.test\n@b.test:none.cdb\n", &[], Some(2), "file does not exist"),
    ("host.cntrl", "localhost\r\n", &[], Some(1), DOS),
    ("badrcptto", "@b.test\na.test\n", &[], Some(2), NO_ADDRESS),
    ("badrcptto.cdb", "xx", &[], None, DAMAGED),
    ("badrcptto.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("badrcptpatterns", "*@a.test\n*\\\n", &[], Some(2), "nothing behind the last backslash"),
    ("goodrcptto", "a.test\n", &[], Some(1), NO_ADDRESS),
    ("goodrcptto.cdb", "xx", &[], None, DAMAGED),
    ("goodrcptto.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("goodrcptpatterns", "*@a.test\nb.test\n", &[], Some(2), "write `*@b.test`"),
    ("blackholedrcpt", "a.test\n", &[], Some(1), NO_ADDRESS),
    ("blackholedrcpt.cdb", "xx", &[], None, DAMAGED),
    ("blackholedrcpt.sql", "localhost\n", &[], Some(1), IN_DATABASE),
    ("accesslist", "rcpt:a@b:c@d\nto:a@b:c@d\n", &[], Some(2), "says nothing"),
    ("accesslist", "rcpt:a@b:[\n", &[], Some(1), "is no wildcard"),
    ("accesslist", "rcpt:a@b:[\n", QREGEX, Some(1), "has no regular expression"),
    ("domainqueue", "a.test:QMAILQUEUE=/bin/true\njoe@a.test:X=1\n", &[], Some(2), "write `a.test`"),
    ("domainqueue", "a.test:QMAILQUEUE=/bin/true\n*:QMAILQUEUE=/nonexist x\n", &[], Some(2), "QMAILQUEUE cannot be started: /nonexist: file does not exist"),
    ("auth.envrules", "*:X=1\njoe@a.test:X=1\n", &[], Some(2), "about clients, not addresses"),
    ("signatures", "x:y:-header\nx:y:-head\n", &["VIRUSCHECK="], Some(2), "is no option"),
    ("signatures", "x:y\n:z\n", &["VIRUSCHECK="], Some(2), "it is about every message"),
    ("bodycheck", "x:y\n(:y\n", &["BODYCHECK="], Some(2), NO_EXPRESSION),
];

/// Files of which no line can be wrong, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("servercert.pem", "a certificate: lint prepares TLS with it (tests/tls.rs)"),
    ("clientca.pem", "a certificate: lint prepares TLS with it"),
    ("clientcrl.pem", "a list of revoked certificates: lint prepares TLS with it"),
];

#[test]
fn every_file_with_a_wrong_line_is_named() {
    let mut silent = Vec::new();
    for (file, text, variables, line, words) in WRONG {
        let home = home(&[(file, text)]);
        let variables: Vec<&str> = variables.iter().flat_map(|variable| ["--env", variable]).collect();
        let (_, found) = lint(&home, &variables);
        let place = line.map_or_else(|| format!(": {file}: "), |line| format!(": {file}:{line}: "));
        let told = found.iter().filter(|finding| finding.contains(&place) && finding.contains(words));
        if told.count() != 1 {
            silent.push(format!("{file}: {text:?}: not once `{place}` with `{words}` in {found:#?}"));
        }
    }
    assert!(silent.is_empty(), "{}\n{}", silent.len(), silent.join("\n"));
}

#[test]
fn no_file_is_forgotten() {
    let output = Command::new(program("postern")).args(["settings", "--json"]).env_clear().output().unwrap();
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_built = |row: &&Value| matches!(row["state"].as_str(), Some("works" | "on demand"));
    let files: Vec<&str> =
        rows.as_array().unwrap().iter().filter(is_built).filter_map(|row| row["file"].as_str()).collect();
    let files: Vec<&str> = files.into_iter().filter(|file| !file.is_empty()).collect();
    assert!(files.len() > 70, "{}", files.len());
    for file in &files {
        let played = WRONG.iter().filter(|(known, ..)| known == file).count();
        let exempt = EXEMPT.iter().filter(|(known, _)| known == file).count();
        assert!((played > 0) != (exempt > 0), "{file}: put a wrong line of it into WRONG, or say why there is none");
    }
    for known in WRONG.iter().map(|(file, ..)| file).chain(EXEMPT.iter().map(|(file, _)| file)) {
        assert!(files.contains(known), "{known} is no file of the table of settings");
    }
}

/// One finding for a file of lines of DOS that has a value, however many lines it has.
#[test]
fn lines_of_dos_are_told_once() {
    let home = home(&[("me", "mx.test\r\nx\r\ny\r\n")]);
    let (code, found) = lint(&home, &[]);
    assert_eq!((code, found.len()), (Some(1), 1), "{found:?}");
    assert!(found[0].starts_with("warning: me:1: ends in CR"), "{found:?}");
}
