//! The real thing: tcpserver with rules of our tcprules, smtpd, queue-maildir, swaks and real messages.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "live/auth.rs"]
mod auth;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "live/clients.rs"]
mod clients;
#[path = "live/corpus.rs"]
mod corpus;
#[path = "live/fail2ban.rs"]
mod fail2ban;
#[path = "support/home.rs"]
mod home;
#[path = "support/net.rs"]
mod net;
#[path = "live/rules.rs"]
mod rules;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "live/socket.rs"]
mod socket;
mod support;
#[path = "live/tls.rs"]
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use home::Home;
use net::{Client, TcpServer, compile_rules};

/// What most servers here have: the greeting and one domain.
fn home() -> Home {
    let home = Home::new();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    home
}

/// QMAILQUEUE for a Maildir in the home.
fn queue_maildir(home: &Home) -> (PathBuf, String) {
    let maildir = home.path().join("Maildir");
    let command = format!("{} {}", support::program("queue-maildir").display(), maildir.display());
    (maildir, command)
}

/// Every message of the Maildir; nothing may be left in tmp.
fn messages(maildir: &Path) -> Vec<Vec<u8>> {
    assert_eq!(fs::read_dir(maildir.join("tmp")).unwrap().count(), 0, "something is left in tmp");
    let files = fs::read_dir(maildir.join("new")).unwrap();
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn swaks_delivers_and_is_refused() {
    let home = home();
    let (maildir, queue) = queue_maildir(&home);
    let rules = compile_rules(home.path(), ":allow\n");
    let server = TcpServer::start(&home, &rules, &[("QMAILQUEUE", &queue)]);
    let swaks = |to: &str| {
        let mut command = Command::new("swaks");
        command.args(["--server", "127.0.0.1", "--port", &server.port.to_string(), "--helo", "client.example"]);
        command.args(["--from", "alice@sender.example", "--to", to, "--header", "Subject: by swaks"]);
        command.args(["--body", "first line\n.a leading dot\nlast line", "--timeout", "30"]);
        command.output().expect("swaks is installed")
    };
    let accepted = swaks("bob@test");
    let said = String::from_utf8_lossy(&accepted.stdout).into_owned();
    assert!(accepted.status.success(), "{said}");
    assert!(said.contains("<-  220 mx.test (NO UCE) ESMTP Postern "), "{said}");
    let refused = swaks("carol@elsewhere.example");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(24), "{said}");
    assert!(said.contains("<** 553 sorry, that domain isn't allowed to be relayed"), "{said}");

    let stored = messages(&maildir);
    let [message] = stored.as_slice() else { panic!("{} messages", stored.len()) };
    let text = String::from_utf8(message.clone()).unwrap();
    assert!(text.starts_with("Return-Path: <alice@sender.example>\nDelivered-To: bob@test\nReceived: from "), "{text}");
    assert!(text.contains("(HELO client.example) (127.0.0.1)\n  by mx.test with ESMTP; "), "{text}");
    assert!(text.contains("\nSubject: by swaks\n"), "{text}");
    assert!(text.contains("\n\nfirst line\n.a leading dot\nlast line\n"), "{text}");
    server.wait_for_log(" from 127.0.0.1  HELO <client.example> MAIL from <alice@sender.example> RCPT <bob@test> ");
}

#[test]
fn many_clients_at_once_lose_nothing() {
    const CLIENTS: usize = 12;
    const MESSAGES: usize = 5;
    let home = home();
    let (maildir, queue) = queue_maildir(&home);
    let rules = compile_rules(home.path(), ":allow\n");
    let server = TcpServer::start(&home, &rules, &[("QMAILQUEUE", &queue)]);
    let port = server.port;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut smtp = Client::connect(port);
                assert!(smtp.reply().starts_with("220 "));
                for message in 0..MESSAGES {
                    smtp.send(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n");
                    smtp.send(format!("Subject: {client}/{message}\r\n\r\nhello\r\n.\r\n").as_bytes());
                    for code in ["250 ok", "250 ok", "354 go ahead", "250 ok "] {
                        let reply = smtp.reply();
                        assert!(reply.starts_with(code), "{reply}");
                    }
                }
                assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
            });
        }
    });
    let stored = messages(&maildir);
    assert_eq!(stored.len(), CLIENTS * MESSAGES);
    for client in 0..CLIENTS {
        for message in 0..MESSAGES {
            let end = format!("\nSubject: {client}/{message}\n\nhello\n");
            let found = stored.iter().filter(|stored| stored.ends_with(end.as_bytes())).count();
            assert_eq!(found, 1, "message {client}/{message}");
        }
    }
}
