//! Content in pieces of any size against the same content read whole, line by line.

use std::collections::VecDeque;

use postern::message::unstuff::{Bare, Stop};
use postern::message::{Content, Flaw, Limits};

use super::Input;

/// First what bare CR and LF mean, the limits and the sizes of the pieces; then the content.
pub fn content(input: &[u8]) {
    let mut input = Input(input);
    let switches = input.byte();
    let bare = Bare { lf: switches & 1 > 0, cr: switches & 2 > 0 };
    let limits = Limits { octets_max: input.byte().into(), hops_max: u32::from(input.byte()).max(1), bare };
    let mut sizes: VecDeque<u8> = input.octets(8).iter().copied().collect();
    let raw = input.0;

    let expected = Expected::of(raw, bare);
    let mut content = Content::new(limits);
    let (mut text, mut used, mut stop) = (Vec::new(), 0, None);
    while stop.is_none() && used < raw.len() {
        sizes.rotate_left(1);
        let octets = usize::from(sizes.front().copied().unwrap_or(0)).clamp(1, raw.len() - used);
        let mut buffer = vec![0; Content::HEADROOM];
        buffer.extend_from_slice(&raw[used..used + octets]);
        let settled = content.take(&mut buffer);
        text.extend_from_slice(&buffer[settled.text]);
        assert!(settled.stop.is_some() || settled.used == buffer.len(), "octets were left without a reason");
        used += settled.used - Content::HEADROOM;
        stop = settled.stop;
    }

    assert_eq!((stop, used), (expected.stop, expected.used));
    assert_eq!(content.octets(), expected.text.len() as u64);
    if matches!(stop, Some(Stop::BareLf | Stop::BareCr)) {
        return; // Nobody asks for the flaw of a message that is refused.
    }
    let hops = hops(raw, &expected);
    let too_big = limits.octets_max > 0 && content.octets() > limits.octets_max;
    match content.flaw() {
        None => {
            assert_eq!(text, expected.text);
            assert!(!too_big && hops < limits.hops_max);
        }
        Some(flaw) => {
            assert!(expected.text.starts_with(&text), "what was stored before the flaw was found is something else");
            assert_eq!(flaw, if hops >= limits.hops_max { Flaw::TooManyHops } else { Flaw::TooBig });
            assert!(too_big || flaw == Flaw::TooManyHops);
        }
    }
}

/// What is stored of a content, why reading it ends, and after how many octets.
struct Expected {
    text: Vec<u8>,
    stop: Option<Stop>,
    used: usize,
}

impl Expected {
    /// Cut at each CR LF. What is between two of them is a line; a CR or LF in a line is bare.
    fn of(raw: &[u8], bare: Bare) -> Self {
        let mut text = Vec::new();
        let mut start = 0;
        loop {
            let rest = &raw[start..];
            let end = rest.windows(2).position(|pair| pair == b"\r\n");
            let line = &rest[..end.unwrap_or(rest.len())];
            if let Some((at, stop)) = first_bare(line, end.is_some(), bare) {
                text.extend_from_slice(stored(&line[..at], line));
                // A bare CR is noticed at the octet behind it.
                let noticed = if stop == Stop::BareCr { 2 } else { 1 };
                return Self { text, stop: Some(stop), used: start + at + noticed };
            }
            let Some(end) = end else {
                // A CR at the end waits for its LF, and a dot before it with it.
                let settled = if line == b".\r" { b"" } else { line.strip_suffix(b"\r").unwrap_or(line) };
                text.extend_from_slice(stored(settled, line));
                return Self { text, stop: None, used: raw.len() };
            };
            start += end + 2;
            if line == b"." {
                return Self { text, stop: Some(Stop::EndOfMessage), used: start };
            }
            text.extend_from_slice(stored(line, line));
            text.push(b'\n');
        }
    }
}

/// The first CR or LF of a line that is not allowed. A CR that ends the input is not known to be bare yet.
fn first_bare(line: &[u8], is_complete: bool, bare: Bare) -> Option<(usize, Stop)> {
    line.iter().enumerate().find_map(|(at, byte)| match byte {
        b'\n' if !bare.lf => Some((at, Stop::BareLf)),
        b'\r' if !bare.cr && (is_complete || at + 1 < line.len()) => Some((at, Stop::BareCr)),
        _ => None,
    })
}

/// The part of a line without the dot that hides a dot; a dot before a bare CR hides nothing.
fn stored<'a>(part: &'a [u8], line: &[u8]) -> &'a [u8] {
    match part.strip_prefix(b".") {
        // Nothing is stored of a dot whose CR was refused.
        Some(b"") => b"",
        Some(rest) if !line.starts_with(b".\r") => rest,
        Some(_) | None => part,
    }
}

/// Lines of the header that begin with a trace word, as the client sent them.
fn hops(raw: &[u8], expected: &Expected) -> u32 {
    let raw = if expected.stop == Some(Stop::EndOfMessage) { &raw[..expected.used] } else { raw };
    let mut lines: Vec<Vec<u8>> = raw.split(|byte| *byte == b'\n').map(<[u8]>::to_ascii_lowercase).collect();
    lines.pop();
    let header = lines.iter().take_while(|line| !matches!(line.as_slice(), b"" | b"\r" | b".\r"));
    header.filter(|line| line.starts_with(b"received") || line.starts_with(b"delivered")).count() as u32
}
