//! What a scanner asks, octet by octet over TCP: hellos of old clients, weak ciphers, compression, and clear text behind STARTTLS.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use super::Site;
use crate::smtp::PATIENCE;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Descriptions of alerts (RFC 8446, 6).
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
/// ECDHE-ECDSA-AES128-GCM-SHA256, which is taken.
const GOOD: u16 = 0xc02b;

/// What a ClientHello offers.
#[derive(Clone, Copy)]
struct Hello<'a> {
    version: u16,
    ciphers: &'a [u16],
    compressions: &'a [u8],
}

const MODERN: Hello<'_> = Hello { version: 0x0303, ciphers: &[GOOD], compressions: &[0] };

fn with_length(octets: &[u8]) -> Vec<u8> {
    [&u16::try_from(octets.len()).unwrap().to_be_bytes()[..], octets].concat()
}

impl Hello<'_> {
    /// The record (RFC 5246, 7.4.1.2), with the groups and signatures that all know.
    fn record(self) -> Vec<u8> {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let extension =
            |kind: u16, content: &[u16]| [words(&[kind]), with_length(&with_length(&words(content)))].concat();
        let groups = extension(10, &[0x001d, 0x0017]);
        let signatures = extension(13, &[0x0403, 0x0804, 0x0401]);
        let renegotiation = [0xff, 0x01, 0, 1, 0];
        let body = [
            &words(&[self.version])[..],
            &[7; 32],
            &[0],
            &with_length(&words(self.ciphers)),
            &[u8::try_from(self.compressions.len()).unwrap()],
            self.compressions,
            &with_length(&[&groups[..], &signatures, &renegotiation].concat()),
        ]
        .concat();
        let message = [&[1, 0][..], &with_length(&body)].concat();
        [&[HANDSHAKE, 3, 1][..], &with_length(&message)].concat()
    }
}

/// The first record that comes back: its kind and content.
fn answer(port: u16, hello: Hello<'_>) -> (u8, Vec<u8>) {
    let mut stream = connect(port);
    stream.write_all(&hello.record()).unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content).unwrap();
    (head[0], content)
}

/// Each write is a segment of its own.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_good_hello_is_answered_without_compression_and_with_safe_renegotiation() {
    let site = Site::start();
    for compressions in [&[0][..], &[1, 0], &[64, 1, 0]] {
        let (kind, content) = answer(site.submissions.port, Hello { compressions, ..MODERN });
        assert_eq!((kind, content[0]), (HANDSHAKE, 2), "a ServerHello");
        let after_session = 39 + usize::from(content[38]);
        assert_eq!(content[after_session..after_session + 3], [0xc0, 0x2b, 0], "the cipher, and no compression");
        let extensions = &content[after_session + 3..];
        assert!(extensions.windows(5).any(|octets| octets == [0xff, 0x01, 0, 1, 0]), "RFC 5746: {extensions:?}");
    }
    let (kind, content) = answer(site.submissions.port, Hello { compressions: &[1], ..MODERN });
    assert_eq!((kind, content[0]), (ALERT, 2), "compression alone is refused");
}

#[test]
fn every_old_version_is_refused() {
    let site = Site::start();
    for version in [0x0300, 0x0301, 0x0302] {
        let (kind, content) = answer(site.submissions.port, Hello { version, ..MODERN });
        assert_eq!((kind, content), (ALERT, vec![2, PROTOCOL_VERSION]), "{version:x}");
    }
}

#[test]
fn every_weak_cipher_is_refused() {
    let site = Site::start();
    for (name, cipher) in [
        ("NULL-SHA", 0x0002),
        ("EXP-RC4-MD5", 0x0003),
        ("RC4-MD5", 0x0004),
        ("RC4-SHA", 0x0005),
        ("DES-CBC-SHA", 0x0009),
        ("DES-CBC3-SHA", 0x000a),
        ("EDH-RSA-DES-CBC3-SHA", 0x0016),
        ("ADH-RC4-MD5", 0x0018),
        ("AES128-SHA", 0x002f),
        ("ADH-AES128-SHA", 0x0034),
        ("NULL-SHA256", 0x003b),
        ("CAMELLIA128-SHA", 0x0041),
        ("SEED-SHA", 0x0096),
        ("AES128-GCM-SHA256", 0x009c),
        ("DHE-RSA-AES128-GCM-SHA256", 0x009e),
        ("ECDHE-ECDSA-NULL-SHA", 0xc006),
        ("ECDHE-ECDSA-RC4-SHA", 0xc007),
        ("ECDHE-ECDSA-DES-CBC3-SHA", 0xc008),
        ("ECDHE-ECDSA-AES128-SHA", 0xc009),
        ("AECDH-AES128-SHA", 0xc018),
        ("ECDHE-ECDSA-AES128-SHA256", 0xc023),
        ("ECDHE-ECDSA-AES256-SHA384", 0xc024),
    ] {
        let (kind, content) = answer(site.submissions.port, Hello { ciphers: &[cipher], ..MODERN });
        assert_eq!((kind, content), (ALERT, vec![2, HANDSHAKE_FAILURE]), "{name}");
        // Offered before a good one, it is passed over.
        let (_, content) = answer(site.submissions.port, Hello { ciphers: &[cipher, GOOD], ..MODERN });
        assert!(content.windows(3).any(|octets| octets == [0xc0, 0x2b, 0]), "{name}");
    }
}

/// What the server says until `end`, or until it closes.
fn heard(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut octet = [0];
    while !all.ends_with(end.as_bytes()) && matches!(stream.read(&mut octet), Ok(1)) {
        all.push(octet[0]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The reply to STARTTLS.
const READY: &str = "220 ready for tls\r\n";

#[test]
fn a_hello_in_the_packet_of_starttls_is_dropped_like_everything_there() {
    let site = Site::start();
    let mut stream = connect(site.submission.port);
    assert!(heard(&mut stream, "\r\n").starts_with("220 "));
    let hello = MODERN.record();
    stream.write_all(&[b"STARTTLS\r\n", &hello[..]].concat()).unwrap();
    assert_eq!(heard(&mut stream, READY), READY);
    site.submission.wait_for_log(&format!(" STARTTLS: {} plaintext octets discarded\n", hello.len()));
    stream.write_all(&hello).unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(first, [HANDSHAKE]);
}

#[test]
fn a_command_injected_behind_starttls_is_never_answered() {
    let site = Site::start();
    for injected in [
        &["STARTTLS\r\nRSET\r\n"][..],
        &["STARTTLS\r\n", "RSET\r\n"],
        &["STARTTLS\r\nRS", "ET\r\n"],
        &["STARTTLS\r", "\nRSET\r\n"],
        &["STARTTLS\nRSET\n"],
        &["STARTTLS\n", "RSET\n"],
        &["STARTTLS\r\n", "EHLO x\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<u@test>\r\n", "DATA\r\n", ".\r\n"],
        &["EHLO x\r\nSTARTTLS\r\nAUTH PLAIN AGpvZUBvdXIuZXhhbXBsZQBwZW5jaWw=\r\n"],
    ] {
        let mut stream = connect(site.submission.port);
        assert!(heard(&mut stream, "\r\n").starts_with("220 "));
        for (number, segment) in injected.iter().enumerate() {
            if number > 0 {
                thread::sleep(Duration::from_millis(50));
            }
            let _ = stream.write_all(segment.as_bytes()); // It may have been refused already.
        }
        let said = heard(&mut stream, READY);
        assert!(said.ends_with(READY), "{injected:?}: {said}");
        // What follows is the handshake, whatever was injected: a ServerHello, or an alert about what is none.
        let _ = stream.write_all(&MODERN.record());
        let mut first = [0];
        let answered = matches!(stream.read(&mut first), Ok(1)).then_some(first[0]);
        match injected {
            [_] => assert_eq!(answered, Some(HANDSHAKE), "{injected:?}"),
            _ => assert!(matches!(answered, None | Some(HANDSHAKE | ALERT)), "{injected:?}: {answered:?}"),
        }
    }
    let log = site.submission.log();
    assert!(log.contains(" plaintext octets discarded\n") && !log.contains("AUTH USER"), "{log}");
    assert!(site.home.deliveries().is_empty());
}
