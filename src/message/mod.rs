//! The content: octets in, text out, limits counted. No I/O.

pub mod date;
pub mod hops;
pub mod received;
pub mod unstuff;

use std::ops::Range;

use crate::message::hops::Hops;
use crate::message::unstuff::{Bare, Stop, Unstuff};

/// What a message may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most octets stored; 0 means no limit.
    pub octets_max: u64,
    /// With so many trace lines the message is looping.
    pub hops_max: u32,
    /// What a CR or LF alone means.
    pub bare: Bare,
}

/// What is wrong with a message that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It has passed through too many hosts.
    TooManyHops,
    /// It is larger than allowed.
    TooBig,
}

/// The content of one message on its way from the client to the queue program.
#[derive(Debug)]
pub struct Content {
    limits: Limits,
    unstuff: Unstuff,
    hops: Hops,
    octets: u64,
    flaw: Option<Flaw>,
}

/// What became of a buffer of octets.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// Where in the buffer the text to store is; nobody stores it once the message has a flaw.
    pub text: Range<usize>,
    /// How much of the buffer was used up; what follows the end of the message is left.
    pub used: usize,
    /// Why reading ends, if it does.
    pub stop: Option<Stop>,
}

impl Content {
    /// How many octets a buffer must leave free in front of what was read: text held back from the one before may go there.
    pub const HEADROOM: usize = Unstuff::HEADROOM;

    /// The beginning of a message.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let unstuff = Unstuff::new(limits.bare);
        Self { limits, unstuff, hops: Hops::default(), octets: 0, flaw: None }
    }

    /// Takes the octets of `buffer` behind [`Self::HEADROOM`] and leaves the text to store in the same buffer.
    pub fn take(&mut self, buffer: &mut [u8]) -> Settled {
        if let Some(raw) = buffer.get(Self::HEADROOM..) {
            self.hops.count(raw);
        }
        let settled = self.unstuff.take(buffer);
        self.octets = self.octets.saturating_add(settled.text.len() as u64);
        self.flaw = self.flaw_so_far();
        settled
    }

    /// A loop is said first, however the content was cut; a flaw never goes away.
    fn flaw_so_far(&self) -> Option<Flaw> {
        if self.hops.count_so_far() >= self.limits.hops_max {
            return Some(Flaw::TooManyHops);
        }
        (self.limits.octets_max > 0 && self.octets > self.limits.octets_max).then_some(Flaw::TooBig)
    }

    /// The octets of the message as stored: LF for each line end, without trace header.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The trace lines of the header so far.
    #[must_use]
    pub fn hops(&self) -> u32 {
        self.hops.count_so_far()
    }

    /// What is wrong with the message so far.
    #[must_use]
    pub fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { octets_max: 10, hops_max: 2, bare: Bare { lf: false, cr: true } };

    fn taken(limits: Limits, text: &[u8]) -> (Vec<u8>, Content) {
        let mut content = Content::new(limits);
        let mut buffer = [&[0; Content::HEADROOM], text].concat();
        let settled = content.take(&mut buffer);
        (buffer[settled.text].to_vec(), content)
    }

    #[test]
    fn a_message_of_just_the_limit_is_stored() {
        let (text, content) = taken(LIMITS, b"123456789\r\n.\r\n");
        assert_eq!((text.as_slice(), content.octets(), content.flaw()), (b"123456789\n".as_slice(), 10, None));
        let (text, content) = taken(LIMITS, b"1234567890\r\n.\r\n");
        assert_eq!((text.len(), content.octets(), content.flaw()), (11, 11, Some(Flaw::TooBig)));
    }

    #[test]
    fn a_looping_message_has_a_flaw() {
        let (_, content) = taken(LIMITS, b"Received: a\r\nDelivered-To: b\r\n\r\n.\r\n");
        assert_eq!(content.flaw(), Some(Flaw::TooManyHops));
    }

    #[test]
    fn a_loop_is_said_before_the_size_however_the_content_is_cut() {
        let text = b"Received: a\r\nDelivered-To: b\r\n\r\n.\r\n";
        for step in 1..text.len() {
            let mut content = Content::new(LIMITS);
            for chunk in text.chunks(step) {
                content.take(&mut [&[0; Content::HEADROOM], chunk].concat());
            }
            assert_eq!(content.flaw(), Some(Flaw::TooManyHops), "in chunks of {step}");
        }
    }
}
