//! The gates: clients that are told at the greeting, and at every command, that they are not welcome.

use crate::client::Client;
use crate::control::Control;
use crate::smtp::reply::{self, Reply};

/// A gate that is closed for this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// SHUTDOWN: no mail now.
    Shutdown,
    /// OPENRELAY: the client is an open relay.
    OpenRelay,
    /// TCPPARANOID: the client's name and address disagree.
    Paranoid,
    /// REQPTR: the client has no name.
    NoName,
}

/// The first gate that is closed for this client.
#[must_use]
pub fn closed_gate(control: &Control, client: &Client) -> Option<Gate> {
    if control.shutdown.is_some() {
        return Some(Gate::Shutdown);
    }
    if control.open_relay {
        return Some(Gate::OpenRelay);
    }
    if control.paranoid.is_some() {
        return Some(Gate::Paranoid);
    }
    (control.require_ptr.is_some() && client.name.is_none()).then_some(Gate::NoName)
}

impl Gate {
    /// The setting that closes the gate.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Gate::Shutdown => "SHUTDOWN",
            Gate::OpenRelay => "OPENRELAY",
            Gate::Paranoid => "TCPPARANOID",
            Gate::NoName => "REQPTR",
        }
    }

    /// What the log says before the reason.
    #[must_use]
    pub fn log_line(self) -> &'static str {
        match self {
            Gate::Shutdown => "SHUTDOWN",
            Gate::OpenRelay => "OPEN RELAY client",
            Gate::Paranoid => "PTR (reverse DNS) record points to wrong hostname",
            Gate::NoName => "unable to obtain PTR (reverse DNS) record",
        }
    }

    /// The greeting. D15: 554 where the original says 553, which no greeting may be (RFC 5321, 4.3.2).
    pub fn greeting(self, control: &Control, client: &Client) -> Reply {
        let (code, text) = match self {
            Gate::Shutdown => shutdown(control.shutdown.as_deref().unwrap_or_default()),
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
    pub fn refusal(self, control: &Control, client: &Client) -> Reply {
        let text = match self {
            Gate::Shutdown => return reply::BAD_SEQUENCE,
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
