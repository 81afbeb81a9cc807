//! CHECKSENDER and MASQUERADE: whether a sender of ours exists, may send, and is who it says.

use std::borrow::Cow;

use crate::policy::listing::Listing;
use crate::policy::verdict::{Answer, Ask, LookupFailed, Question, Reason, Unfit, Verdict};
use crate::policy::{Facts, Opinion, is_in_scope, refused_by, relay};
use crate::smtp::path::domain;
use crate::smtp::reply;

/// The rule; it is about senders in a domain of ours, and about users of ours whatever sender they take.
pub(super) fn check_sender(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if !facts.control.check_sender {
        return Opinion::Silent;
    }
    checked(facts, ask).unwrap_or_else(|failed| Opinion::Decided(Verdict::cannot_tell(failed)))
}

fn checked(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Result<Opinion, LookupFailed> {
    let user = facts.credentials.user.as_deref().map(|user| with_domain(user, facts));
    // Bounces belong to nobody.
    let subject = match &user {
        _ if !facts.sender.is_empty() && is_ours(facts.sender, ask)? => facts.sender,
        Some(user) if is_ours(user, ask)? => user,
        Some(_) | None => return Ok(Opinion::Silent),
    };
    if !is_in_scope(Listing::CheckedSenders, subject, ask)? {
        return Ok(Opinion::Silent);
    }
    match ask(Question::Sender(subject))? {
        Answer::Yes(_) => match &user {
            Some(user) => masquerade(facts, user, ask),
            None => Ok(unauthenticated(facts, ask)),
        },
        Answer::Unfit(unfit) => Ok(refused(unfit, subject)),
        Answer::Absent | Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Applied(_) => {
            Ok(refused(Unfit::NotLocal, subject))
        }
    }
}

fn refused(unfit: Unfit, subject: &[u8]) -> Opinion {
    Opinion::Decided(Verdict::Refuse(reply::SENDER_REFUSED, Reason::Unfit(unfit, subject.to_vec())))
}

/// A sender of ours comes from somebody who may relay, or from an impostor.
fn unauthenticated(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    relay::unless_right(Verdict::Refuse(reply::WANT_AUTH, Reason::Setting("CHECKSENDER")), facts, ask)
}

/// A user sends as himself, or as MASQUERADE says.
fn masquerade(facts: &Facts<'_>, user: &[u8], ask: &mut Ask<'_>) -> Result<Opinion, LookupFailed> {
    let other = facts.environment.get(b"MASQUERADE");
    if other.is_some_and(<[u8]>::is_empty) || facts.sender.is_empty() {
        return Ok(Opinion::Silent);
    }
    for identity in other.into_iter().chain([user]) {
        if is_same(facts.sender, identity, ask)? && is_ours(facts.sender, ask)? {
            return Ok(Opinion::Silent);
        }
    }
    let named = facts.credentials.user.as_deref().unwrap_or_default();
    Ok(refused_by("MASQUERADE", reply::masquerading(named)))
}

/// Whether two addresses are one, ASCII case ignored; the domains may be two names of one.
fn is_same(address: &[u8], other: &[u8], ask: &mut Ask<'_>) -> Result<bool, LookupFailed> {
    if address.eq_ignore_ascii_case(other) {
        return Ok(true);
    }
    let (Some(own), Some(others)) = (domain(address), domain(other)) else { return Ok(false) };
    let local_part = |whole: &[u8], domain: &[u8]| whole.get(..whole.len() - domain.len()).map(<[u8]>::to_vec);
    let locals = (local_part(address, own), local_part(other, others));
    if !matches!(locals, (Some(own), Some(others)) if own.eq_ignore_ascii_case(&others)) {
        return Ok(false);
    }
    Ok(matches!(ask(Question::SameDomain(own, others))?, Answer::Yes(_)))
}

fn is_ours(address: &[u8], ask: &mut Ask<'_>) -> Result<bool, LookupFailed> {
    let Some(domain) = domain(address) else { return Ok(true) };
    match ask(Question::OwnDomain(domain))? {
        Answer::Yes(_) => Ok(true),
        Answer::Absent => Err(LookupFailed::NoRcptHosts),
        Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_) => Ok(false),
    }
}

/// A name without a domain is in DEFAULT_DOMAIN, if that is set.
fn with_domain<'a>(user: &'a [u8], facts: &Facts<'_>) -> Cow<'a, [u8]> {
    match facts.environment.get(b"DEFAULT_DOMAIN") {
        Some(default) if domain(user).is_none() && !default.is_empty() => [user, b"@", default].concat().into(),
        Some(_) | None => user.into(),
    }
}
