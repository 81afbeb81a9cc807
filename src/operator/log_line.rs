//! A line of smtpd's own log that tells of a recipient, read back as the situation it was about.

use std::net::IpAddr;

use crate::operator::situation::Situation;

/// What log lines are read, and what they do not tell, for help and man pages.
pub const FORMS: &str = "\
Or it is a line of smtpd's log about a recipient, whatever the logger has put in front of `qmail-smtpd:`. All other lines \
are counted and skipped.

  qmail-smtpd: pid 7 from 192.0.2.7 Accepted RECIPIENT: ...
  qmail-smtpd: pid 7 from 192.0.2.7 Blackholed RECIPIENT address: ...
  qmail-smtpd: pid 7 from 192.0.2.7 Invalid RELAY client: ...
  qmail-smtpd: pid 7 from 192.0.2.7 Invalid RECIPIENT address: ...

What a log line tells of its time is supposed again: with reason=auth the client has authenticated itself, with \
reason=RELAYCLIENT its rule of tcp.smtp set that, unless --rules says what the rules set. Where the live settings demand \
AUTH or TLS before MAIL, the client had it.

A log line does not tell: other variables of that time; RELAYCLIENT or AUTH where something else decided; whether there was \
TLS; how many recipients the message had; what stood in the place of a `?`. The recipient of an accepted line is stored \
with what a grant has put behind it. That is taken away again if the line of the live list or the rule of --rules still \
says so, or if it begins with a second `@`; other suffixes cannot be told from the address.";

/// What a log line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Client, sender and the recipient, which may have a suffix.
    pub situation: Situation,
    /// The recipient was accepted.
    pub is_accepted: bool,
    /// Why, if the line says so.
    pub reason: Option<String>,
}

impl Logged {
    /// Reads a line; none if it tells of no recipient, or of no client with an address.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let rest = after(line, b"qmail-smtpd: pid ")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = rest.get(digits..).filter(|_| digits > 0)?.strip_prefix(b" from ")?;
        let (ip, rest) = cut(rest, b' ')?;
        let ip: IpAddr = std::str::from_utf8(ip).ok()?.parse().ok()?;
        let accepted = rest.strip_prefix(b"Accepted RECIPIENT");
        let accepted = accepted.or_else(|| rest.strip_prefix(b"Blackholed RECIPIENT address"));
        let refused = || rest.strip_prefix(b"Invalid RELAY client").or(rest.strip_prefix(b"Invalid RECIPIENT address"));
        let told = accepted.or_else(refused)?.strip_prefix(b": MAIL from <")?;
        let (sender, told) = cut(told, b'>')?;
        let (recipient, mut fields) = cut(told.strip_prefix(b" RCPT <")?, b'>')?;
        let situation =
            Situation { sender: sender.to_vec(), recipients: vec![recipient.to_vec()], ..Situation::of(ip) };
        let mut logged = Self { situation, is_accepted: accepted.is_some(), reason: None };
        for user in [b", Auth <".as_slice(), b", MASQUERADE <"] {
            if let Some(told) = fields.strip_prefix(user) {
                (_, fields) = cut(told, b'>')?;
            }
        }
        while let Some(field) = fields.strip_prefix(b" ") {
            let (name, value) = cut(field, b'=')?;
            // The reason is the last one, and may have blanks.
            let end = if name == b"reason" { None } else { value.iter().position(|byte| *byte == b' ') };
            let (value, behind) = value.split_at(end.unwrap_or(value.len()));
            match name {
                b"name" => logged.situation.name = Some(value.to_vec()),
                b"helo" => logged.situation.helo = Some(value.to_vec()),
                b"reason" => logged.reason = Some(String::from_utf8_lossy(value).trim_end().to_string()),
                // The class, which decides nothing, and what another version may tell.
                _ => {}
            }
            fields = behind;
        }
        Some(logged)
    }

    /// The list and the line that granted.
    #[must_use]
    pub fn evidence(&self) -> Option<(&str, u32)> {
        let (file, line) = self.reason.as_deref()?.rsplit_once(':')?;
        Some((file, line.parse().ok()?)).filter(|_| file != "temp")
    }
}

/// What stands before and behind the first of these octets.
fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, text)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

fn after<'t>(text: &'t [u8], words: &[u8]) -> Option<&'t [u8]> {
    let place = memchr::memmem::find(text, words)?;
    text.get(place + words.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_recipient_is_read() {
        let head = "@400000006560 qmail-smtpd: pid 12 from 192.0.2.7 ";
        let read = |line: &str| Logged::parse(format!("{head}{line}").as_bytes());
        let logged = read(
            "Accepted RECIPIENT: MAIL from <a@b.ex> RCPT <c d@e.ex> name=n.ex helo=h.ex class=x reason=relayclients:3",
        )
        .unwrap();
        let shown = "ip=192.0.2.7 name=n.ex helo=h.ex from=a@b.ex rcpt=\"c d@e.ex\"";
        assert_eq!(logged.situation.to_string(), shown);
        assert_eq!((logged.is_accepted, logged.evidence()), (true, Some(("relayclients", 3))));
        let dropped = read("Blackholed RECIPIENT address: MAIL from <> RCPT <c@e.ex> reason=blackholedrcpt:1").unwrap();
        assert_eq!((dropped.is_accepted, dropped.reason.as_deref()), (true, Some("blackholedrcpt:1")));
        let logged = read("Invalid RELAY client: MAIL from <> RCPT <c@e.ex> reason=temp:own addresses").unwrap();
        assert_eq!((logged.is_accepted, logged.evidence()), (false, None));
        assert_eq!(logged.reason.as_deref(), Some("temp:own addresses"));
        let user =
            read("Invalid RELAY client: MAIL from <> RCPT <c@e.ex>, Auth <u>, MASQUERADE <v> name=n.ex reason=norelay");
        let user = user.unwrap();
        assert_eq!(
            (user.situation.name.as_deref(), user.reason.as_deref()),
            (Some(b"n.ex".as_slice()), Some("norelay"))
        );
        let probe = read("Invalid RECIPIENT address: MAIL from <> RCPT <c!d@e.ex>").unwrap();
        assert_eq!((probe.reason, probe.situation.recipients), (None, vec![b"c!d@e.ex".to_vec()]));
        for other in [
            "Invalid SENDER address: MAIL from <a> reason=FORCE_TLS",
            "Accepted RECIPIENT: MAIL from <a@b.ex> RCPT <c@d",
            "timeout reached reading data from client",
            "relayclients:17: 1: fewer than four octets; entry ignored",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
        let unknown = b"qmail-smtpd: pid 1 from unknown Accepted RECIPIENT: MAIL from <> RCPT <a> reason=nodomain";
        assert_eq!(Logged::parse(unknown), None);
    }
}
