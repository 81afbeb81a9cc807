//! What the lists of a world may hold, and what the manual pages say that it means.

use proptest::prelude::*;

use crate::world::{Is, Says};

/// What rcpthosts may hold.
pub const DOMAINS: [&str; 3] = ["own.example", ".wild.example", "two.example"];

/// What the lists that refuse, except and drop may hold: addresses, and domains behind an `@`.
pub const LISTED: [&str; 9] = [
    "a@one.example",
    "@two.example",
    "b@own.example",
    "local",
    "joe",
    "u@own.example",
    "@own.example",
    "@far.example",
    "@sub.wild.example",
];

/// The only domain whose MX host relaymx lists, unless DNS says so of far.example.
pub const MX: &str = "[192.0.2.25]";

/// Who reads mail.
pub const READER: &str = "b@one.example";

/// What there is of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List<T> {
    /// No such file.
    Absent,
    /// A file that cannot be read.
    Broken,
    /// A file that holds this.
    Of(T),
}

impl<T: Copy> List<T> {
    pub fn map<U>(self, of: impl Fn(T) -> U) -> List<U> {
        match self {
            List::Absent => List::Absent,
            List::Broken => List::Broken,
            List::Of(content) => List::Of(of(content)),
        }
    }

    /// The same list after somebody has mended it.
    pub fn mended(self, other: Self) -> Self {
        if matches!(self, List::Broken) { other } else { self }
    }

    pub fn says(self, of: impl Fn(T) -> Says) -> Says {
        match self {
            List::Absent => Says::Absent,
            List::Broken => Says::Now(Is::Later),
            List::Of(content) => of(content),
        }
    }
}

/// What relayclients holds about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    Unlisted,
    Listed,
    /// A narrower line excepts it.
    Excepted,
    /// It is listed, and there is an exception that nobody can read.
    Doubtful,
    /// There is such an exception, but nothing to except.
    DoubtfulUnlisted,
    /// Only DNS knows whether it is listed.
    ByDns,
}

pub fn clients() -> impl Strategy<Value = Clients> {
    prop_oneof![
        4 => Just(Clients::Unlisted),
        1 => Just(Clients::Listed),
        1 => Just(Clients::Excepted),
        1 => Just(Clients::Doubtful),
        1 => Just(Clients::DoubtfulUnlisted),
        1 => Just(Clients::ByDns),
    ]
}

impl Clients {
    pub fn text(self) -> &'static str {
        match self {
            Clients::Unlisted => "192.0.2.8\n198.51.100.:.other\n",
            Clients::Listed => "192.0.2.:.listed\n",
            Clients::Excepted => "192.0.2.:.listed\n!192.0.2.4-7\n!192.0.2.7\n",
            Clients::Doubtful => "192.0.2.:.listed\n!192.0.300.*\n",
            Clients::DoubtfulUnlisted => "198.51.100.\n!192.0.300.*\n",
            Clients::ByDns => "@gw.example:.listed\n",
        }
    }
}

/// The text of relaymx, with or without an exception that nobody can read.
pub fn mx_text(is_doubtful: bool) -> &'static str {
    if is_doubtful { "192.0.2.25:.mx\n!192.0.2.25/24\n" } else { "192.0.2.25:.mx\n" }
}

/// A line of relaymailfrom.
pub struct SenderLine {
    pub text: &'static str,
    who: Who,
    from: From,
}

enum Who {
    /// An address, or `@domain`.
    Literal(&'static str),
    LocalHosts,
}

/// From where.
enum From {
    Anywhere,
    /// A network that holds the client.
    Here,
    /// One that does not.
    Elsewhere,
    Dns,
    /// A malformed line grants nothing.
    Nowhere,
    /// An exception that cannot be read: while it is there, nobody is granted.
    Doubt,
}

const fn line(text: &'static str, who: Who, from: From) -> SenderLine {
    SenderLine { text, who, from }
}

/// What relaymailfrom may hold.
pub const SENDERS: [SenderLine; 12] = [
    line("a@one.example", Who::Literal("a@one.example"), From::Anywhere),
    line("@two.example", Who::Literal("@two.example"), From::Anywhere),
    line("B@own.example", Who::Literal("b@own.example"), From::Anywhere),
    line("@one.example&192.0.2.0/24", Who::Literal("@one.example"), From::Here),
    line("@one.example&198.51.100.0/24", Who::Literal("@one.example"), From::Elsewhere),
    line("x@two.example&192.0.0-3.*", Who::Literal("x@two.example"), From::Here),
    line("=localhosts", Who::LocalHosts, From::Anywhere),
    line("=localhosts&192.0.2.7", Who::LocalHosts, From::Here),
    line("=localhosts&203.0.113.", Who::LocalHosts, From::Elsewhere),
    line("@one.example&@gw.example", Who::Literal("@one.example"), From::Dns),
    line("@one.example&192.0.2.0/33", Who::Literal("@one.example"), From::Nowhere),
    line("!@one.example&192.0.2.7", Who::Literal("@one.example"), From::Doubt),
];

/// What these of the lines say about a sender; `local_host` knows the domains that are delivered here.
pub fn sender(listed: [bool; SENDERS.len()], sender: &str, local_host: impl Fn(&str) -> Is) -> Says {
    let sender = sender.to_lowercase();
    let domain = sender.rsplit_once('@').map(|(_, domain)| domain);
    let lines = || SENDERS.iter().zip(listed).filter(|(_, listed)| *listed).map(|(line, _)| line);
    let is_doubtful = lines().any(|line| matches!(line.from, From::Doubt));
    let says: Vec<Says> = lines()
        .map(|line| {
            let is = match line.who {
                Who::Literal(entry) if sender == entry => Is::Yes,
                Who::Literal(entry) if entry.starts_with('@') && sender.ends_with(entry) => Is::Yes,
                Who::Literal(_) => Is::Never,
                Who::LocalHosts => domain.map_or(Is::Never, &local_host),
            };
            match line.from {
                From::Anywhere | From::Here => Says::Now(is),
                From::Dns if is == Is::Yes => Says::Dns,
                From::Dns | From::Elsewhere | From::Nowhere | From::Doubt => Says::Now(Is::Never),
            }
        })
        .collect();
    match [Says::Now(Is::Yes), Says::Now(Is::Later), Says::Dns].into_iter().find(|says_it| says.contains(says_it)) {
        Some(Says::Now(Is::Yes)) if is_doubtful => Says::Now(Is::Later),
        Some(found) => found,
        None => Says::Now(Is::Never),
    }
}
