//! What rules and lists say, in words: above all why they did not grant.

use crate::control::Setup;
use crate::policy::Opinion;
use crate::policy::rules::RuleFile;
use crate::policy::verdict::{Answer, LookupFailed, Question, Reason, Unfit, Verdict};
use crate::smtp::printable::printable;

/// An answer of a list.
pub(super) fn answer_in_words(
    question: Question<'_>,
    answer: &Result<Answer, LookupFailed>,
    setup: &Setup,
    asks_dns: bool,
) -> String {
    match answer {
        Ok(Answer::Absent) if matches!(question, Question::RelayTable(_)) => "not set".to_string(),
        Ok(Answer::Absent) if matches!(question, Question::Sender(_)) => {
            "nobody knows the accounts of its domain".into()
        }
        Ok(Answer::Absent) => "no such file".to_string(),
        Ok(Answer::No) => no(question, setup),
        Ok(Answer::Excepted(evidence)) => format!("{evidence} is an exception"),
        Ok(Answer::NeedsDns) => "only DNS can tell".to_string(),
        Ok(Answer::Unfit(unfit)) => unfit_in_words(question, *unfit),
        Ok(Answer::Yes(evidence)) => format!("yes, {evidence}"),
        Ok(Answer::Applied(applied)) => {
            let names: Vec<_> = applied.names.iter().map(|name| shown(name)).collect();
            // Whether these settings count is only known when the client's rights are.
            let is_of_clients = matches!(question, Question::Rules(RuleFile::OfClients, _));
            let changes = if is_of_clients { "would change" } else { "changes" };
            format!("{}: rule {} {changes} {}", applied.evidence, applied.number, names.join(", "))
        }
        Err(failed @ LookupFailed::Dns { .. }) if !asks_dns => format!("cannot tell: {failed} (ask it with --dns)"),
        Err(failed) => format!("cannot tell: {failed}"),
    }
}

/// What is wrong with a mailbox or an account.
fn unfit_in_words(question: Question<'_>, unfit: Unfit) -> String {
    let what = if matches!(question, Question::Sender(_)) { "account" } else { "mailbox" };
    match unfit {
        Unfit::Absent => format!("there is no such {what}"),
        Unfit::Inactive => format!("the {what} is inactive"),
        Unfit::OverQuota | Unfit::FullForNow => format!("the {what} is over quota"),
        Unfit::NoSmtp => format!("the {what} may not send"),
        Unfit::NotLocal => format!("nobody knows of such an {what}"),
    }
}

fn shown(octets: &[u8]) -> String {
    String::from_utf8_lossy(&printable(octets)).into_owned()
}

/// Whom a list has no line for.
fn no(question: Question<'_>, setup: &Setup) -> String {
    let ip = shown(&setup.client.address_text);
    match question {
        Question::OwnDomain(domain) => format!("no line is about {}", shown(domain)),
        Question::TlsClients(address) => format!("no line is about {}", shown(address)),
        Question::OwnCertificate => "there is none".to_string(),
        Question::RelayClients(_) => format!("no line is about {ip}"),
        Question::RelayDomains => format!("no line is about {}", shown(setup.client.shown_name())),
        Question::RelayMailFrom(sender, _) => format!("no line is about {} from {ip}", shown(sender)),
        Question::RelayTable(sender) => format!("{} has not read mail from {ip} lately", shown(sender)),
        Question::RelayMx(domain) => format!("no MX host of {} is listed", shown(domain)),
        Question::HostAccess(sender) => format!("no line keeps {} from {ip} out", shown(sender)),
        Question::AccessList { recipient, .. } => format!("no line keeps the sender from {}", shown(recipient)),
        Question::BadHost => format!("no line speaks against {}", shown(setup.client.shown_name())),
        Question::Listed(_, address) => format!("no line is about {}", shown(address)),
        Question::Mailbox { recipient, .. } => format!("{} has no mailbox", shown(recipient)),
        Question::Sender(sender) => format!("{} has no account", shown(sender)),
        Question::SameDomain(domain, other) => format!("{} is not {}", shown(domain), shown(other)),
        Question::Rules(_, subject) => format!("no rule is about {}", shown(subject)),
        Question::OwnAddress(address) => format!("{address} is none"),
    }
}

/// What a rule says that asked nobody.
pub(super) fn opinion_in_words(rule: &str, opinion: &Opinion) -> String {
    match opinion {
        Opinion::Silent => silence_in_words(rule).unwrap_or("has nothing to say").to_string(),
        Opinion::Decided(verdict) | Opinion::Last(verdict) => match verdict.reason() {
            Reason::Authenticated => "authenticated".to_string(),
            Reason::RelayClientVariable => "set".to_string(),
            Reason::NoDomain => "it has none, so it is local".to_string(),
            Reason::Probe => "it looks like one".to_string(),
            Reason::RelayLevel => match verdict {
                Verdict::Accept(_) => "open: everyone may relay".to_string(),
                Verdict::Refuse(..) => "none: nothing behind this may grant".to_string(),
            },
            Reason::LookupFailed(failed) => format!("cannot tell: {failed}"),
            reason @ (Reason::Fine
            | Reason::OwnDomain(_)
            | Reason::Certified(_, _)
            | Reason::Granted(_)
            | Reason::Listed(_)
            | Reason::Blackholed(_, _)
            | Reason::Setting(_)
            | Reason::Unfit(_, _)
            | Reason::NoRelay) => match verdict {
                Verdict::Accept(_) => format!("yes, {reason}"),
                Verdict::Refuse(..) => "refuses".to_string(),
            },
        },
        Opinion::CannotTell(failed) => format!("cannot tell: {failed}"),
    }
}

/// What it means that a rule is silent without having asked.
fn silence_in_words(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "databytes" | "maxrecipients" => "not exceeded",
        "CHECKSENDER" | "CHECKRECIPIENT" => "not set",
        "MAX_RCPT_ERRCOUNT" => "not set, or not reached",
        "REQUIREAUTH" => "not set, or authenticated",
        "BOUNCEMAIL" | "RELAYCLIENT" => "not set",
        "ENFORCE_FQDN_HELO" => "not set, or the name has a dot, or the client may relay",
        "this host's name" => "not claimed, or neither BADHELO nor BADHELOCHECK is set",
        "badhelo" => "neither BADHELO nor BADHELOCHECK is set",
        "CUGMAIL" => "not set, or without domain",
        "FORCE_TLS" => "not set, or encrypted",
        // These always ask.
        "hostaccess" | "badmailfrom" | "blackholedsender" | "badrcptto" | "accesslist" | "blackholedrcpt" => {
            "not asked"
        }
        "relay probe" => "it is none",
        "recipient without domain" => "it has one, or AUTH_ALL is set",
        "rcpthosts" => "AUTH_ALL is set: no domain is local",
        "AUTH" => "not authenticated",
        "tlsclients" => "no certificate that proves an address",
        "relaylevel" => "normal",
        "relayclients" | "relayclients, by DNS" => "the client has no address",
        "relaydomains" => "the client has no name",
        "relaymailfrom" | "relaymailfrom, by DNS" | "CHECKRELAY" => "the null sender is nobody's",
        "relaymx" => "the recipient has no domain",
        "bounces have one recipient" => "this is none, or has no other",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{helo, recipient, sender};

    #[test]
    fn the_silence_of_every_rule_has_a_meaning() {
        let rules = [helo::RULES, sender::RULES, recipient::RULES, recipient::LIMITS];
        let speechless: Vec<&str> = rules
            .iter()
            .flat_map(|rules| rules.iter())
            .map(|rule| rule.name)
            .filter(|name| silence_in_words(name).is_none())
            .collect();
        assert!(speechless.is_empty(), "say what it means that these are silent: {speechless:?}");
    }
}
