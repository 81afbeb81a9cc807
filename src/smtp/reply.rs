//! Every line the server can say, ordered by code.

use std::borrow::Cow;

use crate::smtp::printable::printable;

/// The longest reply text that a constant may have, in octets: 512 with code and line end (RFC 5321, 4.5.3.1.5).
const TEXT_OCTETS_MAX: usize = 506;

/// A reply: a code and one or more lines of text (RFC 5321, 4.2). Only [`crate::wire`] turns it into octets.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    /// Lines separated by LF, without a final one.
    text: Cow<'static, [u8]>,
}

impl Reply {
    /// A fixed reply of one line; code, alphabet and length are checked while compiling.
    const fn new(code: u16, text: &'static str) -> Self {
        let octets = text.as_bytes();
        assert!(code >= 200 && code < 600 && octets.len() <= TEXT_OCTETS_MAX);
        let mut rest = octets;
        while let [byte, tail @ ..] = rest {
            assert!(matches!(*byte, b' '..=b'~'));
            rest = tail;
        }
        Self { code, text: Cow::Borrowed(octets) }
    }

    /// A reply with text from elsewhere, made printable; each element of `lines` becomes a line.
    fn with<T: AsRef<[u8]>>(code: u16, lines: &[T]) -> Self {
        let mut text = Vec::with_capacity(64);
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                text.push(b'\n');
            }
            text.extend_from_slice(&printable(line.as_ref()));
        }
        Self { code, text: Cow::Owned(text) }
    }

    /// The three-digit code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The lines of text, without code and line end.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&byte| byte == b'\n')
    }

    /// Whether the code is 4yz: the client may try again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }
}

// 2yz: done.

/// The lines of HELP.
pub fn help(auth: bool, verify: bool) -> Reply {
    let commands = match (auth, verify) {
        (false, true) => b"HELO EHLO RSET NOOP MAIL RCPT DATA VRFY HELP QUIT".as_slice(),
        (false, false) => b"HELO EHLO RSET NOOP MAIL RCPT DATA HELP QUIT",
        (true, true) => b"HELO EHLO RSET NOOP MAIL RCPT DATA AUTH VRFY HELP QUIT",
        (true, false) => b"HELO EHLO RSET NOOP MAIL RCPT DATA AUTH HELP QUIT",
    };
    let lines = [
        concat!("This is Postern SMTP Version ", env!("CARGO_PKG_VERSION")).as_bytes(), // D24
        b"This server supports the following commands:",
        commands,
    ];
    Reply::with(214, &lines)
}

/// The greeting of a client that is welcome: the control file's lines, the first with ` (NO UCE) ESMTP Postern <version> <date>`.
pub fn greeting(lines: &[Vec<u8>], extra: Option<&str>) -> Reply {
    let first = lines.first().map(Vec::as_slice).unwrap_or_default();
    let mut shown = vec![[first, extra.unwrap_or_default().as_bytes()].concat()];
    shown.extend(lines.iter().skip(1).cloned());
    Reply::with(220, &shown)
}

/// QUIT was heard.
pub fn bye(lines: &[Vec<u8>]) -> Reply {
    after_greeting(221, lines, b" closing connection")
}

/// HELO was heard; without an argument the client is told its address.
pub fn hello(lines: &[Vec<u8>], address: Option<&[u8]>) -> Reply {
    after_greeting(250, lines, &bracketed(address))
}

/// EHLO was heard: the first greeting line, then a line for each extension, then HELP.
pub fn extensions(greeting: &[u8], address: Option<&[u8]>, extensions: Vec<Cow<'static, [u8]>>) -> Reply {
    let mut lines = extensions;
    lines.insert(0, [greeting, &bracketed(address)].concat().into());
    lines.push(b"HELP".into());
    Reply::with(250, &lines)
}

/// STARTTLS: the client begins the handshake.
pub const READY_FOR_TLS: Reply = Reply::new(220, "ready for tls");
/// AUTH has proved who the client is.
pub const AUTHENTICATED: Reply = Reply::new(235, "ok, go ahead (#2.0.0)");
/// NOOP, MAIL or RCPT is fine.
pub const OK: Reply = Reply::new(250, "ok");
/// RSET is done.
pub const FLUSHED: Reply = Reply::new(250, "flushed");
/// The message is in the queue: the time in seconds since 1970 and the queue program's pid.
pub fn queued(time_seconds: u64, pid: i32) -> Reply {
    Reply::with(250, &[format!("ok {time_seconds} qp {pid}")])
}
/// VRFY tells nothing.
pub const CANNOT_VERIFY: Reply =
    Reply::new(252, "Cannot VRFY user, but will accept message and attempt delivery (#2.7.0)");

// 3yz: go on.

/// AUTH: the client answers this, which is in base64.
pub fn challenge(text: &str) -> Reply {
    Reply::with(334, &[text])
}
/// DATA: the content is awaited.
pub const GO_AHEAD: Reply = Reply::new(354, "go ahead");

// 4yz: not now.

/// The greeting of a gate: the control file's lines, the last one with `text`.
pub fn gate(code: u16, lines: &[Vec<u8>], text: &[u8]) -> Reply {
    after_greeting(code, lines, text)
}
/// SIGTERM was caught. The misspelling is the original's.
pub fn going_down(lines: &[Vec<u8>]) -> Reply {
    after_greeting(421, lines, b" Service not available, closing tranmission channel (#4.3.2)")
}
/// RCPT after too many recipients without a mailbox.
pub const TOO_MANY_INVALID: Reply = Reply::new(421, "too many invalid addresses, goodbye (#4.7.1)");
/// AUTH has failed too often (D68).
pub const TOO_MANY_FAILURES: Reply = Reply::new(421, "too many authentication failures (#4.7.0)");
/// The client said nothing for too long.
pub const TIMEOUT: Reply = Reply::new(451, "Sorry, I reached a timeout reading from client (#4.4.2)");
/// The connection broke while a command was awaited.
pub const UNABLE_TO_READ: Reply = Reply::new(451, "sorry, unable to read from client (#5.5.2)");
/// ENFORCE_FQDN_HELO.
pub const NON_FQDN_HELO: Reply = Reply::new(451, "unable to accept non-FQDN HELO (#4.3.0)");
/// The client calls itself by this host's own name.
pub const HELO_OF_THIS_HOST: Reply = Reply::new(451, "invalid HELO greeting for local (#4.3.0)");
/// A control file exists and cannot be read.
pub const NO_CONTROLS: Reply = Reply::new(451, "Sorry, I'm unable to read controls (#4.3.0)");
/// D20: without a list of our own domains nobody can say what is relaying.
pub const NO_RCPTHOSTS: Reply = Reply::new(451, "Sorry, this server has no control/rcpthosts file (#4.3.0)");
/// A list cannot be used as it is written.
pub const LOCAL_FAILURE: Reply = Reply::new(451, "Sorry, there is a local system failure (#4.3.0)");
/// The relay table cannot be asked.
pub const DATABASE_FAILURE: Reply = Reply::new(451, "Sorry, I got a temporary database error (#4.3.2)");
/// The sources of `recipients` cannot tell.
pub const RECIPIENTS_FAILURE: Reply = Reply::new(451, "unable to check recipients (#4.3.2)");
/// The users of this host cannot be read.
pub const PASSWD_FAILURE: Reply = Reply::new(451, "Sorry, I'm unable to read passwd database (#4.3.0)");
/// DNS does not answer.
pub const DNS_FAILURE: Reply = Reply::new(451, "Sorry, there is a DNS temporary failure (#4.4.3)");
/// The addresses of this host cannot be listed.
pub const NO_OWN_ADDRESSES: Reply = Reply::new(451, "Sorry, I'm unable to figure out my IP addresses (#4.3.0)");
/// LF without CR in the content.
pub const BARE_LF: Reply = Reply::new(451, "Sorry, I received Bare LF. (#4.6.0)");
/// The queue program does not start.
pub const QUEUE_FAILURE: Reply = Reply::new(451, "Sorry, I got a temporary queue failure (#4.3.0)");
/// LOGFILTER has no place for its file.
pub const NO_TEMPORARY_FILES: Reply = Reply::new(451, "Sorry, I'm unable to create temporary files (#4.3.0)");
/// domainqueue has other settings for this recipient than for those before it (D74).
pub const OTHER_QUEUE: Reply = Reply::new(452, "sorry, this recipient needs a message of its own (#4.5.3)");
/// The queue program refused for now.
pub fn queue_deferred(text: &[u8]) -> Reply {
    Reply::with(451, &[text])
}

/// Nobody can tell now whether it is the user.
pub const AUTH_FAILURE: Reply = Reply::new(454, "temporary authentication failure (#4.3.0)");

/// STARTTLS, and there is no certificate, or it cannot be used.
pub const NO_TLS: Reply = Reply::new(454, "unable to initialize TLS (#4.3.0)");

// 5yz: never.

/// A line of AUTH that is longer than any may be (D69).
pub const AUTH_LINE_TOO_LONG: Reply = Reply::new(500, "authentication exchange line is too long (#5.5.6)");
/// The client has cancelled AUTH.
pub const AUTH_CANCELLED: Reply = Reply::new(501, "auth exchange cancelled (#5.0.0)");
/// What was said in AUTH is no message of the mechanism.
pub const MALFORMED_AUTH: Reply = Reply::new(501, "malformed auth input (#5.5.4)");
/// NOOP, RSET or DATA with an argument.
pub const NO_PARAMETERS: Reply = Reply::new(501, "invalid parameter syntax (#5.3.2)");
/// STARTTLS with an argument.
pub const NO_PARAMETERS_OF_STARTTLS: Reply = Reply::new(501, "Syntax error (no parameters allowed) (#5.5.4)");
/// HELP under DISABLE_HELP.
pub const HELP_DISABLED: Reply = Reply::new(502, "disabled by the lord in her infinite wisdom (#5.5.1)");
/// VRFY under DISABLE_VRFY (D14).
pub const VRFY_DISABLED: Reply = Reply::new(502, "command VRFY not implemented (#5.5.1)");
/// A verb that is not ours, echoed.
pub fn unknown(verb: &[u8], argument: &[u8]) -> Reply {
    let line = match (verb.first(), argument) {
        (Some(b'x' | b'X'), _) => [b"command ", verb, b" not implemented (#5.5.1)"].concat(),
        (_, b"") => [b"command ", verb, b" not recognized (#5.5.2)"].concat(),
        (_, _) => [b"command ", verb, b" ", argument, b" not recognized (#5.5.2)"].concat(),
    };
    Reply::with(502, &[line])
}
/// A command behind the SHUTDOWN gate.
pub const BAD_SEQUENCE: Reply = Reply::new(503, "bad sequence of commands (#5.3.2)");
/// AUTH, and nobody checks passwords.
pub const NO_AUTH: Reply = Reply::new(503, "auth not available (#5.3.3)");
/// AUTH after AUTH.
pub const ALREADY_AUTHENTICATED: Reply = Reply::new(503, "you're already authenticated (#5.5.0)");
/// AUTH after MAIL.
pub const NO_AUTH_IN_TRANSACTION: Reply = Reply::new(503, "no auth during mail transaction (#5.5.0)");
/// STARTTLS under TLS.
pub const ALREADY_ENCRYPTED: Reply = Reply::new(503, "TLS already active (#5.5.1)");
/// STARTTLS after MAIL.
pub const NO_STARTTLS_IN_TRANSACTION: Reply = Reply::new(503, "no starttls during mail transaction (#5.5.0)");
/// MAIL after a HELO that was refused.
pub const WANT_HELO: Reply = Reply::new(503, "Polite people say hello first (#5.5.4)");
/// RCPT or DATA before MAIL.
pub const WANT_MAIL: Reply = Reply::new(503, "MAIL first (#5.5.1)");
/// DATA before RCPT.
pub const WANT_RCPT: Reply = Reply::new(503, "RCPT first (#5.5.1)");
/// AUTH with a mechanism that is unknown or off.
pub const UNKNOWN_MECHANISM: Reply = Reply::new(504, "auth type unimplemented (#5.5.1)");
/// FORCE_TLS on a plain connection.
pub const WANT_STARTTLS: Reply = Reply::new(530, "must issue STARTTLS first (#5.7.0)");
/// REQUIREAUTH and nobody authenticated.
pub const WANT_AUTH: Reply = Reply::new(530, "authentication required (#5.7.1)");
/// AUTH: it is not the user, or there is none of that name.
pub const AUTH_REFUSED: Reply = Reply::new(535, "authorization failure (#5.7.8)");
/// AUTH with a mechanism that shows the password, under SECURE_AUTH.
pub const ENCRYPTION_REQUIRED: Reply =
    Reply::new(538, "Encryption required for requested authentication mechanism (#5.7.11)");
/// A relay probe: `%`, `!` or a second `@` left of the domain.
pub const PROBE: Reply = Reply::new(550, "we don't relay (#5.7.1)");
/// CHECKRECIPIENT: the mailbox takes no mail; `state` tells why. The original names the sender there, too.
pub fn no_mailbox(code: u16, sender: &[u8], recipient: &[u8], state: &str) -> Reply {
    denied(code, &[b"sorry, ", sender, b" mailbox <", recipient, b"> ", state.as_bytes()].concat())
}
/// Content that a line of signatures or bodycheck is about (552).
pub fn banned(description: &[u8]) -> Reply {
    let told = [b"Further Information: ".as_slice(), description].concat();
    Reply::with(552, &[b"we don't accept email with the below content (#5.3.4)".as_slice(), &told])
}
/// The message is larger than databytes.
pub const TOO_BIG: Reply = Reply::new(552, "sorry, that message size exceeds my databytes limit (#5.3.4)");
/// No end of the command line within the limit.
pub const TOO_LONG: Reply = Reply::new(553, "sorry, the given command is too long! (#5.5.2)");
/// badhelo.
pub const BAD_HELO: Reply = Reply::new(553, "sorry, your HELO/EHLO greeting is in my badhelo list (#5.7.1)");
/// hostaccess.
pub const BAD_HOST_OF_SENDER: Reply = Reply::new(553, "sorry, your host has been denied (#5.7.1)");
/// accesslist.
pub const ACCESS_DENIED: Reply = Reply::new(553, "sorry, sites access list denies transaction (#5.7.1)");
/// badmailfrom or badmailpatterns.
pub const BAD_SENDER: Reply = Reply::new(553, "sorry, your envelope sender has been denied (#5.7.1)");
/// badrcptto or badrcptpatterns.
pub const BAD_RECIPIENT: Reply = Reply::new(553, "sorry, your envelope recipient has been denied (#5.7.1)");
/// A gated command, or BOUNCEMAIL: the text is the operator's.
pub fn denied(code: u16, text: &[u8]) -> Reply {
    Reply::with(code, &[text])
}
/// CHECKSENDER: this user may not send.
pub const SENDER_REFUSED: Reply = Reply::new(553, "authorization failure (#5.7.1)");
/// MASQUERADE: the sender is not who has authenticated.
pub fn masquerading(user: &[u8]) -> Reply {
    denied(553, &[b"sorry, this MTA does not accept masquerading/forging, auth <", user, b"> #5.7.1"].concat())
}
/// CUGMAIL: sender or recipient is not ours.
pub const CLOSED_USER_GROUP: Reply = Reply::new(553, "sorry, this MTA is a closed user group system (#5.7.1)");
/// Nothing lets this client send there.
pub const NO_RELAY: Reply =
    Reply::new(553, "sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1");
/// The same for a user who has authenticated, and under TLS, where a certificate could have let the client: what is wrong with
/// its own, or nothing if it has shown none.
pub fn no_relay(user: Option<&[u8]>, certificate: Option<&str>) -> Reply {
    let user = user.map(|user| [b", auth <".as_slice(), user, b">"].concat()).unwrap_or_default();
    let certificate = match certificate {
        None => String::new(),
        Some("") => "; no valid cert for gateway ".to_owned(),
        Some(why) => format!("; no valid cert for gateway: {why} "),
    };
    let text = b"sorry, that domain isn't allowed to be relayed thru this MTA without authentication".as_slice();
    denied(553, &[text, &user, certificate.as_bytes(), b" #5.7.1"].concat())
}
/// The same in the operator's words (D47).
pub fn no_relay_because(text: &[u8]) -> Reply {
    denied(553, &[text, b" (#5.7.1)"].concat())
}
/// The null sender and a second recipient.
pub const BOUNCE_HAS_ONE_RECIPIENT: Reply =
    Reply::new(553, "sorry, bounce messages should have a single envelope recipient (#5.7.1)");
/// The client spoke before the greeting.
pub const EARLY_TALKER: Reply =
    Reply::new(554, "SMTP protocol violation. Polite people say hello after the server greets them (#5.7.1)");
/// Octets in clear behind STARTTLS, under STARTTLS_STRICT (D82).
pub const CLEAR_BEHIND_STARTTLS: Reply = Reply::new(554, "SMTP protocol violation (#5.5.0)");
/// CR without LF in the content, under FORBID_BARE_CR (D12).
pub const BARE_CR: Reply = Reply::new(554, "Sorry, I received Bare CR. (#5.6.0)");
/// Too many Received and Delivered-To lines.
pub const TOO_MANY_HOPS: Reply = Reply::new(554, "too many hops, this message is looping (#5.4.6)");
/// The queue program refused for good.
pub fn queue_refused(text: &[u8]) -> Reply {
    Reply::with(554, &[text])
}
/// The argument of MAIL or RCPT holds no address.
pub const BAD_ADDRESS: Reply = Reply::new(555, "syntax error in address (#5.1.3)");
/// A parameter of an extension that was not offered (D06).
pub const BAD_PARAMETER: Reply = Reply::new(555, "unsupported parameter (#5.5.4)");
/// More recipients than maxrecipients.
pub const TOO_MANY_RECIPIENTS: Reply = Reply::new(557, "sorry, too many recipients (#5.7.1)");

fn after_greeting(code: u16, lines: &[Vec<u8>], text: &[u8]) -> Reply {
    let mut shown = lines.to_vec();
    match shown.last_mut() {
        Some(last) => last.extend_from_slice(text),
        None => shown.push(text.to_vec()),
    }
    Reply::with(code, &shown)
}

fn bracketed(address: Option<&[u8]>) -> Vec<u8> {
    match address {
        Some(address) => [b" [", address, b"]"].concat(),
        None => Vec::new(),
    }
}
