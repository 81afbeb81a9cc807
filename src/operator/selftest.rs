//! `postern selftest`: plays every open-relay probe through the live configuration, as clients that nobody knows.

mod probes;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::cdb::read::{Cdb, CdbError};
use crate::control::Setup;
use crate::control::environment::Environment;
use crate::control::load::LoadError;
use crate::lookup::Lookups;
use crate::operator::progress::Bar;
use crate::operator::rule;
use crate::policy::verdict::Reason;
use crate::session::{Session, Then, Turn};
use crate::smtp::path::{Path as SmtpPath, domain};

use probes::{Ours, Probe};

/// Addresses for documentation (RFC 5737, RFC 3849): nobody calls from there, and no list should name them.
pub const OUTSIDERS: [&str; 4] = ["192.0.2.199", "198.51.100.199", "203.0.113.199", "2001:db8:bad::1"];
/// The situations of one probe that are told one by one.
const TOLD_MAX: usize = 5;

/// What is tested.
#[derive(Debug, Clone)]
pub struct Configuration<'a> {
    /// The control directory.
    pub directory: &'a Path,
    /// Variables of smtpd's environment, for every client.
    pub variables: &'a [(Vec<u8>, Vec<u8>)],
    /// The compiled rules of tcpserver.
    pub rules: Option<&'a Path>,
    /// The clients that the probes come from.
    pub clients: &'a [IpAddr],
    /// More senders to forge.
    pub senders: &'a [String],
    /// Whether DNS may be asked; else who needs it cannot be judged.
    pub network: Network,
}

/// Whether the network may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Only what is on this host.
    Unasked,
    /// DNS too.
    Asked,
}

/// Why nothing could be tested.
#[derive(Debug)]
pub enum SelftestError {
    /// smtpd itself could not start.
    Load(LoadError),
    /// The rules cannot be read.
    Rules(CdbError),
}

impl std::fmt::Display for SelftestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SelftestError::Load(error) => error.fmt(f),
            SelftestError::Rules(error) => write!(f, "the rules cannot be read: {error}"),
        }
    }
}

/// What became of one probe in one situation, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    /// Accepted for this host itself, after what was in the way was taken off.
    Ours,
    /// Refused only for now.
    Unjudged,
    /// Accepted, and it would leave this host, or another host might send it on.
    Accepted,
}

/// Who tried, and what was said.
#[derive(Debug, Clone)]
struct Try {
    client: String,
    sender: String,
    outcome: Outcome,
    reason: String,
}

/// What became of a probe in all situations.
#[derive(Debug)]
struct Tried {
    name: &'static str,
    recipient: String,
    /// The worst.
    outcome: Outcome,
    /// How often each reason was given.
    reasons: BTreeMap<(Outcome, String), usize>,
    /// Some situations with the worst outcome.
    worst: Vec<Try>,
}

/// What became of all probes.
#[derive(Debug)]
pub struct Report(Vec<Tried>);

/// Plays every probe from every client with every sender.
///
/// # Errors
///
/// [`SelftestError`] when smtpd could not start, or the rules cannot be read.
pub fn selftest(configuration: &Configuration<'_>) -> Result<Report, SelftestError> {
    let rules = configuration.rules.map(Cdb::open).transpose().map_err(|error| SelftestError::Rules(error.into()))?;
    let environment: Environment = configuration.variables.iter().cloned().collect();
    let setup = Setup::load(environment, configuration.directory, None).map_err(SelftestError::Load)?;
    let ours = Ours::of(&setup);
    let mut senders = ours.senders();
    senders.extend(configuration.senders.iter().cloned());
    let tried: Vec<_> = ours.probes().into_iter().map(Tried::new).collect();
    let situations = configuration.clients.len() * ours.names().len() * senders.len() * tried.len();
    let mut trial = Trial { tried, senders, ours, done: 0, bar: Bar::new(situations as u64) };
    for ip in configuration.clients {
        for name in trial.ours.names() {
            let outsider = Outsider { ip: *ip, name };
            match outsider.setup(configuration, rules.as_ref())? {
                Some(setup) => trial.play(&outsider, &setup, configuration.network),
                None => trial.refuse(&outsider),
            }
        }
    }
    if let Some(bar) = &mut trial.bar {
        bar.hide();
    }
    Ok(Report(trial.tried.into_iter().map(|(_, tried)| tried).collect()))
}

/// A client from outside, and the name that it has or has forged.
struct Outsider {
    ip: IpAddr,
    name: Option<String>,
}

impl Outsider {
    /// What smtpd would know of it; nothing when tcpserver closes the connection.
    fn setup(&self, configuration: &Configuration<'_>, rules: Option<&Cdb>) -> Result<Option<Setup>, SelftestError> {
        let name = self.name.as_deref().map(str::as_bytes);
        let mut pairs = vec![(b"TCPREMOTEIP".to_vec(), self.ip.to_string().into_bytes())];
        pairs.extend(name.map(|name| (b"TCPREMOTEHOST".to_vec(), name.to_vec())));
        if let Some(cdb) = rules {
            let ruling = rule::apply(cdb, self.ip, name, &mut pairs).map_err(SelftestError::Rules)?;
            if ruling.is_some_and(|ruling| ruling.denies) {
                return Ok(None);
            }
        }
        pairs.extend(configuration.variables.iter().cloned());
        let setup = Setup::load(pairs.into_iter().collect(), configuration.directory, None);
        setup.map(Some).map_err(SelftestError::Load)
    }
}

impl std::fmt::Display for Outsider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} called {name}", self.ip),
            None => self.ip.fmt(f),
        }
    }
}

/// The probes with what became of them so far.
struct Trial {
    ours: Ours,
    senders: Vec<String>,
    tried: Vec<(Probe, Tried)>,
    /// How many situations there were; shown where somebody waits, for long lists take minutes.
    done: u64,
    bar: Option<Bar>,
}

impl Trial {
    fn play(&mut self, outsider: &Outsider, setup: &Setup, network: Network) {
        let mut lookups = match network {
            Network::Asked => Lookups::new(setup),
            Network::Unasked => Lookups::without_dns(setup),
        };
        let helo = outsider.name.as_deref().unwrap_or("probe.invalid");
        for sender in &self.senders {
            for (probe, tried) in &mut self.tried {
                if let Some(bar) = &mut self.bar {
                    bar.draw(self.done, || format!("{} situations", self.done));
                }
                self.done += 1;
                let (outcome, reason) = play(setup, &mut lookups, [helo, sender, &probe.path], &self.ours);
                tried.add(Try { client: outsider.to_string(), sender: sender.clone(), outcome, reason });
            }
        }
    }

    fn refuse(&mut self, outsider: &Outsider) {
        self.done += (self.senders.len() * self.tried.len()) as u64;
        for sender in &self.senders {
            for (_, tried) in &mut self.tried {
                let reason = "denied by the rules of tcpserver".to_owned();
                let client = outsider.to_string();
                tried.add(Try { client, sender: sender.clone(), outcome: Outcome::Refused, reason });
            }
        }
    }
}

/// A session up to its first RCPT. Each probe has one of its own, so that no limit of a message hides an acceptance.
fn play(
    setup: &Setup,
    lookups: &mut Lookups<'_>,
    [helo, sender, recipient]: [&str; 3],
    ours: &Ours,
) -> (Outcome, String) {
    let mut session = Session::new(setup);
    if let Some(refused) = refused(&session.greet("", &mut |setup, question| lookups.answer_by(setup, question))) {
        return refused;
    }
    let rcpt = format!("RCPT TO:{recipient}");
    for line in [format!("EHLO {helo}"), format!("MAIL FROM:<{sender}>"), rcpt] {
        lookups.begin_command();
        let turn = session.hear(line.as_bytes(), &mut |setup, question| lookups.answer_by(setup, question));
        match (refused(&turn), line.strip_prefix("RCPT ")) {
            (Some(refused), _) => return refused,
            (None, None) => {}
            (None, Some(argument)) => return accepted(&turn, argument.as_bytes(), ours),
        }
    }
    (Outcome::Unjudged, "there was no answer".to_owned())
}

fn refused(turn: &Turn) -> Option<(Outcome, String)> {
    let reason = || turn.reason.as_ref().map_or_else(|| turn.reply.code().to_string(), ToString::to_string);
    match &turn.reason {
        _ if turn.reply.code() < 400 && !matches!(turn.then, Then::Close { .. }) => None,
        Some(Reason::LookupFailed(failed)) => Some((Outcome::Unjudged, format!("{}, {failed}", reason()))),
        Some(_) | None => Some((Outcome::Refused, reason())),
    }
}

/// Whether a recipient that was accepted stays here: a plain local part in a domain of this host.
fn accepted(turn: &Turn, argument: &[u8], ours: &Ours) -> (Outcome, String) {
    let reason = turn.reason.as_ref();
    let told = reason.map_or_else(String::new, ToString::to_string);
    let address = SmtpPath::parse(argument).map(|path| path.address).unwrap_or_default();
    let domain = domain(&address);
    let local_part = address.len() - domain.map_or(0, |domain| domain.len() + 1);
    let is_plain = address.iter().take(local_part).all(|byte| !matches!(byte, b'%' | b'!' | b'@'));
    let stays = reason.is_some_and(Reason::is_local) && is_plain && domain.is_none_or(|domain| ours.owns(domain));
    (if stays { Outcome::Ours } else { Outcome::Accepted }, told)
}

impl Tried {
    fn new(probe: Probe) -> (Probe, Self) {
        let (reasons, worst) = (BTreeMap::new(), Vec::new());
        let tried = Self { name: probe.name, recipient: probe.path.clone(), outcome: Outcome::Refused, reasons, worst };
        (probe, tried)
    }

    fn add(&mut self, tried: Try) {
        *self.reasons.entry((tried.outcome, tried.reason.clone())).or_default() += 1;
        if tried.outcome > self.outcome {
            self.outcome = tried.outcome;
            self.worst.clear();
        }
        if tried.outcome == self.outcome && self.worst.len() < TOLD_MAX {
            self.worst.push(tried);
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.reasons.iter().filter(|((of, _), _)| *of == outcome).map(|(_, count)| count).sum()
    }
}

impl Outcome {
    fn in_words(self) -> &'static str {
        match self {
            Outcome::Refused => "refused",
            Outcome::Ours => "for this host",
            Outcome::Unjudged => "not judged",
            Outcome::Accepted => "ACCEPTED",
        }
    }
}

impl Report {
    /// 0 no probe was accepted, 1 some were, 111 some could not be judged.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.0.iter().map(|tried| tried.outcome).max() {
            Some(Outcome::Accepted) => 1,
            Some(Outcome::Unjudged) => 111,
            Some(Outcome::Ours | Outcome::Refused) | None => 0,
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.0.iter().filter(|tried| tried.outcome == outcome).count()
    }

    /// The report for programs.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let tries = |tried: &Tried| -> Vec<Value> {
            let row = |one: &Try| json!({"client": one.client, "sender": one.sender, "reason": one.reason});
            tried.worst.iter().map(row).collect()
        };
        let reasons = |tried: &Tried| -> Vec<Value> {
            let row = |((outcome, reason), count): (&(Outcome, String), &usize)| json!({"verdict": outcome.in_words().to_lowercase(), "reason": reason, "count": count});
            tried.reasons.iter().map(row).collect()
        };
        let rows: Vec<Value> = self
            .0
            .iter()
            .map(|tried| {
                json!({
                    "probe": tried.name,
                    "recipient": tried.recipient,
                    "verdict": tried.outcome.in_words().to_lowercase(),
                    "reasons": reasons(tried),
                    "situations": tries(tried),
                })
            })
            .collect();
        json!({"exit": self.exit_code(), "probes": rows})
    }
}

/// The report for people.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for tried in &self.0 {
            let mut reasons = String::new();
            for ((_, reason), count) in tried.reasons.iter().filter(|((outcome, _), _)| *outcome == tried.outcome) {
                let between = if reasons.is_empty() { "" } else { "; " };
                write!(reasons, "{between}{reason} ({count})")?;
            }
            writeln!(f, "{:<13} {}, {}: {reasons}", tried.outcome.in_words(), tried.name, tried.recipient)?;
            let told = match tried.outcome {
                Outcome::Accepted => TOLD_MAX,
                Outcome::Unjudged => 1,
                Outcome::Ours | Outcome::Refused => continue,
            };
            for one in tried.worst.iter().take(told) {
                writeln!(f, "              {} from <{}>: {}", one.client, one.sender, one.reason)?;
            }
            if let Some(more @ 1..) = tried.count(tried.outcome).checked_sub(told) {
                writeln!(f, "              and {more} more")?;
            }
        }
        let [refused, ours, unjudged, accepted] =
            [Outcome::Refused, Outcome::Ours, Outcome::Unjudged, Outcome::Accepted].map(|outcome| self.count(outcome));
        writeln!(
            f,
            "{} probes: {refused} refused, {ours} accepted for this host, {unjudged} not judged, {accepted} accepted",
            self.0.len()
        )
    }
}
