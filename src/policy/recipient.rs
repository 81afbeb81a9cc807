//! The rules about RCPT, in order: what refuses a recipient, what makes it local, and the limits of a message.

use crate::policy::listing::Listing;
use crate::policy::sender::own_domain_only;
use crate::policy::verdict::{Answer, Ask, Evidence, LookupFailed, Question, Reason, Unfit, Verdict};
use crate::policy::{Facts, Opinion, Rule, found, is_in_scope, listed, refused_by, refused_if, relay};
use crate::smtp::path::domain;
use crate::smtp::reply;

/// The order of the decision; the first that speaks decides. Nothing but an entry of this table lets mail in.
pub const RULES: &[Rule] = &[
    Rule { name: "CUGMAIL", judge: closed_user_group },
    Rule { name: "relay probe", judge: probe },
    Rule { name: "badrcptto", judge: bad_recipient },
    Rule { name: "accesslist", judge: access_list },
    Rule { name: "recipient without domain", judge: no_domain },
    Rule { name: "rcpthosts", judge: own_domain },
    Rule { name: "AUTH", judge: relay::authenticated },
    Rule { name: "tlsclients", judge: relay::certified },
    Rule { name: "relaylevel", judge: relay::relay_level },
    Rule { name: "RELAYCLIENT", judge: relay::relay_client_variable },
    Rule { name: "relayclients", judge: relay::relay_clients },
    Rule { name: "relaydomains", judge: relay::relay_domains },
    Rule { name: "relaymailfrom", judge: relay::relay_mail_from },
    Rule { name: "CHECKRELAY", judge: relay::relay_table },
    Rule { name: "relayclients, by DNS", judge: relay::relay_clients_by_dns },
    Rule { name: "relaymailfrom, by DNS", judge: relay::relay_mail_from_by_dns },
    Rule { name: "relaymx", judge: relay::relay_mx },
];

/// What can still refuse a recipient that is allowed.
pub const LIMITS: &[Rule] = &[
    Rule { name: "MAX_RCPT_ERRCOUNT", judge: too_many_invalid },
    Rule { name: "CHECKRECIPIENT", judge: mailbox },
    Rule { name: "maxrecipients", judge: too_many },
    Rule { name: "bounces have one recipient", judge: second_of_bounce },
    Rule { name: "blackholedrcpt", judge: blackholed },
];

fn closed_user_group(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.control.closed_user_group { own_domain_only(facts.recipient, ask) } else { Opinion::Silent }
}

/// Whoever asks: `user%far@here`, `far!user@here` and `user@far@here` are attempts to be relayed by the next host.
fn probe(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let local_part = match memchr::memrchr(b'@', facts.recipient) {
        Some(at) => facts.recipient.get(..at).unwrap_or_default(),
        None => facts.recipient,
    };
    if memchr::memchr3(b'@', b'%', b'!', local_part).is_some() {
        return Opinion::Decided(Verdict::Refuse(reply::PROBE, Reason::Probe));
    }
    Opinion::Silent
}

/// badrcptto, but for goodrcptto: that is asked only where it matters, so that what is wrong with it matters only there.
fn bad_recipient(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    refused_if(unless_good(Listing::BadRcptTo, facts, ask), reply::BAD_RECIPIENT)
}

/// accesslist: who may write to whom. goodrcptto makes no difference to it.
fn access_list(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    let question = Question::AccessList { sender: facts.sender, recipient: facts.recipient };
    refused_if(found(question, ask), reply::ACCESS_DENIED)
}

/// The entry of a list that is about the recipient, unless goodrcptto has it too.
fn unless_good(listing: Listing, facts: &Facts<'_>, ask: &mut Ask<'_>) -> Result<Option<Evidence>, LookupFailed> {
    match listed(listing, facts.recipient, ask) {
        Ok(None) => Ok(None),
        found @ (Ok(Some(_)) | Err(_)) => match listed(Listing::GoodRcptTo, facts.recipient, ask) {
            Ok(Some(_)) => Ok(None),
            Ok(None) => found,
            Err(failed) => Err(found.err().unwrap_or(failed)),
        },
    }
}

/// Whether authdomains has the sender: then no domain is local, and the recipient needs the right to relay.
fn needs_right(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Result<bool, LookupFailed> {
    // D59: asked for each sender, not given up with the first one that is not in it.
    Ok(listed(Listing::AuthDomains, facts.sender, ask)?.is_some())
}

/// Quirk: a recipient without `@` is local (rcpt/without-domain.smtp).
fn no_domain(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.control.auth_all || domain(facts.recipient).is_some() {
        return Opinion::Silent;
    }
    local_unless_right_is_needed(Reason::NoDomain, facts, ask)
}

fn local_unless_right_is_needed(reason: Reason, facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match needs_right(facts, ask) {
        Ok(true) => Opinion::Silent,
        Ok(false) => Opinion::Decided(Verdict::Accept(reason)),
        Err(failed) => Opinion::CannotTell(failed),
    }
}

fn own_domain(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    let Some(domain) = domain(facts.recipient) else { return Opinion::Silent };
    if facts.control.auth_all {
        return Opinion::Silent;
    }
    match ask(Question::OwnDomain(domain)) {
        Ok(Answer::Yes(evidence)) => local_unless_right_is_needed(Reason::OwnDomain(evidence), facts, ask),
        Ok(Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_)) => {
            Opinion::Silent
        }
        // D20: the original accepts everything without this file.
        Ok(Answer::Absent) => Opinion::CannotTell(LookupFailed::NoRcptHosts),
        Err(failed) => Opinion::CannotTell(failed),
    }
}

fn too_many_invalid(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let most = facts.control.invalid_recipients_max;
    if most == 0 || facts.invalid_recipients < most {
        return Opinion::Silent;
    }
    refused_by("MAX_RCPT_ERRCOUNT", reply::TOO_MANY_INVALID)
}

/// CHECKRECIPIENT: a recipient in a domain of ours must have a mailbox, whoever sends; goodrcptto excepts.
fn mailbox(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    let Some(check) = facts.control.check_recipient else { return Opinion::Silent };
    let (sender, recipient) = (facts.sender, facts.recipient);
    let absent = || Opinion::Decided(no_mailbox(sender, recipient, Unfit::Absent));
    let cannot_tell = |failed| Opinion::Decided(Verdict::cannot_tell(failed));
    let good = match is_checked(recipient, ask)
        .map(|is_checked| is_checked.then(|| listed(Listing::GoodRcptTo, recipient, ask)))
    {
        Ok(None | Some(Ok(Some(_)))) => return Opinion::Silent,
        Ok(Some(good)) => good,
        Err(failed) => return cannot_tell(failed),
    };
    match (ask(Question::Mailbox { recipient, check }), good) {
        (Ok(Answer::Yes(_)), _) => Opinion::Silent,
        (Err(failed), _) | (Ok(_), Err(failed)) => cannot_tell(failed),
        (Ok(Answer::Unfit(unfit)), Ok(_)) => Opinion::Decided(no_mailbox(sender, recipient, unfit)),
        (Ok(Answer::Absent | Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Applied(_)), Ok(_)) => {
            absent()
        }
    }
}

/// Whether the recipient is one of ours, and chkrcptdomains has it if there is such a list. The right to relay and AUTH_ALL
/// make no difference.
fn is_checked(recipient: &[u8], ask: &mut Ask<'_>) -> Result<bool, LookupFailed> {
    let is_ours = match domain(recipient).map(|domain| ask(Question::OwnDomain(domain))).transpose()? {
        None | Some(Answer::Yes(_)) => true,
        Some(Answer::Absent) => return Err(LookupFailed::NoRcptHosts),
        Some(Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_)) => false,
    };
    Ok(is_ours && is_in_scope(Listing::CheckedRecipients, recipient, ask)?)
}

/// What is said to a recipient without a mailbox.
fn no_mailbox(sender: &[u8], recipient: &[u8], unfit: Unfit) -> Verdict {
    let code = if unfit == Unfit::FullForNow { 452 } else { 550 };
    Verdict::Refuse(reply::no_mailbox(code, sender, recipient, state(unfit)), Reason::Unfit(unfit, recipient.to_vec()))
}

/// The state of a mailbox, as reply and log tell it.
#[must_use]
pub fn state(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Absent | Unfit::NoSmtp | Unfit::NotLocal => "is absent on this domain (#5.1.1)",
        Unfit::Inactive => "is inactive on this domain (#5.2.1)",
        Unfit::OverQuota => "is overquota on this domain (#5.2.2)",
        Unfit::FullForNow => "is overquota on this domain (#4.2.2)",
    }
}

fn too_many(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    if facts.recipients < facts.control.recipients_max {
        return Opinion::Silent;
    }
    refused_by("maxrecipients", reply::TOO_MANY_RECIPIENTS)
}

fn second_of_bounce(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    if facts.sender.is_empty() && facts.recipients > 0 {
        return refused_by("bounce", reply::BOUNCE_HAS_ONE_RECIPIENT);
    }
    Opinion::Silent
}

/// Nothing refuses this recipient, and its copy is thrown away (D58: its own alone).
fn blackholed(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match unless_good(Listing::BlackholedRcpt, facts, ask) {
        Ok(Some(evidence)) => Opinion::Decided(Verdict::Accept(Reason::Blackholed(evidence, Box::new(Reason::Fine)))),
        Ok(None) => Opinion::Silent,
        Err(failed) => Opinion::Decided(Verdict::cannot_tell(failed)),
    }
}
