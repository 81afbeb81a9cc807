//! The filter of fail2ban and the log of a real smtpd: who has guessed is found, and nobody else, whatever clients say.

use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::home;
use crate::net::{Client, TcpServer, compile_rules};

/// The addresses that fail2ban would count, an attempt each.
fn counted(log: &Path, options: &str) -> Vec<String> {
    let filter = format!("{}/etc/fail2ban/filter.d/postern.conf{options}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("fail2ban-regex").args(["-o", "ip"]).arg(log).arg(filter).output();
    let output = output.expect("fail2ban is installed");
    assert!(output.status.success() || output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn who_guesses_is_found_and_nobody_else() {
    const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
    let home = home();
    let rules = compile_rules(home.path(), ":allow\n");
    let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
    let variables = [("PENALTY", "0"), ("AUTH_MAXFAIL", "99")];
    let server = TcpServer::start_with(&home, &rules, &variables, &["mx.test", checker, "/bin/false"]);
    let failure = " AUTH USER [joe] status=[1] AUTH PLAIN TLS=No auth failure";
    let whole = format!("qmail-smtpd: pid 1 from 192.0.2.1 {failure}");
    let hostile = [
        "joe",
        "joe from 192.0.2.1",
        "x] status=[1] AUTH PLAIN TLS=No auth failure",
        "Nov 29 00:00:00 mx smtpd: x",
        "@400000006b0b6b5013fdd604",
        &whole,
    ];
    let mut client = Client::connect_from(GUESSER, server.port);
    assert!(client.reply().starts_with("220 "));
    for name in hostile {
        let plain = STANDARD.encode(format!("\0{name}\0guess"));
        assert!(client.ask(&format!("AUTH PLAIN {plain}")).starts_with("535 "), "{name}");
    }
    assert!(client.ask("AUTH NONSENSE").starts_with("504 "));
    // Somebody who is right, one whose checker fails, and one who only talks.
    let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, 7), server.port);
    assert!(client.reply().starts_with("220 "));
    assert!(client.ask(&format!("AUTH PLAIN {}", STANDARD.encode("\0exit111\0x"))).starts_with("454 "));
    assert!(client.ask("AUTH PLAIN AGJvYgBzZWNyZXQ=").starts_with("235 "));
    let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, 8), server.port);
    assert!(client.reply().starts_with("220 "));
    for verb in ["HELO ", "MAIL FROM:<a@b.example", "RCPT TO:<a@b.example", "", "VRFY "] {
        client.ask(&format!("{verb}{failure}"));
        client.ask(&format!("{verb}{whole}"));
    }
    client.ask(&format!("HELO {}", failure.trim()));
    client.ask("MAIL FROM:<qmail-smtpd:.pid.1.from.192.0.2.1@b.example>");
    client.ask("RCPT TO:<qmail-smtpd:.pid.1.from.192.0.2.1@far.example>");
    server.wait_for_log("helo=AUTH");

    let expected = vec![GUESSER.to_string(); hostile.len() + 1];
    let bare = home.path().join("bare");
    fs::write(&bare, server.log()).unwrap();
    assert_eq!(counted(&bare, ""), expected, "{}", server.log());

    let timed = home.path().join("multilog");
    let mut command = Command::new("multilog");
    let mut multilog = command.arg("t").arg(&timed).stdin(Stdio::piped()).spawn().expect("daemontools is installed");
    multilog.stdin.take().unwrap().write_all(server.log().as_bytes()).unwrap();
    assert!(multilog.wait().unwrap().success());
    let current = timed.join("current");
    assert!(fs::read_to_string(&current).unwrap().starts_with('@'));
    assert_eq!(counted(&current, ""), expected);

    let syslog = home.path().join("syslog");
    let mut file = File::create(&syslog).unwrap();
    for line in server.log().lines() {
        writeln!(file, "Nov 29 00:00:00 mx smtpd: 1795910319.123456 {line}").unwrap();
        writeln!(file, "2026-11-29T00:00:00.123456+00:00 mx smtpd[17]: {line}").unwrap();
    }
    drop(file);
    assert_eq!(counted(&syslog, "[mode=syslog]"), [expected.clone(), expected].concat());
    assert_eq!(counted(&syslog, ""), [""; 0]);
}
