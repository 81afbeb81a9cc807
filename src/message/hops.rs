//! Mail loops: counts the trace lines of a header as they pass.

/// Counts lines that begin with `Received` or `Delivered` in the header, whatever their case; qmail's way to notice a loop.
#[derive(Debug, Default)]
pub struct Hops {
    count: u32,
    /// The first octets of the line that is passing.
    head: [u8; Hops::HEAD_OCTETS],
    head_octets: usize,
    over: bool,
}

impl Hops {
    const HEAD_OCTETS: usize = 9;

    /// Looks at the next octets as the client sent them, dots and all.
    pub fn count(&mut self, mut raw: &[u8]) {
        while !self.over && !raw.is_empty() {
            let (line, rest) = match memchr::memchr(b'\n', raw) {
                Some(end) => raw.split_at(end),
                None => (raw, b"".as_slice()),
            };
            for (kept, byte) in self.head.iter_mut().skip(self.head_octets).zip(line) {
                *kept = *byte;
                self.head_octets += 1;
            }
            match rest {
                [_, after @ ..] => {
                    self.end_of_line();
                    raw = after;
                }
                [] => return,
            }
        }
    }

    /// How many there were so far.
    #[must_use]
    pub fn count_so_far(&self) -> u32 {
        self.count
    }

    fn end_of_line(&mut self) {
        let head = self.head.get(..self.head_octets).unwrap_or_default();
        let begins = |word: &[u8]| head.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        if begins(b"received") || begins(b"delivered") {
            self.count = self.count.saturating_add(1);
        }
        // An empty line ends the header, a dot alone the message.
        self.over = matches!(head, b"" | b"\r" | b".\r");
        self.head_octets = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_lines_of_the_header_count() {
        let header =
            b"Received: x\r\nreceived x\r\nReceivedFOO\r\nDelivered-To: a\r\nSubject: Received\r\n\r\nReceived: y\r\n";
        for step in 1..header.len() {
            let mut hops = Hops::default();
            header.chunks(step).for_each(|chunk| hops.count(chunk));
            assert_eq!(hops.count_so_far(), 4, "in chunks of {step}");
        }
    }

    #[test]
    fn the_end_of_the_message_ends_the_header() {
        let mut hops = Hops::default();
        hops.count(b"Received: x\r\n.\r\nReceived: y\r\n");
        assert_eq!(hops.count_so_far(), 1);
    }

    #[test]
    fn a_line_feed_alone_ends_the_header_where_it_is_data() {
        let mut hops = Hops::default();
        hops.count(b"Received: x\n\nReceived: y\r\n");
        assert_eq!(hops.count_so_far(), 1);
    }
}
