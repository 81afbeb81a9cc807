//! Reads control files and the environment; nobody else does.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::socket::{SockaddrStorage, getpeername};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::read;

use crate::client::Client;
use crate::control::environment::Environment;
use crate::control::present::Present;
use crate::control::settings::{FILES, Key, variable};
use crate::control::text::{entries, first_line, signed, unsigned};
use crate::control::{CheckRecipient, Control, RelayLevel, Setup};
use crate::errno::words;

/// Where a control directory may be when no variable names it.
pub const DEFAULT_DIRECTORIES: [&str; 2] = ["/etc/indimail/control", "/var/qmail/control"];

/// What is read of a control file at first, in octets: all of it, as a rule.
const FILE_OCTETS_FIRST: usize = 1024;
/// The largest control file that is read whole, in octets; lists are searched and may be larger.
const FILE_OCTETS_MAX: usize = 65_536;

/// Why the settings cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// There is no control directory, or the directory above it cannot be entered.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A control file exists and cannot be read, or a mandatory one is missing or empty.
    File {
        /// Its name in the control directory.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// What the system said, or what is missing in it.
        error: io::Error,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Directory { path, error } => write!(f, "chdir: {}: {}", path.display(), words(error)),
            LoadError::File { name, path, error } => {
                write!(f, "unable to read controls [{name}] {}: {}", path.display(), words(error))
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Where we work and where the control files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The working directory: `SYSCONFDIR`, else the directory above the control directory.
    pub working: PathBuf,
    /// The control directory.
    pub control: PathBuf,
}

impl Default for Places {
    /// Where IndiMail would be.
    fn default() -> Self {
        Self { working: PathBuf::from("/etc/indimail"), control: PathBuf::from("/etc/indimail/control") }
    }
}

impl Places {
    /// Finds the control directory: `CONTROLDIR`; `control` in `SYSCONFDIR`; the first of [`DEFAULT_DIRECTORIES`] that exists.
    ///
    /// # Errors
    ///
    /// [`LoadError::Directory`] when none is named and none exists.
    pub fn find(environment: &Environment) -> Result<Self, LoadError> {
        let named = |name: &[u8]| environment.get(name).filter(|value| !value.is_empty()).map(path_of);
        match (named(b"SYSCONFDIR"), named(b"CONTROLDIR")) {
            (Some(working), control) => {
                let control = control.unwrap_or_else(|| PathBuf::from("control"));
                Ok(Self { control: working.join(control), working })
            }
            (None, Some(control)) => Ok(Self::with_control(control)),
            (None, None) => Self::default_place(),
        }
    }

    fn default_place() -> Result<Self, LoadError> {
        let found = DEFAULT_DIRECTORIES.iter().map(PathBuf::from).find(|directory| directory.is_dir());
        found
            .map(Self::with_control)
            .ok_or_else(|| LoadError::Directory { path: Self::default().working, error: Errno::ENOENT.into() })
    }

    fn with_control(control: PathBuf) -> Self {
        // Absolute, because the working directory is about to change.
        let control = if control.is_absolute() { control } else { std::path::absolute(&control).unwrap_or(control) };
        let working = control.parent().unwrap_or(&control).to_path_buf();
        Self { working, control }
    }
}

fn path_of(value: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(value))
}

impl Setup {
    /// Loads every setting of [`VARIABLES`](crate::control::settings::VARIABLES) and [`FILES`]; a variable wins over its file,
    /// which is then not read.
    ///
    /// `host` is the first argument of `smtpd`, a name for this host.
    ///
    /// # Errors
    ///
    /// [`LoadError::File`] for a file that cannot be read, or when there is neither `smtpgreeting` nor `me`.
    pub fn load(environment: Environment, control_directory: &Path, host: Option<&[u8]>) -> Result<Self, LoadError> {
        let mut setup = Self::from_environment(environment);
        setup.load_files(control_directory, host)?;
        Ok(setup)
    }

    /// Loads every setting of [`VARIABLES`](crate::control::settings::VARIABLES): who the client is, and what the rules of
    /// tcpserver say of it.
    #[must_use]
    pub fn from_environment(environment: Environment) -> Self {
        let mut setup = Setup::default();
        setup.control.local_host.clear();
        for (name, value) in environment.iter() {
            if let Some(known) = variable(name) {
                setup.set(known.key, value, Source::Variable);
                setup.set_by_variable |= bit(known.key);
            }
        }
        let address = environment.get(b"TCP6REMOTEIP").or_else(|| environment.get(b"TCPREMOTEIP"));
        setup.client.set_address_text(address.unwrap_or(Client::UNKNOWN));
        setup.environment = environment;
        setup
    }

    /// The same settings for another client, whose environment differs in nothing but who the client is.
    #[must_use]
    pub fn for_client(control: &Control, environment: Environment) -> Self {
        Self { control: control.clone(), ..Self::from_environment(environment) }
    }

    /// Loads every setting of [`FILES`] that no variable has set, then what follows from `me` and from `host`.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_files(&mut self, control_directory: &Path, host: Option<&[u8]>) -> Result<(), LoadError> {
        self.control.directory = control_directory.to_path_buf();
        self.read_files()?;
        self.settle_names(host)
    }

    /// Looks at the connection itself: under inetd the log would go to the client, and nobody but the socket tells who that is.
    pub fn look_at_connection(&mut self) {
        self.log_is_connection = log_is_connection();
        if self.environment.get(b"TCP6REMOTEIP").or_else(|| self.environment.get(b"TCPREMOTEIP")).is_some() {
            return;
        }
        let Ok(peer) = getpeername::<SockaddrStorage>(0) else { return };
        if let Some(ip4) = peer.as_sockaddr_in() {
            self.client.set_address(ip4.ip().into());
        } else if let Some(ip6) = peer.as_sockaddr_in6() {
            self.client.set_address(ip6.ip().into());
        }
    }

    pub(super) fn read_files(&mut self) -> Result<(), LoadError> {
        let already_set = self.set_by_variable;
        let path = &self.control.directory;
        // Names relative to the directory spare each file a path of its own.
        let directory = File::open(path).map_err(|error| unreadable(path, "smtpgreeting", error))?;
        let present = Present::of(&directory);
        let mut buffer = vec![0; FILE_OCTETS_FIRST];
        for file in FILES.iter().filter(|file| already_set & bit(file.key) == 0 && present.may_have(file.octets())) {
            let name = std::str::from_utf8(file.octets()).unwrap_or_default();
            match read_whole(&directory, file.octets(), &mut buffer) {
                Ok(octets) => self.set(file.key, buffer.get(..octets).unwrap_or_default(), Source::File),
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(unreadable(&self.control.directory, name, error.into())),
            }
        }
        self.control.present = present;
        Ok(())
    }

    /// Fills in what `me`, the first argument and the system say about names.
    fn settle_names(&mut self, host: Option<&[u8]>) -> Result<(), LoadError> {
        let control = &mut self.control;
        if control.greeting.is_empty() {
            // D07: a smtpgreeting without a usable line counts as missing.
            let greeting = match control.me.clone() {
                Some(me) if me.is_empty() => {
                    let nameless = io::Error::other("it has no name in its first line, and there is no smtpgreeting");
                    return Err(unreadable(&control.directory, "me", nameless));
                }
                Some(me) => me,
                None => {
                    let is_there = control.directory.join("smtpgreeting").exists();
                    let speechless = || io::Error::other("it has no line to greet with, and there is no me");
                    let error = if is_there { speechless() } else { Errno::ENOENT.into() };
                    return Err(unreadable(&control.directory, "smtpgreeting", error));
                }
            };
            control.greeting.push(greeting);
        }
        if control.local_ip_host.is_none() {
            control.local_ip_host = control.me.clone();
        }
        if control.local_host.is_empty() {
            let named = host.filter(|host| !host.is_empty()).or_else(|| self.environment.get(b"HOSTNAME"));
            self.control.local_host = match named {
                Some(name) => name.to_vec(),
                None => system_name(),
            };
        }
        Ok(())
    }

    /// The setter of every setting that is loaded when the connection starts.
    fn set(&mut self, key: Key, text: &[u8], source: Source) {
        let line = || first_line(text).to_vec();
        let client = &mut self.client;
        let control = &mut self.control;
        match key {
            Key::RemoteHost => client.name = named(text),
            Key::RemoteInfo => client.info = Some(text.to_vec()),
            Key::RelayClient => client.relay_suffix = Some(text.to_vec()),
            Key::LocalHost => control.local_host = text.to_vec(),
            // Looked up by name where their order matters: Places::find, load_environment, settle_names.
            Key::RemoteIp6 | Key::RemoteIp | Key::HostName | Key::SysConfDir | Key::ControlDir => {}
            Key::Paranoid => control.paranoid = Some(text.to_vec()),
            Key::Me => control.me = Some(line()),
            Key::SmtpGreeting => control.greeting = entries(text).map(|entry| entry.text.to_vec()).collect(),
            Key::LocalIpHost => control.local_ip_host = Some(line()),
            Key::TimeoutSmtpd => control.timeout_seconds = source.wait(text, control.timeout_seconds).max(1),
            Key::MaxCmdLen => control.command_octets_max = source.count(text, Control::COMMAND_OCTETS_MAX),
            Key::MaxHops => control.hops_max = source.count(text, Control::HOPS_MAX),
            Key::GreetDelay => control.greet_delay_seconds = source.signed_wait(text),
            Key::Databytes => control.databytes = source.octets(text),
            Key::MaxRecipients => control.recipients_max = source.count(text, Control::RECIPIENTS_MAX),
            Key::TarpitCount => control.tarpit_count = source.count(text, 0),
            Key::TarpitDelay => control.tarpit_delay_seconds = source.wait(text, control.tarpit_delay_seconds),
            Key::DisableExtraGreet => control.extra_greeting = false,
            Key::Penalty => control.penalty_seconds = source.wait(text, control.penalty_seconds),
            Key::DisableHelp => control.help = false,
            Key::DisableVrfy => control.verify = false,
            Key::HideHost => control.hide_host = true,
            Key::Shutdown => control.shutdown = Some(text.to_vec()),
            Key::OpenRelay => control.open_relay = true,
            Key::ReqPtr => control.require_ptr = Some(text.to_vec()),
            Key::EnforceFqdnHelo => control.fqdn_helo = true,
            Key::SmtpUtf8 => control.smtputf8 = true,
            Key::RequireAuth => control.require_auth = true,
            Key::ForceTls => control.force_tls = true,
            Key::TlsProvider => control.tls_provider = Some(text.to_vec()),
            Key::TlsProviderTrust => control.trusts_tls_provider = true,
            Key::StartTls => control.starttls = true,
            Key::Smtps => control.smtps = true,
            Key::BounceMail => control.bounce_mail = Some(text.to_vec()),
            Key::RelayClass => client.class = Some(text.to_vec()).filter(|class| !class.is_empty()),
            Key::RelayLevel => control.relay_level = RelayLevel::of_word(first_line(text)),
            Key::RelayText => control.relay_text = Some(line()).filter(|line| !line.is_empty()),
            Key::AuthAll => control.auth_all = true,
            Key::CugMail => control.closed_user_group = true,
            Key::CheckSender => control.check_sender = true,
            Key::CheckRecipient => control.check_recipient = Some(CheckRecipient::of_text(text)),
            Key::MaxRcptErrCount => control.invalid_recipients_max = source.count(text, 0),
            Key::QRegex => control.regular_expressions = source.number(text, 0) != 0,
            Key::AllowBareLf => control.allow_bare_lf = true,
            Key::ForbidBareCr => control.forbid_bare_cr = true,
            Key::QmailQueue => control.queue_program = Some(text.to_vec()),
            Key::NullQueue => control.null_queue = true,
            Key::ErrorFd => control.queue_error_fd = Some(source.number(text, 2)).filter(|fd| *fd >= 2),
        }
    }
}

fn unreadable(directory: &Path, name: &str, error: io::Error) -> LoadError {
    LoadError::File { name: name.to_string(), path: directory.join(name), error }
}

/// Where a text comes from; the original reads numbers from a variable a little differently.
#[derive(Debug, Clone, Copy)]
enum Source {
    File,
    Variable,
}

impl Source {
    /// A number; text that is none leaves a file's default alone, and is 0 in a variable.
    fn number(self, text: &[u8], default: i32) -> i32 {
        let otherwise = match self {
            Source::File => default,
            Source::Variable => 0,
        };
        signed(first_line(text)).unwrap_or(otherwise)
    }

    /// A number of things; 0 and less mean `default`.
    fn count<T: TryFrom<i32>>(self, text: &[u8], default: T) -> T {
        let number = self.number(text, 0);
        if number <= 0 { default } else { T::try_from(number).unwrap_or(default) }
    }

    /// A number of seconds; less than 0 means 0.
    fn wait(self, text: &[u8], default_seconds: u32) -> u32 {
        let default = i32::try_from(default_seconds).unwrap_or(0);
        u32::try_from(self.number(text, default)).unwrap_or(0).min(Control::WAIT_SECONDS_MAX)
    }

    /// A number of seconds that may be negative (D13: from a file too).
    fn signed_wait(self, text: &[u8]) -> i32 {
        let most = Control::WAIT_SECONDS_MAX as i32;
        self.number(text, 0).clamp(-most, most)
    }

    /// A number of octets; text that is none means 0, which is the default of every such setting.
    fn octets(self, text: &[u8]) -> u64 {
        unsigned(first_line(text)).unwrap_or(0)
    }
}

/// Whether descriptor 2 is the connection itself, as inetd leaves it.
#[must_use]
pub fn log_is_connection() -> bool {
    let identity = |status: FileStat| (status.st_dev, status.st_ino, status.st_mode & libc::S_IFMT);
    let [output, log] = [fstat(io::stdout()), fstat(io::stderr())].map(|status| status.map(identity));
    matches!((output, log), (Ok(output), Ok(log)) if output == log && output.2 == libc::S_IFSOCK)
}

/// A client's name, whole; `unknown` and nothing are none.
fn named(text: &[u8]) -> Option<Vec<u8>> {
    (!text.is_empty() && !text.eq_ignore_ascii_case(Client::UNKNOWN)).then(|| text.to_vec())
}

fn bit(key: Key) -> u64 {
    1 << (key as u8)
}

/// Reads a file into `buffer` and returns its length; what exceeds [`FILE_OCTETS_MAX`] is an error.
fn read_whole<P: NixPath + ?Sized>(directory: impl AsFd, name: &P, buffer: &mut Vec<u8>) -> nix::Result<usize> {
    // A fifo in the place of a control file must not hang us.
    let file = openat(directory, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())?;
    let mut octets = 0;
    loop {
        match read(&file, buffer.get_mut(octets..).unwrap_or_default()) {
            Ok(0) => return Ok(octets),
            Ok(more) => octets += more,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error),
        }
        if octets < buffer.len() {
            // A regular file gave less than we asked for: that was all of it.
            return Ok(octets);
        }
        if octets >= FILE_OCTETS_MAX {
            return Err(Errno::EFBIG);
        }
        buffer.resize(FILE_OCTETS_MAX + 1, 0);
    }
}

/// Reads a small list whole; none if there is no such file.
///
/// # Errors
///
/// What the system says, or that the file is too large for a list that is read whole.
pub fn read_list(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; FILE_OCTETS_FIRST];
    match read_whole(AT_FDCWD, path, &mut buffer) {
        Ok(octets) => {
            buffer.truncate(octets);
            Ok(Some(buffer))
        }
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn system_name() -> Vec<u8> {
    nix::unistd::gethostname().map_or_else(|_| Client::UNKNOWN.to_vec(), |name| name.into_encoded_bytes())
}
