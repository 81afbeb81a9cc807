//! What is fuzzed: each target takes any octets, and panics where Postern breaks a promise.

mod auth;
mod cdb;
mod client;
mod content;
mod envelope;
mod patterns;
mod rule;
mod session;
mod smtp;
mod text;
mod witness;

/// Something that takes octets from a stranger.
pub struct Target {
    /// What `scripts/fuzz` and the directory of its seeds call it.
    pub name: &'static str,
    /// Feeds it; panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target; what is not here is not fuzzed.
pub const TARGETS: &[Target] = &[
    Target { name: "command", run: smtp::command },
    Target { name: "path", run: smtp::path },
    Target { name: "content", run: content::content },
    Target { name: "session", run: session::session },
    Target { name: "auth", run: auth::auth },
    Target { name: "verifier", run: auth::verifier },
    Target { name: "envelope", run: envelope::envelope },
    Target { name: "rule", run: rule::rule },
    Target { name: "client", run: client::client },
    Target { name: "clients", run: client::clients },
    Target { name: "cdb", run: cdb::cdb },
    Target { name: "text", run: text::text },
    Target { name: "wildmat", run: patterns::wildmat },
    Target { name: "ere", run: patterns::ere },
];

/// An input taken apart from its front; when it is used up, the rest is zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.octets(1).first().copied().unwrap_or(0)
    }

    fn u16(&mut self) -> u16 {
        u16::from(self.byte()) | u16::from(self.byte()) << 8
    }

    /// At most `count` octets.
    fn octets(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// At most 255 octets, behind their number.
    fn counted(&mut self) -> &'a [u8] {
        let count = self.byte();
        self.octets(count.into())
    }
}

/// A file without a name that holds `octets`.
fn file_of(octets: &[u8]) -> std::fs::File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(octets).unwrap();
    file.rewind().unwrap();
    file
}
