//! The gates: clients that are told at the greeting, and at every command, that they are not welcome.

use crate::client::Client;
use crate::control::Control;
use crate::policy::listing::Listing;
use crate::policy::verdict::{Ask, Evidence, LookupFailed, Question, Reason};
use crate::policy::{Facts, Opinion, Witness, found};
use crate::smtp::printable::loggable;
use crate::smtp::reply::{self, Reply};

/// A gate that is closed for this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// SHUTDOWN: no mail now.
    Shutdown,
    /// badip: the client's address is listed.
    BadIp(Evidence),
    /// badhost: the client's name is listed.
    BadHost(Evidence),
    /// OPENRELAY: the client is an open relay.
    OpenRelay,
    /// TCPPARANOID: the client's name and address disagree.
    Paranoid,
    /// REQPTR: the client has no name.
    NoName,
}

/// The first gate that is closed for this client.
///
/// # Errors
///
/// A list cannot tell whether it is about this client.
pub fn closed_gate(
    facts: &Facts<'_>,
    ask: &mut Ask<'_>,
    witness: Option<&Witness<'_>>,
) -> Result<Option<Gate>, LookupFailed> {
    let Facts { control, client, environment, .. } = *facts;
    if control.shutdown.is_some() {
        return Ok(Some(Gate::Shutdown));
    }
    let is_set = |names: [&[u8]; 2]| names.iter().any(|name| environment.get(name).is_some());
    if is_set([b"BADIPCHECK", b"BADIP"])
        && let Some(evidence) = asked(Question::Listed(Listing::BadIp, &client.address_text), ask, witness)?
    {
        return Ok(Some(Gate::BadIp(evidence)));
    }
    if is_set([b"BADHOSTCHECK", b"BADHOST"])
        && let Some(evidence) = asked(Question::BadHost, ask, witness)?
    {
        return Ok(Some(Gate::BadHost(evidence)));
    }
    if control.open_relay {
        return Ok(Some(Gate::OpenRelay));
    }
    if control.paranoid.is_some() {
        return Ok(Some(Gate::Paranoid));
    }
    Ok((control.require_ptr.is_some() && client.name.is_none()).then_some(Gate::NoName))
}

/// The entry of a list that is about this client; who listens is told what the list said.
fn asked(
    question: Question<'_>,
    ask: &mut Ask<'_>,
    witness: Option<&Witness<'_>>,
) -> Result<Option<Evidence>, LookupFailed> {
    let found = found(question, ask);
    if let Some(witness) = witness {
        witness(question.source_name(), &Opinion::Silent);
    }
    found
}

impl Gate {
    /// What closes the gate.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Gate::Shutdown => Reason::Setting("SHUTDOWN"),
            Gate::BadIp(evidence) | Gate::BadHost(evidence) => Reason::Listed(evidence.clone()),
            Gate::OpenRelay => Reason::Setting("OPENRELAY"),
            Gate::Paranoid => Reason::Setting("TCPPARANOID"),
            Gate::NoName => Reason::Setting("REQPTR"),
        }
    }

    /// What the log says before the reason.
    #[must_use]
    pub fn log_line(&self, client: &Client) -> Vec<u8> {
        let fixed: &[u8] = match self {
            Gate::Shutdown => b"SHUTDOWN",
            Gate::BadIp(_) => b"BAD IP client",
            Gate::BadHost(_) => return [b"BAD HOST ".as_slice(), &loggable(client.shown_name())].concat(),
            Gate::OpenRelay => b"OPEN RELAY client",
            Gate::Paranoid => b"PTR (reverse DNS) record points to wrong hostname",
            Gate::NoName => b"unable to obtain PTR (reverse DNS) record",
        };
        fixed.to_vec()
    }

    /// The greeting. D15: 554 where the original says 553, which no greeting may be (RFC 5321, 4.3.2).
    pub fn greeting(&self, control: &Control, client: &Client) -> Reply {
        let (code, text) = match self {
            Gate::Shutdown => shutdown(control.shutdown.as_deref().unwrap_or_default()),
            Gate::BadIp(_) => (421, [b" ".as_slice(), &bad_ip(client)].concat()),
            Gate::BadHost(_) => (554, [b" ".as_slice(), &bad_host(client)].concat()),
            Gate::OpenRelay => (554, [b" ".as_slice(), &open_relay(client)].concat()),
            Gate::Paranoid => {
                let value = control.paranoid.as_deref().unwrap_or_default();
                let shown = if value.is_empty() { Vec::new() } else { [b" ", value].concat() };
                (554, [b" ".as_slice(), &paranoid(client, &shown)].concat())
            }
            Gate::NoName => (554, [b" ".as_slice(), &no_name(control, client)].concat()),
        };
        reply::gate(code, &control.greeting, &text)
    }

    /// The answer to a command that the gate holds back.
    pub fn refusal(&self, control: &Control, client: &Client) -> Reply {
        let text = match self {
            Gate::Shutdown => return reply::BAD_SEQUENCE,
            Gate::BadIp(_) => return reply::denied(421, &bad_ip(client)),
            Gate::BadHost(_) => bad_host(client),
            Gate::OpenRelay => open_relay(client),
            Gate::Paranoid => {
                let value = control.paranoid.as_deref().unwrap_or_default();
                let shown = if value.is_empty() { Vec::new() } else { [b" [", value, b"]"].concat() };
                paranoid(client, &shown)
            }
            // Quirk: the original's own text has a space too many (greet/reqptr.smtp).
            Gate::NoName if control.require_ptr.as_ref().is_some_and(Vec::is_empty) => {
                [b" ".as_slice(), &no_name(control, client)].concat()
            }
            Gate::NoName => no_name(control, client),
        };
        reply::denied(553, &text)
    }
}

fn bad_ip(client: &Client) -> Vec<u8> {
    [b"sorry, your IP (", client.address_text.as_slice(), b") is temporarily denied (#4.7.1)"].concat()
}

fn bad_host(client: &Client) -> Vec<u8> {
    [b"sorry, your host (", client.shown_name(), b") has been denied (#5.7.1)"].concat()
}

fn open_relay(client: &Client) -> Vec<u8> {
    let ip = client.address_text.as_slice();
    [b"No mail accepted from an open relay (", ip, b"); check your server configs (#5.7.1)"].concat()
}

fn paranoid(client: &Client, value: &[u8]) -> Vec<u8> {
    let text = b") PTR (reverse DNS) record points to wrong hostname";
    [b"sorry, your IP address (", client.address_text.as_slice(), text, value, b" (#5.7.1)"].concat()
}

fn no_name(control: &Control, client: &Client) -> Vec<u8> {
    let ip = client.address_text.as_slice();
    match control.require_ptr.as_deref().unwrap_or_default() {
        b"" => [b"Sorry, no PTR (reverse DNS) record for (", ip, b") (#5.7.1)"].concat(),
        value => [value, b": from ", ip, b": (#5.7.1)"].concat(),
    }
}

/// The code and text of SHUTDOWN. D15: a value that does not begin with a refusing code is only text.
fn shutdown(value: &[u8]) -> (u16, Vec<u8>) {
    match value {
        b"" => (421, b" SMTP service unavailable (#4.3.2)".to_vec()),
        [code @ b'4'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', text @ ..] if matches!(text, [] | [b' ', ..]) => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            (digit(code) * 100 + digit(tens) * 10 + digit(ones), text.to_vec())
        }
        _ => (421, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_text_is_normalised() {
        assert_eq!(shutdown(b""), (421, b" SMTP service unavailable (#4.3.2)".to_vec()));
        assert_eq!(shutdown(b"554 gone"), (554, b" gone".to_vec()));
        assert_eq!(shutdown(b"421"), (421, b"".to_vec()));
        assert_eq!(shutdown(b"250 fine"), (421, b"".to_vec()));
        assert_eq!(shutdown(b"554-gone"), (421, b"".to_vec()));
        assert_eq!(shutdown(b"later"), (421, b"".to_vec()));
    }
}
