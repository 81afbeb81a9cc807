//! The rules that grant relaying: AUTH, the environment, the client's address and name, the sender, the recipient's MX hosts.

use crate::control::{Control, RelayLevel};
use crate::policy::verdict::{Answer, Ask, LookupFailed, Question, Reason, Using, Verdict};
use crate::policy::{Certificate, Facts, Opinion, Rule, first_to_decide, found};
use crate::smtp::path::domain;
use crate::smtp::reply;

/// What lets a client relay, whoever the recipient is.
const RIGHTS: &[Rule] = &[
    Rule { name: "AUTH", judge: authenticated },
    Rule { name: "tlsclients", judge: certified },
    Rule { name: "relaylevel", judge: relay_level },
    Rule { name: "RELAYCLIENT", judge: relay_client_variable },
    Rule { name: "relayclients", judge: relay_clients },
    Rule { name: "relaydomains", judge: relay_domains },
    Rule { name: "relaymailfrom", judge: relay_mail_from },
    Rule { name: "CHECKRELAY", judge: relay_table },
    Rule { name: "relayclients, by DNS", judge: relay_clients_by_dns },
    Rule { name: "relaymailfrom, by DNS", judge: relay_mail_from_by_dns },
];

/// The refusal, unless the client may relay whoever the recipient is: then silence. 451 if nobody can know.
pub(super) fn unless_right(refusal: Verdict, facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match first_to_decide(RIGHTS, facts, ask, None, refusal.clone()) {
        Verdict::Accept(_) => Opinion::Silent,
        unknown @ Verdict::Refuse(_, Reason::LookupFailed(_)) => Opinion::Decided(unknown),
        Verdict::Refuse(_, _) => Opinion::Decided(refusal),
    }
}

/// What a client without a grant is told: `RELAYTEXT` (D47), or the original's words, which name the user and under TLS say what
/// is wrong with the client's certificate.
pub(super) fn refusal(facts: &Facts<'_>, reason: Reason) -> Verdict {
    let credentials = facts.credentials;
    let certificate = match &credentials.certificate {
        None => credentials.tls.then_some(""),
        Some(Certificate::Worthless(why)) => Some(why.as_str()),
        Some(Certificate::Of(_)) => Some("email address not in my list of tlsclients"),
    };
    let reply = match (&facts.control.relay_text, credentials.user.as_deref(), certificate) {
        (Some(text), _, _) => reply::no_relay_because(text),
        (None, None, None) => reply::NO_RELAY,
        (None, user, certificate) => reply::no_relay(user, certificate),
    };
    Verdict::Refuse(reply, reason)
}

/// AUTH: who has proved to be a user may relay until the session ends or TLS begins.
pub(super) fn authenticated(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    match facts.credentials.user {
        Some(_) if !facts.credentials.without_relay => Opinion::Decided(Verdict::Accept(Reason::Authenticated)),
        Some(_) | None => Opinion::Silent,
    }
}

/// tlsclients: an address of the client's certificate lets it relay for the whole session.
pub(super) fn certified(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    let Some(Certificate::Of(addresses)) = &facts.credentials.certificate else { return Opinion::Silent };
    for address in addresses {
        match found(Question::TlsClients(address), ask) {
            Ok(Some(evidence)) => {
                return Opinion::Decided(Verdict::Accept(Reason::Certified(evidence, address.clone())));
            }
            Ok(None) => {}
            Err(failed) => return Opinion::CannotTell(failed),
        }
    }
    Opinion::Silent
}

/// relaylevel (D46): `open` lets everyone relay; `none` sets all grants behind it aside.
pub(super) fn relay_level(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    match &facts.control.relay_level {
        RelayLevel::Normal => Opinion::Silent,
        RelayLevel::Open => Opinion::Decided(Verdict::Accept(Reason::RelayLevel)),
        RelayLevel::None => Opinion::Last(refusal(facts, Reason::RelayLevel)),
        RelayLevel::Unknown(word) => Opinion::Last(Verdict::cannot_tell(LookupFailed::BadSetting {
            file: "relaylevel".into(),
            error: format!("`{}` is no level: write normal, none or open", String::from_utf8_lossy(word)),
        })),
    }
}

/// What RELAYCLIENT puts behind each recipient; nothing where relaylevel sets it aside.
#[must_use]
pub fn suffix_of_variable<'a>(control: &Control, suffix: Option<&'a [u8]>) -> &'a [u8] {
    match control.relay_level {
        RelayLevel::Normal | RelayLevel::Open => suffix.unwrap_or_default(),
        RelayLevel::None | RelayLevel::Unknown(_) => b"",
    }
}

/// RELAYCLIENT in the environment: the client may relay for the whole session.
pub(super) fn relay_client_variable(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    match facts.client.relay_suffix {
        Some(_) => Opinion::Decided(Verdict::Accept(Reason::RelayClientVariable)),
        None => Opinion::Silent,
    }
}

/// relayclients: the client's address lets it relay for the whole session.
pub(super) fn relay_clients(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    relay_clients_using(Using::Files, facts, ask)
}

/// The same for lines that only DNS can judge: the client's name, the addresses of a name.
pub(super) fn relay_clients_by_dns(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    relay_clients_using(Using::Dns, facts, ask)
}

fn relay_clients_using(using: Using, facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match facts.client.address {
        Some(_) => granted(Question::RelayClients(using), ask),
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
    relay_mail_from_using(Using::Files, facts, ask)
}

/// The same for lines with a condition that only DNS can judge.
pub(super) fn relay_mail_from_by_dns(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    relay_mail_from_using(Using::Dns, facts, ask)
}

fn relay_mail_from_using(using: Using, facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.sender.is_empty() {
        return Opinion::Silent;
    }
    granted(Question::RelayMailFrom(facts.sender, using), ask)
}

/// CHECKRELAY: the sender has read mail from this address a short while ago. The grant is this transaction's.
pub(super) fn relay_table(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.sender.is_empty() {
        return Opinion::Silent;
    }
    granted(Question::RelayTable(facts.sender), ask)
}

/// relaymx (D45): everyone may relay to a domain whose MX hosts are listed. The grant is this recipient's alone.
pub(super) fn relay_mx(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match domain(facts.recipient) {
        Some(domain) => granted(Question::RelayMx(domain), ask),
        None => Opinion::Silent,
    }
}

fn granted(question: Question<'_>, ask: &mut Ask<'_>) -> Opinion {
    match ask(question) {
        Ok(Answer::Yes(evidence)) => Opinion::Decided(Verdict::Accept(Reason::Granted(evidence))),
        Ok(
            Answer::No
            | Answer::Excepted(_)
            | Answer::NeedsDns
            | Answer::Unfit(_)
            | Answer::Applied(_)
            | Answer::Absent,
        ) => Opinion::Silent,
        Err(failed) => Opinion::CannotTell(failed),
    }
}
