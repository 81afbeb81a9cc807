//! Why nobody can know now what the DNS says.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::Duration;

use crate::dns::message::Kind;
use crate::dns::name::Name;

/// A question that no server answered so that one could rely on it: its name, whom we asked, what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsFailed {
    kind: Kind,
    name: Name,
    why: Why,
}

/// What stood between the question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// What happened with each server that was asked.
    Servers(Vec<(SocketAddr, Cause)>),
    /// Other questions had used up the time.
    NoTime(Duration),
    /// There is more than we take: the limit, and of what.
    TooMany(usize, &'static str),
}

/// What happened with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing that answers the question came in the time that all questions of a decision share.
    TimedOut(Duration),
    /// It says that it cannot or will not answer: the code of its reply.
    Refused(u8),
    /// It names other servers instead of asking them.
    Referral,
    /// Its reply cannot be read.
    Malformed,
    /// The system's words for why it could not be asked.
    System(String),
}

impl DnsFailed {
    pub(super) fn new(kind: Kind, name: &Name, why: Why) -> Self {
        Self { kind, name: name.clone(), why }
    }
}

impl Display for DnsFailed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "DNS: {} of {}: ", self.kind.word(), self.name)?;
        match &self.why {
            Why::Servers(servers) => {
                for (number, (server, cause)) in servers.iter().enumerate() {
                    let separator = if number > 0 { "; " } else { "" };
                    write!(formatter, "{separator}{server}: {cause}")?;
                }
                Ok(())
            }
            Why::NoTime(time) => write!(formatter, "not asked, because {} s were over", time.as_secs_f32()),
            Why::TooMany(limit, what) => write!(formatter, "more than {limit} {what}"),
        }
    }
}

impl Error for DnsFailed {}

impl Display for Cause {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(time) => write!(formatter, "timed out after {} s", time.as_secs_f32()),
            Self::Refused(1) => formatter.write_str("FORMERR"),
            Self::Refused(2) => formatter.write_str("SERVFAIL"),
            Self::Refused(4) => formatter.write_str("NOTIMP"),
            Self::Refused(5) => formatter.write_str("REFUSED"),
            Self::Refused(code) => write!(formatter, "error {code}"),
            Self::Referral => formatter.write_str("it is no resolver: it refers to other servers"),
            Self::Malformed => formatter.write_str("a malformed reply"),
            Self::System(words) => formatter.write_str(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_question_servers_and_causes() {
        let failed = |why| DnsFailed::new(Kind::Mx, &Name::parse(b"Far.ex.").unwrap(), why).to_string();
        let [one, two]: [SocketAddr; 2] = ["127.0.0.1:5300".parse().unwrap(), "[::1]:53".parse().unwrap()];
        let timed_out = Cause::TimedOut(Duration::from_secs(5));
        let cases = [
            (Why::Servers(vec![(one, timed_out.clone())]), "127.0.0.1:5300: timed out after 5 s"),
            (
                Why::Servers(vec![(one, Cause::Refused(2)), (two, timed_out)]),
                "127.0.0.1:5300: SERVFAIL; [::1]:53: timed out after 5 s",
            ),
            (Why::NoTime(Duration::from_millis(2500)), "not asked, because 2.5 s were over"),
            (Why::TooMany(3, "hosts"), "more than 3 hosts"),
        ];
        for (why, said) in cases {
            assert_eq!(failed(why), format!("DNS: mx of far.ex: {said}"));
        }
    }
}
