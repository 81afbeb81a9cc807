//! A session as RFC 5321 and the operator see it: who may send to whom is a set of grounds, one of which suffices.

use proptest::prelude::*;

use crate::world::{DOMAINS, List, SENDERS, World};

/// Paths as clients write them, and the addresses they mean.
const FROM: [(&str, &str); 8] = [
    ("<>", ""),
    ("<a@one.example>", "a@one.example"),
    ("<A@ONE.example>", "A@ONE.example"),
    ("<b@one.example>", "b@one.example"),
    ("<x@two.example> SIZE=10", "x@two.example"),
    ("<b@own.example>", "b@own.example"),
    ("<a@one.example.evil.example>", "a@one.example.evil.example"),
    ("<local>", "local"),
];
const TO: [(&str, &str); 14] = [
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
    ("<local>", "local"),
    ("<u%far.example@own.example>", "u%far.example@own.example"),
    ("<far.example!u@own.example>", "far.example!u@own.example"),
    ("<u@far.example@own.example>", "u@far.example@own.example"),
];
/// Lines that change nothing, and the code of their reply.
const OTHERS: [(&str, u16); 9] = [
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
        12 => (0..TO.len()).prop_map(Step::Rcpt),
        4 => Just(Step::Data),
        1 => Just(Step::BadMail),
        1 => Just(Step::Rset),
        1 => Just(Step::Helo),
        1 => Just(Step::Ehlo),
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

/// What must follow a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A reply with this code.
    Code(u16),
    /// Content is received.
    Message,
    /// The end.
    Close,
}

/// Whether a thing is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Yes,
    Never,
    /// Only later can one know.
    Later,
}

/// A session that knows the whole world.
pub struct Model<'w> {
    world: &'w World,
    /// The sender, and the recipients as they are stored.
    transaction: Option<(&'static str, Vec<String>)>,
}

impl<'w> Model<'w> {
    pub fn new(world: &'w World) -> Self {
        Self { world, transaction: None }
    }

    pub fn hear(&mut self, step: &Step, count: &impl Fn(String)) -> Expected {
        let code = match *step {
            Step::Helo | Step::Ehlo | Step::Rset => {
                self.transaction = None;
                250
            }
            Step::Mail(number) => {
                let sender = FROM[number].1;
                self.transaction = None;
                let code = if self.world.cugmail { code(local_or_own(self.world, sender)) } else { 250 };
                if code == 250 {
                    self.transaction = Some((sender, Vec::new()));
                }
                code
            }
            Step::BadMail => {
                self.transaction = None;
                555
            }
            Step::Rcpt(number) => self.rcpt(TO[number].1, count),
            Step::Data => match &self.transaction {
                Some((_, recipients)) if !recipients.is_empty() => return Expected::Message,
                Some(_) | None => 503,
            },
            Step::Other(number) => match OTHERS[number].1 {
                555 if self.transaction.is_none() => 503,
                code => code,
            },
            Step::Quit => return Expected::Close,
        };
        Expected::Code(code)
    }

    /// What the envelope must be. Nothing of it is left for the next one.
    pub fn take_message(&mut self) -> (&'static str, Vec<String>) {
        self.transaction.take().unwrap()
    }

    fn rcpt(&mut self, recipient: &str, count: &impl Fn(String)) -> u16 {
        let world = self.world;
        let Some((sender, recipients)) = &mut self.transaction else { return 503 };
        let closed_to = if world.cugmail { local_or_own(world, recipient) } else { Is::Yes };
        if closed_to != Is::Yes {
            return code(closed_to);
        }
        let local_part = recipient.rsplit_once('@').map_or(recipient, |(local_part, _)| local_part);
        if local_part.contains(['@', '%', '!']) {
            return 550;
        }
        let grounds = grounds(world, sender, recipient);
        let Some((ground, _, suffix)) = grounds.iter().find(|(_, is, _)| *is == Is::Yes) else {
            let is = if grounds.iter().any(|(_, is, _)| *is == Is::Later) { Is::Later } else { Is::Never };
            count(format!("refused: {is:?}"));
            return code(is);
        };
        if recipients.len() >= world.recipients_max {
            return 557;
        }
        if sender.is_empty() && !recipients.is_empty() {
            return 553;
        }
        count(format!("grounds: {ground}"));
        recipients.push([recipient, world.relay_client.unwrap_or_default(), suffix].concat());
        250
    }
}

fn code(is: Is) -> u16 {
    match is {
        Is::Yes => 250,
        Is::Never => 553,
        Is::Later => 451,
    }
}

/// Every ground to accept a recipient, whether it holds, and what it puts behind the address.
fn grounds(world: &World, sender: &str, recipient: &str) -> [(&'static str, Is, &'static str); 6] {
    let only_if = |condition: bool, is: Is| if condition { is } else { Is::Never };
    let yes_if = |condition: bool| only_if(condition, Is::Yes);
    let has_domain = recipient.contains('@');
    let listed = |list: List<bool>| match list {
        List::Absent => Is::Never,
        List::Broken => Is::Later,
        List::Of(is_listed) => yes_if(is_listed),
    };
    let senders = match world.senders {
        List::Absent => Is::Never,
        List::Broken => Is::Later,
        List::Of(listed) => yes_if((0..3).any(|number| listed[number] && is_sender(SENDERS[number], sender))),
    };
    [
        ("local", yes_if(!has_domain && !world.auth_all), ""),
        ("own domain", only_if(has_domain && !world.auth_all, local_or_own(world, recipient)), ""),
        ("RELAYCLIENT", yes_if(world.relay_client.is_some()), ""),
        ("client", listed(world.clients), ".listed"),
        ("name", only_if(world.has_name, listed(world.names)), ".listed"),
        ("sender", only_if(!sender.is_empty(), senders), ""),
    ]
}

fn is_sender(entry: &str, sender: &str) -> bool {
    let sender = sender.to_lowercase();
    sender == entry || (entry.starts_with('@') && sender.ends_with(entry))
}

/// Whether an address has no domain, or one of ours; without a list nobody can know.
fn local_or_own(world: &World, address: &str) -> Is {
    let address = address.to_lowercase();
    let Some((_, domain)) = address.rsplit_once('@') else { return Is::Yes };
    let is_own = |entry: &str| domain == entry || (entry.starts_with('.') && domain.ends_with(entry));
    match world.domains {
        List::Absent | List::Broken => Is::Later,
        List::Of(listed) if (0..3).any(|number| listed[number] && is_own(DOMAINS[number])) => Is::Yes,
        List::Of(_) => Is::Never,
    }
}
