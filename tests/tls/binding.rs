//! SCRAM-SHA-256-PLUS over real connections: what both ends bind to is the same, and a man between is found.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rustls::version;
use sha2::{Digest, Sha256};

use crate::certificates::{Authority, Kind};
use crate::home::Home;
use crate::secure::{Client, Secure};
use crate::support::program;
use crate::{client, home};

const YES: &str = "235 ok, go ahead (#2.0.0)";
const NO: &str = "535 authorization failure (#5.7.8)";

pub fn with_user(home: &Home) {
    let path = home.control().join("auth.cdb");
    let mut users = std::process::Command::new(program("postern"));
    users.env_clear().args(["passwd", "add", "--iterations", "4096", "--file", path.to_str().unwrap(), "joe"]);
    let mut child = users.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"pencil\n").unwrap();
    assert!(child.wait().unwrap().success());
}

fn hash(key: &[u8], text: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

/// An exchange whose header and binding are these; the last reply.
fn scram(session: &mut Secure, mechanism: &str, header: &str, binding: &[u8]) -> String {
    let bare = "n=joe,r=fyko+d2lbbFgONRv9qkxdawL";
    let heard = session.ask(&format!("AUTH {mechanism} {}", STANDARD.encode(format!("{header}{bare}"))));
    let Some(challenge) = heard.strip_prefix("334 ") else { return heard };
    let challenge = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
    let fields: Vec<&str> = challenge.split(',').map(|field| &field[2..]).collect();
    let mut block = hash(b"pencil", &[STANDARD.decode(fields[1]).unwrap().as_slice(), &[0, 0, 0, 1]].concat());
    let mut salted = block.clone();
    for _ in 1..fields[2].parse::<u32>().unwrap() {
        block = hash(b"pencil", &block);
        salted.iter_mut().zip(&block).for_each(|(octet, more)| *octet ^= more);
    }
    let last = format!("c={},r={}", STANDARD.encode([header.as_bytes(), binding].concat()), fields[0]);
    let message = format!("{bare},{challenge},{last}");
    let key = hash(&salted, b"Client Key");
    let signature = hash(&Sha256::digest(&key), message.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(octet, more)| octet ^ more).collect();
    let heard = session.ask(&STANDARD.encode(format!("{last},p={}", STANDARD.encode(proof))));
    if heard.starts_with("334 ") { session.ask("") } else { heard }
}

fn exporter(session: &Secure) -> Vec<u8> {
    let tls = session.tls.as_ref().unwrap();
    tls.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap()
}

fn end_point(session: &Secure) -> Vec<u8> {
    Sha256::digest(&session.tls.as_ref().unwrap().peer_certificates().unwrap()[0]).to_vec()
}

#[test]
fn both_bindings_hold_over_real_connections() {
    let home = home();
    with_user(&home);
    home.write("rsa.pem", Authority::shared().server("mx.test", Kind::Rsa));
    let cdb = program("auth-cdb");
    let arguments = ["mx.test", cdb.to_str().unwrap(), "/bin/false"];
    let plus = "SCRAM-SHA-256-PLUS";
    for certificate in ["servercert.pem", "rsa.pem"] {
        for (version, of_exporter) in [(&version::TLS13, YES), (&version::TLS12, NO)] {
            let client = Client { versions: vec![version], ..client() };
            let start = || {
                let mut session = Secure::encrypted(&home, &client, &[("SERVERCERT", certificate)], &arguments);
                session.send("EHLO c.example\r\n");
                let offered = session.lines();
                assert_eq!(offered[1], "250-AUTH LOGIN PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "{offered:?}");
                session
            };
            // Before TLS 1.3 the exporter does not bind (D85), the certificate does.
            let mut session = start();
            let binding = exporter(&session);
            assert_eq!(scram(&mut session, plus, "p=tls-exporter,,", &binding), of_exporter, "{version:?}");
            let mut session = start();
            let binding = end_point(&session);
            assert_eq!(scram(&mut session, plus, "p=tls-server-end-point,,", &binding), YES, "{version:?}");
            // Another connection's, another kind, none, and a client that was told that there is none.
            let mut session = start();
            let binding = exporter(&start());
            assert_eq!(scram(&mut session, plus, "p=tls-exporter,,", &binding), NO);
            let binding = end_point(&session);
            assert_eq!(scram(&mut session, plus, "p=tls-exporter,,", &binding), NO);
            assert_eq!(scram(&mut session, plus, "p=tls-unique,,", &binding), NO);
            assert_eq!(scram(&mut session, plus, "n,,", b""), NO);
            let mut session = start();
            assert_eq!(scram(&mut session, "SCRAM-SHA-256", "y,,", b""), NO);
            // A wrong proof, then the right one in the same session.
            assert_eq!(scram(&mut session, "SCRAM-SHA-256", "n,,", b"more"), NO);
            assert_eq!(scram(&mut session, "SCRAM-SHA-256", "n,,", b""), YES);
        }
    }
}
