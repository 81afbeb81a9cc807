//! A line from the client to a [`Command`].

/// The longest AUTH command, and the longest line that the client sends in its exchange, without line end (RFC 4954, 4).
pub const AUTH_LINE_OCTETS_MAX: usize = 12_288;

/// What the client asked for; arguments are the octets after the verb and its spaces, as the client wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// `HELO <domain>` (RFC 5321, 4.1.1.1).
    Helo(&'a [u8]),
    /// `EHLO <domain>` (RFC 5321, 4.1.1.1).
    Ehlo(&'a [u8]),
    /// `MAIL FROM:<reverse-path> [parameters]` (RFC 5321, 4.1.1.2).
    Mail(&'a [u8]),
    /// `RCPT TO:<forward-path> [parameters]` (RFC 5321, 4.1.1.3).
    Rcpt(&'a [u8]),
    /// `DATA` (RFC 5321, 4.1.1.4); an argument is an error.
    Data(&'a [u8]),
    /// `AUTH <mechanism> [initial-response]` (RFC 4954, 4).
    Auth(&'a [u8]),
    /// `STARTTLS` (RFC 3207, 4); an argument is an error.
    StartTls {
        /// As the client wrote it.
        verb: &'a [u8],
        /// The octets after the verb and its spaces.
        argument: &'a [u8],
    },
    /// `RSET` (RFC 5321, 4.1.1.5); an argument is an error.
    Rset(&'a [u8]),
    /// `NOOP` (RFC 5321, 4.1.1.9); an argument is an error here, as in the original.
    Noop(&'a [u8]),
    /// `VRFY <string>` (RFC 5321, 4.1.1.6).
    Vrfy,
    /// `HELP` (RFC 5321, 4.1.1.8).
    Help,
    /// `QUIT` (RFC 5321, 4.1.1.10).
    Quit,
    /// Anything else, echoed in the reply.
    Unknown {
        /// The octets before the first space; may be empty.
        verb: &'a [u8],
        /// The octets after the verb and its spaces; may be empty.
        argument: &'a [u8],
    },
}

impl<'a> Command<'a> {
    /// Reads a line without its line end. The verb ends at the first space (a tab does not separate) and its case does not matter.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Self {
        let verb_octets = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let (verb, rest) = line.split_at(verb_octets);
        let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
        let argument = rest.get(spaces..).unwrap_or_default();
        // Four letters, case folded, are one comparison: every verb but one has four.
        let Ok(letters) = <[u8; 4]>::try_from(verb) else {
            return match verb.eq_ignore_ascii_case(b"STARTTLS") {
                true => Command::StartTls { verb, argument },
                false => Command::Unknown { verb, argument },
            };
        };
        match &letters.map(|letter| letter.to_ascii_uppercase()) {
            b"HELO" => Command::Helo(argument),
            b"EHLO" => Command::Ehlo(argument),
            b"MAIL" => Command::Mail(argument),
            b"RCPT" => Command::Rcpt(argument),
            b"DATA" => Command::Data(argument),
            b"AUTH" => Command::Auth(argument),
            b"RSET" => Command::Rset(argument),
            b"NOOP" => Command::Noop(argument),
            b"VRFY" => Command::Vrfy,
            b"HELP" => Command::Help,
            b"QUIT" => Command::Quit,
            _ => Command::Unknown { verb, argument },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_command() {
        let table: &[(&[u8], Command<'_>)] = &[
            (b"HELO a.example", Command::Helo(b"a.example")),
            (b"ehlo", Command::Ehlo(b"")),
            (b"MAIL   FROM:<a@b> ", Command::Mail(b"FROM:<a@b> ")),
            (b"RcPt TO:<x>", Command::Rcpt(b"TO:<x>")),
            (b"auth PLAIN  AA==", Command::Auth(b"PLAIN  AA==")),
            (b"StartTLS x", Command::StartTls { verb: b"StartTLS", argument: b"x" }),
            (b"DATA x", Command::Data(b"x")),
            (b"vrfy someone", Command::Vrfy),
            (b"", Command::Unknown { verb: b"", argument: b"" }),
            (b" QUIT", Command::Unknown { verb: b"", argument: b"QUIT" }),
            (b"QUIT\t", Command::Unknown { verb: b"QUIT\t", argument: b"" }),
            (b"XFOO  bar baz", Command::Unknown { verb: b"XFOO", argument: b"bar baz" }),
        ];
        for (line, command) in table {
            assert_eq!(Command::parse(line), *command, "{}", String::from_utf8_lossy(line));
        }
    }
}
