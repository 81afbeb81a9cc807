//! Verdict, Reason and Question: the decision as data.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::control::CheckRecipient;
use crate::policy::listing::Listing;
use crate::policy::rules::{Applied, RuleFile};
use crate::smtp::reply::Reply;

pub use crate::policy::failed::LookupFailed;

/// What is decided about a connection, a sender or a recipient.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, because.
    Accept(Reason),
    /// No, in these words, because.
    Refuse(Reply, Reason),
}

impl Verdict {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        match self {
            Verdict::Accept(reason) | Verdict::Refuse(_, reason) => reason,
        }
    }

    /// The refusal when a lookup failed: 451, in the original's words for that failure.
    pub fn cannot_tell(failed: LookupFailed) -> Self {
        Verdict::Refuse(failed.reply(), Reason::LookupFailed(failed))
    }
}

/// The name of a list in the control directory; a variable such as RELAYCLIENTS may give it another one.
pub type FileName = Cow<'static, str>;

/// Where an entry was found: the evidence of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The name of the list in the control directory, as `relayclients` or `relaymailfrom.cdb`.
    pub file: FileName,
    /// The number of the line, from 1; a compiled list has none.
    pub line: Option<u32>,
    /// The text behind the colon of the entry: what is put behind a recipient.
    pub suffix: Vec<u8>,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Why content is refused: a line of a list is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banned {
    /// The line of the list.
    pub evidence: Evidence,
    /// What the client is told of it.
    pub description: Vec<u8>,
    /// The message is accepted and thrown away.
    pub blackholed: bool,
}

/// Why something was decided. Its `Display` is what the log writes and `postern explain` prints; nothing else describes a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was in the way.
    Fine,
    /// The recipient has no `@`: it is local.
    NoDomain,
    /// The recipient's domain is in rcpthosts or morercpthosts.cdb: it is local.
    OwnDomain(Evidence),
    /// RELAYCLIENT is in the environment: tcp.smtp lets this client relay.
    RelayClientVariable,
    /// The client has authenticated itself.
    Authenticated,
    /// The client's certificate is of this address, and tlsclients has it.
    Certified(Evidence, Vec<u8>),
    /// A list lets this client, or this sender, relay, or lets everyone relay to this domain.
    Granted(Evidence),
    /// A list refuses this sender or recipient.
    Listed(Evidence),
    /// A list has this sender's or recipient's mail thrown away; else it was accepted because.
    Blackholed(Evidence, Box<Reason>),
    /// relaylevel lets everyone relay, or nobody.
    RelayLevel,
    /// The setting of that name refuses.
    Setting(&'static str),
    /// This recipient has no mailbox that takes mail, or this user may not send.
    Unfit(Unfit, Vec<u8>),
    /// The recipient looks like a relay probe.
    Probe,
    /// Nothing grants relaying: silence refuses.
    NoRelay,
    /// A lookup that could have granted failed.
    LookupFailed(LookupFailed),
}

impl Reason {
    /// Whether the recipient was accepted as one of our own.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Reason::NoDomain | Reason::OwnDomain(_) => true,
            Reason::Blackholed(_, accepted) => accepted.is_local(),
            Reason::Fine
            | Reason::RelayClientVariable
            | Reason::Authenticated
            | Reason::Certified(_, _)
            | Reason::Granted(_)
            | Reason::Listed(_)
            | Reason::RelayLevel
            | Reason::Setting(_)
            | Reason::Unfit(_, _)
            | Reason::Probe
            | Reason::NoRelay
            | Reason::LookupFailed(_) => false,
        }
    }

    /// The address of the client's certificate, if that is why.
    #[must_use]
    pub fn certified(&self) -> Option<&[u8]> {
        if let Reason::Certified(_, address) = self { Some(address) } else { None }
    }

    /// Whether the recipient was accepted because the client, or the sender, may relay.
    #[must_use]
    pub fn is_grant(&self) -> bool {
        match self {
            Reason::RelayClientVariable
            | Reason::Authenticated
            | Reason::Certified(_, _)
            | Reason::Granted(_)
            | Reason::RelayLevel => true,
            Reason::Blackholed(_, accepted) => accepted.is_grant(),
            Reason::Fine
            | Reason::NoDomain
            | Reason::OwnDomain(_)
            | Reason::Listed(_)
            | Reason::Setting(_)
            | Reason::Unfit(_, _)
            | Reason::Probe
            | Reason::NoRelay
            | Reason::LookupFailed(_) => false,
        }
    }

    /// Whether the mail is thrown away.
    #[must_use]
    pub fn is_blackholed(&self) -> bool {
        matches!(self, Reason::Blackholed(_, _))
    }

    /// The setting that refused, if it was one.
    #[must_use]
    pub fn setting(&self) -> Option<&'static str> {
        if let Reason::Setting(name) = self { Some(name) } else { None }
    }

    /// What the grant puts behind the recipient.
    #[must_use]
    pub fn suffix(&self) -> &[u8] {
        match self {
            Reason::Granted(evidence) => &evidence.suffix,
            Reason::Blackholed(_, accepted) => accepted.suffix(),
            Reason::Fine
            | Reason::NoDomain
            | Reason::OwnDomain(_)
            | Reason::RelayClientVariable
            | Reason::Authenticated
            | Reason::Certified(_, _)
            | Reason::Listed(_)
            | Reason::RelayLevel
            | Reason::Setting(_)
            | Reason::Unfit(_, _)
            | Reason::Probe
            | Reason::NoRelay
            | Reason::LookupFailed(_) => b"",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Fine => f.write_str("ok"),
            Reason::NoDomain => f.write_str("nodomain"),
            Reason::OwnDomain(evidence)
            | Reason::Certified(evidence, _)
            | Reason::Granted(evidence)
            | Reason::Listed(evidence)
            | Reason::Blackholed(evidence, _) => evidence.fmt(f),
            Reason::RelayClientVariable => f.write_str("RELAYCLIENT"),
            Reason::Authenticated => f.write_str("auth"),
            Reason::RelayLevel => f.write_str("relaylevel"),
            Reason::Setting(name) => f.write_str(name),
            Reason::Unfit(unfit, _) => f.write_str(unfit.name()),
            Reason::Probe => f.write_str("probe"),
            Reason::NoRelay => f.write_str("norelay"),
            Reason::LookupFailed(LookupFailed::NoRcptHosts) => f.write_str("norcpthosts"),
            Reason::LookupFailed(failed) => write!(f, "temp:{}", failed.source_name()),
        }
    }
}

/// What is wrong with a mailbox or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// There is none of that name.
    Absent,
    /// It has been switched off.
    Inactive,
    /// It is full.
    OverQuota,
    /// It is full, and the sender is told to try again.
    FullForNow,
    /// It may not send.
    NoSmtp,
    /// Nobody knows the accounts of that domain.
    NotLocal,
}

impl Unfit {
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unfit::Absent => "absent",
            Unfit::Inactive => "inactive",
            Unfit::OverQuota | Unfit::FullForNow => "overquota",
            Unfit::NoSmtp => "nosmtp",
            Unfit::NotLocal => "notlocal",
        }
    }
}

/// What a rule may ask of the world beyond its [`Facts`](crate::policy::Facts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// Is this domain in rcpthosts or morercpthosts.cdb? Lower-cased or not, without `@`.
    OwnDomain(&'a [u8]),
    /// Is this address of a certificate in tlsclients?
    TlsClients(&'a [u8]),
    /// Is there a certificate of this host, so that STARTTLS can be offered?
    OwnCertificate,
    /// Is the client in relayclients?
    RelayClients(Using),
    /// Is the client's name in relaydomains?
    RelayDomains,
    /// Is this sender in relaymailfrom.cdb or relaymailfrom, for this client?
    RelayMailFrom(&'a [u8], Using),
    /// Has this sender read mail from the client's address lately (POP before SMTP)?
    RelayTable(&'a [u8]),
    /// Is an MX host of this domain in relaymx?
    RelayMx(&'a [u8]),
    /// Does hostaccess refuse this sender from this client?
    HostAccess(&'a [u8]),
    /// Does accesslist refuse this sender to this recipient?
    AccessList {
        /// The reverse-path.
        sender: &'a [u8],
        /// The forward-path.
        recipient: &'a [u8],
    },
    /// Does badhost refuse the client's name?
    BadHost,
    /// Is this sender, recipient, address of a client or name in that list?
    Listed(Listing, &'a [u8]),
    /// Does this recipient have a mailbox?
    Mailbox {
        /// The forward-path.
        recipient: &'a [u8],
        /// Who is asked.
        check: CheckRecipient,
    },
    /// May this user send?
    Sender(&'a [u8]),
    /// Is one of these domains another name of the other?
    SameDomain(&'a [u8], &'a [u8]),
    /// Which settings do these rules give a transaction with this sender or recipient's domain?
    Rules(RuleFile, &'a [u8]),
    /// Is this an address of this host?
    OwnAddress(IpAddr),
}

/// What a list may use to answer. DNS is asked last, and only if its answer can change the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Using {
    /// What is on this host: the answer may be [`Answer::NeedsDns`].
    Files,
    /// DNS too.
    Dns,
}

impl Question<'_> {
    /// The file or thing that is asked, for people.
    #[must_use]
    pub fn source_name(&self) -> &'static str {
        match self {
            Question::OwnDomain(_) => "rcpthosts",
            Question::TlsClients(_) => "tlsclients",
            Question::OwnCertificate => "servercert.pem",
            Question::RelayClients(_) => "relayclients",
            Question::RelayDomains => "relaydomains",
            Question::RelayMailFrom(_, _) => "relaymailfrom",
            Question::RelayTable(_) => "relaydb",
            Question::RelayMx(_) => "relaymx",
            Question::HostAccess(_) => "hostaccess",
            Question::AccessList { .. } => "accesslist",
            Question::BadHost => "badhost",
            Question::Listed(listing, _) => listing.names().file,
            Question::Mailbox { .. } => "mailbox",
            Question::Sender(_) => "account",
            Question::SameDomain(_, _) => "users/cdb",
            Question::Rules(rules, _) => rules.names().file,
            Question::OwnAddress(_) => "own addresses",
        }
    }
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no such list.
    Absent,
    /// The list has no entry that applies.
    No,
    /// This entry applies and is an exception: the list does not grant.
    Excepted(Evidence),
    /// Only DNS can tell.
    NeedsDns,
    /// There is no such mailbox or user, or it must not be used.
    Unfit(Unfit),
    /// This entry applies.
    Yes(Evidence),
    /// These rules apply.
    Applied(Box<Applied>),
}

/// How rules ask: the real lookups, a test's closure, or the explainer's, which also writes down what it heard.
pub type Ask<'a> = dyn FnMut(Question<'_>) -> Result<Answer, LookupFailed> + 'a;
