//! Real mail: the messages that Python tests its own mail library with, byte for byte through everything we have.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::net::{Client, TcpServer, compile_rules};
use crate::{home, messages, queue_maildir};

/// How many messages go through one connection.
const MESSAGES_A_CONNECTION: usize = 10;

#[test]
fn real_messages_arrive_byte_for_byte() {
    let corpus = corpus();
    let home = home();
    let (maildir, queue) = queue_maildir(&home);
    let rules = compile_rules(home.path(), ":allow\n");
    let server = TcpServer::start(&home, &rules, &[("QMAILQUEUE", &queue)]);
    let files: Vec<(&String, &Vec<u8>)> = corpus.iter().collect();
    for batch in files.chunks(MESSAGES_A_CONNECTION) {
        let mut smtp = Client::connect(server.port);
        assert!(smtp.reply().starts_with("220 "));
        assert!(smtp.ask("EHLO client.example").ends_with("250 HELP"));
        for (name, content) in batch {
            smtp.send(format!("MAIL FROM:<corpus@sender.example>\r\nRCPT TO:<{name}@test>\r\nDATA\r\n").as_bytes());
            assert_eq!(smtp.reply(), "250 ok", "{name}");
            assert_eq!(smtp.reply(), "250 ok", "{name}");
            assert_eq!(smtp.reply(), "354 go ahead", "{name}");
            smtp.send(&on_the_wire(content));
            let reply = smtp.reply();
            assert!(reply.starts_with("250 ok "), "{name}: {reply}");
        }
        assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    }
    let mut stored: BTreeMap<String, Vec<u8>> = messages(&maildir).into_iter().map(named).collect();
    for (name, content) in &corpus {
        let found = stored.remove(name).unwrap_or_else(|| panic!("{name} did not arrive"));
        assert_eq!(
            String::from_utf8_lossy(&found).into_owned(),
            String::from_utf8_lossy(content).into_owned(),
            "{name} is another"
        );
        assert!(found == *content, "{name} differs in its octets");
    }
    assert!(stored.is_empty(), "more than was sent: {:?}", stored.keys());
    println!("{} real messages", corpus.len());
}

/// Every file, by a name without blanks, its lines ended by LF.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let mut corpus = BTreeMap::new();
    for entry in fs::read_dir(corpus_directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            corpus.insert(name, with_line_feeds(&fs::read(path).unwrap()));
        }
    }
    assert!(corpus.len() > 40, "only {} sample messages", corpus.len());
    corpus
}

/// Debian has the samples in libpython3.11-testsuite, Python's own source in Lib/test.
fn corpus_directory() -> PathBuf {
    let question = "import os, test.test_email as t; print(os.path.join(os.path.dirname(t.__file__), 'data'))";
    for python in ["/usr/bin/python3", "python3"] {
        let answer = Command::new(python).args(["-c", question]).output();
        let Ok(answer) = answer else { continue };
        let directory = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
        if answer.status.success() && directory.is_dir() {
            return directory;
        }
    }
    panic!("no Python here has test/test_email/data (Debian: libpython3.11-testsuite); scripts/test installs it");
}

/// CR LF becomes LF; a last line without an end gets one, for SMTP knows only whole lines.
fn with_line_feeds(bytes: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' && text.last() == Some(&b'\r') {
            text.pop();
        }
        text.push(byte);
    }
    if !text.is_empty() && text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

/// CR LF for each LF, dots doubled, and the end.
fn on_the_wire(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + text.len() / 20);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// The name it was sent under, and the content below the lines that queue-maildir and smtpd put above.
fn named(stored: Vec<u8>) -> (String, Vec<u8>) {
    let mut lines = stored.split_inclusive(|byte| *byte == b'\n');
    let mut header = || String::from_utf8_lossy(lines.next().unwrap()).into_owned();
    let heads = [header(), header(), header(), header()];
    let [return_path, delivered_to, received, by] = &heads;
    assert_eq!(return_path, "Return-Path: <corpus@sender.example>\n");
    assert!(received.starts_with("Received: from ") && by.starts_with("  by mx.test with ESMTP; "), "{heads:?}");
    let name = delivered_to.strip_prefix("Delivered-To: ").and_then(|to| to.strip_suffix("@test\n")).unwrap();
    (name.to_owned(), stored[heads.iter().map(String::len).sum()..].to_vec())
}
