//! What the operator asked for: every setting, typed, loaded once.

pub mod checker;
pub mod environment;
pub mod load;
pub mod names;
pub mod present;
pub mod rules;
pub mod settings;
pub mod summary;
pub mod text;
mod transaction;
pub mod zone;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::control::checker::Checker;
use crate::control::environment::Environment;
use crate::control::present::Present;

/// Everything known before the conversation starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// Who is calling.
    pub client: Client,
    /// What the operator asked for.
    pub control: Control,
    /// The environment, for the queue program.
    pub environment: Environment,
    /// Who checks passwords; without it there is no AUTH.
    pub checker: Option<Checker>,
    /// Descriptor 2 is the connection: D40, nothing is logged, because the client would read it.
    pub log_is_connection: bool,
    /// The keys that variables have set, a bit each.
    pub set_by_variable: u64,
}

impl Setup {
    /// Where relative paths begin.
    #[must_use]
    pub fn working_directory(&self) -> &Path {
        working_directory(&self.environment, &self.control.directory)
    }
}

/// Where relative paths begin: SYSCONFDIR, else the directory above the control directory.
#[must_use]
pub fn working_directory<'a>(environment: &'a Environment, control_directory: &'a Path) -> &'a Path {
    let named = environment.get(b"SYSCONFDIR").map(|name| Path::new(OsStr::from_bytes(name)));
    let above = control_directory.parent().unwrap_or(Path::new(""));
    named.filter(|named| named.is_absolute()).unwrap_or(above)
}

/// What a variable names in place of a control file: a path as it is, or another file in the control directory; what begins
/// with a dot begins in the working directory.
#[must_use]
pub fn file_named(named: &[u8], environment: &Environment, control_directory: &Path) -> String {
    let name = String::from_utf8_lossy(named);
    match name.starts_with('.') {
        true => working_directory(environment, control_directory).join(name.as_ref()).to_string_lossy().into_owned(),
        false => name.into_owned(),
    }
}

/// The settings that are loaded when the connection starts; [`settings::SETTINGS`] tells what each one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Where the control files are.
    pub directory: PathBuf,
    /// Which files it may have.
    pub present: Present,
    /// The lines of the greeting; at least one.
    pub greeting: Vec<Vec<u8>>,
    /// The first line of `me`.
    pub me: Option<Vec<u8>>,
    /// What replaces an address literal of this host; `me` if there is no `localiphost`.
    pub local_ip_host: Option<Vec<u8>>,
    /// This host's name in the trace header.
    pub local_host: Vec<u8>,
    /// How long to wait for the client.
    pub timeout_seconds: u32,
    /// The longest command line.
    pub command_octets_max: usize,
    /// A message with so many trace lines is looping.
    pub hops_max: u32,
    /// The wait before the greeting; negative: a client that speaks first is refused.
    pub greet_delay_seconds: i32,
    /// The largest message; 0 means no limit.
    pub databytes: u64,
    /// The most recipients of a message.
    pub recipients_max: usize,
    /// From this recipient on each one waits; 0 means never.
    pub tarpit_count: usize,
    /// How long each of them waits.
    pub tarpit_delay_seconds: u32,
    /// The greeting names product, version and date.
    pub extra_greeting: bool,
    /// The wait before a gated command is answered.
    pub penalty_seconds: u32,
    /// HELP is answered.
    pub help: bool,
    /// VRFY is answered.
    pub verify: bool,
    /// The trace header names neither client nor server.
    pub hide_host: bool,
    /// SHUTDOWN and its text.
    pub shutdown: Option<Vec<u8>>,
    /// OPENRELAY.
    pub open_relay: bool,
    /// TCPPARANOID and its text.
    pub paranoid: Option<Vec<u8>>,
    /// REQPTR and its text.
    pub require_ptr: Option<Vec<u8>>,
    /// ENFORCE_FQDN_HELO.
    pub fqdn_helo: bool,
    /// SMTPUTF8 is offered.
    pub smtputf8: bool,
    /// REQUIREAUTH.
    pub require_auth: bool,
    /// FORCE_TLS.
    pub force_tls: bool,
    /// TLS_PROVIDER and its text.
    pub tls_provider: Option<Vec<u8>>,
    /// TLS_PROVIDER_TRUST.
    pub trusts_tls_provider: bool,
    /// STARTTLS.
    pub starttls: bool,
    /// SMTPS.
    pub smtps: bool,
    /// BOUNCEMAIL and its text.
    pub bounce_mail: Option<Vec<u8>>,
    /// AUTH_ALL.
    pub auth_all: bool,
    /// relaylevel.
    pub relay_level: RelayLevel,
    /// relaytext, the words of a refusal for want of a grant.
    pub relay_text: Option<Vec<u8>>,
    /// CUGMAIL.
    pub closed_user_group: bool,
    /// CHECKSENDER.
    pub check_sender: bool,
    /// CHECKRECIPIENT and who is asked.
    pub check_recipient: Option<CheckRecipient>,
    /// After so many recipients without a mailbox the session ends; 0 means never.
    pub invalid_recipients_max: u32,
    /// Lists hold regular expressions instead of wildcards.
    pub regular_expressions: bool,
    /// ALLOW_BARELF.
    pub allow_bare_lf: bool,
    /// FORBID_BARE_CR.
    pub forbid_bare_cr: bool,
    /// QMAILQUEUE.
    pub queue_program: Option<Vec<u8>>,
    /// NULLQUEUE.
    pub null_queue: bool,
    /// The descriptor of the queue program's explanations, 2 or more; none for a smaller ERROR_FD, as -1.
    pub queue_error_fd: Option<i32>,
}

/// What relaylevel asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayLevel {
    /// Who has a grant may relay.
    Normal,
    /// Only AUTH and client certificates grant.
    None,
    /// Everyone may relay.
    Open,
    /// Another word: nobody can know who may relay.
    Unknown(Vec<u8>),
}

impl RelayLevel {
    fn of_word(word: &[u8]) -> Self {
        match word.to_ascii_lowercase().as_slice() {
            b"" | b"normal" => Self::Normal,
            b"none" => Self::None,
            b"open" => Self::Open,
            _ => Self::Unknown(word.to_vec()),
        }
    }
}

/// Who is asked whether a recipient has a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckRecipient {
    /// 1: the system for domains in `locals`, the database for the others.
    Accounts,
    /// 2: `recipients`, then as 1.
    Both,
    /// 3, and anything else: `recipients`.
    Recipients,
}

impl CheckRecipient {
    fn of_text(text: &[u8]) -> Self {
        match text::signed(text) {
            Some(1) => Self::Accounts,
            Some(2) => Self::Both,
            Some(_) | None => Self::Recipients,
        }
    }
}

impl Control {
    /// The default of `timeoutsmtpd`.
    pub const TIMEOUT_SECONDS: u32 = 1200;
    /// The default of `maxcmdlen` (D09): four times what RFC 5321, 4.5.3.1.4 asks for.
    pub const COMMAND_OCTETS_MAX: usize = 2000;
    /// The default of `maxhops`.
    pub const HOPS_MAX: u32 = 100;
    /// The default of `maxrecipients` (D09).
    pub const RECIPIENTS_MAX: usize = 50_000;
    /// The longest wait that a setting can ask for: a day.
    pub const WAIT_SECONDS_MAX: u32 = 86_400;
}

impl Default for Control {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            present: Present::default(),
            greeting: Vec::new(),
            me: None,
            local_ip_host: None,
            local_host: Client::UNKNOWN.to_vec(),
            timeout_seconds: Self::TIMEOUT_SECONDS,
            command_octets_max: Self::COMMAND_OCTETS_MAX,
            hops_max: Self::HOPS_MAX,
            greet_delay_seconds: 0,
            databytes: 0,
            recipients_max: Self::RECIPIENTS_MAX,
            tarpit_count: 0,
            tarpit_delay_seconds: 5,
            extra_greeting: true,
            penalty_seconds: 5,
            help: true,
            verify: true,
            hide_host: false,
            shutdown: None,
            open_relay: false,
            paranoid: None,
            require_ptr: None,
            fqdn_helo: false,
            smtputf8: false,
            require_auth: false,
            force_tls: false,
            tls_provider: None,
            trusts_tls_provider: false,
            starttls: false,
            smtps: false,
            bounce_mail: None,
            auth_all: false,
            relay_level: RelayLevel::Normal,
            relay_text: None,
            closed_user_group: false,
            check_sender: false,
            check_recipient: None,
            invalid_recipients_max: 0,
            regular_expressions: false,
            allow_bare_lf: false,
            forbid_bare_cr: false,
            queue_program: None,
            null_queue: false,
            queue_error_fd: Some(2),
        }
    }
}
