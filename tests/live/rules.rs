//! tcp.smtp decides who may relay: rules by our tcprules, read by Debian's tcpserver.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::home;
use crate::net::{Client, TcpServer, compile_rules};
use crate::support::program;

const ACCEPT: &str = "250 ok";
const REJECT: &str = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1";

/// What this client hears to a recipient elsewhere.
fn ask_to_relay(from: [u8; 4], port: u16) -> String {
    let mut smtp = Client::connect_from(Ipv4Addr::from(from), port);
    let greeting = smtp.reply();
    assert!(greeting.starts_with("220 mx.test "), "{greeting:?}");
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    let reply = smtp.ask("RCPT TO:<u@far.example>");
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    reply
}

/// N-01 and N-02 of the relay rules.
#[test]
fn a_prefix_with_relayclient_lets_its_clients_relay() {
    let home = home();
    let rules = compile_rules(
        home.path(),
        "# Local clients.\n127.0.0.:allow,RELAYCLIENT=\"\"\n127.1.1.:allow,RELAYCLIENT=\"\"\n127.3.:deny\n:allow\n",
    );
    let server = TcpServer::start(&home, &rules, &[]);
    assert_eq!(ask_to_relay([127, 0, 0, 9], server.port), ACCEPT, "N-01");
    assert_eq!(ask_to_relay([127, 1, 1, 7], server.port), ACCEPT, "N-02");
    assert_eq!(ask_to_relay([127, 1, 10, 7], server.port), REJECT, "N-02");
    assert_eq!(ask_to_relay([127, 1, 11, 7], server.port), REJECT, "N-02");
    server
        .wait_for_log(" from 127.1.1.7 Accepted RECIPIENT: MAIL from <a@b.c> RCPT <u@far.example> reason=RELAYCLIENT");
    server.wait_for_log(" from 127.1.10.7 Invalid RELAY client: MAIL from <a@b.c> RCPT <u@far.example> reason=norelay");
    let mut denied = Client::connect_from(Ipv4Addr::new(127, 3, 0, 1), server.port);
    assert_eq!(denied.reply(), "", "a denied client hears nothing");
}

/// and that a class of clients stands in no one's way.
#[test]
fn networks_are_understood_by_the_real_tcpserver() {
    let home = home();
    let rules = compile_rules(
        home.path(),
        "127.4.0.0/22:allow,RELAYCLIENT=\"\",RELAYCLASS=\"friendly\"\n127.5.0.64/26:deny\n127.6-7.1.*:deny\n:allow\n",
    );
    let server = TcpServer::start(&home, &rules, &[]);
    for (from, expected) in [
        ([127, 4, 0, 1], ACCEPT),
        ([127, 4, 3, 255], ACCEPT),
        ([127, 4, 4, 0], REJECT),
        ([127, 5, 0, 63], REJECT),
        ([127, 5, 0, 128], REJECT),
        ([127, 7, 2, 1], REJECT),
    ] {
        assert_eq!(ask_to_relay(from, server.port), expected, "{from:?}");
    }
    for from in [[127, 5, 0, 64], [127, 5, 0, 127], [127, 6, 1, 9], [127, 7, 1, 9]] {
        let mut denied = Client::connect_from(Ipv4Addr::from(from), server.port);
        assert_eq!(denied.reply(), "", "{from:?} is denied and hears nothing");
    }
}

/// N-03: edited rules do nothing until they are rebuilt.
#[test]
fn rules_count_when_they_are_rebuilt() {
    let home = home();
    let text = home.path().join("tcp.smtp");
    fs::write(&text, "127.0.0.9:allow\n:allow\n").unwrap();
    let rules = compile_rules(home.path(), &fs::read_to_string(&text).unwrap());
    let server = TcpServer::start(&home, &rules, &[]);
    assert_eq!(ask_to_relay([127, 0, 0, 9], server.port), REJECT);
    fs::write(&text, "127.0.0.9:allow,RELAYCLIENT=\"\"\n:allow\n").unwrap();
    assert_eq!(ask_to_relay([127, 0, 0, 9], server.port), REJECT, "edited, not rebuilt");
    compile_rules(home.path(), &fs::read_to_string(&text).unwrap());
    assert_eq!(ask_to_relay([127, 0, 0, 9], server.port), ACCEPT, "rebuilt");
}

/// N-03: while the cdb is rebuilt again and again, each connection finds one, the old or the new.
#[test]
fn rebuilding_never_leaves_a_moment_without_rules() {
    const CONNECTIONS: usize = 60;
    const REBUILDS: usize = 10;
    let home = home();
    let rules = compile_rules(home.path(), "127.0.0.:allow,RELAYCLIENT=\"\"\n:deny\n");
    let server = TcpServer::start(&home, &rules, &[]);
    let done = AtomicBool::new(false);
    let rebuilt = thread::scope(|scope| {
        let builder = scope.spawn(|| {
            let mut times = 0;
            // However busy the machine: as many as are worth the name, and as long as clients come.
            while times <= REBUILDS || !done.load(Ordering::Relaxed) {
                // The same decision in other words, so that each file differs from the last.
                let rules = format!("127.0.0.:allow,RELAYCLIENT=\"\",BUILT=\"{times}\"\n:deny\n");
                compile_rules(home.path(), &rules);
                times += 1;
            }
            times
        });
        let mut number = 0;
        while number < CONNECTIONS || !builder.is_finished() {
            if number == CONNECTIONS {
                done.store(true, Ordering::Relaxed);
            }
            // Without a cdb tcpserver would let the client in, but not let it relay.
            assert_eq!(ask_to_relay([127, 0, 0, 9], server.port), ACCEPT, "connection {number}");
            number += 1;
        }
        builder.join().unwrap()
    });
    println!("{CONNECTIONS} connections while the rules were rebuilt {rebuilt} times");
}

/// N-18: quotes of a web page are no quotes; the old rules stay.
#[test]
fn typographic_quotes_are_an_error_that_names_line_and_cause() {
    let home = home();
    let rules = compile_rules(home.path(), "127.0.0.9:deny\n:allow\n");
    let before = fs::read(&rules).unwrap();
    let mut command = Command::new(program("tcprules"));
    command.arg(&rules).arg(home.path().join("tcp.smtp.tmp")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut text = child.stdin.take().unwrap();
    text.write_all("# Pasted.\n127.0.0.9:allow,RELAYCLIENT=\u{201d}\u{201d}\n".as_bytes()).unwrap();
    drop(text);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(100), "{said}");
    assert!(said.contains('2'), "the line is not named: {said}");
    assert!(said.contains("quot"), "the cause is not named: {said}");
    assert_eq!(fs::read(&rules).unwrap(), before, "the old rules stay");
}
