//! Servers that answer what nobody asked, what nobody can read, or without end.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use postern::dns::{Dns, DnsFailed, Exchangers};

use crate::ip;

/// How often a liar looks whether the test is over.
const GLANCE: Duration = Duration::from_millis(20);
/// For what ends only with it: short, so that the tests are.
const SHORT: Duration = Duration::from_millis(250);
/// For what ends of itself, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// A thread that answers UDP as it is told; it ends with the value.
pub struct Liar {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    /// `lie` gets the number of the question, from 1, the question, and what sends an answer.
    pub fn start(lie: impl Fn(usize, &[u8], &mut dyn FnMut(Vec<u8>)) + Send + 'static) -> Liar {
        Liar::on(UdpSocket::bind("127.0.0.1:0").unwrap(), lie)
    }

    fn on(socket: UdpSocket, lie: impl Fn(usize, &[u8], &mut dyn FnMut(Vec<u8>)) + Send + 'static) -> Liar {
        socket.set_read_timeout(Some(GLANCE)).unwrap();
        let address = socket.local_addr().unwrap();
        let (asked, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (Arc::clone(&asked), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            let mut buffer = [0; 1024];
            while !ends.load(Ordering::SeqCst) {
                let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                lie(number, &buffer[..length], &mut |answer| {
                    socket.send_to(&answer, peer).unwrap();
                });
            }
        });
        Liar { address, asked, is_over, thread: Some(thread) }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many questions it got.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the liar panicked");
    }
}

/// A reply to this question with these records as its answer.
pub fn reply(query: &[u8], answers: &[Vec<u8>]) -> Vec<u8> {
    let mut reply = [query, &answers.concat()].concat();
    (reply[2], reply[3], reply[7]) = (0x81, 0x80, answers.len().try_into().unwrap());
    reply
}

/// A record of the name in the question.
fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let head = [0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len().try_into().unwrap()];
    [&head[..], data].concat()
}

/// An address of the name in the question; of the other family, the unspecified address.
pub fn address_record(query: &[u8], address: &str) -> Vec<u8> {
    let IpAddr::V4(address) = ip(address) else { panic!("IPv4") };
    let is_aaaa = query[query.len() - 3] == 28;
    if is_aaaa { record(28, &[0; 16]) } else { record(1, &address.octets()) }
}

/// What one who asks for `far.ex` hears within this time.
fn heard_within(
    deadline: Duration,
    lie: impl Fn(usize, &[u8], &mut dyn FnMut(Vec<u8>)) + Send + 'static,
) -> Result<bool, DnsFailed> {
    let liar = Liar::start(lie);
    Dns::with_deadline(Some(liar.address().as_bytes()), deadline).confirms(b"far.ex", ip("192.0.2.1"))
}

fn heard(lie: impl Fn(usize, &[u8], &mut dyn FnMut(Vec<u8>)) + Send + 'static) -> Result<bool, DnsFailed> {
    heard_within(LONG, lie)
}

fn truth(query: &[u8]) -> Vec<u8> {
    reply(query, &[address_record(query, "192.0.2.1")])
}

/// A change of a true reply, after which it answers nothing that was asked.
type Falsify = fn(&mut Vec<u8>);

const IGNORED: &[(&str, Falsify)] = &[
    ("another id", |reply| reply[0] ^= 1),
    ("another id, its other half", |reply| reply[1] ^= 0x80),
    ("another name", |reply| reply[13] = b'b'),
    ("another kind", |reply| reply[21] = 15),
    ("another class", |reply| reply[23] = 3),
    ("no reply", |reply| reply[2] &= 0x7f),
    ("a reply to an update", |reply| reply[2] |= 0x28),
    ("no question", |reply| reply[5] = 0),
    ("two questions", |reply| reply[5] = 2),
    ("nothing", |reply| reply.clear()),
    ("a header alone", |reply| reply.truncate(12)),
    ("half a header", |reply| reply.truncate(7)),
    ("half a question", |reply| reply.truncate(20)),
    ("garbage", |reply| reply.iter_mut().for_each(|octet| *octet = octet.wrapping_mul(31).wrapping_add(7))),
];

#[test]
fn what_does_not_answer_the_question_is_ignored() {
    assert_eq!(heard(|_, query, answer| answer(truth(query))), Ok(true));
    for (what, falsify) in IGNORED {
        let lie = |query: &[u8]| {
            let mut lie = reply(query, &[address_record(query, "192.0.2.1")]);
            falsify(&mut lie);
            lie
        };
        let failed = heard_within(SHORT, move |_, query, answer| answer(lie(query))).unwrap_err();
        assert!(failed.to_string().ends_with(": timed out after 0.25 s"), "{what}: {failed}");
        // It does not keep the true answer, which says another address, from being heard.
        let both = move |_: usize, query: &[u8], answer: &mut dyn FnMut(Vec<u8>)| {
            answer(lie(query));
            answer(reply(query, &[address_record(query, "192.0.2.7")]));
        };
        assert_eq!(heard(both), Ok(false), "{what}");
    }
}

#[test]
fn an_answer_from_another_port_is_ignored() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let mut dns = Dns::with_deadline(Some(address.as_bytes()), SHORT);
    let asks = thread::spawn(move || dns.confirms(b"far.ex", ip("192.0.2.1")));
    let mut buffer = [0; 512];
    let (length, peer) = socket.recv_from(&mut buffer).unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(&truth(&buffer[..length]), peer).unwrap();
    let failed = asks.join().unwrap().unwrap_err();
    assert_eq!(failed.to_string(), format!("DNS: a of far.ex: {address}: timed out after 0.25 s"));
}

const MALFORMED: &[(&str, Falsify)] = &[
    ("cut in the data", |reply| reply.truncate(reply.len() - 1)),
    ("cut in the record", |reply| reply.truncate(reply.len() - 9)),
    ("cut before the record", |reply| reply.truncate(reply.len() - 16)),
    ("more records than octets", |reply| reply[6..12].fill(0xff)),
    ("one record more", |reply| reply[9] = 1),
    ("a name that points to itself", |reply| reply[25] = 24),
    ("a name that points forward", |reply| reply[25] = 30),
    ("a name that points outside", |reply| reply[24..26].fill(0xff)),
    ("a label of an unknown kind", |reply| reply[24] = 0x80),
    ("no data", |reply| {
        reply.truncate(reply.len() - 4);
        *reply.last_mut().unwrap() = 0;
    }),
    ("an alias without end", |reply| {
        reply.truncate(24);
        reply.extend(record(5, &[0xc0, 12]));
    }),
];

#[test]
fn what_cannot_be_read_is_no_answer() {
    for (what, falsify) in MALFORMED {
        let lie = |_: usize, query: &[u8], answer: &mut dyn FnMut(Vec<u8>)| {
            let mut lie = truth(query);
            falsify(&mut lie);
            answer(lie);
        };
        let failed = heard(lie).unwrap_err();
        assert!(failed.to_string().ends_with(": a malformed reply"), "{what}: {failed}");
    }
}

#[test]
fn an_error_and_a_referral_are_no_answer() {
    let codes = [(1, "FORMERR"), (2, "SERVFAIL"), (4, "NOTIMP"), (5, "REFUSED"), (9, "error 9")];
    for (code, word) in codes {
        let lie = move |_: usize, query: &[u8], answer: &mut dyn FnMut(Vec<u8>)| {
            let mut lie = truth(query);
            lie[3] |= code;
            answer(lie);
        };
        let failed = heard(lie).unwrap_err();
        assert!(failed.to_string().ends_with(&format!(": {word}")), "{failed}");
    }
    let refer = |_: usize, query: &[u8], answer: &mut dyn FnMut(Vec<u8>)| {
        let mut lie = reply(query, &[record(2, &[0xc0, 12])]);
        // The record stands where authority is told, not where answers are.
        (lie[7], lie[9]) = (0, 1);
        answer(lie);
    };
    assert!(heard(refer).unwrap_err().to_string().ends_with("it refers to other servers"));
}

#[test]
fn records_of_other_names_kinds_and_classes_prove_nothing() {
    let other_name = |record: Vec<u8>| [&b"\x02no\x02ex\0"[..], &record[2..]].concat();
    let other_class = |mut record: Vec<u8>| {
        record[5] = 3;
        record
    };
    let wanted = record(1, &[192, 0, 2, 1]);
    for answers in [vec![other_name(wanted.clone())], vec![other_class(wanted)], vec![record(16, b"\x04text")]] {
        assert_eq!(heard(move |_, query, answer| answer(reply(query, &answers))), Ok(false));
    }
}

/// What is heard of one who says by UDP that the answer comes by TCP, and there does this.
fn heard_by_tcp_within(
    deadline: Duration,
    lie: impl Fn(&mut TcpStream, &[u8]) + Send + 'static,
) -> Result<bool, DnsFailed> {
    let (listener, socket) = pair();
    let address = listener.local_addr().unwrap().to_string();
    let _liar = Liar::on(socket, |_, query, answer| {
        let mut truncated = reply(query, &[]);
        truncated[2] |= 2;
        answer(truncated);
    });
    let asks = thread::spawn(move || {
        Dns::with_deadline(Some(address.as_bytes()), deadline).confirms(b"far.ex", ip("192.0.2.1"))
    });
    // As often as somebody connects: a lie that only takes time is told again.
    listener.set_nonblocking(true).unwrap();
    while !asks.is_finished() {
        let Ok((mut stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        lie(&mut stream, &query);
    }
    asks.join().unwrap()
}

fn heard_by_tcp(lie: impl Fn(&mut TcpStream, &[u8]) + Send + 'static) -> Result<bool, DnsFailed> {
    heard_by_tcp_within(LONG, lie)
}

/// The same port for TCP and UDP.
fn pair() -> (TcpListener, UdpSocket) {
    let tries = (0..100).filter_map(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind(listener.local_addr().unwrap()).ok()?;
        Some((listener, socket))
    });
    { tries }.next().unwrap()
}

fn send(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    // Who asked may be gone.
    let _ = stream.write_all(&[&length, message].concat());
}

#[test]
fn lies_by_tcp_are_no_answer_either() {
    assert_eq!(heard_by_tcp(|stream, query| send(stream, &truth(query))), Ok(true));
    for (what, falsify) in IGNORED.iter().chain(MALFORMED) {
        let failed = heard_by_tcp(|stream, query| {
            let mut lie = truth(query);
            falsify(&mut lie);
            send(stream, &lie);
        });
        let failed = failed.unwrap_err().to_string();
        assert!(failed.ends_with(": a malformed reply"), "{what}: {failed}");
    }
    let still_truncated = heard_by_tcp(|stream, query| {
        let mut lie = truth(query);
        lie[2] |= 2;
        send(stream, &lie);
    });
    assert!(still_truncated.unwrap_err().to_string().ends_with(": a malformed reply"));
    let hangs_up = heard_by_tcp(|stream, _| stream.write_all(&[0, 40, 1]).unwrap());
    let said = hangs_up.unwrap_err().to_string();
    assert!(said.ends_with(": protocol error"), "{said}");
}

#[test]
fn nobody_wins_time_by_single_octets() {
    // Were each octet waited for anew, it would end with what is said at the end: no such name.
    let failed = heard_by_tcp_within(SHORT, |stream, query| {
        let mut lie = truth(query);
        lie[3] |= 3;
        lie.resize(200, 0);
        let octets = [&200_u16.to_be_bytes()[..], &lie].concat();
        for octet in octets {
            if stream.write_all(&[octet]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let said = failed.unwrap_err().to_string();
    assert!(said.ends_with(": timed out after 0.25 s"), "{said}");
}

#[test]
fn hundreds_of_damaged_replies_do_no_harm() {
    let liar = Liar::start(|number, query, answer| {
        let root_mx = record(15, &[0, 1, 0]);
        let alias = record(5, b"\x01a\xc0\x0c");
        let mut lie = reply(query, &[alias, root_mx, address_record(query, "192.0.2.1")]);
        // Numbers that look random and are the same each time.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for _ in 0..number % 5 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = query.len() + (state >> 33) % (lie.len() - query.len());
            lie[at] = (state >> 24).to_le_bytes()[0];
        }
        // The rest is cut off now and then; the question stays, or it would be no answer.
        let cut = if number.is_multiple_of(7) { state % (lie.len() - query.len()) } else { 0 };
        lie.truncate(lie.len() - cut);
        answer(lie);
    });
    let mut dns = Dns::with_deadline(Some(liar.address().as_bytes()), LONG);
    let (mut answered, mut failed) = (0, 0);
    for number in 0..600 {
        dns.begin();
        match dns.mail_exchangers(format!("n{number}.far.ex").as_bytes()) {
            Ok(Exchangers::None | Exchangers::Null | Exchangers::Hosts(_)) => answered += 1,
            Err(_) => failed += 1,
        }
    }
    assert!(answered > 50 && failed > 50, "{answered} answered, {failed} failed");
}
