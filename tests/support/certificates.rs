//! Certificates of a private authority, made by openssl: of servers and clients, good and bad.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// An authority in a directory of its own, which has revoked nobody yet.
pub struct Authority {
    directory: TempDir,
}

const SETTINGS: &str = "\
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
serial = serial
default_md = sha256
default_crl_days = 30
policy = anything
[anything]
commonName = optional
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
subjectAltName = DNS:$ENV::NAME
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
[client]
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
[client-by-name]
extendedKeyUsage = clientAuth
subjectAltName = email:$ENV::NAME
";

/// The kinds of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ecdsa,
    Rsa,
    Ed25519,
}

impl Kind {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Kind::Ecdsa => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
            Kind::Rsa => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            Kind::Ed25519 => &["-algorithm", "ED25519"],
        }
    }
}

impl Authority {
    pub fn new() -> Authority {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority { directory };
        for (name, text) in [("openssl.cnf", SETTINGS), ("index.txt", ""), ("crlnumber", "01\n"), ("serial", "1000\n")]
        {
            fs::write(authority.path(name), text).unwrap();
        }
        authority.key("authority", Kind::Ecdsa);
        let name = format!("/CN=authority {}", authority.directory.path().file_name().unwrap().display());
        let subject = ["-key", "authority.key", "-subj", &name, "-days", "30", "-out", "authority.pem"];
        authority.openssl(
            &[&["req", "-x509", "-config", "openssl.cnf", "-extensions", "authority"], &subject[..]].concat(),
            "",
        );
        authority
    }

    /// The one that tests share which change nothing of it.
    pub fn shared() -> &'static Authority {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        SHARED.get_or_init(Authority::new)
    }

    /// Its certificate of mx.test.
    pub fn shared_server() -> &'static [u8] {
        static SERVER: OnceLock<Vec<u8>> = OnceLock::new();
        SERVER.get_or_init(|| Authority::shared().server("mx.test", Kind::Ecdsa))
    }

    /// Its certificate of localhost.
    pub fn shared_local() -> &'static [u8] {
        static LOCAL: OnceLock<Vec<u8>> = OnceLock::new();
        LOCAL.get_or_init(|| Authority::shared().server("localhost", Kind::Ecdsa))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> Vec<u8> {
        self.read("authority.pem")
    }

    fn key(&self, file: &str, kind: Kind) {
        let out = ["-out".to_owned(), format!("{file}.key")];
        let out: Vec<&str> = out.iter().map(String::as_str).collect();
        self.openssl(&[&["genpkey"], kind.arguments(), &out].concat(), "");
    }

    /// A certificate of `file`, its issuer's and its key behind it, all in one PEM text.
    pub fn issue(&self, file: &str, kind: Kind, subject: &str, extensions: &str, name: &str, days: &str) -> Vec<u8> {
        self.key(file, kind);
        let [request, key, pem] = ["csr", "key", "pem"].map(|ending| format!("{file}.{ending}"));
        self.openssl(
            &["req", "-new", "-config", "openssl.cnf", "-key", &key, "-subj", subject, "-out", &request],
            name,
        );
        let signed = ["x509", "-req", "-in", &request, "-CA", "authority.pem", "-CAkey", "authority.key"];
        let how = ["-CAcreateserial", "-days", days, "-out", &pem];
        let with = ["-extfile", "openssl.cnf", "-extensions", extensions];
        let with = if extensions.is_empty() { &[][..] } else { &with[..] };
        self.openssl(&[&signed[..], &how[..], with].concat(), name);
        [self.read(&pem), self.certificate(), self.read(&key)].concat()
    }

    /// A server's certificate, as servercert.pem holds it.
    pub fn server(&self, name: &str, kind: Kind) -> Vec<u8> {
        self.issue(&format!("server-{name}-{kind:?}"), kind, &format!("/CN={name}"), "server", name, "30")
    }

    /// A client's certificate of a mail address in its subject.
    pub fn client(&self, address: &str) -> Vec<u8> {
        let subject = format!("/CN=a client/emailAddress={address}");
        self.issue(&format!("client-{address}"), Kind::Ecdsa, &subject, "client", "none", "30")
    }

    /// Revokes the client's certificate, if there is one of that name, and gives the list of what is revoked.
    pub fn revoke(&self, address: Option<&str>) -> Vec<u8> {
        let ca = ["ca", "-config", "openssl.cnf", "-keyfile", "authority.key", "-cert", "authority.pem"];
        if let Some(address) = address {
            self.openssl(&[&ca[..], &["-revoke", &format!("client-{address}.pem")]].concat(), "none");
        }
        self.openssl(&[&ca[..], &["-gencrl", "-out", "revoked.pem"]].concat(), "none");
        self.read("revoked.pem")
    }

    fn openssl(&self, arguments: &[&str], name: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.directory.path()).env("NAME", name).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
