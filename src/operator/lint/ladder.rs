//! Which lines of a list of clients could go without changing what it decides: repeated, shadowed or covered ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::network::Network;

/// What a line says about a network or a name.
#[derive(Debug, Clone)]
pub(super) struct Claim<'t, K> {
    /// The network; the name, or the end of one with its dot, in lower case.
    pub key: K,
    /// The number of the line, from 1.
    pub line: u32,
    /// It excepts instead of granting.
    pub exception: bool,
    /// What stands behind the colon.
    pub suffix: &'t [u8],
}

/// Why a line could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// That line says the same.
    Repeats(u32),
    /// That line is about the same clients and has another suffix; the last of equal lines counts.
    Overridden(u32),
    /// That line excepts the very same clients.
    Excepted(u32),
    /// That line is wider, says the same, and none between them says otherwise.
    CoveredBy(u32),
    /// It excepts clients to whom nothing is granted.
    ExceptsNothing,
}

/// What else a list has that networks or names depend on.
#[derive(Debug, Default)]
pub(super) struct Elsewhere<'t> {
    /// An exception without a wider grant has something to except all the same.
    pub grants: bool,
    /// The suffixes of grants to whole addresses that only DNS or the host knows: `@name` and `=me`.
    pub address_grants: BTreeSet<&'t [u8]>,
}

/// The lines that were examined: why each could go, or nothing if it is needed.
#[derive(Debug, Default)]
pub(super) struct Standings(BTreeMap<u32, Option<Standing>>);

impl Standings {
    /// The lines that could go, alone or all together, in order.
    pub fn unneeded(self) -> impl Iterator<Item = (u32, Standing)> {
        self.0.into_iter().filter_map(|(line, standing)| Some((line, standing?)))
    }

    /// A line could go only if every network it stands for could.
    fn add(&mut self, line: u32, standing: Option<Standing>) {
        let known = self.0.entry(line).or_insert(standing);
        if standing.is_none() {
            *known = None;
        }
    }

    /// Examines the networks of a list.
    pub fn of_networks<'t>(&mut self, mut claims: Vec<Claim<'t, Network>>, elsewhere: &Elsewhere<'t>) {
        // A network stands before those in it.
        claims.sort_unstable_by_key(|claim| (claim.key, claim.line));
        let mut around: Vec<&Claim<'t, Network>> = Vec::new();
        for group in claims.chunk_by(|one, other| one.key == other.key) {
            let Some(winner) = winner(group) else { continue };
            while around.last().is_some_and(|wider| !wider.key.covers(winner.key)) {
                around.pop();
            }
            let is_address = winner.key.length() == winner.key.full_length();
            let opposed = is_address && elsewhere.opposes(winner);
            self.judge(group, winner, around.last().copied(), opposed, elsewhere);
            around.push(winner);
        }
    }

    /// Examines the names of a list.
    pub fn of_names<'t>(&mut self, mut claims: Vec<Claim<'t, Vec<u8>>>, elsewhere: &Elsewhere<'t>) {
        claims.sort_unstable_by(|one, other| (&one.key, one.line).cmp(&(&other.key, other.line)));
        let groups = || claims.chunk_by(|one, other| one.key == other.key);
        let winners: BTreeMap<&[u8], &Claim<'t, Vec<u8>>> =
            groups().filter_map(winner).map(|winner| (winner.key.as_slice(), winner)).collect();
        for group in groups() {
            let Some(winner) = winner(group) else { continue };
            let dots = memchr::memchr_iter(b'.', &winner.key).filter(|dot| *dot > 0);
            let wider = dots.filter_map(|dot| winner.key.get(dot..)).find_map(|end| winners.get(end).copied());
            self.judge(group, winner, wider, false, elsewhere);
        }
    }

    /// Examines lines that stand for nothing wider or narrower than themselves: `@name`, `=me`.
    pub fn of_words<'t>(&mut self, mut claims: Vec<Claim<'t, Vec<u8>>>, elsewhere: &Elsewhere<'t>) {
        claims.sort_unstable_by(|one, other| (&one.key, one.line).cmp(&(&other.key, other.line)));
        for group in claims.chunk_by(|one, other| one.key == other.key) {
            if let Some(winner) = winner(group) {
                self.judge(group, winner, None, false, elsewhere);
            }
        }
    }

    /// Judges the claims to the same clients. `opposed`: other lines would win if the winner went.
    fn judge<'t, K>(
        &mut self,
        group: &[Claim<'t, K>],
        winner: &Claim<'t, K>,
        wider: Option<&Claim<'t, K>>,
        opposed: bool,
        elsewhere: &Elsewhere<'t>,
    ) {
        let losers = || group.iter().filter(|claim| claim.line != winner.line);
        for loser in losers() {
            let standing = match (agree(loser, winner), winner.exception) {
                (true, _) => Standing::Repeats(winner.line),
                (false, true) => Standing::Excepted(winner.line),
                (false, false) => Standing::Overridden(winner.line),
            };
            self.add(loser.line, Some(standing));
        }
        let replaced = opposed || losers().any(|loser| !agree(loser, winner));
        let standing = match wider {
            _ if replaced => None,
            Some(wider) if agree(winner, wider) => Some(Standing::CoveredBy(wider.line)),
            None if winner.exception && !elsewhere.grants => Some(Standing::ExceptsNothing),
            Some(_) | None => None,
        };
        self.add(winner.line, standing);
    }
}

impl Elsewhere<'_> {
    fn opposes<K>(&self, claim: &Claim<'_, K>) -> bool {
        self.address_grants.iter().any(|suffix| claim.exception || *suffix != claim.suffix)
    }
}

/// Of equal claims the exception wins, then the last one.
fn winner<'c, 't, K>(group: &'c [Claim<'t, K>]) -> Option<&'c Claim<'t, K>> {
    group.iter().max_by_key(|claim| (claim.exception, claim.line))
}

/// Whether two claims decide alike; the suffix of an exception means nothing.
fn agree<K>(one: &Claim<'_, K>, other: &Claim<'_, K>) -> bool {
    one.exception == other.exception && (one.exception || one.suffix == other.suffix)
}
