//! The open-relay probes: the ways in which a recipient elsewhere has been hidden in one of ours.

use std::fs;
use std::net::IpAddr;

use crate::control::Setup;
use crate::control::text::entries;
use crate::operator::host::addresses;

/// Where no probe may get; no such domain can exist (RFC 6761, 6.4).
const FAR: &str = "relay-probe.invalid";
/// Addresses elsewhere (RFC 5737, RFC 3849).
const FAR_ADDRESSES: [&str; 3] = ["[203.0.113.25]", "203.0.113.25", "[IPv6:2001:db8::25]"];
/// An address of every host.
const LOOPBACK: &str = "[127.0.0.1]";
/// Letters of our alphabet and others that look like them.
const LOOK_ALIKES: [(char, char); 7] =
    [('a', 'а'), ('c', 'с'), ('e', 'е'), ('o', 'о'), ('p', 'р'), ('x', 'х'), ('y', 'у')];

/// A way to hide a recipient.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    /// What it is called.
    pub name: &'static str,
    /// The forward-path, with its brackets.
    pub path: String,
}

/// What this host calls its own.
#[derive(Debug)]
pub(super) struct Ours {
    /// A domain of rcpthosts; the host's name if there is none.
    domain: String,
    host: String,
    /// An address literal of this host.
    literal: String,
}

impl Ours {
    pub(super) fn of(setup: &Setup) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).to_lowercase();
        let host = setup.control.me.as_deref().map_or_else(|| "localhost".to_owned(), text);
        let rcpthosts = fs::read(setup.control.directory.join("rcpthosts")).unwrap_or_default();
        let plain = entries(&rcpthosts).map(|entry| text(entry.text)).find(|entry| !entry.starts_with('.'));
        // `.local.example` is about the hosts below.
        let below = || entries(&rcpthosts).next().map(|entry| format!("host{}", text(entry.text)));
        let outward = addresses().into_iter().find_map(|(_, ip)| match ip {
            IpAddr::V4(ip) if !ip.is_loopback() => Some(format!("[{ip}]")),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        });
        Self {
            domain: plain.or_else(below).unwrap_or_else(|| host.clone()),
            host,
            literal: outward.unwrap_or_else(|| LOOPBACK.to_owned()),
        }
    }

    /// Whether the domain of an accepted recipient is one that was meant as ours.
    pub(super) fn owns(&self, domain: &[u8]) -> bool {
        let own = [&self.domain, &self.host, &self.literal, LOOPBACK];
        own.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(domain))
    }

    /// Names that a client may have forged: nothing keeps anyone from publishing them for an address.
    pub(super) fn names(&self) -> Vec<Option<String>> {
        let mut names = vec![None];
        for name in ["localhost", &self.host, &self.domain] {
            let name = Some(name.to_owned());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Senders that anyone can write.
    pub(super) fn senders(&self) -> Vec<String> {
        let Self { domain, host, literal } = self;
        let mut senders = vec![String::new(), "probe@sender.invalid".to_owned(), "probe@localhost".to_owned()];
        for sender in [
            format!("postmaster@{domain}"),
            format!("probe@{domain}"),
            format!("root@{host}"),
            format!("probe@{literal}"),
            format!("probe@{LOOPBACK}"),
        ] {
            if !senders.contains(&sender) {
                senders.push(sender);
            }
        }
        senders
    }

    pub(super) fn probes(&self) -> Vec<Probe> {
        let Self { domain: ours, host, literal } = self;
        let [elsewhere, bare, elsewhere6] = FAR_ADDRESSES;
        let mixed = alternating(FAR);
        let alike = look_alike(ours);
        let probe = |name, path: String| Probe { name, path };
        vec![
            probe("plain", format!("<probe@{FAR}>")),
            probe("without brackets", format!("probe@{FAR}")),
            probe("mixed case", format!("<Probe@{mixed}>")),
            probe("trailing dot", format!("<probe@{FAR}.>")),
            probe("percent at our domain", format!("<probe%{FAR}@{ours}>")),
            probe("percent at our host", format!("<probe%{FAR}@{host}>")),
            probe("percent at our address", format!("<probe%{FAR}@{literal}>")),
            probe("percent at our loopback", format!("<probe%{FAR}@{LOOPBACK}>")),
            probe("percent without domain", format!("<probe%{FAR}>")),
            probe("percent and a trailing dot", format!("<probe%{FAR}.@{ours}.>")),
            probe("quoted percent", format!("<\"probe%{FAR}\"@{ours}>")),
            probe("quoted percent without domain", format!("<\"probe%{FAR}\">")),
            probe("bang path", format!("<{FAR}!probe>")),
            probe("bang path at our domain", format!("<{FAR}!probe@{ours}>")),
            probe("bang path by our host", format!("<{host}!{FAR}!probe@{ours}>")),
            probe("quoted bang path", format!("<\"{FAR}!probe\">")),
            probe("quoted bang path at our domain", format!("<\"{FAR}!probe\"@{ours}>")),
            probe("quoted address", format!("<\"probe@{FAR}\">")),
            probe("quoted address at our domain", format!("<\"probe@{FAR}\"@{ours}>")),
            probe("quoted address at our address", format!("<\"probe@{FAR}\"@{literal}>")),
            probe("two domains", format!("<probe@{FAR}@{ours}>")),
            probe("two domains, ours first", format!("<probe@{ours}@{FAR}>")),
            probe("two domains, the sign escaped", format!("<probe\\@{FAR}@{ours}>")),
            probe("source route by our domain", format!("<@{ours}:probe@{FAR}>")),
            probe("source route by our host and domain", format!("<@{host},@{ours}:probe@{FAR}>")),
            probe("source route by our address", format!("<@{literal}:probe@{FAR}>")),
            probe("source route with percent", format!("<@{ours}:probe%{FAR}@{ours}>")),
            probe("source route by elsewhere to us", format!("<@{FAR}:probe@{ours}>")),
            probe("address literal elsewhere", format!("<probe@{elsewhere}>")),
            probe("IPv6 literal elsewhere", format!("<probe@{elsewhere6}>")),
            probe("bare address elsewhere", format!("<probe@{bare}>")),
            probe("our domain as a beginning", format!("<probe@{ours}.{FAR}>")),
            probe("our domain as an end", format!("<probe@x{ours}>")),
            probe("our domain with a percent", format!("<probe@{ours}%{FAR}>")),
            probe("look-alike of our domain", format!("<probe@{alike}>")),
            probe("look-alike of a percent", format!("<probe\u{ff05}{FAR}@{ours}>")),
        ]
    }
}

/// Every other letter in upper case.
fn alternating(text: &str) -> String {
    let letter = |(at, letter): (usize, char)| if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter };
    text.chars().enumerate().map(letter).collect()
}

/// The domain with a letter of another alphabet in it.
fn look_alike(domain: &str) -> String {
    let alike = LOOK_ALIKES.iter().find(|(letter, _)| domain.contains(*letter));
    alike.map_or_else(|| format!("\u{ff41}{domain}"), |(letter, other)| domain.replacen(*letter, &other.to_string(), 1))
}
