//! Channel binding: what ties an exchange of SCRAM to the TLS connection that carries it, so that nobody can sit between.

use std::fmt;

/// What a TLS connection gives to bind an exchange to; nothing of it is to be shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Channel {
    /// `tls-exporter` (RFC 9266): keying material of the connection, with the label `EXPORTER-Channel-Binding` and a context
    /// that is present and empty. Only of TLS 1.3, or of TLS 1.2 with the extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929, 4): the hash of the server's certificate.
    pub server_end_point: Option<Vec<u8>>,
}

impl Channel {
    /// Whether there is anything to bind to.
    #[must_use]
    pub fn can_bind(&self) -> bool {
        self.exporter.is_some() || self.server_end_point.is_some()
    }

    /// The data of a type of binding that a client names; none for a type that this connection does not have.
    fn data(&self, kind: &[u8]) -> Option<&[u8]> {
        match kind {
            b"tls-exporter" => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            b"tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Debug for Channel {
    /// Without the data.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exporter, server_end_point) = (self.exporter.is_some(), self.server_end_point.is_some());
        write!(out, "Channel(tls-exporter: {exporter}, tls-server-end-point: {server_end_point})")
    }
}

/// What an exchange of SCRAM has to do with its channel.
#[derive(Debug, Clone)]
pub enum Binding {
    /// There is none that this client could have chosen.
    Unoffered,
    /// The client could have chosen the mechanism that binds, and has chosen the one that does not.
    Offered,
    /// The client has chosen the mechanism that binds.
    To(Channel),
}

impl Binding {
    /// What the client must repeat behind its header, by the first field of that: `n`, `y` or `p=type` (RFC 5802, 6 and 7). None
    /// where the two do not agree: somebody between has taken the mechanism that binds away, or the client is wrong.
    pub(super) fn data(&self, flag: &[u8]) -> Option<&[u8]> {
        match (self, flag) {
            (Self::Unoffered, b"n" | b"y") | (Self::Offered, b"n") => Some(b""),
            (Self::Unoffered | Self::Offered, _) => None,
            (Self::To(channel), flag) => flag.strip_prefix(b"p=").and_then(|kind| channel.data(kind)),
        }
    }
}
