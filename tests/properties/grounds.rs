//! Who may send to whom: a set of grounds, one of which suffices.

use postern::policy::listing::Listing;

use crate::lists::List;
use crate::rules::Gives;
use crate::world::{Is, Says, World};

/// What RELAYCLIENT puts behind everyone, if relaylevel does not set it aside.
pub fn suffix_of_all(world: &World) -> &'static str {
    let is_heard = ["", "normal", "open"].contains(&world.level);
    world.relay_client.filter(|_| is_heard && !world.is_user).unwrap_or_default()
}

/// A ground, whether it holds, and what it puts behind the address.
type Ground = (&'static str, Is, &'static str);

/// Every ground to accept a recipient, where rules give this.
pub fn grounds(world: &World, sender: &str, recipient: &str, gives: Gives) -> Vec<Ground> {
    let domain = recipient.rsplit_once('@').map(|(_, domain)| domain);
    // AUTH_ALL: no domain is local; authdomains, of one that is: it is not.
    let is_ours = match local_or_own(world, recipient) {
        _ if world.auth_all || gives.auth_all => Is::Never,
        Is::Yes => match world.checks.has(Listing::AuthDomains, sender) {
            Is::Yes => Is::Never,
            Is::Never => Is::Yes,
            Is::Later => Is::Later,
        },
        is @ (Is::Never | Is::Later) => is,
    };
    let only_if = |condition: bool, is: Is| if condition { is } else { Is::Never };
    let mut grounds =
        vec![("local", only_if(domain.is_none(), is_ours), ""), ("own domain", only_if(domain.is_some(), is_ours), "")];
    grounds.extend(rights(world, sender));
    if ["", "normal"].contains(&world.level) {
        grounds.push(("mx", domain.map_or(Is::Never, |domain| world.decided(world.mx(domain))), ".mx"));
    }
    grounds
}

/// Every ground to relay, whoever the recipient is. DNS is asked last.
pub fn rights(world: &World, sender: &str) -> Vec<Ground> {
    let only_if = |condition: bool, is: Is| if condition { is } else { Is::Never };
    let yes_if = |condition: bool| only_if(condition, Is::Yes);
    let mut grounds = vec![("AUTH", yes_if(world.is_user), "")];
    match world.level {
        "" | "normal" => {}
        "none" => return grounds,
        "open" => {
            grounds.push(("open", Is::Yes, ""));
            return grounds;
        }
        _ => {
            grounds.push(("a word that is none", Is::Later, ""));
            return grounds;
        }
    }
    grounds.push(("RELAYCLIENT", yes_if(world.relay_client.is_some()), ""));
    let client = world.client();
    let login = if sender.is_empty() { Says::Absent } else { world.login(sender) };
    let sender = if sender.is_empty() { Says::Absent } else { world.sender(sender) };
    let now = |says: Says| if says == Says::Dns { Is::Never } else { world.decided(says) };
    let by_dns = |says: Says| if says == Says::Dns { world.decided(says) } else { Is::Never };
    grounds.extend([
        ("client", now(client), ".listed"),
        ("name", only_if(world.has_name, now(world.name())), ".listed"),
        ("sender", now(sender), ""),
        ("login", world.decided(login), ""),
        ("client by DNS", by_dns(client), ".listed"),
        ("sender by DNS", by_dns(sender), ""),
    ]);
    grounds
}

/// Whether auth.envrules is about the client: it is a user, or may relay whomever it writes to.
pub fn is_trusted(world: &World, sender: &str) -> Is {
    let without = ["login", "client by DNS", "sender by DNS"];
    let rights = rights(world, sender);
    let has = |wanted| rights.iter().any(|(ground, is, _)| *is == wanted && !without.contains(ground));
    if has(Is::Yes) {
        Is::Yes
    } else if has(Is::Later) {
        Is::Later
    } else {
        Is::Never
    }
}

/// Whether an address has no domain, or one of ours; without a list nobody can know.
pub fn local_or_own(world: &World, address: &str) -> Is {
    let Some((_, domain)) = address.rsplit_once('@') else { return Is::Yes };
    match world.domains {
        List::Absent => Is::Later,
        List::Broken | List::Of(_) => world.decided(world.own_domain(domain)),
    }
}
