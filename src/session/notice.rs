//! DATABYTES_NOTIFY: the recipients of a message that is too big are told of it.

use crate::control::Setup;
use crate::queue::envelope::Envelope;
use crate::session::{Delivery, Session};
use crate::smtp::printable::{loggable, printable};

/// A message of our own about one that was refused.
#[derive(Debug)]
pub struct Notice {
    /// Who it is for: nobody may answer it.
    pub envelope: Envelope,
    /// Header and body, with LF at the end of each line.
    pub text: Vec<u8>,
}

impl Session<'_> {
    /// The notice about a message of so many octets that was too big, if it is wanted. D92: a whole message, without a sender to
    /// bounce to, and for our own recipients only; nobody is told of what is thrown away.
    #[must_use]
    pub fn notice(&self, delivery: &Delivery, octets: u64, date: &str) -> Option<Notice> {
        let setup: &Setup = delivery.setup().unwrap_or(self.setup);
        setup.environment.get(b"DATABYTES_NOTIFY").filter(|_| !delivery.is_blackholed())?;
        let own = delivery.recipients().filter(|(_, reason)| reason.is_local()).map(|(address, _)| address.to_vec());
        let envelope = Envelope::new(Vec::new(), own.collect()).ok()?;
        let shown = |text: &[u8]| String::from_utf8_lossy(&printable(text)).into_owned();
        let host = shown(&setup.control.local_host);
        let sender = match delivery.envelope.sender() {
            b"" => format!("MAILER-DAEMON@{host}"),
            sender => shown(sender),
        };
        let limit = setup.control.databytes;
        let text = format!(
            "X-size-Notification: size={octets},{date}\n\
             To: do-not-reply@{host}\n\
             From: <{sender}>\n\
             Subject: Notification Message size {octets} exceeds data limit\n\
             Date: {date}\n\
             \n\
             A message to you from <{sender}> was refused: it has {octets} octets, and {host}\n\
             takes at most {limit}. The sender has been told.\n"
        );
        Some(Notice { envelope, text: text.into_bytes() })
    }

    /// The log lines about a notice that was queued.
    pub fn notice_lines(&self, delivery: &Delivery, notice: &Notice, octets: u64) -> Vec<Vec<u8>> {
        let sender = loggable(delivery.envelope.sender());
        let end = format!("> Size: {octets} TLS={} reason=DATABYTES_NOTIFY", self.tls_word());
        let line = |recipient: &Vec<u8>| {
            [b" NOTIFY: MAIL from <", sender.as_slice(), b"> RCPT <", &loggable(recipient), end.as_bytes()].concat()
        };
        notice.envelope.recipients().iter().map(line).collect()
    }
}
