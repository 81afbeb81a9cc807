//! One recipient asked of `smtpd` itself, with a DNS server where the configuration has names.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::dns::DnsServer;
use crate::support::program;
use crate::{Client, Converted};

/// What smtpd said to RCPT.
#[derive(Debug)]
pub struct Session {
    pub reply: String,
    pub log: String,
}

impl Session {
    #[track_caller]
    pub fn is(&self, code: &str) {
        assert!(self.reply.starts_with(code), "{code} was expected: {self:?}");
    }
}

/// Asks `smtpd`, which gets what the rules of the converted tcp.smtp set for the client. Without a server there is no
/// DNS: whoever asks for a name waits for nobody and gets 451.
pub fn session(converted: &Converted, client: &Client<'_>, dns: Option<&DnsServer>) -> Session {
    let mut command = Command::new(program("smtpd"));
    command.env_clear().env("CONTROLDIR", converted.control()).env("TCPREMOTEIP", client.ip);
    command.env("DNSCACHEIP", dns.map_or("127.0.0.1:1".to_owned(), DnsServer::address));
    command.envs(converted.variables(client.ip)).envs(client.name.map(|name| ("TCPREMOTEHOST", name)));
    let mut smtpd = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = format!("HELO c.ex\r\nMAIL FROM:<{}>\r\nRCPT TO:<{}>\r\nQUIT\r\n", client.from, client.rcpt);
    smtpd.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = smtpd.wait_with_output().unwrap();
    let replies = String::from_utf8(output.stdout).unwrap();
    // Greeting, HELO, MAIL, RCPT, QUIT.
    let reply = replies.lines().nth(3).unwrap_or_default().to_owned();
    Session { reply, log: String::from_utf8(output.stderr).unwrap() }
}
