//! SETTINGS: the one table of every control file and variable, from which loading, `smtpd -v`, `postern settings` and control/README come.

use crate::control::names::Names;

/// One control file, one variable, or both: what it is called, how it is read and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The file in the control directory; empty when there is only a variable.
    pub file: &'static str,
    /// The environment variable; empty when there is only a file.
    pub variable: &'static str,
    /// What the variable holds when there is a file too.
    pub role: Role,
    /// How the text is read.
    pub form: Form,
    /// What holds when it is not set, in words where no value fits; empty means nothing.
    pub default: &'static str,
    /// Whether and how it is used.
    pub state: State,
    /// One or two sentences for the operator.
    pub doc: &'static str,
}

/// What a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The value itself; it wins over the file.
    Value,
    /// The name of another file to read instead.
    FileName,
}

/// How the text of a setting is read (relay-cdb rules of control files: qmail-control(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The variable is set, even to the empty text.
    Switch,
    /// Any text.
    Text,
    /// The first line.
    Line,
    /// The first line, a number that may be negative.
    Number,
    /// The first line, digits only.
    Unsigned,
    /// An IP address.
    Address,
    /// A file, directory or program.
    Path,
    /// One entry a line; empty lines and lines that begin with `#` do not count.
    Lines,
    /// The same, matched with addresses: literal, `@domain`, wildcards or regular expressions; or compiled as .cdb.
    Addresses,
    /// The same, only patterns; `!` negates.
    Patterns,
    /// `pattern:VARIABLE=value,...`.
    Rules,
    /// A compiled list.
    Cdb,
}

/// Whether and how a setting is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Loaded when the connection starts.
    Works(Key),
    /// Read or searched when a decision needs it.
    OnDemand,
    /// Known and not built yet: what it belongs to. `postern lint` warns when one is set.
    NotYet(&'static str),
    /// Known from the original and without effect here: why. `postern lint` warns when it is set.
    NoEffect(&'static str),
}

impl Setting {
    /// The name an operator knows the setting by: the file, else the variable.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        if self.file.is_empty() { self.variable } else { self.file }
    }
}

/// A setting that is loaded when the connection starts; [`crate::control::Setup`] has a field for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Key {
    /// `TCP6REMOTEIP`.
    RemoteIp6,
    /// `TCPREMOTEIP`.
    RemoteIp,
    /// `TCPREMOTEHOST`.
    RemoteHost,
    /// `TCPREMOTEINFO`.
    RemoteInfo,
    /// `TCPLOCALHOST`.
    LocalHost,
    /// `HOSTNAME`.
    HostName,
    /// `TCPPARANOID`.
    Paranoid,
    /// `SYSCONFDIR`.
    SysConfDir,
    /// `CONTROLDIR`.
    ControlDir,
    /// `me`.
    Me,
    /// `smtpgreeting`.
    SmtpGreeting,
    /// `localiphost`.
    LocalIpHost,
    /// `timeoutsmtpd`.
    TimeoutSmtpd,
    /// `maxcmdlen`.
    MaxCmdLen,
    /// `maxhops`.
    MaxHops,
    /// `greetdelay / GREETDELAY`.
    GreetDelay,
    /// `databytes / DATABYTES`.
    Databytes,
    /// `maxrecipients / MAXRECIPIENTS`.
    MaxRecipients,
    /// `tarpitcount / TARPITCOUNT`.
    TarpitCount,
    /// `tarpitdelay / TARPITDELAY`.
    TarpitDelay,
    /// `DISABLE_EXTRA_GREET`.
    DisableExtraGreet,
    /// `PENALTY`.
    Penalty,
    /// `DISABLE_HELP`.
    DisableHelp,
    /// `DISABLE_VRFY`.
    DisableVrfy,
    /// `HIDE_HOST`.
    HideHost,
    /// `SHUTDOWN`.
    Shutdown,
    /// `OPENRELAY`.
    OpenRelay,
    /// `REQPTR`.
    ReqPtr,
    /// `ENFORCE_FQDN_HELO`.
    EnforceFqdnHelo,
    /// `SMTPUTF8`.
    SmtpUtf8,
    /// `REQUIREAUTH`.
    RequireAuth,
    /// `FORCE_TLS`.
    ForceTls,
    /// `TLS_PROVIDER`.
    TlsProvider,
    /// `TLS_PROVIDER_TRUST`.
    TlsProviderTrust,
    /// `STARTTLS`.
    StartTls,
    /// `SMTPS`.
    Smtps,
    /// `RELAYCLIENT`.
    RelayClient,
    /// `RELAYCLASS`.
    RelayClass,
    /// `relaylevel`.
    RelayLevel,
    /// `relaytext / RELAYTEXT`.
    RelayText,
    /// `AUTH_ALL`.
    AuthAll,
    /// `CUGMAIL`.
    CugMail,
    /// `CHECKSENDER`.
    CheckSender,
    /// `CHECKRECIPIENT`.
    CheckRecipient,
    /// `MAX_RCPT_ERRCOUNT`.
    MaxRcptErrCount,
    /// `BOUNCEMAIL`.
    BounceMail,
    /// `qregex / QREGEX`.
    QRegex,
    /// `ALLOW_BARELF`.
    AllowBareLf,
    /// `FORBID_BARE_CR`.
    ForbidBareCr,
    /// `QMAILQUEUE`.
    QmailQueue,
    /// `NULLQUEUE`.
    NullQueue,
    /// `ERROR_FD`.
    ErrorFd,
}

impl Key {
    /// Whether a rule for one transaction may change it; what is not here is settled when the connection starts.
    #[must_use]
    pub fn is_of_rules(self) -> bool {
        matches!(
            self,
            Key::Databytes
                | Key::MaxRecipients
                | Key::TarpitCount
                | Key::TarpitDelay
                | Key::RequireAuth
                | Key::ForceTls
                | Key::RelayText
                | Key::AuthAll
                | Key::CugMail
                | Key::CheckSender
                | Key::CheckRecipient
                | Key::MaxRcptErrCount
                | Key::BounceMail
                | Key::QRegex
                | Key::AllowBareLf
                | Key::ForbidBareCr
                | Key::QmailQueue
                | Key::NullQueue
                | Key::ErrorFd
        )
    }
}

/// Every setting there is, grouped as an operator meets them. What is not in this table does not exist.
///
/// A constant, not a static: `smtpd` uses only the [`Name`]s packed from it, which need no relocation when the program starts.
#[rustfmt::skip] // a row is two lines, so that the table can be read as one
pub const SETTINGS: &[Setting] = &[
    // Connection, as tcpserver describes it (tcp-environ(5)).
    Setting { file: "", variable: "TCP6REMOTEIP", role: Role::Value, form: Form::Address, default: "", state: State::Works(Key::RemoteIp6),
        doc: "The client's address; wins over TCPREMOTEIP. An IPv4-mapped address counts as IPv4. Without both, the peer of descriptor 0." },
    Setting { file: "", variable: "TCPREMOTEIP", role: Role::Value, form: Form::Address, default: "", state: State::Works(Key::RemoteIp),
        doc: "The client's address." },
    Setting { file: "", variable: "TCPREMOTEHOST", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::RemoteHost),
        doc: "The client's name from DNS; `unknown` counts as none. Compared with relaydomains, shown in the trace header." },
    Setting { file: "", variable: "TCPREMOTEINFO", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::RemoteInfo),
        doc: "The client's ident answer, shown in the trace header." },
    Setting { file: "", variable: "TCPLOCALHOST", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::LocalHost),
        doc: "This host's name in the trace header; else the first argument, HOSTNAME, the system's name." },
    Setting { file: "", variable: "HOSTNAME", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::HostName),
        doc: "This host's name when TCPLOCALHOST and the first argument are missing." },
    Setting { file: "", variable: "TCPPARANOID", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::Paranoid),
        doc: "Set by tcpserver -p when name and address of the client disagree: the client is refused, with this text if any." },
    Setting { file: "", variable: "TCPLOCALIP", role: Role::Value, form: Form::Address, default: "", state: State::OnDemand,
        doc: "This host's address in the HELO checks; the IPv6 form TCP6LOCALIP wins." },
    Setting { file: "", variable: "TCP6LOCALIP", role: Role::Value, form: Form::Address, default: "", state: State::OnDemand,
        doc: "This host's address in the HELO checks." },
    Setting { file: "", variable: "TCPLOCALPORT", role: Role::Value, form: Form::Number, default: "", state: State::OnDemand,
        doc: "The port: on 366 (ODMR) there is no STARTTLS. Nothing else depends on it before there are ETRN and ATRN." },
    Setting { file: "", variable: "TCP6LOCALPORT", role: Role::Value, form: Form::Number, default: "", state: State::OnDemand,
        doc: "The port, when TCPLOCALPORT is missing." },
    Setting { file: "", variable: "TLS_PROVIDER", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::TlsProvider),
        doc: "Describes a TLS terminator in front of smtpd." },
    Setting { file: "", variable: "TLS_PROVIDER_TRUST", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::TlsProviderTrust),
        doc: "Count TLS_PROVIDER as TLS for FORCE_TLS and SECURE_AUTH." },
    // Where things are.
    Setting { file: "", variable: "SYSCONFDIR", role: Role::Value, form: Form::Path, default: "the directory above the control directory", state: State::Works(Key::SysConfDir),
        doc: "The working directory; the control directory is `control` in it unless CONTROLDIR is set." },
    Setting { file: "", variable: "CONTROLDIR", role: Role::Value, form: Form::Path, default: "/etc/indimail/control, then /var/qmail/control", state: State::Works(Key::ControlDir),
        doc: "The control directory; relative to the working directory." },
    Setting { file: "", variable: "CERTDIR", role: Role::Value, form: Form::Path, default: "the control directory", state: State::OnDemand,
        doc: "The directory of certificates." },
    Setting { file: "", variable: "PLUGINDIR", role: Role::Value, form: Form::Path, default: "", state: State::NotYet("plugins"),
        doc: "The directory of plugins." },
    Setting { file: "", variable: "SMTP_PLUGIN", role: Role::Value, form: Form::Text, default: "smtpd-plugin.so", state: State::NotYet("plugins"),
        doc: "The first plugin's file name." },
    Setting { file: "", variable: "SMTP_PLUGIN_SYMB", role: Role::Value, form: Form::Text, default: "plugin_init", state: State::NotYet("plugins"),
        doc: "The entry symbol of a plugin." },
    Setting { file: "", variable: "DISABLE_PLUGIN", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("plugins"),
        doc: "Load no plugins." },
    Setting { file: "libindimail", variable: "VIRTUAL_PKG_LIB", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "The virtual-domain library of IndiMail. It is not loaded; where it, host.mysql or vpopmail.mysql is set, there is a database with accounts." },
    Setting { file: "libmysql", variable: "MYSQL_LIB", role: Role::Value, form: Form::Path, default: "", state: State::NoEffect("checkaddress asks lists in a database itself"),
        doc: "The SQL client library of the original." },
    Setting { file: "", variable: "MYSQL_TIMEOUT", role: Role::Value, form: Form::Text, default: "RELAY_DB_TIMEOUT", state: State::OnDemand,
        doc: "How long a database may take for a question about a list, in seconds; then it is 451." },
    Setting { file: "", variable: "ASSIGNDIR", role: Role::Value, form: Form::Path, default: "users in the working directory", state: State::OnDemand,
        doc: "The directory of users/cdb, which knows the real names of alias domains; empty: there is none." },
    Setting { file: "", variable: "TMPDIR", role: Role::Value, form: Form::Path, default: "/tmp", state: State::OnDemand,
        doc: "The directory of LOGFILTER's file, which has no name." },
    Setting { file: "", variable: "INFIFO", role: Role::Value, form: Form::Text, default: "", state: State::NoEffect("checkaddress asks the database itself"),
        doc: "The fifo of IndiMail's lookup daemon." },
    Setting { file: "", variable: "INFIFODIR", role: Role::Value, form: Form::Path, default: "", state: State::NoEffect("checkaddress asks the database itself"),
        doc: "The directory of that fifo." },
    Setting { file: "", variable: "FIFOTMPDIR", role: Role::Value, form: Form::Path, default: "", state: State::NoEffect("checkaddress asks the database itself"),
        doc: "The directory of reply fifos." },
    Setting { file: "", variable: "TCPCLIENT", role: Role::Value, form: Form::Switch, default: "", state: State::NoEffect("checkaddress asks the database itself"),
        doc: "Ask the lookup daemon on descriptors 6 and 7." },
    Setting { file: "timeoutread", variable: "", role: Role::Value, form: Form::Number, default: "4", state: State::NoEffect("checkaddress asks the database itself, for RELAY_DB_TIMEOUT at most"),
        doc: "Read timeout of account queries, in seconds." },
    Setting { file: "timeoutwrite", variable: "", role: Role::Value, form: Form::Number, default: "4", state: State::NoEffect("checkaddress asks the database itself, for RELAY_DB_TIMEOUT at most"),
        doc: "Write timeout of account queries, in seconds." },
    Setting { file: "", variable: "INCLUDE_TRASH", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("ETRN and ATRN"),
        doc: "Count messages in trash for ETRN." },
    // Names of this host, greeting, limits of the conversation.
    Setting { file: "me", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::Works(Key::Me),
        doc: "This host's name; stands in for a missing smtpgreeting, localiphost and locals." },
    Setting { file: "smtpgreeting", variable: "", role: Role::Value, form: Form::Lines, default: "me", state: State::Works(Key::SmtpGreeting),
        doc: "The greeting, one or more lines. Mandatory unless me exists; a file without a usable line counts as missing." },
    Setting { file: "localiphost", variable: "", role: Role::Value, form: Form::Line, default: "me", state: State::Works(Key::LocalIpHost),
        doc: "Replaces an address literal of this host, as in user@[192.0.2.1]." },
    Setting { file: "moreipme", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "More addresses of this host, for address literals." },
    Setting { file: "notipme", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Addresses of this host that do not count, for address literals." },
    Setting { file: "locals", variable: "", role: Role::Value, form: Form::Lines, default: "me", state: State::OnDemand,
        doc: "Domains whose users are in /etc/passwd, for CHECKRECIPIENT and CHECKSENDER; local hosts for relaymailfrom." },
    Setting { file: "virtualdomains", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Lines of `host:prepend` and `.suffix:prepend`: local hosts for relaymailfrom. Without a prepend, an exception." },
    Setting { file: "timeoutsmtpd", variable: "", role: Role::Value, form: Form::Number, default: "1200", state: State::Works(Key::TimeoutSmtpd),
        doc: "How long to wait for the client, in seconds; 0 or less means 1." },
    Setting { file: "maxcmdlen", variable: "", role: Role::Value, form: Form::Number, default: "2000", state: State::Works(Key::MaxCmdLen),
        doc: "The longest command line, in octets; 0 means the default." },
    Setting { file: "maxhops", variable: "", role: Role::Value, form: Form::Number, default: "100", state: State::Works(Key::MaxHops),
        doc: "A message with so many Received and Delivered-To lines is looping; 0 or less means the default." },
    Setting { file: "greetdelay", variable: "GREETDELAY", role: Role::Value, form: Form::Number, default: "0", state: State::Works(Key::GreetDelay),
        doc: "Seconds before the greeting; a negative number waits as long but refuses a client that speaks first." },
    Setting { file: "databytes", variable: "DATABYTES", role: Role::Value, form: Form::Unsigned, default: "0", state: State::Works(Key::Databytes),
        doc: "The largest message, in octets as stored; 0 means no limit." },
    Setting { file: "", variable: "DATABYTES_NOTIFY", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Tell our own recipients of a message that is over databytes, with a message to them." },
    Setting { file: "maxrecipients", variable: "MAXRECIPIENTS", role: Role::Value, form: Form::Number, default: "0", state: State::Works(Key::MaxRecipients),
        doc: "The most recipients of a message; 0 means 50,000." },
    Setting { file: "tarpitcount", variable: "TARPITCOUNT", role: Role::Value, form: Form::Number, default: "0", state: State::Works(Key::TarpitCount),
        doc: "From this recipient on each one waits tarpitdelay; 0 means never." },
    Setting { file: "tarpitdelay", variable: "TARPITDELAY", role: Role::Value, form: Form::Number, default: "5", state: State::Works(Key::TarpitDelay),
        doc: "Seconds to wait for each recipient from tarpitcount on." },
    Setting { file: "", variable: "MAX_RCPT_ERRCOUNT", role: Role::Value, form: Form::Number, default: "", state: State::Works(Key::MaxRcptErrCount),
        doc: "After so many recipients of a message without a mailbox (CHECKRECIPIENT) the next one hears 421, and the connection is closed; 0 means never." },
    Setting { file: "", variable: "DISABLE_EXTRA_GREET", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::DisableExtraGreet),
        doc: "Do not name product, version and date in the greeting." },
    Setting { file: "", variable: "PENALTY", role: Role::Value, form: Form::Number, default: "5", state: State::Works(Key::Penalty),
        doc: "Seconds to wait before a gated command is answered; 0 or less means none." },
    Setting { file: "", variable: "DISABLE_HELP", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::DisableHelp),
        doc: "HELP answers 502." },
    Setting { file: "", variable: "DISABLE_VRFY", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::DisableVrfy),
        doc: "VRFY answers 502." },
    Setting { file: "", variable: "HIDE_HOST", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::HideHost),
        doc: "Name neither client nor server in the trace header." },
    Setting { file: "", variable: "ODMR", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("ETRN and ATRN"),
        doc: "Behave as port 366." },
    Setting { file: "", variable: "TZ", role: Role::Value, form: Form::Text, default: "UTC", state: State::OnDemand,
        doc: "The time zone of dates: a name as `Europe/Berlin`, the path of a file as `/etc/localtime`, or a rule as `CET-1CEST,M3.5.0,M10.5.0/3`. One that names no zone is logged, and dates are UTC." },
    Setting { file: "", variable: "TZDIR", role: Role::Value, form: Form::Path, default: "/usr/share/zoneinfo", state: State::OnDemand,
        doc: "Where the files of time zones are." },
    // Gates.
    Setting { file: "", variable: "SHUTDOWN", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::Shutdown),
        doc: "Take no mail: empty for the usual text, else a code and a text for the greeting." },
    Setting { file: "", variable: "OPENRELAY", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::OpenRelay),
        doc: "The client is a known open relay: refuse it." },
    Setting { file: "", variable: "REQPTR", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::ReqPtr),
        doc: "Refuse a client without a name; the value replaces the text." },
    Setting { file: "badip", variable: "BADIP", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Addresses of clients that are refused: `192.0.2.7`, wildcards as `192.0.2.*`, `!` excepts; with QREGEX regular expressions. Read only where BADIP or BADIPCHECK is set." },
    Setting { file: "badip.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "badip.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "", variable: "BADIPCHECK", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Use badip." },
    Setting { file: "badhost", variable: "BADHOST", role: Role::FileName, form: Form::Patterns, default: "", state: State::OnDemand,
        doc: "Names of clients that are refused, a wildcard a line, with QREGEX an expression; a line with `!` refuses all others; `unknown` is a client without a name. Read only where BADHOST or BADHOSTCHECK is set." },
    Setting { file: "", variable: "BADHOSTCHECK", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Use badhost." },
    // HELO.
    Setting { file: "badhelo", variable: "BADHELO", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Names given with HELO that are refused: `@name`, wildcards as `@*.dyn.example`. Read only where BADHELO or BADHELOCHECK is set; then this host's own name is refused too." },
    Setting { file: "badhelo.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "badhelo.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "", variable: "BADHELOCHECK", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Use badhelo and the other HELO checks." },
    Setting { file: "", variable: "ENFORCE_FQDN_HELO", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::EnforceFqdnHelo),
        doc: "The HELO name of a client that may not relay must contain a dot." },
    Setting { file: "", variable: "SMTPUTF8", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::SmtpUtf8),
        doc: "Offer SMTPUTF8 (RFC 6531)." },
    // AUTH and TLS.
    Setting { file: "", variable: "REQUIREAUTH", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::RequireAuth),
        doc: "MAIL needs AUTH." },
    Setting { file: "", variable: "FORCE_TLS", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::ForceTls),
        doc: "MAIL needs TLS; without TLS nobody can send." },
    Setting { file: "", variable: "OLD_CLIENT", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Offer AUTH in the form of old clients too: `AUTH=LOGIN`." },
    Setting { file: "", variable: "SECURE_AUTH", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Take passwords only under TLS: without it no LOGIN and no PLAIN." },
    Setting { file: "", variable: "AUTH_MAXFAIL", role: Role::Value, form: Form::Number, default: "5", state: State::OnDemand,
        doc: "Failed attempts of AUTH before the connection is closed; never fewer than 3." },
    Setting { file: "", variable: "AUTH_LEGACY", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Offer the old mechanisms too: XOAUTH2, CRAM with SHA-1, SHA-2 and RIPEMD-160, SCRAM-SHA-1; as far as the authpgms can judge them." },
    Setting { file: "", variable: "AUTH_EXIT3", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "`norelay`: exit code 3 of an authpgm means that the user is right and may not relay; else it is a failure." },
    Setting { file: "", variable: "AUTH_CONVENTION", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "`vpopmail`: the fields on descriptor 3 and the exit codes are those of vchkpw; else those of IndiMail." },
    Setting { file: "", variable: "AUTH_CHECKS", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "What the authpgms can judge besides passwords, in words: `cram` or only `cram-md5`, `token` (XOAUTH2), `scram-sha-256`, `scram-sha-1`. Without it, `scram-sha-256` if one is called auth-cdb, `cram` and `token` if one is called otherwise." },
    Setting { file: "", variable: "AUTH_CDB", role: Role::Value, form: Form::Path, default: "auth.cdb", state: State::OnDemand,
        doc: "The file of auth-cdb, made by `postern passwd`." },
    Setting { file: "", variable: "DISABLE_AUTH_LOGIN", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No LOGIN." },
    Setting { file: "", variable: "DISABLE_AUTH_PLAIN", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No PLAIN." },
    Setting { file: "", variable: "DISABLE_OAUTH2", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No XOAUTH2; also DISABLE_AUTH_OAUTH2." },
    Setting { file: "", variable: "DISABLE_AUTH_OAUTH2", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No XOAUTH2." },
    Setting { file: "", variable: "DISABLE_CRAM_MD5", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-MD5." },
    Setting { file: "", variable: "DISABLE_CRAM_SHA1", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-SHA1." },
    Setting { file: "", variable: "DISABLE_CRAM_SHA224", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-SHA224." },
    Setting { file: "", variable: "DISABLE_CRAM_SHA256", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-SHA256." },
    Setting { file: "", variable: "DISABLE_CRAM_SHA384", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-SHA384." },
    Setting { file: "", variable: "DISABLE_CRAM_SHA512", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-SHA512." },
    Setting { file: "", variable: "DISABLE_CRAM_RIPEMD", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No CRAM-RIPEMD." },
    Setting { file: "", variable: "DISABLE_DIGEST_MD5", role: Role::Value, form: Form::Switch, default: "", state: State::NoEffect("there is no DIGEST-MD5 (RFC 6331)"),
        doc: "There is no DIGEST-MD5 in any case." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA1", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No SCRAM-SHA-1." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA256", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No SCRAM-SHA-256." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA512", role: Role::Value, form: Form::Switch, default: "", state: State::NoEffect("there is no SCRAM-SHA-512"),
        doc: "There is no SCRAM-SHA-512 in any case." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA1_PLUS", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No SCRAM-SHA-1-PLUS." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA256_PLUS", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "No SCRAM-SHA-256-PLUS." },
    Setting { file: "", variable: "DISABLE_SCRAM_SHA512_PLUS", role: Role::Value, form: Form::Switch, default: "", state: State::NoEffect("there is no SCRAM-SHA-512-PLUS"),
        doc: "There is no SCRAM-SHA-512-PLUS in any case." },
    Setting { file: "", variable: "XOAUTH2_SCOPE", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "The scope in XOAUTH2's error; without it, https:// and the first argument." },
    Setting { file: "", variable: "STRIP_DOMAIN", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("ETRN and ATRN"),
        doc: "How ATRN uses the authenticated name." },
    Setting { file: "", variable: "STARTTLS", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::StartTls),
        doc: "Offer STARTTLS." },
    Setting { file: "", variable: "STARTTLS_STRICT", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "A client that sends more in clear behind STARTTLS, before it is told to begin, hears 554, and the connection is closed; else what it sent is dropped." },
    Setting { file: "", variable: "SMTPS", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::Smtps),
        doc: "TLS from the first octet." },
    Setting { file: "servercert.pem", variable: "SERVERCERT", role: Role::FileName, form: Form::Path, default: "", state: State::OnDemand,
        doc: "The server's certificate and key, in CERTDIR." },
    Setting { file: "clientca.pem", variable: "CLIENTCA", role: Role::FileName, form: Form::Path, default: "", state: State::OnDemand,
        doc: "Authorities that client certificates may come from, in CERTDIR." },
    Setting { file: "clientcrl.pem", variable: "CLIENTCRL", role: Role::FileName, form: Form::Path, default: "", state: State::OnDemand,
        doc: "Revoked client certificates, in CERTDIR." },
    Setting { file: "tlsclients", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Addresses in client certificates that may relay." },
    Setting { file: "tlsservermethod", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "TLS versions." },
    Setting { file: "servercipherlist", variable: "TLS_CIPHER_LIST", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Ciphers up to TLS 1.2." },
    Setting { file: "serverciphersuite", variable: "TLS_CIPHER_SUITE", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Ciphers of TLS 1.3." },
    Setting { file: "", variable: "CLIENT_RENEGOTIATION", role: Role::Value, form: Form::Switch, default: "", state: State::NoEffect("TLS is never renegotiated"),
        doc: "Let the client renegotiate." },
    Setting { file: "", variable: "SSL_BITS", role: Role::Value, form: Form::Number, default: "", state: State::NoEffect("no parameters for RSA or DH are needed: keys are exchanged on elliptic curves"),
        doc: "The length of parameters for RSA and DH." },
    // Who may relay.
    Setting { file: "rcpthosts", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Domains that mail is accepted for; `.domain` covers its subdomains. Without the file every recipient that needs it gets 451." },
    Setting { file: "morercpthosts.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "More such domains, compiled with qmail-cdb; read only when rcpthosts exists." },
    Setting { file: "", variable: "RELAYCLIENT", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::RelayClient),
        doc: "The client may relay; the value is put behind each recipient. Set by tcp.smtp." },
    Setting { file: "relayclients", variable: "RELAYCLIENTS", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Clients that may relay: `192.0.2.7`, `192.0.2.`, `192.0.2.0/24`, `192.0.2-3.*`, `2001:db8::/32`, `=name.example`, `=.example`, `@host.example`, `=me`; `!` excepts; the most specific line wins. May be compiled with qmail-cdb. See relayclients(5)." },
    Setting { file: "relayclients.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; used only while it is that of relayclients." },
    Setting { file: "relaydomains", variable: "RELAYDOMAINS", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Client names that may relay: `host.example`, `.example`, with an optional `:suffix`. Not confirmed by DNS, as `=name` in relayclients is." },
    Setting { file: "relaymailfrom", variable: "RELAYMAILFROM", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Senders that may relay, easily forged: `user@domain`, `@domain`, patterns, `=localhosts`, `=localusers`; with `&` and a client behind it, as `@domain&192.0.2.0/24`, only from there. See relaymailfrom(5)." },
    Setting { file: "relaymailfrom.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "relaymailfrom.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "", variable: "AUTH_ALL", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::AuthAll),
        doc: "No domain is local: every recipient needs the right to relay." },
    Setting { file: "", variable: "CUGMAIL", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::CugMail),
        doc: "A closed user group: sender and recipient must be in rcpthosts." },
    Setting { file: "", variable: "CHECKRELAY", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Who has just read mail may relay: who sends as a user that has logged in to read mail from this address in the last RELAY_CLEAR_MINUTES. The table of logins is where relaydb says. See opensmtp(8)." },
    Setting { file: "", variable: "RELAY_CLEAR_MINUTES", role: Role::Value, form: Form::Text, default: "60", state: State::OnDemand,
        doc: "How long a login counts, in minutes; for smtpd, checkrelay and clearopensmtp. Anything but a positive number is 451 for those who need the table, and clearopensmtp forgets nothing." },
    Setting { file: "relaydb", variable: "", role: Role::Value, form: Form::Path, default: "mysql:", state: State::OnDemand,
        doc: "Where logins are recorded: the path of a directory, or `mysql:` for a database that the next settings name. A path that does not begin with a slash is in the control directory." },
    Setting { file: "", variable: "RELAY_DB_TIMEOUT", role: Role::Value, form: Form::Text, default: "5", state: State::OnDemand,
        doc: "How long a database may take for a question, in seconds; then it is 451." },
    Setting { file: "", variable: "RELAY_TABLE", role: Role::Value, form: Form::Text, default: "relay", state: State::OnDemand,
        doc: "The table's name, perhaps with a database and a dot in front." },
    Setting { file: "", variable: "RELAY_LAYOUT", role: Role::Value, form: Form::Text, default: "found from the columns", state: State::OnDemand,
        doc: "The layout of the table: `indimail` (email, ipaddr, timestamp) or `vpopmail` (ip_addr, timestamp; no user: everybody may relay from that address)." },
    Setting { file: "host.mysql", variable: "MYSQL_HOST", role: Role::Value, form: Form::Line, default: "localhost", state: State::OnDemand,
        doc: "The database server: `host[,host...][:user[:password[:socket-or-port[:ssl|nossl]]]]`; the next host is asked when one does not answer. No other line is read, and nothing is a comment." },
    Setting { file: "host.master", variable: "MASTER_HOST", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The server that rows are written to, in the same form; without it, that of host.mysql." },
    Setting { file: "vpopmail.mysql", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "The same as vpopmail has it, read when there is no host.mysql: a line `server|port-or-socket|user|password|database` for reading, a second one for writing." },
    Setting { file: "mcdinfo", variable: "MCDFILE", role: Role::FileName, form: Form::Text, default: "", state: State::OnDemand,
        doc: "The databases of a cluster, by domain: checkaddress asks them, and `clearopensmtp -C` cleans them." },
    Setting { file: "", variable: "MYSQL_USER", role: Role::Value, form: Form::Text, default: "indimail", state: State::OnDemand,
        doc: "The database's user, where host.mysql names none." },
    Setting { file: "", variable: "MYSQL_PASSWD", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "That user's password, where host.mysql has none. None is built in." },
    Setting { file: "", variable: "MYSQL_SOCKET", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "The socket of a server on this host, where host.mysql names neither socket nor port." },
    Setting { file: "", variable: "MYSQL_VPORT", role: Role::Value, form: Form::Text, default: "3306", state: State::OnDemand,
        doc: "The port, where host.mysql names neither." },
    Setting { file: "", variable: "MYSQL_DATABASE", role: Role::Value, form: Form::Text, default: "indimail", state: State::OnDemand,
        doc: "The database." },
    Setting { file: "", variable: "MYSQL_READ_DEFAULT_FILE", role: Role::Value, form: Form::Path, default: "indimail.cnf in the working directory", state: State::OnDemand,
        doc: "An option file of the MySQL client, for what nothing else names." },
    Setting { file: "", variable: "MYSQL_READ_DEFAULT_GROUP", role: Role::Value, form: Form::Text, default: "indimail", state: State::OnDemand,
        doc: "Its group; what [client] says counts, too." },
    Setting { file: "", variable: "MYSQL_INIT_COMMAND", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "A statement that each connection to the database begins with." },
    Setting { file: "", variable: "MYSQL_OPT_PROTOCOL", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "1: use TCP to reach localhost, not its socket." },
    Setting { file: "", variable: "CLIENT_COMPRESS", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Ask the database server for compression." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_ENFORCE", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "TLS to the database, where host.mysql does not say `nossl`." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_MODE", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "The same, by a word: REQUIRED, VERIFY_CA or VERIFY_IDENTITY, or its number, 3 to 5." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_VERIFY_CERT", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "The database server's certificate must be good and for its name; else it is not looked at, as in the original." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_CA", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "The authority that the server's certificate must come from." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_CERT", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "Our own certificate for the database server." },
    Setting { file: "", variable: "MYSQL_OPT_SSL_KEY", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "Its key." },
    Setting { file: "", variable: "TCP_FILE", role: Role::Value, form: Form::Path, default: "tcp/tcp.smtp in the working directory, /home/vpopmail/etc/tcp.smtp, /etc/tcp.smtp, /etc/tcprules.d/qmail-smtpd", state: State::OnDemand,
        doc: "The rules of tcpserver: clearopensmtp makes their .cdb anew, and opensmtp records nobody whom they let relay anyway." },
    Setting { file: "relaymx", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Hosts, in the forms of relayclients: everyone may relay to a domain that has one of them as an MX. DNS is asked when nothing else grants. May be compiled with qmail-cdb. See relaymx(5)." },
    Setting { file: "relaymx.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; used only while it is that of relaymx." },
    Setting { file: "", variable: "RELAYMX_ANYONE", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "Confirms that `=me` in relaymx is meant, which lets outsiders use this host by pointing an MX at it; for `postern lint`." },
    Setting { file: "relaylevel", variable: "", role: Role::Value, form: Form::Line, default: "normal", state: State::Works(Key::RelayLevel),
        doc: "`normal`: the lists decide; `none`: only AUTH and client certificates grant relaying; `open`: everyone may relay, an open relay. Any other word is 451 for those who need a grant." },
    Setting { file: "relaytext", variable: "RELAYTEXT", role: Role::Value, form: Form::Line, default: "", state: State::Works(Key::RelayText),
        doc: "The words behind 553 when nothing grants relaying, as `please use our submission server`; tcp.smtp may set them for some clients." },
    Setting { file: "", variable: "RELAYCLASS", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::RelayClass),
        doc: "What tcp.smtp calls clients of this kind, as `friendly`; shown in log and trace header." },
    Setting { file: "", variable: "DNSCACHEIP", role: Role::Value, form: Form::Text, default: "nameservers of /etc/resolv.conf", state: State::OnDemand,
        doc: "Addresses of DNS resolvers, separated by blanks, each perhaps with a port: `127.0.0.1:53`. Asked only when a line of a list needs DNS." },
    Setting { file: "", variable: "RELAYMAILFROM_SPF", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("SPF"),
        doc: "relaymailfrom needs an SPF pass." },
    Setting { file: "authdomains", variable: "", role: Role::Value, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Senders for whom no domain is local: every recipient needs the right to relay. Forms as in badmailfrom." },
    Setting { file: "authdomains.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "authdomains.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    // Senders.
    Setting { file: "", variable: "BOUNCEMAIL", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::BounceMail),
        doc: "Refuse every sender with this text and close the connection." },
    Setting { file: "from.envrules", variable: "FROMRULES", role: Role::FileName, form: Form::Rules, default: "", state: State::OnDemand,
        doc: "Settings by sender, for one transaction: `pattern:VARIABLE=value,...`. `VARIABLE=` unsets, `\\,` is a comma; every rule that applies counts, in order. The pattern is a wildcard, with QREGEX a regular expression; empty or `<>` it is the null sender. What smtpd reads when it starts, such as RELAYCLIENT, changes only for the queue program." },
    Setting { file: "hostaccess", variable: "HOSTACCESS", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Which domain's mail may come from which addresses, `domain:addresses`: `example.org:192.0.2.7`, `example.org:192.0.2-3.*`, `example.org:2001:db8::/32`; `*` is any, `<>` the null sender." },
    Setting { file: "", variable: "PARANOID", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "hostaccess refuses a domain that it has from other addresses." },
    Setting { file: "", variable: "DOMAIN_MASQUERADE", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "hostaccess lets its addresses send for other domains." },
    Setting { file: "badmailfrom", variable: "BADMAILFROM", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Senders that are refused: `user@domain`, `@domain`, wildcards, `!` excepts; with QREGEX regular expressions." },
    Setting { file: "badmailfrom.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "badmailfrom.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "badmailpatterns", variable: "BADMAILPATTERNS", role: Role::FileName, form: Form::Patterns, default: "", state: State::OnDemand,
        doc: "Wildcards of senders that are refused, in the place of those in badmailfrom; `!` excepts, the last that applies wins. Not read with QREGEX." },
    Setting { file: "blackholedsender", variable: "BLACKHOLEDSENDER", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Senders whose mail is accepted and thrown away; forms as in badmailfrom." },
    Setting { file: "blackholedsender.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "blackholedsender.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "spamignore", variable: "SPAMIGNORE", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Senders that no spam filter sees: for them SPAMFILTER is not passed on. Forms as in badmailfrom." },
    Setting { file: "spamignore.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "spamignore.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "", variable: "SPAMFILTER", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "The spam filter, passed to the queue program, but for senders in spamignore." },
    Setting { file: "nodnscheck", variable: "NODNSCHECK", role: Role::Value, form: Form::Lines, default: "", state: State::NotYet("DNS checks"),
        doc: "Senders without DNS check; the variable switches all off." },
    Setting { file: "", variable: "CHECKSENDER", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::CheckSender),
        doc: "A sender in a domain of rcpthosts must have an account there and may send, and must be who has authenticated (see MASQUERADE), or come from a client that may relay. The null sender is nobody's." },
    Setting { file: "", variable: "MASQUERADE", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "With CHECKSENDER: a sender that users may take besides their own name; empty: any." },
    Setting { file: "", variable: "DEFAULT_DOMAIN", role: Role::Value, form: Form::Text, default: "", state: State::OnDemand,
        doc: "With CHECKSENDER: the domain of an authenticated name without one." },
    Setting { file: "chksenderdomains", variable: "", role: Role::Value, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "The senders that CHECKSENDER is about, where there is such a list; else all in rcpthosts. Forms as in badmailfrom." },
    Setting { file: "chksenderdomains.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "chksenderdomains.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "spfbehavior", variable: "SPFBEHAVIOR", role: Role::Value, form: Form::Number, default: "0", state: State::NotYet("SPF"),
        doc: "What SPF results are refused, 0 to 6." },
    Setting { file: "spfipv6", variable: "SPFIPV6", role: Role::Value, form: Form::Number, default: "0", state: State::NotYet("SPF"),
        doc: "Use the IPv6 address for SPF." },
    Setting { file: "spfrules", variable: "SPFRULES", role: Role::FileName, form: Form::Line, default: "", state: State::NotYet("SPF"),
        doc: "Local SPF rules." },
    Setting { file: "spfguess", variable: "SPFGUESS", role: Role::FileName, form: Form::Line, default: "", state: State::NotYet("SPF"),
        doc: "The record of domains without one." },
    Setting { file: "spfexp", variable: "SPFEXP", role: Role::FileName, form: Form::Line, default: "", state: State::NotYet("SPF"),
        doc: "The explanation of an SPF refusal." },
    Setting { file: "batvkey", variable: "BATVKEY", role: Role::FileName, form: Form::Lines, default: "", state: State::NotYet("BATV"),
        doc: "The key of bounce addresses." },
    Setting { file: "batvkeystale", variable: "BATVKEYSTALE", role: Role::Value, form: Form::Number, default: "7", state: State::NotYet("BATV"),
        doc: "Days that a bounce address is good." },
    Setting { file: "batvnosignlocals", variable: "BATVNOSIGNLOCALS", role: Role::FileName, form: Form::Lines, default: "", state: State::NotYet("BATV"),
        doc: "Recipient domains without BATV." },
    Setting { file: "batvnosignremote", variable: "BATVNOSIGNREMOTE", role: Role::FileName, form: Form::Lines, default: "", state: State::NotYet("BATV"),
        doc: "Sender domains without BATV." },
    // Recipients.
    Setting { file: "qregex", variable: "QREGEX", role: Role::Value, form: Form::Number, default: "0", state: State::Works(Key::QRegex),
        doc: "Not 0: lists hold regular expressions instead of wildcards." },
    Setting { file: "", variable: "USE_FNMATCH", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "The wildcards of badhost and accesslist are those of file names, as fnmatch(3) has them: `*` stops at a slash, `[!a-z]` is what is not in the set." },
    Setting { file: "", variable: "CHECKRECIPIENT", role: Role::Value, form: Form::Text, default: "", state: State::Works(Key::CheckRecipient),
        doc: "Recipients in a domain of rcpthosts must have a mailbox. 1: the users of this host, for domains in locals, and the accounts of a database, for others; where no database is named, recipients, which must then be there for these others; 2: recipients, then the same; 3, or empty: recipients. Who cannot be asked is 451." },
    Setting { file: "chkrcptdomains", variable: "", role: Role::Value, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "The recipients that CHECKRECIPIENT is about, where there is such a list; else all in rcpthosts. Forms as in badrcptto." },
    Setting { file: "chkrcptdomains.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "chkrcptdomains.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "recipients", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Where accounts are looked up, for CHECKRECIPIENT and for local users of relaymailfrom: `@domain:list.cdb`, `domain:list.cdb` (subdomains too), `*:list.cdb`, `domain|program`; `!domain` accepts every recipient." },
    Setting { file: "", variable: "LOCAL_USERS", role: Role::Value, form: Form::Text, default: "passwd", state: State::OnDemand,
        doc: "Where CHECKRECIPIENT and CHECKSENDER look for users of domains in locals, words with blanks or commas between: `passwd` (the whole name in /etc/passwd), `extension` (what stands before the first hyphen of the name, there), `assign` (a line for the name in users/assign, or a line `+` for its beginning; read as users/cdb of ASSIGNDIR), `alias` (files .qmail-name, .qmail-prefix-default and .qmail-default of the user alias). One that knows the name is enough; one that cannot be read is 451." },
    Setting { file: "", variable: "NO_SMTP_BITS", role: Role::Value, form: Form::Text, default: "0x100, with vpopmail's layout 0x800", state: State::OnDemand,
        doc: "The flag of an account in a database that forbids sending; 0x200 for the accounts of an older IndiMail." },
    Setting { file: "", variable: "ACCOUNT_LAYOUT", role: Role::Value, form: Form::Text, default: "vpopmail where vpopmail.mysql names the server, else indimail", state: State::OnDemand,
        doc: "The tables of accounts: `indimail`, `indimail-large` (a table for each domain), `vpopmail`, `vpopmail-domains` (likewise). See checkaddress(8)." },
    Setting { file: "", variable: "ACCOUNT_VALIAS", role: Role::Value, form: Form::Text, default: "yes, with vpopmail's layout no", state: State::OnDemand,
        doc: "`yes` or `no`: whether there is a table valias." },
    Setting { file: "", variable: "ACCOUNT_FILES", role: Role::Value, form: Form::Text, default: "no, with vpopmail's layout yes", state: State::OnDemand,
        doc: "`yes` or `no`: whether files in the directory of a domain make mailboxes too, as .qmail-list and a .qmail-default that does not bounce." },
    Setting { file: "", variable: "ACCOUNT_OVERQUOTA", role: Role::Value, form: Form::Text, default: "550", state: State::OnDemand,
        doc: "The code for a recipient whose mailbox is over quota: 550, or 452, so that the sender tries again." },
    Setting { file: "", variable: "MYSQL_TABLE", role: Role::Value, form: Form::Text, default: "indimail, with vpopmail's layout vpopmail", state: State::OnDemand,
        doc: "The table of accounts." },
    Setting { file: "", variable: "MYSQL_INACTIVE_TABLE", role: Role::Value, form: Form::Text, default: "indibak", state: State::OnDemand,
        doc: "The table of inactive accounts, in IndiMail's layout." },
    Setting { file: "", variable: "DOMAIN_LIMITS", role: Role::Value, form: Form::Switch, default: "", state: State::OnDemand,
        doc: "With CHECKSENDER and a database: disable_smtp in the limits of a domain (vlimits, with vpopmail limits) forbids its users to send." },
    Setting { file: "host.cntrl", variable: "CNTRL_HOST", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The central database of a cluster of IndiMail, in the form of host.mysql: which domain is another name of which, and, for a domain that mcdinfo has on several hosts, which has a user." },
    Setting { file: "", variable: "CNTRL_USER", role: Role::Value, form: Form::Text, default: "MYSQL_USER", state: State::OnDemand,
        doc: "The central database's user, where host.cntrl names none." },
    Setting { file: "", variable: "CNTRL_PASSWD", role: Role::Value, form: Form::Text, default: "MYSQL_PASSWD", state: State::OnDemand,
        doc: "That user's password, where host.cntrl has none." },
    Setting { file: "", variable: "CNTRL_SOCKET", role: Role::Value, form: Form::Path, default: "MYSQL_SOCKET", state: State::OnDemand,
        doc: "The socket of the central server, where host.cntrl names neither socket nor port." },
    Setting { file: "", variable: "CNTRL_VPORT", role: Role::Value, form: Form::Text, default: "MYSQL_VPORT", state: State::OnDemand,
        doc: "The port, where host.cntrl names neither." },
    Setting { file: "", variable: "CNTRL_DATABASE", role: Role::Value, form: Form::Text, default: "indimail", state: State::OnDemand,
        doc: "The central database." },
    Setting { file: "", variable: "CNTRL_TABLE", role: Role::Value, form: Form::Text, default: "hostcntrl", state: State::OnDemand,
        doc: "Its table of users and their hosts." },
    Setting { file: "badrcptto", variable: "BADRCPTTO", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Recipients that are refused: `user@domain`, `@domain`, wildcards, `!` excepts; with QREGEX regular expressions." },
    Setting { file: "badrcptto.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "badrcptto.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "badrcptpatterns", variable: "BADRCPTPATTERNS", role: Role::FileName, form: Form::Patterns, default: "", state: State::OnDemand,
        doc: "Wildcards of recipients that are refused, in the place of those in badrcptto; `!` excepts, the last that applies wins. Not read with QREGEX." },
    Setting { file: "goodrcptto", variable: "GOODRCPTTO", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Recipients that badrcptto does not refuse and blackholedrcpt does not drop; forms as in badrcptto." },
    Setting { file: "goodrcptto.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "goodrcptto.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "goodrcptpatterns", variable: "GOODRCPTPATTERNS", role: Role::FileName, form: Form::Patterns, default: "", state: State::OnDemand,
        doc: "Wildcards of such recipients, in the place of those in goodrcptto. Not read with QREGEX." },
    Setting { file: "blackholedrcpt", variable: "BLACKHOLEDRCPT", role: Role::FileName, form: Form::Addresses, default: "", state: State::OnDemand,
        doc: "Recipients whose copy is accepted and thrown away; other recipients of the message get theirs. Forms as in badrcptto." },
    Setting { file: "blackholedrcpt.cdb", variable: "", role: Role::Value, form: Form::Cdb, default: "", state: State::OnDemand,
        doc: "The same, compiled with qmail-cdb; asked first." },
    Setting { file: "blackholedrcpt.sql", variable: "", role: Role::Value, form: Form::Line, default: "", state: State::OnDemand,
        doc: "The same in a database, `server:user:password:database:table`; asked last, by checkaddress(8)." },
    Setting { file: "accesslist", variable: "ACCESSLIST", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Who may write to whom: `rcpt:SENDER:RECIPIENT` lets such recipients hear only from such senders, `from:SENDER:RECIPIENT` such senders write only to such recipients." },
    Setting { file: "domainqueue", variable: "DOMAINQUEUE", role: Role::FileName, form: Form::Rules, default: "", state: State::OnDemand,
        doc: "Settings by the domain of the recipient, in the form of from.envrules with wildcards only: as a rule QMAILQUEUE or what the queue program reads. They count from the first recipient on; one that needs others gets 452." },
    Setting { file: "srs_domain", variable: "SRS_DOMAIN", role: Role::FileName, form: Form::Line, default: "", state: State::NotYet("SRS"),
        doc: "The domain of rewritten senders." },
    Setting { file: "srs_secrets", variable: "SRS_SECRETS", role: Role::FileName, form: Form::Lines, default: "", state: State::NotYet("SRS"),
        doc: "The secrets of rewritten senders." },
    Setting { file: "srs_maxage", variable: "SRS_MAXAGE", role: Role::FileName, form: Form::Number, default: "", state: State::NotYet("SRS"),
        doc: "Days that a rewritten sender is good." },
    Setting { file: "srs_hashlength", variable: "SRS_HASHLENGTH", role: Role::FileName, form: Form::Number, default: "", state: State::NotYet("SRS"),
        doc: "The length of the hash made." },
    Setting { file: "srs_hashmin", variable: "SRS_HASHMIN", role: Role::FileName, form: Form::Number, default: "", state: State::NotYet("SRS"),
        doc: "The shortest hash taken." },
    Setting { file: "srs_alwaysrewrite", variable: "SRS_ALWAYSREWRITE", role: Role::FileName, form: Form::Number, default: "", state: State::NotYet("SRS"),
        doc: "Rewrite local senders too." },
    Setting { file: "srs_separator", variable: "SRS_SEPARATOR", role: Role::FileName, form: Form::Line, default: "", state: State::NotYet("SRS"),
        doc: "The separator behind SRS0." },
    Setting { file: "etrnhosts", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::NotYet("ETRN and ATRN"),
        doc: "Domains that ETRN and ATRN serve." },
    Setting { file: "atrnaccess", variable: "", role: Role::Value, form: Form::Lines, default: "", state: State::NotYet("ETRN and ATRN"),
        doc: "Who may use ATRN for which domains." },
    Setting { file: "", variable: "GREYIP", role: Role::Value, form: Form::Text, default: "", state: State::NotYet("greylisting"),
        doc: "The greylist daemon." },
    Setting { file: "dnsbllist", variable: "DNSBLLIST", role: Role::FileName, form: Form::Lines, default: "", state: State::NotYet("DNS block lists"),
        doc: "DNS block lists." },
    Setting { file: "", variable: "SKIPDNSBL", role: Role::Value, form: Form::Switch, default: "", state: State::NotYet("DNS block lists"),
        doc: "Ask no DNS block list." },
    // Content and queue.
    Setting { file: "", variable: "ALLOW_BARELF", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::AllowBareLf),
        doc: "Take a bare LF in the content as data; it never ends DATA." },
    Setting { file: "", variable: "FORBID_BARE_CR", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::ForbidBareCr),
        doc: "Refuse a bare CR in the content." },
    Setting { file: "auth.envrules", variable: "AUTHRULES", role: Role::FileName, form: Form::Rules, default: "", state: State::OnDemand,
        doc: "Settings for the messages of clients that may relay or have authenticated themselves, in the form of from.envrules: the rules whose pattern is empty, `<>` or `*`. They count from DATA on." },
    Setting { file: "signatures", variable: "SIGNATURES", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Content that is refused by the beginning of a line, `beginning:description:option`: of the first line behind each header block, also in parts and messages within; with `-header` of header fields. With `-headerblackhole` and `-bodyblackhole` the message is accepted and thrown away. Read only with VIRUSCHECK." },
    Setting { file: "", variable: "VIRUSCHECK", role: Role::Value, form: Form::Number, default: "", state: State::OnDemand,
        doc: "1 to 4, or empty: use signatures. Other values are for the queue program." },
    Setting { file: "bodycheck", variable: "BODYCHECK", role: Role::FileName, form: Form::Lines, default: "", state: State::OnDemand,
        doc: "Content that is refused by a regular expression over its lines, `expression:description:option`, whatever the case; a header field is one line. `-header` and `-body` say where, options as in signatures; `\\:` is a colon. Read only where BODYCHECK is set; empty, it names this file." },
    Setting { file: "", variable: "LOGFILTER", role: Role::Value, form: Form::Path, default: "", state: State::OnDemand,
        doc: "A fifo that is told of each recipient of each message that was handed over, with what the queue program has written on LOGFD; the log has it too. Only with SPAMFILTER, and with an absolute path." },
    Setting { file: "", variable: "LOGFD", role: Role::Value, form: Form::Number, default: "255", state: State::OnDemand,
        doc: "The descriptor on which the queue program may write a line for the log, where LOGFILTER is set." },
    Setting { file: "", variable: "QMAILQUEUE", role: Role::Value, form: Form::Path, default: "/usr/sbin/qmail-queue, then /var/qmail/bin/qmail-queue", state: State::Works(Key::QmailQueue),
        doc: "The queue program; with a space in it, the program and its arguments." },
    Setting { file: "", variable: "NULLQUEUE", role: Role::Value, form: Form::Switch, default: "", state: State::Works(Key::NullQueue),
        doc: "Accept what comes and throw it away: with qmail-nullqueue, if there is one, else smtpd does it." },
    Setting { file: "", variable: "ERROR_FD", role: Role::Value, form: Form::Number, default: "2", state: State::Works(Key::ErrorFd),
        doc: "The descriptor on which the queue program explains exit code 88; -1 means none." },
];

/// A name of [`SETTINGS`] with its key, packed without pointers.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// What the name sets.
    pub key: Key,
    length: u8,
    octets: [u8; Name::OCTETS_MAX],
}

impl Name {
    const OCTETS_MAX: usize = 22;

    const fn new(key: Key, name: &str) -> Self {
        let mut octets = [0; Self::OCTETS_MAX];
        let (head, _) = octets.split_at_mut(name.len());
        head.copy_from_slice(name.as_bytes());
        Self { key, length: name.len() as u8, octets }
    }

    /// The name itself.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// The variable of that name, if it holds a value.
#[must_use]
pub fn variable(name: &[u8]) -> Option<&'static Name> {
    const NAMES: Names = names_of_variables();
    // Most of what is in an environment is not for us.
    if NAMES.may_have(name) { VARIABLES.iter().find(|known| known.octets() == name) } else { None }
}

const fn names_of_variables() -> Names {
    let mut names = Names::NONE;
    let mut rows = SETTINGS;
    while let [setting, rest @ ..] = rows {
        if let Some((_, name)) = entry(setting, Column::Variable) {
            names = names.with(name.as_bytes());
        }
        rows = rest;
    }
    names
}

/// The variables that hold a value, with their keys.
pub static VARIABLES: [Name; count(Column::Variable)] = packed(Column::Variable);
/// The control files that are read when the connection starts, with their keys.
pub static FILES: [Name; count(Column::File)] = packed(Column::File);

#[derive(Clone, Copy)]
enum Column {
    File,
    Variable,
}

/// The key and name of a row in a column, if it is loaded when the connection starts and has a name there.
const fn entry(setting: &Setting, column: Column) -> Option<(Key, &'static str)> {
    let name = match column {
        Column::File => setting.file,
        Column::Variable => setting.variable,
    };
    match setting.state {
        State::Works(key) if !name.is_empty() => Some((key, name)),
        State::Works(_) | State::OnDemand | State::NotYet(_) | State::NoEffect(_) => None,
    }
}

const fn count(column: Column) -> usize {
    let mut count = 0;
    let mut rows = SETTINGS;
    while let [setting, rest @ ..] = rows {
        if entry(setting, column).is_some() {
            count += 1;
        }
        rows = rest;
    }
    count
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling: a wrong index does not compile")]
const fn packed<const N: usize>(column: Column) -> [Name; N] {
    let mut names = [Name::new(Key::Me, ""); N];
    let mut next = 0;
    let mut rows = SETTINGS;
    while let [setting, rest @ ..] = rows {
        if let Some((key, name)) = entry(setting, column) {
            names[next] = Name::new(key, name);
            next += 1;
        }
        rows = rest;
    }
    names
}

/// The names of all settings as text, a line each: file, space, variable, space, `+` if it works and `-` if not.
///
/// `smtpd -v` reads this instead of the table, so that the table itself is not in the program.
pub static LISTING: [u8; listing_octets()] = listing();

const fn listing_octets() -> usize {
    let mut octets = 0;
    let mut rows = SETTINGS;
    while let [setting, rest @ ..] = rows {
        octets += setting.file.len() + setting.variable.len() + 4;
        rows = rest;
    }
    octets
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling: a wrong index does not compile")]
const fn listing() -> [u8; listing_octets()] {
    let mut text = [b' '; listing_octets()];
    let mut at = 0;
    let mut rows = SETTINGS;
    while let [setting, rest @ ..] = rows {
        let pair = [setting.file.as_bytes(), setting.variable.as_bytes()];
        let mut names = pair.as_slice();
        while let [name, others @ ..] = names {
            let mut octet = 0;
            while octet < name.len() {
                text[at] = name[octet];
                at += 1;
                octet += 1;
            }
            at += 1;
            names = others;
        }
        text[at] = if matches!(setting.state, State::NotYet(_) | State::NoEffect(_)) { b'-' } else { b'+' };
        text[at + 1] = b'\n';
        at += 2;
        rows = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            for name in [setting.file, setting.variable] {
                assert!(name.is_empty() || seen.insert(name), "{name} stands twice");
            }
            assert!(!setting.name().is_empty());
            assert!(setting.doc.ends_with('.'), "{}", setting.name());
        }
    }

    #[test]
    fn the_listing_has_every_row() {
        let mut expected = String::new();
        for setting in SETTINGS {
            let sign = if matches!(setting.state, State::NotYet(_) | State::NoEffect(_)) { "-" } else { "+" };
            expected += &format!("{} {} {sign}\n", setting.file, setting.variable);
        }
        assert_eq!(str::from_utf8(&LISTING).unwrap(), expected);
    }

    #[test]
    fn packing_keeps_names_and_keys() {
        let loaded = |setting: &&Setting| matches!(setting.state, State::Works(_)) && !setting.variable.is_empty();
        let table: Vec<_> = SETTINGS.iter().filter(loaded).map(|setting| setting.variable.as_bytes()).collect();
        let packed: Vec<_> = VARIABLES.iter().map(Name::octets).collect();
        assert_eq!(table, packed);
        assert!(FILES.iter().any(|name| name.octets() == b"databytes" && name.key == Key::Databytes));
    }
}
