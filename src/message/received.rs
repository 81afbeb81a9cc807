//! The trace header (RFC 5321, 4.4) in classic qmail's form, which every spam filter parses (D23).

use crate::client::Client;
use crate::control::Control;

/// How the message came: the word behind `with` (RFC 3848, RFC 6531).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HELO, or nothing.
    Smtp,
    /// EHLO.
    Esmtp,
    /// The client has authenticated itself.
    Esmtpa,
    /// EHLO, over TLS.
    Esmtps,
    /// The same over TLS.
    Esmtpsa,
    /// EHLO, and SMTPUTF8 for this message.
    Utf8Smtp,
    /// The same of a client that has authenticated itself.
    Utf8Smtpa,
    /// SMTPUTF8, over TLS.
    Utf8Smtps,
    /// SMTPUTF8, over TLS, of a client that has authenticated itself.
    Utf8Smtpsa,
}

impl Protocol {
    /// What it is after EHLO or AUTH.
    #[must_use]
    pub fn of_esmtp(smtputf8: bool, tls: bool, authenticated: bool) -> Self {
        match (smtputf8, tls, authenticated) {
            (false, false, false) => Protocol::Esmtp,
            (false, false, true) => Protocol::Esmtpa,
            (false, true, false) => Protocol::Esmtps,
            (false, true, true) => Protocol::Esmtpsa,
            (true, false, false) => Protocol::Utf8Smtp,
            (true, false, true) => Protocol::Utf8Smtpa,
            (true, true, false) => Protocol::Utf8Smtps,
            (true, true, true) => Protocol::Utf8Smtpsa,
        }
    }

    /// The registered word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Smtp => "SMTP",
            Protocol::Esmtp => "ESMTP",
            Protocol::Esmtpa => "ESMTPA",
            Protocol::Esmtps => "ESMTPS",
            Protocol::Esmtpsa => "ESMTPSA",
            Protocol::Utf8Smtp => "UTF8SMTP",
            Protocol::Utf8Smtpa => "UTF8SMTPA",
            Protocol::Utf8Smtps => "UTF8SMTPS",
            Protocol::Utf8Smtpsa => "UTF8SMTPSA",
        }
    }
}

/// How a connection is encrypted, in the words of OpenSSL, which log readers and filters know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite.
    pub cipher: &'static str,
    /// The length of its key.
    pub bits: u16,
}

/// What a trace header tells of a session.
#[derive(Debug, Clone, Copy)]
pub struct Told<'t> {
    /// Who is calling.
    pub client: &'t Client,
    /// The user that AUTH has proved, else the ident answer.
    pub info: Option<&'t [u8]>,
    /// What the client said in HELO or EHLO.
    pub helo: &'t [u8],
    /// How the message came.
    pub protocol: Protocol,
    /// How the connection is encrypted, if it is.
    pub encryption: Option<Encryption>,
    /// The mail address whose certificate has let the message in.
    pub certified: Option<&'t [u8]>,
}

/// The trace header of a message: two lines or more, each ended by LF; one without names under HIDE_HOST.
#[must_use]
pub fn trace_header(control: &Control, told: &Told<'_>, date: &str) -> Vec<u8> {
    let Told { client, info, helo, protocol, encryption, certified } = *told;
    let mut header = b"Received: ".to_vec();
    if !control.hide_host {
        header.extend_from_slice(b"from ");
        header.extend(safe(client.shown_name()));
        if !helo.eq_ignore_ascii_case(client.shown_name()) && !helo.is_empty() {
            header.extend_from_slice(b" (HELO ");
            header.extend(safe(helo));
            header.push(b')');
        }
        header.extend_from_slice(b" (");
        if let Some(info) = info {
            header.extend(safe(info));
            header.push(b'@');
        }
        header.extend(safe(&client.address_text));
        header.extend_from_slice(b")\n  by ");
        header.extend(safe(&control.local_host));
        header.push(b' ');
    }
    header.extend_from_slice(format!("with {}", protocol.word()).as_bytes());
    if let Some(Encryption { version, cipher, bits }) = encryption {
        header.extend_from_slice(format!(" ({version} {cipher} bits={bits})").as_bytes());
    }
    let mut comment = |what: &[u8], text: &[u8]| {
        header.extend_from_slice(b"\n  (");
        header.extend_from_slice(what);
        header.push(b' ');
        // The operator's text has commas, which end nothing here.
        let is_fine = |octet: u8| octet == b',' || safe(&[octet]).eq([octet]);
        header.extend(text.iter().map(|&octet| if is_fine(octet) { octet } else { b'?' }));
        header.push(b')');
    };
    if let Some(address) = certified {
        comment(b"cert", address);
    }
    if let Some(provider) = control.tls_provider.as_deref().filter(|_| encryption.is_none()) {
        comment(b"tls provider", provider);
    }
    if let Some(class) = client.class.as_deref().filter(|_| !control.hide_host) {
        // D48: what tcp.smtp calls clients of this kind.
        header.extend_from_slice(b" (class ");
        header.extend(safe(class));
        header.push(b')');
    }
    header.extend_from_slice(format!("; {date}\n").as_bytes());
    header
}

/// Octets of others in our header: what is not harmless becomes `?`, as in the original.
fn safe(text: &[u8]) -> impl Iterator<Item = u8> {
    text.iter().map(|&byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => byte,
        b'.' | b'@' | b'%' | b'+' | b'/' | b'=' | b':' | b'-' | b'_' | b'[' | b']' | b' ' => byte,
        _ => b'?',
    })
}
