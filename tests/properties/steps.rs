//! The lines that clients say.

use proptest::prelude::*;

/// Paths as clients write them, and the addresses they mean.
pub const FROM: [(&str, &str); 8] = [
    ("<>", ""),
    ("<a@one.example>", "a@one.example"),
    ("<A@ONE.example>", "A@ONE.example"),
    ("<b@one.example>", "b@one.example"),
    ("<x@two.example> SIZE=10", "x@two.example"),
    ("<b@own.example>", "b@own.example"),
    ("<a@one.example.evil.example>", "a@one.example.evil.example"),
    ("<local>", "local"),
];
pub const TO: [(&str, &str); 17] = [
    ("<u@own.example>", "u@own.example"),
    ("<U@Own.Example", "U@Own.Example"),
    (" v@own.example", "v@own.example"),
    ("<u@sub.wild.example>", "u@sub.wild.example"),
    ("<u@wild.example>", "u@wild.example"),
    ("<u@far.example>", "u@far.example"),
    ("<@own.example:u@far.example>", "u@far.example"),
    ("<u@far.example,own.example>", "u@far.example,own.example"),
    ("<u\"@far.example\">", "u@far.example"),
    ("<u@>", "u@"),
    ("<u@FAR.example>", "u@FAR.example"),
    ("<u@[192.0.2.25]>", "u@[192.0.2.25]"),
    ("<u@[192.0.2.26]>", "u@[192.0.2.26]"),
    ("<local>", "local"),
    ("<u%far.example@own.example>", "u%far.example@own.example"),
    ("<far.example!u@own.example>", "far.example!u@own.example"),
    ("<u@far.example@own.example>", "u@far.example@own.example"),
];
/// Lines that change nothing, and the code of their reply.
pub const OTHERS: [(&str, u16); 9] = [
    ("NOOP", 250),
    ("RSET x", 501),
    ("DATA x", 501),
    ("HELP", 214),
    ("VRFY root", 252),
    ("RCPT", 555),
    ("RELAY TO:<u@far.example>", 502),
    ("RELAYCLIENT=", 502),
    ("\u{0}\u{ff} \u{1b}", 502),
];

/// A line from the client.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Helo,
    Ehlo,
    Mail(usize),
    /// MAIL that must fail.
    BadMail,
    Rcpt(usize),
    Data,
    Rset,
    Other(usize),
    Quit,
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..FROM.len()).prop_map(Step::Mail),
        20 => (0..TO.len()).prop_map(Step::Rcpt),
        4 => Just(Step::Data),
        2 => Just(Step::BadMail),
        2 => Just(Step::Rset),
        2 => Just(Step::Helo),
        2 => Just(Step::Ehlo),
        2 => (0..OTHERS.len()).prop_map(Step::Other),
        1 => prop::bool::weighted(0.1).prop_map(|quits| if quits { Step::Quit } else { Step::Data }),
    ]
}

impl Step {
    pub fn line(self) -> Vec<u8> {
        let line = match self {
            Step::Helo => "HELO own.example".to_string(),
            Step::Ehlo => "ehlo [192.0.2.7]".to_string(),
            Step::Mail(number) => format!("MAIL FROM:{}", FROM[number].0),
            Step::BadMail => "MAIL FROM:<a@one.example> RELAY=yes".to_string(),
            Step::Rcpt(number) => format!("RCPT TO:{}", TO[number].0),
            Step::Data => "DATA".to_string(),
            Step::Rset => "RSET".to_string(),
            Step::Other(number) => OTHERS[number].0.to_string(),
            Step::Quit => "QUIT".to_string(),
        };
        line.into_bytes()
    }
}
