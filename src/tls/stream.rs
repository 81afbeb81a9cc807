//! The records of one connection: octets of the client become plain text, and plain text octets for it. No I/O.

use std::fmt;
use std::io::{Read, Write};

use rustls::ProtocolVersion;
use zeroize::Zeroize;

use crate::auth::Channel;
use crate::errno::words;
use crate::message::received::Encryption;
use crate::policy::Certificate;
use crate::tls::Server;
use crate::tls::certificate::{end_point, read_file};
use crate::tls::client::{authorities, judge};
use crate::tls::suites::names;

/// The octets of the client that are kept until they make a record: one record of the largest kind, and as much again.
const RECEIVED_OCTETS_MAX: usize = 32_768;
/// The label and length of the channel binding `tls-exporter` (RFC 9266).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Why a connection under TLS cannot go on: in the words of the TLS library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What there is of plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// So many octets.
    Octets(usize),
    /// None before more comes from the client.
    WantsMore,
    /// The client has said that none follow.
    End,
}

/// TLS on one connection.
pub struct Stream {
    server: Server,
    /// What came from the client and is no whole record yet, in `start..end`.
    received: Vec<u8>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TLS with {} octets to read", self.end - self.start)
    }
}

impl Stream {
    /// The beginning: the client speaks first.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self { server, received: vec![0; RECEIVED_OCTETS_MAX], start: 0, end: 0 }
    }

    /// Where what comes from the client is to be put; never empty after [`Taken::WantsMore`].
    pub fn room(&mut self) -> &mut [u8] {
        self.received.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.received.get_mut(self.end..).unwrap_or_default()
    }

    /// So many octets were put into the [`Self::room`].
    pub fn received(&mut self, octets: usize) {
        self.end = (self.end + octets).min(self.received.len());
    }

    /// Goes on with what was received, and puts plain text at the beginning of `into`.
    ///
    /// # Errors
    ///
    /// [`Fault`] for what is no TLS, or not allowed; what [`Self::to_send`] then gives tells the client.
    pub fn take(&mut self, into: &mut [u8]) -> Result<Taken, Fault> {
        loop {
            match self.server.connection.reader().read(into) {
                Ok(0) => return Ok(Taken::End),
                Ok(octets) => return Ok(Taken::Octets(octets)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Fault(error.to_string())),
            }
            let mut unread = self.received.get(self.start..self.end).unwrap_or_default();
            if unread.is_empty() {
                return Ok(Taken::WantsMore);
            }
            let before = unread.len();
            self.server.connection.read_tls(&mut unread).map_err(|error| Fault(error.to_string()))?;
            self.start += before - unread.len();
            self.server.connection.process_new_packets().map_err(|error| Fault(error.to_string()))?;
        }
    }

    /// Goes on with the handshake: true when it is over, false while it needs more from the client.
    ///
    /// # Errors
    ///
    /// [`Fault`], as [`Self::take`].
    pub fn shake_hands(&mut self) -> Result<bool, Fault> {
        while self.server.connection.is_handshaking() {
            let mut unread = self.received.get(self.start..self.end).unwrap_or_default();
            if unread.is_empty() {
                return Ok(false);
            }
            let before = unread.len();
            self.server.connection.read_tls(&mut unread).map_err(|error| Fault(error.to_string()))?;
            self.start += before - unread.len();
            self.server.connection.process_new_packets().map_err(|error| Fault(error.to_string()))?;
        }
        Ok(true)
    }

    /// Puts plain text and all that waits behind `out`, as records.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        // Neither fails: the library keeps all it is given, and memory takes all it gives.
        let _ = self.server.connection.writer().write_all(plain);
        self.to_send(out);
    }

    /// Puts what waits to be sent behind `out`.
    pub fn to_send(&mut self, out: &mut Vec<u8>) {
        while self.server.connection.wants_write() {
            if self.server.connection.write_tls(out).is_err() {
                return;
            }
        }
    }

    /// Says that nothing follows (`close_notify`).
    pub fn close(&mut self) {
        self.server.connection.send_close_notify();
    }

    /// How the connection is encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        let (version, cipher, bits) =
            names(self.server.connection.protocol_version(), self.server.connection.negotiated_cipher_suite());
        Encryption { version, cipher, bits }
    }

    /// What SCRAM can be bound to, and what the log should know of the handshake.
    #[must_use]
    pub fn channel(&self) -> (Channel, Vec<String>) {
        let shown = self.server.certificates.take_shown();
        // Before TLS 1.3 the exporter binds only with an extension whose presence the library does not tell (RFC 9266, 3).
        let is_unique = self.server.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let export = || self.server.connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).ok();
        let channel = Channel {
            exporter: is_unique.then(export).flatten(),
            server_end_point: shown.certificate.and_then(|certificate| end_point(&certificate)),
        };
        (channel, shown.remarks)
    }

    /// What the client's certificate is worth now; none if it has shown none.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        let chain = self.server.connection.peer_certificates()?;
        let files = &self.server.files;
        let judged = || {
            let read = |path: &std::path::Path| read_file(path).map_err(|error| words(&error).into_owned());
            let authorities = read(&files.authorities).and_then(|octets| authorities(&octets))?;
            let revoked = match read_file(&files.revoked) {
                Ok(octets) => Some(octets),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(format!("CRL: {}", words(&error))),
            };
            let revoked = revoked.as_ref().map(|octets| octets.as_slice());
            Ok(judge(chain, authorities, revoked, self.server.provider.clone()))
        };
        Some(judged().unwrap_or_else(Certificate::Worthless))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.received.zeroize();
    }
}
