//! The rules that grant relaying: the environment, the client's address, its name, the sender.

use crate::policy::verdict::{Answer, Ask, Question, Reason, Verdict};
use crate::policy::{Facts, Opinion};

/// RELAYCLIENT in the environment: the client may relay for the whole session.
pub(super) fn relay_client_variable(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    match facts.client.relay_suffix {
        Some(_) => Opinion::Decided(Verdict::Accept(Reason::RelayClientVariable)),
        None => Opinion::Silent,
    }
}

/// relayclients: the client's address lets it relay for the whole session.
pub(super) fn relay_clients(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match facts.client.address {
        Some(_) => granted(Question::RelayClients, ask),
        None => Opinion::Silent,
    }
}

/// relaydomains: the client's name lets it relay for the whole session. D28: a client without a name has no grant here.
pub(super) fn relay_domains(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match facts.client.name {
        Some(_) => granted(Question::RelayDomains, ask),
        None => Opinion::Silent,
    }
}

/// relaymailfrom: the sender lets the client relay in this transaction (D04). Whoever knows the sender can forge it.
pub(super) fn relay_mail_from(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.sender.is_empty() {
        return Opinion::Silent;
    }
    granted(Question::RelayMailFrom(facts.sender), ask)
}

fn granted(question: Question<'_>, ask: &mut Ask<'_>) -> Opinion {
    match ask(question) {
        Ok(Answer::Yes(evidence)) => Opinion::Decided(Verdict::Accept(Reason::Granted(evidence))),
        Ok(Answer::No | Answer::Absent) => Opinion::Silent,
        Err(failed) => Opinion::CannotTell(failed),
    }
}
