//! The DNS module against a real name server, against one that never answers, and against liars.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "support/dns.rs"]
mod server;

#[test]
fn servers_start_side_by_side() {
    let one = server::DnsServer::start("a.test. A 192.0.2.1");
    let two = server::DnsServer::start("a.test. A 192.0.2.2");
    assert_ne!(one.address(), two.address());
}
