//! The rules about MAIL, in order: what refuses a sender.

use crate::policy::check_sender::check_sender;
use crate::policy::listing::Listing;
use crate::policy::verdict::{Answer, Ask, Evidence, LookupFailed, Question, Reason, Verdict};
use crate::policy::{Facts, Opinion, Rule, found, listed, refused_by, refused_if};
use crate::smtp::path::domain;
use crate::smtp::reply;

/// The order of the original; the first that speaks decides.
pub const RULES: &[Rule] = &[
    Rule { name: "databytes", judge: announced_size },
    Rule { name: "hostaccess", judge: host_access },
    Rule { name: "REQUIREAUTH", judge: authentication_required },
    Rule { name: "badmailfrom", judge: bad_sender },
    Rule { name: "BOUNCEMAIL", judge: bounce_mail },
    Rule { name: "CUGMAIL", judge: closed_user_group },
    Rule { name: "CHECKSENDER", judge: check_sender },
    Rule { name: "FORCE_TLS", judge: tls_required },
    Rule { name: "blackholedsender", judge: blackholed },
];

/// D08: a message that is announced as too big is refused at MAIL (RFC 1870, 6.1).
fn announced_size(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let limit = facts.control.databytes;
    if limit > 0 && facts.parameters.size_octets > limit {
        return refused_by("databytes", reply::TOO_BIG);
    }
    Opinion::Silent
}

/// hostaccess: a domain's mail comes from its own addresses only.
fn host_access(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    refused_if(found(Question::HostAccess(facts.sender), ask), reply::BAD_HOST_OF_SENDER)
}

fn authentication_required(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let missing = facts.control.require_auth && facts.credentials.user.is_none();
    if missing { refused_by("REQUIREAUTH", reply::WANT_AUTH) } else { Opinion::Silent }
}

fn bad_sender(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    refused_if(listed(Listing::BadMailFrom, facts.sender, ask), reply::BAD_SENDER)
}

fn bounce_mail(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    match &facts.control.bounce_mail {
        Some(text) => refused_by("BOUNCEMAIL", reply::denied(553, &[text.as_slice(), b" (#5.7.1)"].concat())),
        None => Opinion::Silent,
    }
}

fn closed_user_group(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if facts.control.closed_user_group { own_domain_only(facts.sender, ask) } else { Opinion::Silent }
}

fn tls_required(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let missing = facts.control.force_tls && !facts.credentials.tls;
    if missing { refused_by("FORCE_TLS", reply::WANT_STARTTLS) } else { Opinion::Silent }
}

/// Nothing refuses this sender, and what it sends is thrown away.
fn blackholed(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    match listed(Listing::BlackholedSender, facts.sender, ask) {
        Ok(Some(evidence)) => Opinion::Decided(Verdict::Accept(Reason::Blackholed(evidence, Box::new(Reason::Fine)))),
        Ok(None) => Opinion::Silent,
        Err(failed) => Opinion::Decided(Verdict::cannot_tell(failed)),
    }
}

/// The entry of spamignore that keeps the spam filter from an accepted sender; asked only where SPAMFILTER is set.
///
/// # Errors
///
/// The list cannot tell: it is not known whether the filter must see this message.
pub fn ignored_by_spam_filter(sender: &[u8], ask: &mut Ask<'_>) -> Result<Option<Evidence>, LookupFailed> {
    listed(Listing::SpamIgnore, sender, ask)
}

/// CUGMAIL for a sender or a recipient: without a domain it is local; else its domain must be one of ours.
pub(super) fn own_domain_only(address: &[u8], ask: &mut Ask<'_>) -> Opinion {
    let Some(domain) = domain(address) else { return Opinion::Silent };
    match ask(Question::OwnDomain(domain)) {
        Ok(Answer::Yes(_)) => Opinion::Silent,
        Ok(Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_)) => {
            refused_by("CUGMAIL", reply::CLOSED_USER_GROUP)
        }
        Ok(Answer::Absent) => Opinion::Decided(Verdict::cannot_tell(LookupFailed::NoRcptHosts)),
        Err(failed) => Opinion::Decided(Verdict::cannot_tell(failed)),
    }
}
