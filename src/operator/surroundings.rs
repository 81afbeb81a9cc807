//! What every situation has in common: the control directory, variables, the rules of tcpserver, and DNS or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::control::environment::Environment;
use crate::control::load::{LoadError, Places};
use crate::control::{Control, Setup};
use crate::dns::Dns;
use crate::operator::command::Place;
use crate::operator::ended::{Ended, PERMANENT};
use crate::operator::rule;
use crate::operator::situation::Situation;

/// Settings of so many environments are kept; then they are forgotten and read anew.
const SETTINGS_MAX: usize = 64;

type Pair = (Vec<u8>, Vec<u8>);

/// Where situations take place.
pub struct Surroundings {
    /// The control directory.
    pub directory: PathBuf,
    /// What the options add to the environment.
    variables: Vec<Pair>,
    /// The compiled rules of tcpserver.
    rules: Option<(PathBuf, Cdb)>,
    /// Whether DNS may be asked.
    pub asks_dns: bool,
    /// The settings of environments that differ in more than who the client is: read once.
    settings: BTreeMap<Vec<Pair>, Control>,
}

/// What tcpserver makes of a client.
#[derive(Debug, Clone)]
pub struct Connection {
    /// What smtpd would have in its environment.
    pub environment: Environment,
    /// The key of the rule that applies.
    pub rule: Option<String>,
    /// That rule closes the connection: there is no smtpd.
    pub denied: bool,
}

impl Surroundings {
    /// What the options say.
    ///
    /// # Errors
    ///
    /// There is no such directory, the rules cannot be read, or a variable is none.
    pub fn new(directory: PathBuf, variables: &[String], rules: Option<&Path>, asks_dns: bool) -> Result<Self, Ended> {
        let variables = variables.iter().map(|text| assignment(text)).collect::<Result<_, _>>()?;
        let open = |path: &Path| Cdb::open(path).map_err(|error| Ended::unreadable(path, &error));
        let rules = rules.map(|path| Ok((path.to_path_buf(), open(path)?))).transpose()?;
        Ok(Self { directory, variables, rules, asks_dns, settings: BTreeMap::new() })
    }

    /// Where the rules are, if there are any.
    #[must_use]
    pub fn rules_path(&self) -> Option<&Path> {
        self.rules.as_ref().map(|(path, _)| path.as_path())
    }

    /// What tcpserver makes of the client; `supposed` are variables that the rules and options need not set.
    ///
    /// # Errors
    ///
    /// The rules cannot be read.
    pub fn connection(&self, situation: &Situation, supposed: &[Pair]) -> Result<Connection, Ended> {
        let mut pairs = vec![(b"TCPREMOTEIP".to_vec(), situation.ip.to_string().into_bytes())];
        pairs.extend(situation.name.iter().map(|name| (b"TCPREMOTEHOST".to_vec(), name.clone())));
        pairs.extend_from_slice(supposed);
        let mut ruling = None;
        if let Some((path, cdb)) = &self.rules {
            let applied = rule::apply(cdb, situation.ip, situation.name.as_deref(), &mut pairs);
            ruling = applied.map_err(|error| Ended::unreadable(path, &error))?;
        }
        pairs.extend_from_slice(&self.variables);
        let denied = ruling.as_ref().is_some_and(|ruling| ruling.denies);
        let rule = ruling.map(|ruling| String::from_utf8_lossy(&ruling.key).into_owned());
        Ok(Connection { environment: pairs.into_iter().collect(), rule, denied })
    }

    /// The settings for this environment. What does not depend on the client is read once.
    ///
    /// # Errors
    ///
    /// smtpd could not load them either.
    pub fn setup(&mut self, environment: Environment) -> Result<Setup, LoadError> {
        let is_own = |name: &[u8]| name.starts_with(b"TCPREMOTE") || name.starts_with(b"TCP6REMOTE");
        let others = environment.iter().filter(|(name, _)| !is_own(name));
        let others: Vec<Pair> = others.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        if let Some(control) = self.settings.get(&others) {
            return Ok(Setup::for_client(control, environment));
        }
        let setup = Setup::load(environment, &self.directory, None)?;
        if self.settings.len() >= SETTINGS_MAX {
            self.settings.clear();
        }
        self.settings.insert(others, setup.control.clone());
        Ok(setup)
    }

    /// A resolver, if DNS may be asked: whom the situation's or our own environment names.
    #[must_use]
    pub fn dns(&self, setup: &Setup) -> Option<Dns> {
        let own = Environment::of_process();
        self.asks_dns.then(|| Dns::new(setup.environment.get(b"DNSCACHEIP").or_else(|| own.get(b"DNSCACHEIP"))))
    }
}

/// The control directory that the options name, or where smtpd would find it.
///
/// # Errors
///
/// There is none.
pub fn control_directory(place: &Place) -> Result<PathBuf, Ended> {
    match &place.control {
        Some(directory) if directory.is_dir() => Ok(directory.clone()),
        Some(directory) => Err(Ended(PERMANENT, format!("{} is no directory", directory.display()))),
        None => Places::find(&Environment::of_process())
            .map(|places| places.control)
            .map_err(|_| Ended(PERMANENT, "no control directory found: name one with --control DIR".to_string())),
    }
}

/// `NAME=VALUE`.
///
/// # Errors
///
/// It is not that.
pub fn assignment(text: &str) -> Result<(Vec<u8>, Vec<u8>), Ended> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| Ended(PERMANENT, format!("--env {text}: write NAME=VALUE")))?;
    Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
}
