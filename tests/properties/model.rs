//! A session as RFC 5321 and the operator see it: who may send to whom is a set of grounds, one of which suffices.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::lists::List;
use crate::world::{Is, Says, World};

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
const TO: [(&str, &str); 17] = [
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

/// What must follow a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A reply with this code.
    Code(u16),
    /// 553, in the operator's words if there are any.
    NoGrant,
    /// Content is received.
    Message,
    /// The end.
    Close,
}

/// A ground that a transaction or a recipient had, and what ended the transaction. No other one may have it for that.
type Had = (&'static str, &'static str);

/// A session that knows the whole world.
pub struct Model<'w> {
    world: &'w World,
    /// The sender, and the recipients as they are stored.
    transaction: Option<(&'static str, Vec<String>)>,
    /// The grounds of this transaction, and those of earlier ones.
    has: BTreeSet<&'static str>,
    had: BTreeSet<Had>,
}

impl<'w> Model<'w> {
    pub fn new(world: &'w World) -> Self {
        Self { world, transaction: None, has: BTreeSet::new(), had: BTreeSet::new() }
    }

    pub fn hear(&mut self, step: &Step, count: &impl Fn(String)) -> Expected {
        let code = match *step {
            Step::Helo => self.end("HELO", 250),
            Step::Ehlo => self.end("EHLO", 250),
            Step::Rset => self.end("RSET", 250),
            Step::Mail(number) => {
                let sender = FROM[number].1;
                let code = if self.world.cugmail { code(local_or_own(self.world, sender)) } else { 250 };
                self.end("MAIL", code);
                if code == 250 {
                    self.transaction = Some((sender, Vec::new()));
                }
                code
            }
            Step::BadMail => self.end("a bad MAIL", 555),
            Step::Rcpt(number) => return self.rcpt(TO[number].1, count),
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
        let message = self.transaction.take().unwrap();
        self.end("DATA", 354);
        message
    }

    fn end(&mut self, by: &'static str, code: u16) -> u16 {
        self.transaction = None;
        self.had.extend(std::mem::take(&mut self.has).into_iter().map(|ground| (ground, by)));
        code
    }

    fn rcpt(&mut self, recipient: &str, count: &impl Fn(String)) -> Expected {
        let world = self.world;
        let Some((sender, recipients)) = &mut self.transaction else { return Expected::Code(503) };
        let closed_to = if world.cugmail { local_or_own(world, recipient) } else { Is::Yes };
        if closed_to != Is::Yes {
            return Expected::Code(code(closed_to));
        }
        let local_part = recipient.rsplit_once('@').map_or(recipient, |(local_part, _)| local_part);
        if local_part.contains(['@', '%', '!']) {
            return Expected::Code(550);
        }
        let grounds = grounds(world, sender, recipient);
        let Some((ground, _, suffix)) = grounds.iter().find(|(_, is, _)| *is == Is::Yes) else {
            let is = if grounds.iter().any(|(_, is, _)| *is == Is::Later) { Is::Later } else { Is::Never };
            count(format!("refused: {is:?}"));
            self.had.iter().for_each(|(ground, by)| count(format!("refused after: {ground}, {by}")));
            self.has.iter().for_each(|ground| count(format!("refused beside: {ground}")));
            if is == Is::Never {
                count(format!("refused by relaylevel: {}", world.level));
                return Expected::NoGrant;
            }
            return Expected::Code(code(is));
        };
        if recipients.len() >= world.recipients_max {
            return Expected::Code(557);
        }
        if sender.is_empty() && !recipients.is_empty() {
            return Expected::Code(553);
        }
        count(format!("grounds: {ground}"));
        self.has.insert(ground);
        recipients.push([recipient, suffix_of_all(world), suffix].concat());
        Expected::Code(250)
    }
}

fn code(is: Is) -> u16 {
    match is {
        Is::Yes => 250,
        Is::Never => 553,
        Is::Later => 451,
    }
}

/// What RELAYCLIENT puts behind everyone, if relaylevel does not set it aside.
fn suffix_of_all(world: &World) -> &'static str {
    let is_heard = ["", "normal", "open"].contains(&world.level);
    world.relay_client.filter(|_| is_heard).unwrap_or_default()
}

/// A ground, whether it holds, and what it puts behind the address.
type Ground = (&'static str, Is, &'static str);

/// Every ground to accept a recipient. DNS is asked last.
fn grounds(world: &World, sender: &str, recipient: &str) -> Vec<Ground> {
    let only_if = |condition: bool, is: Is| if condition { is } else { Is::Never };
    let yes_if = |condition: bool| only_if(condition, Is::Yes);
    let domain = recipient.rsplit_once('@').map(|(_, domain)| domain);
    let mut grounds = vec![
        ("local", yes_if(domain.is_none() && !world.auth_all), ""),
        ("own domain", only_if(domain.is_some() && !world.auth_all, local_or_own(world, recipient)), ""),
        ("AUTH", yes_if(world.is_user), ""),
    ];
    match world.level {
        "" | "normal" => {}
        "none" => return grounds,
        "open" => {
            grounds.push(("open", Is::Yes, ""));
            return grounds;
        }
        _ => {
            grounds.push(("a word that is none", Is::Later, ""));
            return grounds;
        }
    }
    grounds.push(("RELAYCLIENT", yes_if(world.relay_client.is_some()), ""));
    let client = world.client();
    let login = if sender.is_empty() { Says::Absent } else { world.login(sender) };
    let sender = if sender.is_empty() { Says::Absent } else { world.sender(sender) };
    let now = |says: Says| if says == Says::Dns { Is::Never } else { world.decided(says) };
    let by_dns = |says: Says| if says == Says::Dns { world.decided(says) } else { Is::Never };
    grounds.extend([
        ("client", now(client), ".listed"),
        ("name", only_if(world.has_name, now(world.name())), ".listed"),
        ("sender", now(sender), ""),
        ("login", world.decided(login), ""),
        ("client by DNS", by_dns(client), ".listed"),
        ("sender by DNS", by_dns(sender), ""),
        ("mx", domain.map_or(Is::Never, |domain| world.decided(world.mx(domain))), ".mx"),
    ]);
    grounds
}

/// Whether an address has no domain, or one of ours; without a list nobody can know.
fn local_or_own(world: &World, address: &str) -> Is {
    let Some((_, domain)) = address.rsplit_once('@') else { return Is::Yes };
    match world.domains {
        List::Absent => Is::Later,
        List::Broken | List::Of(_) => world.decided(world.own_domain(domain)),
    }
}
