//! The certificates of this host: one for everybody, and one for each name that a client may ask for (SNI, RFC 6066).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use zeroize::Zeroizing;

use crate::errno::words;

/// The name of a certificate in the directory of a host's name.
const OF_NAME: &str = "servercert.pem";
/// The largest file of certificates, in octets: four times a system's bundle of authorities.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// The certificates of this host and what became of them in a handshake.
#[derive(Debug)]
pub(super) struct Certificates {
    directory: PathBuf,
    own: Arc<CertifiedKey>,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Shown>,
}

/// What a handshake has come to.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The certificate that the client was shown.
    pub(super) certificate: Option<Arc<CertifiedKey>>,
    /// What the log should know.
    pub(super) remarks: Vec<String>,
}

impl Certificates {
    /// Reads the certificate for everybody.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, in words.
    pub(super) fn load(directory: PathBuf, path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let own = Arc::new(read(path, &provider)?);
        Ok(Self { directory, own, provider, shown: Mutex::default() })
    }

    /// When the certificate for everybody ends, in seconds since 1970.
    pub(super) fn end_seconds(&self) -> Option<i64> {
        let parsed = Certificate::from_der(self.own.end_entity_cert().ok()?).ok()?;
        i64::try_from(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs()).ok()
    }

    /// What the handshake has come to.
    pub(super) fn take_shown(&self) -> Shown {
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        // rustls gives only names of DNS, which have no `/` and no empty label, so no way leads out of the directory.
        let of_name = hello.server_name().map(|name| self.directory.join(name.to_ascii_lowercase()).join(OF_NAME));
        let certificate = match of_name.filter(|path| path.exists()).map(|path| read(&path, &self.provider)) {
            Some(Ok(certificate)) => Arc::new(certificate),
            Some(Err(why)) => {
                shown.remarks.push(why);
                self.own.clone()
            }
            None => self.own.clone(),
        };
        shown.certificate = Some(certificate.clone());
        Some(certificate)
    }
}

/// A chain and its key, both in one file.
fn read(path: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let octets = read_file(path).map_err(|error| wrong(&words(&error)))?;
    let chain = certificates(&octets).map_err(|error| wrong(&error))?;
    if chain.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(&octets)
        .map_err(|_| wrong(&"there is no private key in it that can be read without a password"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| wrong(&error))
}

/// The certificates of a PEM text.
///
/// # Errors
///
/// What is wrong with the text, in words.
pub(super) fn certificates(octets: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(octets).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// A file that may hold a private key.
///
/// # Errors
///
/// What the system says, or that the file is too large.
pub(super) fn read_file(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let octets = file.metadata()?.len();
    if octets > FILE_OCTETS_MAX {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    // At its final size at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(octets).unwrap_or(0) + 1));
    file.by_ref().take(FILE_OCTETS_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The channel binding `tls-server-end-point` (RFC 5929, 4.1): a hash of our certificate by the hash of its signature, SHA-256
/// for MD5 and SHA-1; none for signatures without one hash.
pub(super) fn end_point(shown: &CertifiedKey) -> Option<Vec<u8>> {
    let certificate = shown.end_entity_cert().ok()?;
    let parsed = Certificate::from_der(certificate).ok()?;
    Some(match parsed.signature_algorithm().oid.to_string().as_str() {
        // md5WithRSA, sha1WithRSA, sha256WithRSA, ecdsa-with-SHA1, ecdsa-with-SHA256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Sha256::digest(certificate).to_vec(),
        // sha384WithRSA, ecdsa-with-SHA384.
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
        // sha512WithRSA, ecdsa-with-SHA512.
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}
