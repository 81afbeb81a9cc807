//! The rule files that give a transaction settings of its own, and who has those of clients that may relay.

use crate::control::Setup;
use crate::policy::listing::Names;
use crate::policy::verdict::{Ask, Evidence, LookupFailed, Reason, Verdict};
use crate::policy::{Facts, Rule, Witness, first_to_decide, relay};

/// A rule file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFile {
    /// `from.envrules`: settings by sender, from MAIL on.
    BySender,
    /// `auth.envrules`: settings of clients that may relay or have authenticated themselves, from DATA on.
    OfClients,
    /// `domainqueue`: settings by the domain of recipients, from the first accepted RCPT on.
    ByRecipient,
}

impl RuleFile {
    /// What the file and the variable that may name another one are called.
    #[must_use]
    pub fn names(self) -> Names {
        match self {
            RuleFile::BySender => Names { file: "from.envrules", variable: "FROMRULES" },
            RuleFile::OfClients => Names { file: "auth.envrules", variable: "AUTHRULES" },
            RuleFile::ByRecipient => Names { file: "domainqueue", variable: "DOMAINQUEUE" },
        }
    }
}

/// What rules have made of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last rule that applied: its file and line.
    pub evidence: Evidence,
    /// Its number among the rules of the file, from 1.
    pub number: u32,
    /// The variables that were set or unset, in order.
    pub names: Vec<Vec<u8>>,
    /// The settings from here on.
    pub setup: Setup,
}

/// The grants that do not depend on a recipient, as far as files tell: for these messages alone nobody asks a database or DNS.
const GRANTS: &[Rule] = &[
    Rule { name: "tlsclients", judge: relay::certified },
    Rule { name: "relaylevel", judge: relay::relay_level },
    Rule { name: "RELAYCLIENT", judge: relay::relay_client_variable },
    Rule { name: "relayclients", judge: relay::relay_clients },
    Rule { name: "relaydomains", judge: relay::relay_domains },
    Rule { name: "relaymailfrom", judge: relay::relay_mail_from },
];

/// Whether the client has authenticated itself, or may relay whomever it writes to.
///
/// # Errors
///
/// A list that may grant cannot be read.
pub fn is_trusted(facts: &Facts<'_>, ask: &mut Ask<'_>, witness: Option<&Witness<'_>>) -> Result<bool, LookupFailed> {
    if facts.credentials.user.is_some() {
        return Ok(true);
    }
    match first_to_decide(GRANTS, facts, ask, witness, relay::refusal(facts, Reason::NoRelay)) {
        Verdict::Accept(_) => Ok(true),
        Verdict::Refuse(_, Reason::LookupFailed(failed)) => Err(failed),
        Verdict::Refuse(_, _) => Ok(false),
    }
}
