//! Certificates of clients: asked for in the handshake, judged after it, so that a strange one does no harm.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate as Parsed;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::policy::Certificate;
use crate::tls::certificate::certificates;

/// `emailAddress` of a subject (PKCS #9).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// Asks every client for a certificate, and takes each whose key the client has; [`judge`] says what it is worth. An
/// ordinary mail server that shows some certificate of its own must get on as if it had none.
#[derive(Debug)]
pub(super) struct Asking {
    subjects: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl Asking {
    /// Asks for certificates of these authorities.
    pub(super) fn new(authorities: &RootCertStore, provider: Arc<CryptoProvider>) -> Self {
        Self { subjects: authorities.subjects(), provider }
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_beyond_judgement(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_beyond_judgement(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate that cannot be read, as one of X.509 version 1. [`judge`] begins with the same question, so whoever shows
/// one gets nothing for it and its signature need not be looked at.
fn is_beyond_judgement(certificate: &CertificateDer<'_>) -> bool {
    ParsedCertificate::try_from(certificate).is_err()
}

/// The authorities that client certificates may come from.
///
/// # Errors
///
/// What is wrong with the text, in words.
pub(super) fn authorities(octets: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates(octets)?);
    if store.is_empty() { Err("there is no certificate of an authority in it".to_owned()) } else { Ok(store) }
}

/// What the chain that a client has shown is worth now, by these authorities and lists of revocations. Asked of a resumed
/// session as of a new one.
pub(super) fn judge(
    chain: &[CertificateDer<'_>],
    authorities: RootCertStore,
    revoked: Option<&[u8]>,
    provider: Arc<CryptoProvider>,
) -> Certificate {
    match addresses(chain, authorities, revoked, provider) {
        Ok(addresses) if addresses.is_empty() => Certificate::Worthless("contains no email address".to_owned()),
        Ok(addresses) => Certificate::Of(addresses),
        Err(why) => Certificate::Worthless(why),
    }
}

fn addresses(
    chain: &[CertificateDer<'_>],
    authorities: RootCertStore,
    revoked: Option<&[u8]>,
    provider: Arc<CryptoProvider>,
) -> Result<Vec<Vec<u8>>, String> {
    let (leaf, others) = chain.split_first().ok_or("there is none")?;
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    if let Some(revoked) = revoked {
        let lists = CertificateRevocationListDer::pem_slice_iter(revoked).collect::<Result<Vec<_>, _>>();
        let lists = lists.map_err(|error| format!("CRL: {error}"))?;
        if lists.is_empty() {
            return Err("CRL: there is none in the file".to_owned());
        }
        verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    }
    let verifier = verifier.build().map_err(|error| error.to_string())?;
    verifier.verify_client_cert(leaf, others, UnixTime::now()).map_err(|error| in_words(&error))?;
    let parsed = Parsed::from_der(leaf).map_err(|error| error.to_string())?;
    Ok(addresses_of(&parsed))
}

/// What is wrong with a certificate, where it can be said in the words of OpenSSL, which the original passes on.
fn in_words(error: &Error) -> String {
    use CertificateError as Wrong;
    let Error::InvalidCertificate(wrong) = error else { return error.to_string() };
    let table = [
        (matches!(wrong, Wrong::Expired | Wrong::ExpiredContext { .. }), "certificate has expired"),
        (matches!(wrong, Wrong::NotValidYet | Wrong::NotValidYetContext { .. }), "certificate is not yet valid"),
        (matches!(wrong, Wrong::Revoked), "certificate revoked"),
        (matches!(wrong, Wrong::UnknownIssuer), "unable to get local issuer certificate"),
        (matches!(wrong, Wrong::UnknownRevocationStatus), "unable to get certificate CRL"),
        (matches!(wrong, Wrong::ExpiredRevocationList | Wrong::ExpiredRevocationListContext { .. }), "CRL has expired"),
        (
            matches!(wrong, Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. }),
            "unsuitable certificate purpose",
        ),
    ];
    table.iter().find(|(is_it, _)| *is_it).map_or_else(|| error.to_string(), |(_, words)| (*words).to_owned())
}

/// Every address of the subject and of its alternative names.
fn addresses_of(certificate: &Parsed) -> Vec<Vec<u8>> {
    let subject = certificate.tbs_certificate().subject();
    let in_subject = subject.iter().filter(|attribute| attribute.oid == EMAIL_ADDRESS);
    let in_subject = in_subject.map(|attribute| attribute.value.value().to_vec());
    let alternatives = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten();
    let others = alternatives.map(|(_, names)| names.0).unwrap_or_default();
    let others = others.into_iter().filter_map(|name| {
        if let GeneralName::Rfc822Name(address) = name { Some(address.as_bytes().to_vec()) } else { None }
    });
    in_subject.chain(others).filter(|address| !address.is_empty()).collect()
}
