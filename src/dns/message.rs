//! Questions and replies as octets: what is asked, whether a reply answers it, and what it says.

use std::net::IpAddr;

use simple_dns::rdata::{CNAME, MX, RData};
use simple_dns::{CLASS, Label, Packet, PacketFlag, QTYPE, Question, ResourceRecord, TYPE};

use crate::dns::failed::Cause;
use crate::dns::name::Name;

/// The most names that one reply may lead through.
pub(super) const ALIASES_MAX: usize = 8;
/// The octets before the question.
const HEADER_OCTETS: usize = 12;
/// The octets of the shortest record: the root's, without data.
const RECORD_OCTETS_MIN: usize = 11;
/// In the third octet of a message: it is a reply; the kind of request; it was cut short.
const REPLY: u8 = 0x80;
const OPCODE: u8 = 0x78;
const TRUNCATED: u8 = 0x02;
/// In the fourth octet: what became of the request.
const CODE: u8 = 0x0f;
const NO_SUCH_NAME: u8 = 3;

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses.
    Aaaa,
    /// Who takes mail for it.
    Mx,
}

impl Kind {
    /// As it stands in a message to people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::Aaaa => "aaaa",
            Self::Mx => "mx",
        }
    }

    fn code(self) -> QTYPE {
        QTYPE::TYPE(match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
            Self::Mx => TYPE::MX,
        })
    }
}

/// What a record of the kind that was asked for says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of MX: the preference, less is better; the host, `None` if it has no name that one could ask for.
    Exchanger(u16, Option<Name>),
    /// Of MX: the root, which is nobody (RFC 7505).
    Nobody,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The records; none if there is no such name, or nothing of this kind.
    Records(Vec<Record>),
    /// The name is another name for this one, about which the reply says nothing.
    Alias(Name),
}

/// One question, to one server.
pub(super) struct Query {
    octets: Vec<u8>,
    kind: Kind,
}

impl Query {
    /// Asks for recursion. Without EDNS: what does not fit into 512 octets comes by TCP, and no server is too old.
    pub(super) fn new(id: u16, name: &Name, kind: Kind) -> Result<Self, Cause> {
        let labels: Vec<Label<'_>> = name.labels().map(Label::new_unchecked).collect();
        let name = simple_dns::Name::new_with_labels(&labels);
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(name, kind.code(), CLASS::IN.into(), false));
        let octets = packet.build_bytes_vec().map_err(|_| Cause::Malformed)?;
        Ok(Self { octets, kind })
    }

    /// The message.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether this is a reply to this very question: the same id, and the same question alone. It may be wrong in
    /// all the rest.
    pub(super) fn is_answered_by(&self, reply: &[u8]) -> bool {
        let id = |message: &[u8]| message.get(..2).map(<[u8]>::to_vec);
        let same_question = match (self.octets.get(HEADER_OCTETS..), reply.get(HEADER_OCTETS..self.octets.len())) {
            (Some(asked), Some(answered)) => asked.eq_ignore_ascii_case(answered),
            (_, _) => false,
        };
        let is_reply = reply.get(2).is_some_and(|flags| flags & (REPLY | OPCODE) == REPLY);
        same_question && is_reply && id(reply) == id(&self.octets) && reply.get(4..6) == Some(&[0, 1])
    }

    /// What the reply says, which must be one to this question.
    pub(super) fn read(&self, reply: &[u8]) -> Result<Reply, Cause> {
        let code = reply.get(3).map_or(0, |flags| flags & CODE);
        if code == NO_SUCH_NAME {
            return Ok(Reply::Records(Vec::new()));
        }
        if code != 0 {
            return Err(Cause::Refused(code));
        }
        // The parser makes room for as many records as are announced.
        if is_truncated(reply) || records_announced(reply) > reply.len() / RECORD_OCTETS_MIN {
            return Err(Cause::Malformed);
        }
        let packet = Packet::parse(reply).map_err(|_| Cause::Malformed)?;
        self.follow(&packet)
    }

    /// Goes from alias to alias to the records of this kind.
    fn follow(&self, packet: &Packet<'_>) -> Result<Reply, Cause> {
        let asked = &packet.questions.first().ok_or(Cause::Malformed)?.qname;
        let mut name = asked;
        for _ in 0..=ALIASES_MAX {
            let answers = packet.answers.iter();
            let of_name: Vec<_> = answers.filter(|record| record.class == CLASS::IN && record.name == *name).collect();
            let records: Vec<Record> =
                of_name.iter().filter_map(|record| self.record(record).transpose()).collect::<Result<_, _>>()?;
            let alias = of_name.iter().find_map(|record| alias(record));
            match alias {
                _ if !records.is_empty() => return Ok(Reply::Records(records)),
                Some(alias) => name = alias,
                None if name != asked => return parse_name(name).map(Reply::Alias).ok_or(Cause::Malformed),
                None if is_referral(packet) => return Err(Cause::Referral),
                None => return Ok(Reply::Records(records)),
            }
        }
        Err(Cause::Malformed)
    }

    /// `None` for a record of another kind.
    fn record(&self, record: &ResourceRecord<'_>) -> Result<Option<Record>, Cause> {
        let said = match (self.kind, &record.rdata) {
            (Kind::A, RData::A(a)) => Record::Address(IpAddr::V4(a.address.into())),
            (Kind::Aaaa, RData::AAAA(aaaa)) => Record::Address(IpAddr::V6(aaaa.address.into()).to_canonical()),
            (Kind::Mx, RData::MX(mx)) => exchanger(mx),
            // One without data.
            (kind, RData::Empty(code)) if QTYPE::TYPE(*code) == kind.code() => return Err(Cause::Malformed),
            (_, _) => return Ok(None),
        };
        Ok(Some(said))
    }
}

/// Whether the reply was cut short, so that it must be had by TCP.
pub(super) fn is_truncated(reply: &[u8]) -> bool {
    reply.get(2).is_some_and(|flags| flags & TRUNCATED != 0)
}

/// How many records the header promises.
fn records_announced(reply: &[u8]) -> usize {
    let counts = reply.get(6..HEADER_OCTETS).unwrap_or_default();
    counts.chunks_exact(2).filter_map(|count| count.try_into().ok()).map(u16::from_be_bytes).map(usize::from).sum()
}

/// No answer, only the names of other servers: not the same as "there is nothing" (RFC 2308, 2.2).
fn is_referral(packet: &Packet<'_>) -> bool {
    let says = |wanted: TYPE| packet.name_servers.iter().any(|record| record.rdata.type_code() == wanted);
    let may_know = packet.has_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    !may_know && says(TYPE::NS) && !says(TYPE::SOA)
}

fn alias<'r, 'm>(record: &'r ResourceRecord<'m>) -> Option<&'r simple_dns::Name<'m>> {
    if let RData::CNAME(CNAME(alias)) = &record.rdata { Some(alias) } else { None }
}

fn exchanger(mx: &MX<'_>) -> Record {
    if mx.exchange.get_labels().is_empty() {
        return Record::Nobody;
    }
    Record::Exchanger(mx.preference, parse_name(&mx.exchange))
}

/// `None` for what has no text form that means the same: a dot in a label, other than visible ASCII.
fn parse_name(name: &simple_dns::Name<'_>) -> Option<Name> {
    let labels: Vec<&[u8]> = name.as_bytes().collect();
    if labels.iter().any(|label| label.contains(&b'.')) {
        return None;
    }
    Name::parse(&labels.join(&b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::rdata::{A, NS};

    use super::*;

    fn query(kind: Kind) -> Query {
        Query::new(0x1234, &Name::parse(b"far.ex").unwrap(), kind).unwrap()
    }

    /// A reply with an alias, its address, its exchanger, and who is responsible, compressed.
    fn reply(kind: Kind) -> Vec<u8> {
        let question = query(kind);
        let mut packet = Packet::parse(question.octets()).unwrap().into_reply();
        let record = |name, data| ResourceRecord::new(simple_dns::Name::new_unchecked(name), CLASS::IN, 60, data);
        let name = simple_dns::Name::new_unchecked;
        packet.answers = vec![
            record("far.ex", RData::CNAME(CNAME(name("mx.far.ex")))),
            record("mx.far.ex", RData::A(A { address: 0xc000_0201 })),
            record("mx.far.ex", RData::MX(MX { preference: 10, exchange: name("mx.far.ex") })),
        ];
        packet.name_servers = vec![record("far.ex", RData::NS(NS(name("ns.far.ex"))))];
        packet.additional_records = vec![record("ns.far.ex", RData::A(A { address: 0x7f00_0001 }))];
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn a_question_is_written_as_rfc_1035_has_it() {
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03far\x02ex\0\0\x0f\0\x01";
        assert_eq!(query(Kind::Mx).octets(), expected);
    }

    #[test]
    fn a_reply_is_read_through_its_alias() {
        let host = Name::parse(b"mx.far.ex");
        let cases = [
            (Kind::A, Reply::Records(vec![Record::Address("192.0.2.1".parse().unwrap())])),
            (Kind::Aaaa, Reply::Alias(host.clone().unwrap())),
            (Kind::Mx, Reply::Records(vec![Record::Exchanger(10, host)])),
        ];
        for (kind, expected) in cases {
            assert!(query(kind).is_answered_by(&reply(kind)));
            assert_eq!(query(kind).read(&reply(kind)), Ok(expected));
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_anywhere_says_nothing() {
        for kind in [Kind::A, Kind::Aaaa, Kind::Mx] {
            let (query, reply) = (query(kind), reply(kind));
            for length in 0..reply.len() {
                let cut = &reply[..length];
                assert!(!query.is_answered_by(cut) || query.read(cut) == Err(Cause::Malformed), "{kind:?} {length}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whatever is read, reading ends; a malformed reply is never an answer, but may be an error or no such name.
        #[test]
        fn damaged_replies_are_read_without_panic(
            kind in prop::sample::select(vec![Kind::A, Kind::Aaaa, Kind::Mx]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            rest in prop::collection::vec(any::<u8>(), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let (query, mut octets) = (query(kind), reply(kind));
            for (at, octet) in changes {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
            octets.truncate(octets.len() - cut.index(20));
            octets.extend(rest);
            let _ = query.is_answered_by(&octets);
            if let Ok(Reply::Records(records)) = query.read(&octets) {
                prop_assert!(records.len() * RECORD_OCTETS_MIN <= octets.len());
            }
        }

        #[test]
        fn garbage_is_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            let query = query(Kind::Mx);
            prop_assert!(!query.is_answered_by(&octets));
            let _ = query.read(&octets);
        }
    }
}
