//! The rules about the name a client gives, in order: what refuses it. D16: asked at HELO and EHLO only.

use crate::policy::listing::Listing;
use crate::policy::verdict::{Ask, Reason, Verdict};
use crate::policy::{Facts, Opinion, Rule, listed, refused_by, refused_if, relay};
use crate::smtp::reply;

/// The first that speaks decides; silence is consent.
pub const RULES: &[Rule] = &[
    Rule { name: "ENFORCE_FQDN_HELO", judge: lacks_dot },
    Rule { name: "this host's name", judge: claims_this_host },
    Rule { name: "badhelo", judge: bad_name },
];

fn lacks_dot(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if !facts.control.fqdn_helo || facts.helo.contains(&b'.') {
        return Opinion::Silent;
    }
    let refusal = Verdict::Refuse(reply::NON_FQDN_HELO, Reason::Setting("ENFORCE_FQDN_HELO"));
    relay::unless_right(refusal, facts, ask)
}

/// Whether names are checked with badhelo.
fn are_checked(facts: &Facts<'_>) -> bool {
    facts.environment.get(b"BADHELOCHECK").is_some() || facts.environment.get(b"BADHELO").is_some()
}

/// D62: who calls itself by this host's name or address, and is another one.
fn claims_this_host(facts: &Facts<'_>, _: &mut Ask<'_>) -> Opinion {
    let own_ip = facts.own_address();
    if !are_checked(facts) || own_ip == Some(facts.client.address_text.as_slice()) {
        return Opinion::Silent;
    }
    let name = facts.helo;
    let literal = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(name);
    if name.eq_ignore_ascii_case(&facts.control.local_host) || own_ip == Some(literal) {
        return refused_by("BADHELOCHECK", reply::HELO_OF_THIS_HOST);
    }
    Opinion::Silent
}

/// badhelo has the name behind an `@`, so that a line `@name` is about it alone.
fn bad_name(facts: &Facts<'_>, ask: &mut Ask<'_>) -> Opinion {
    if !are_checked(facts) {
        return Opinion::Silent;
    }
    refused_if(listed(Listing::BadHelo, &[b"@", facts.helo].concat(), ask), reply::BAD_HELO)
}
