//! The decision: the first rule that speaks decides, and silence means refusal. No I/O.

mod check_sender;
pub mod client;
mod failed;
pub mod helo;
pub mod listing;
pub mod recipient;
pub mod relay;
pub mod rules;
pub mod sender;
pub mod verdict;

use crate::client::Client;
use crate::control::environment::Environment;
use crate::control::{Control, Setup};
use crate::policy::listing::Listing;
use crate::policy::verdict::{Answer, Ask, Evidence, LookupFailed, Question, Reason, Verdict};
use crate::smtp::parameter::MailParameters;
use crate::smtp::reply::Reply;

/// Everything a rule may look at; what is not here is a [`verdict::Question`].
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the operator asked for.
    pub control: &'a Control,
    /// Who is calling.
    pub client: &'a Client,
    /// The variables, for what is seldom asked.
    pub environment: &'a Environment,
    /// The name given with HELO or EHLO, while that is judged; else empty.
    pub helo: &'a [u8],
    /// The reverse-path; empty is the null sender. Before MAIL it is empty too.
    pub sender: &'a [u8],
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The forward-path; empty before RCPT.
    pub recipient: &'a [u8],
    /// How many recipients this message already has.
    pub recipients: usize,
    /// How many recipients of this message had no mailbox.
    pub invalid_recipients: u32,
    /// What the client has proved in this session.
    pub credentials: &'a Credentials,
}

impl<'a> Facts<'a> {
    /// What is known before anything is said.
    #[must_use]
    pub fn new(setup: &'a Setup, credentials: &'a Credentials) -> Self {
        Self {
            control: &setup.control,
            client: &setup.client,
            environment: &setup.environment,
            helo: b"",
            sender: b"",
            parameters: MailParameters::default(),
            recipient: b"",
            recipients: 0,
            invalid_recipients: 0,
            credentials,
        }
    }

    /// The address of this host that the client has called, as tcpserver tells it.
    #[must_use]
    pub fn own_address(&self) -> Option<&'a [u8]> {
        self.environment.get(b"TCP6LOCALIP").or_else(|| self.environment.get(b"TCPLOCALIP"))
    }
}

/// What a client has proved in its session, beyond its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user that AUTH has authenticated.
    pub user: Option<Vec<u8>>,
    /// The checker of passwords has said that this user may not relay.
    pub without_relay: bool,
    /// The connection is encrypted.
    pub tls: bool,
    /// What the client's certificate is worth, if it has shown one.
    pub certificate: Option<Certificate>,
}

/// What the certificate of a client is worth, by the authorities of `clientca.pem` and what they have revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// The mail addresses that it proves; at least one.
    Of(Vec<Vec<u8>>),
    /// Nothing, and why.
    Worthless(String),
}

/// What a rule says.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Not my business.
    Silent,
    /// This is decided.
    Decided(Verdict),
    /// No rule behind this one may speak: unless a lookup before has failed, this is decided.
    Last(Verdict),
    /// I might have granted, but a lookup failed: unless another rule grants, it is 451.
    CannotTell(LookupFailed),
}

/// A rule: its name for people, and what it says.
pub struct Rule {
    /// What the rule is about, as the man page and the explainer call it.
    pub name: &'static str,
    /// The rule itself.
    pub judge: fn(&Facts<'_>, &mut Ask<'_>) -> Opinion,
}

/// Who is told what each rule says, in the order they are asked: `postern explain`.
pub type Witness<'w> = dyn Fn(&'static str, &Opinion) + 'w;

/// A refusal by the setting of that name.
fn refused_by(setting: &'static str, reply: Reply) -> Opinion {
    Opinion::Decided(Verdict::Refuse(reply, Reason::Setting(setting)))
}

/// The entry of a list that is about the address, if there is one.
fn listed(listing: Listing, address: &[u8], ask: &mut Ask<'_>) -> Result<Option<Evidence>, LookupFailed> {
    found(Question::Listed(listing, address), ask)
}

/// Whether a check is about the address: its list has it, or there is no such list.
fn is_in_scope(listing: Listing, address: &[u8], ask: &mut Ask<'_>) -> Result<bool, LookupFailed> {
    match ask(Question::Listed(listing, address))? {
        Answer::Yes(_) | Answer::Absent => Ok(true),
        Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_) => Ok(false),
    }
}

/// The entry that a list answers with, if there is one.
fn found(question: Question<'_>, ask: &mut Ask<'_>) -> Result<Option<Evidence>, LookupFailed> {
    match ask(question)? {
        Answer::Yes(evidence) => Ok(Some(evidence)),
        Answer::No
        | Answer::Absent
        | Answer::Excepted(_)
        | Answer::NeedsDns
        | Answer::Unfit(_)
        | Answer::Applied(_) => Ok(None),
    }
}

/// A refusal if a list has an entry for it, in these words.
fn refused_if(found: Result<Option<Evidence>, LookupFailed>, reply: Reply) -> Opinion {
    match found {
        Ok(Some(evidence)) => Opinion::Decided(Verdict::Refuse(reply, Reason::Listed(evidence))),
        Ok(None) => Opinion::Silent,
        Err(failed) => Opinion::Decided(Verdict::cannot_tell(failed)),
    }
}

/// The first rule that decides; else the first lookup that failed; else `otherwise`.
fn first_to_decide(
    rules: &[Rule],
    facts: &Facts<'_>,
    ask: &mut Ask<'_>,
    witness: Option<&Witness<'_>>,
    otherwise: Verdict,
) -> Verdict {
    let mut failed = None;
    for rule in rules {
        let opinion = (rule.judge)(facts, ask);
        if let Some(witness) = witness {
            witness(rule.name, &opinion);
        }
        match opinion {
            Opinion::Silent => {}
            Opinion::Decided(verdict) => return verdict,
            Opinion::Last(verdict) => return failed.map_or(verdict, Verdict::cannot_tell),
            Opinion::CannotTell(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    failed.map_or(otherwise, Verdict::cannot_tell)
}

/// May this client call itself so? Rules that refuse; silence is consent, because a name gets nothing.
pub fn judge_helo(facts: &Facts<'_>, ask: &mut Ask<'_>, witness: Option<&Witness<'_>>) -> Verdict {
    first_to_decide(helo::RULES, facts, ask, witness, Verdict::Accept(Reason::Fine))
}

/// May this sender open a transaction? Rules that refuse; silence is consent, because a sender alone gets nothing.
pub fn judge_mail(facts: &Facts<'_>, ask: &mut Ask<'_>, witness: Option<&Witness<'_>>) -> Verdict {
    first_to_decide(sender::RULES, facts, ask, witness, Verdict::Accept(Reason::Fine))
}

/// May this client send to this recipient? Silence refuses.
pub fn judge_rcpt(facts: &Facts<'_>, ask: &mut Ask<'_>, witness: Option<&Witness<'_>>) -> Verdict {
    let verdict = first_to_decide(recipient::RULES, facts, ask, witness, relay::refusal(facts, Reason::NoRelay));
    match verdict {
        Verdict::Accept(reason) => {
            let limited = first_to_decide(recipient::LIMITS, facts, ask, witness, Verdict::Accept(reason.clone()));
            match limited {
                Verdict::Accept(Reason::Blackholed(evidence, _)) => {
                    Verdict::Accept(Reason::Blackholed(evidence, Box::new(reason)))
                }
                Verdict::Accept(_) | Verdict::Refuse(_, _) => limited,
            }
        }
        Verdict::Refuse(_, _) => verdict,
    }
}
