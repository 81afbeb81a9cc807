//! TLS on the connection (RFC 3207, RFC 8314): what the operator asks for, and the records. Nothing here is touched before TLS begins.

mod certificate;
mod client;
mod stream;
mod suites;
mod ticket_keys;
mod tickets;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{AccessFlags, access};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::NoServerSessionStorage;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use crate::control::Setup;
use crate::control::load::read_list;
use crate::control::text::{entries, first_line};
use crate::errno::words;
use crate::tls::certificate::{Certificates, read_file};
use crate::tls::client::{Asking, authorities};
use crate::tls::suites::{Of, chosen, versions};
use crate::tls::tickets::Keys;

pub use crate::tls::stream::{Fault, Stream, Taken};
pub use crate::tls::ticket_keys::{FILE as TICKET_KEYS, Rotated, rotate};

/// Why TLS cannot begin: a sentence for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to initialize TLS: {}", self.0)
    }
}

/// All that TLS needs, read and found to fit together.
#[derive(Debug)]
pub struct Server {
    connection: ServerConnection,
    certificates: Arc<Certificates>,
    files: Files,
    provider: Arc<CryptoProvider>,
    /// What the log should know: words that name nothing here, keys that cannot be used.
    pub remarks: Vec<String>,
}

/// Where the certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `CERTDIR`, else the control directory.
    pub directory: PathBuf,
    /// The certificate of this host with its key.
    pub certificate: PathBuf,
    /// The authorities of client certificates.
    pub authorities: PathBuf,
    /// What they have revoked.
    pub revoked: PathBuf,
}

impl Files {
    /// The places that the settings name.
    #[must_use]
    pub fn of(setup: &Setup) -> Self {
        Self {
            directory: directory(setup).into(),
            certificate: certificate(setup),
            authorities: file(setup, "CLIENTCA", "clientca.pem"),
            revoked: file(setup, "CLIENTCRL", "clientcrl.pem"),
        }
    }
}

/// Whether there is a certificate of this host, so that TLS can be offered: the one question that sessions without TLS pay for.
#[must_use]
pub fn has_certificate(setup: &Setup) -> bool {
    access(&certificate(setup), AccessFlags::F_OK).is_ok()
}

fn certificate(setup: &Setup) -> PathBuf {
    file(setup, "SERVERCERT", "servercert.pem")
}

/// D84: a path from the root is taken as it is; the original puts it behind the directory.
fn file(setup: &Setup, variable: &str, otherwise: &'static str) -> PathBuf {
    let (directory, name) = (directory(setup), named(setup, variable).unwrap_or(Path::new(otherwise)));
    // At its final size at once: sessions without TLS pay for this.
    let mut path = PathBuf::with_capacity(directory.as_os_str().len() + name.as_os_str().len() + 1);
    path.push(directory);
    path.push(name);
    path
}

fn directory(setup: &Setup) -> &Path {
    named(setup, "CERTDIR").unwrap_or(&setup.control.directory)
}

fn named<'s>(setup: &'s Setup, variable: &str) -> Option<&'s Path> {
    let value = setup.environment.get(variable.as_bytes()).filter(|value| !value.is_empty());
    value.map(|value| Path::new(OsStr::from_bytes(value)))
}

impl Server {
    /// Reads what TLS needs.
    ///
    /// # Errors
    ///
    /// [`Unusable`] without a certificate and its key, or with settings that leave no version or no cipher.
    pub fn prepare(setup: &Setup) -> Result<Self, Unusable> {
        let files = Files::of(setup);
        let mut remarks = Vec::new();
        let settings = Settings::read(setup, &mut remarks)?;
        let provider = Arc::new(CryptoProvider { cipher_suites: settings.suites, ..ring::default_provider() });
        let certificates = Certificates::load(files.directory.clone(), &files.certificate, provider.clone());
        let certificates = Arc::new(certificates.map_err(Unusable)?);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&settings.versions)
            .map_err(|error| Unusable(error.to_string()))?;
        let builder = match asked_of_clients(setup, &files, &mut remarks) {
            Some(authorities) => {
                builder.with_client_cert_verifier(Arc::new(Asking::new(&authorities, provider.clone())))
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(certificates.clone());
        config.ignore_client_order = settings.has_order;
        // A process serves one connection: what it keeps in memory helps nobody.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if let Some(keys) = ticket_keys(&files.directory, &mut remarks) {
            config.ticketer = Arc::new(keys);
            config.send_tls13_tickets = 1;
        }
        let connection = ServerConnection::new(Arc::new(config)).map_err(|error| Unusable(error.to_string()))?;
        Ok(Self { connection, certificates, files, provider, remarks })
    }
}

impl Server {
    /// When the certificate of this host ends, in seconds since 1970.
    #[must_use]
    pub fn ends_at_seconds(&self) -> Option<i64> {
        self.certificates.end_seconds()
    }
}

/// What the control files say about versions and ciphers.
struct Settings {
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    suites: Vec<rustls::SupportedCipherSuite>,
    /// A list says which suite comes first.
    has_order: bool,
}

impl Settings {
    fn read(setup: &Setup, remarks: &mut Vec<String>) -> Result<Self, Unusable> {
        let method = control_file(setup, "tlsservermethod")?.unwrap_or_default();
        let wrong = |file: &str, why: &str| Unusable(format!("{file}: {why}"));
        let (versions, remark) = versions(first_line(&method)).map_err(|why| wrong("tlsservermethod", &why))?;
        remarks.extend(remark);
        let mut suites = Vec::new();
        let mut has_order = false;
        for (of, file, variable) in
            [(Of::Tls13, "serverciphersuite", "TLS_CIPHER_SUITE"), (Of::Tls12, "servercipherlist", "TLS_CIPHER_LIST")]
        {
            if !versions.iter().any(|version| is_version_of(version, of)) {
                continue;
            }
            let list = match setup.environment.get(variable.as_bytes()) {
                Some(list) => Some(list.to_vec()),
                None => control_file(setup, file)?.map(|text| joined(&text)),
            };
            let list = list.filter(|list| !list.trim_ascii().is_empty());
            let mut unknown = Vec::new();
            let of_version = chosen(list.as_deref(), of, &mut unknown);
            if !unknown.is_empty() {
                remarks.push(format!("{file}: no cipher here is called {}", unknown.join(", ")));
            }
            if of_version.is_empty() {
                return Err(wrong(file, "leaves no cipher"));
            }
            has_order |= list.is_some();
            suites.extend(of_version);
        }
        Ok(Self { versions, suites, has_order })
    }
}

fn is_version_of(version: &rustls::SupportedProtocolVersion, of: Of) -> bool {
    (version.version == rustls::ProtocolVersion::TLSv1_3) == (of == Of::Tls13)
}

/// The entries of a list of ciphers as one line.
fn joined(text: &[u8]) -> Vec<u8> {
    entries(text).map(|entry| entry.text).collect::<Vec<_>>().join(b":".as_slice())
}

fn control_file(setup: &Setup, name: &str) -> Result<Option<Vec<u8>>, Unusable> {
    let path = setup.control.directory.join(name);
    read_list(&path).map_err(|error| Unusable(format!("{}: {}", path.display(), words(&error))))
}

/// The authorities whose certificates clients are asked for: only where `tlsclients` has anybody whom that could help.
fn asked_of_clients(setup: &Setup, files: &Files, remarks: &mut Vec<String>) -> Option<RootCertStore> {
    // One that cannot be read may have anybody: who shows a certificate is told to come again.
    let names_nobody = |text: Option<Vec<u8>>| text.is_none_or(|text| entries(&text).next().is_none());
    if control_file(setup, "tlsclients").is_ok_and(names_nobody) {
        return None;
    }
    let read = read_file(&files.authorities).map_err(|error| words(&error).into_owned());
    match read.and_then(|octets| authorities(&octets)) {
        Ok(store) => Some(store),
        Err(why) => {
            remarks.push(format!("tlsclients: {}: {why}", files.authorities.display()));
            None
        }
    }
}

fn ticket_keys(directory: &Path, remarks: &mut Vec<String>) -> Option<Keys> {
    let path = directory.join(TICKET_KEYS);
    let problem = match read_file(&path) {
        Ok(octets) => match Keys::of_file(&octets) {
            Some(keys) => return Some(keys),
            None => "it is damaged: `postern ticket-keys` makes new ones".to_owned(),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => words(&error).into_owned(),
    };
    remarks.push(format!("{}: {problem}; sessions are not resumed", path.display()));
    None
}
