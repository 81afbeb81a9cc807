//! The command line of `postern`; help, man pages and completions are made from it.

mod explain;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::auth::Verifier;
use crate::operator::convert::{self, Source};
use crate::operator::{log_line, situation};

pub use crate::operator::command::explain::Explain;

/// The operator's tool of Postern: what smtpd would decide and why, what it reads, and what is wrong with that.
#[derive(Debug, Parser)]
#[command(name = "postern", version, arg_required_else_help = true)]
pub struct Postern {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `postern` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every control file and variable that smtpd knows
    Settings(Settings),
    /// Tell what smtpd would decide about a client, a sender, recipients and a message, and why
    ///
    /// Runs the very code of smtpd. Tells every rule that was consulted in its order, what it said, with file and line,
    /// and why it did not grant; the verdict; and the smallest change that would turn it around, which has been tried in a
    /// private copy of the control directory.
    ///
    /// Then it tells what is said to DATA, and which limits, lists of content and queue program count for the message, with
    /// the rule, variable or file that gave each. With `--message` it looks through a message as smtpd does. A message
    /// that smtpd takes goes to the queue program, which has the last word: it is not started here; it is only looked
    /// whether whoever runs postern could start it.
    ///
    /// Exit code 0: all accepted; 1: something refused; 111: something refused for now, or a file cannot be read; 100: wrong usage.
    /// What becomes of DATA counts only with `--message`, and only if a recipient is accepted.
    Explain(Explain),
    /// Judge situations, or lines of smtpd's log, by two control directories and tell where the verdicts differ
    ///
    /// So that a change can be tried before it is made. Prints a line for each difference, as `line 5: ip=192.0.2.7
    /// from=a@b.example rcpt=c@d.example: accept (relayclients:3) -> reject (norelay)`, and how many there were.
    ///
    /// Exit code 0: none differ; 1: some differ; 100: wrong usage or a malformed line; 111: something cannot be read.
    Shadow(Shadow),
    /// Tell whether a pattern, as in relayclients, matches an address or a name
    ///
    /// Prints a line for each VALUE: `yes`, the value and what was captured, which is the network that holds the address or
    /// what stands in front of the suffix; `no`; or `malformed` with what might have been meant. PATTERN may be a whole line:
    /// `!` in front and `:suffix` behind are told. Without VALUE each line of standard input is one and is answered at
    /// once; without PATTERN each line is a pattern, a blank and a value.
    ///
    /// Exit code 0: all match; 1: one does not; 2: something is malformed; 111: nobody can tell now; 100: wrong usage.
    Match(Match),
    /// Find mistakes in a control directory
    ///
    /// Lines that are malformed, never match or could go; values, programs and lists that are none; settings without effect,
    /// in files, --env or rules; grants to everyone, to gateways or forged senders; what is stale, or everyone may change. Asks
    /// checkers of passwords, and with CHECKSENDER the database for accounts with a flag that NO_SMTP_BITS leaves out.
    ///
    /// Exit code 0: nothing found; 1: warnings; 2: errors.
    Lint(Lint),
    /// Play every open-relay probe through the live configuration
    ///
    /// Each probe is a way to hide a recipient elsewhere in one of ours. All of them come from clients that nobody
    /// knows, under forged names and with forged senders, and are judged by the very code of smtpd; nothing is sent.
    ///
    /// Exit code 0: none was accepted; 1: one was; 111: some could not be judged, because a lookup failed or needs
    /// --dns; 100: wrong usage.
    Selftest(Selftest),
    /// Say in our control files what the configuration of another mail system says about relaying
    ///
    /// Prints the files, each below a comment with its name; what could not be carried over stands at the end as
    /// comments, each with the reason. The result decides as the source did; whatever cannot be said exactly grants
    /// nothing.
    ///
    /// Exit code 0: everything was carried over; 1: something was not; 100: wrong usage, or a file that exists;
    /// 111: a file cannot be read or written.
    Convert(Convert),
    /// Add, remove and list the users of auth-cdb
    ///
    /// Keeps a verifier of SCRAM-SHA-256 of each user in a cdb, never the password; PLAIN and LOGIN are checked against it
    /// too. With `--cram` it also keeps what CRAM-MD5 needs, which smtpd offers if AUTH_CHECKS says so. The file gives others no access; when it is replaced it keeps its owner and group, which are those of the
    /// program that asks it.
    ///
    /// Exit code 0: done; 1: there is no such user; 100: wrong usage; 111: a file cannot be read or written.
    Passwd(Passwd),
    /// Make the keys of session tickets, or rotate them
    ///
    /// With them a client that comes again resumes its session of TLS, at less than half the cost, whichever process
    /// serves it. Puts a new key into the file ticketkeys beside the certificate; the five keys before it still open
    /// tickets. Who may read the certificate, which has its private key in it, may read the keys. Run it from cron once or twice
    /// a day.
    ///
    /// Exit code 0: done; 100: wrong usage; 111: the file cannot be read or written.
    TicketKeys(TicketKeys),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write man pages, completions and control/README below a directory
    #[command(hide = true)]
    Generate {
        /// The top of the source tree
        directory: PathBuf,
    },
}

/// Where the control files are.
#[derive(Debug, Args)]
pub struct Place {
    /// The control directory [default: as smtpd finds it: CONTROLDIR, SYSCONFDIR/control, /etc/indimail/control, /var/qmail/control]
    #[arg(long, value_name = "DIR")]
    pub control: Option<PathBuf>,
}

/// `postern settings`.
#[derive(Debug, Args)]
pub struct Settings {
    /// The control directory to look into
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print a Markdown table
    #[arg(long)]
    pub markdown: bool,
    /// Only these settings, by file or variable name
    pub names: Vec<String>,
}

/// `postern shadow`.
#[derive(Debug, Args)]
#[command(after_long_help = shadow_help())]
pub struct Shadow {
    /// The live control directory
    #[command(flatten)]
    pub place: Place,
    /// The control directory that is compared with the live one
    #[arg(long, value_name = "OTHER")]
    pub with: PathBuf,
    /// A variable of smtpd's environment, on both sides; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Take RELAYCLIENT and so on from the rule for the client in a cdb made by tcprules
    #[arg(long, value_name = "CDB")]
    pub rules: Option<PathBuf>,
    /// The same for the other side [default: what --rules says]
    #[arg(long, value_name = "CDB")]
    pub with_rules: Option<PathBuf>,
    /// Ask DNS where smtpd would, for both sides
    #[arg(long)]
    pub dns: bool,
    /// Print JSON: an object for each difference, and one for the sums
    #[arg(long)]
    pub json: bool,
    /// Situations or lines of smtpd's log; `-` or none: standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

fn shadow_help() -> String {
    format!(
        "{}\n\n{}\n\nExamples:\n  \
         postern shadow --with control.new /var/log/smtpd/current\n  \
         postern shadow --with control.new --rules tcp.smtp.cdb < situations",
        situation::FORMS,
        log_line::FORMS
    )
}

/// `postern match`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    postern match 192.168.40-43.* 192.168.43.255 192.168.44.0\n  \
    postern match =.partner.example gw.partner.example\n  \
    postern match '@friendly.example&192.0.2.0/24' 'joe@friendly.example&192.0.2.7'\n  \
    postern match --networks 10.0.0.1-6")]
pub struct Match {
    /// Where moreipme and notipme are, for `=me`
    #[command(flatten)]
    pub place: Place,
    /// Print the networks that the pattern stands for, the widest possible, instead of matching
    #[arg(long, conflicts_with = "values")]
    pub networks: bool,
    /// Ask DNS for the addresses of `@name`; else nobody can tell
    #[arg(long)]
    pub dns: bool,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// A pattern or a whole line, as in relayclients or relaymailfrom
    pub pattern: Option<String>,
    /// Addresses; names for `=name`; `sender&address` for a line with a sender
    #[arg(value_name = "VALUE")]
    pub values: Vec<String>,
}

/// `postern selftest`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    postern selftest --rules /etc/tcp.smtp.cdb\n  \
    postern selftest --dns --ip 203.0.113.7 --from ceo@our.example")]
pub struct Selftest {
    /// The control directory to test
    #[command(flatten)]
    pub place: Place,
    /// A client from outside; may be given more than once [default: addresses that are for documentation only]
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<IpAddr>,
    /// Another sender to forge; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub from: Vec<String>,
    /// A variable of smtpd's environment, whoever calls; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Take RELAYCLIENT and so on from the rule for each client in this cdb made by tcprules
    #[arg(long, value_name = "CDB")]
    pub rules: Option<PathBuf>,
    /// Ask DNS where smtpd would; else what depends on it is not judged
    #[arg(long)]
    pub dns: bool,
    /// Print JSON, one object
    #[arg(long)]
    pub json: bool,
}

/// `postern ticket-keys`.
#[derive(Debug, Args)]
pub struct TicketKeys {
    /// The control directory, where certificates are when nothing else is said
    #[command(flatten)]
    pub place: Place,
    /// The directory of certificates [default: CERTDIR, else the control directory]
    #[arg(long, value_name = "DIR")]
    pub certdir: Option<PathBuf>,
}

/// `postern passwd`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    postern passwd add joe@our.example\n  \
    postern passwd --file /etc/auth.cdb import < users")]
pub struct Passwd {
    /// The control directory, where the file is when nothing else is said
    #[command(flatten)]
    pub place: Place,
    /// The file [default: AUTH_CDB, else auth.cdb in the control directory]
    #[arg(long, value_name = "FILE", global = true)]
    pub file: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub action: PasswdAction,
}

/// What `postern passwd` can do.
#[derive(Debug, Subcommand)]
pub enum PasswdAction {
    /// Add a user, or give one another password: the first line of standard input, or what is typed
    Add {
        /// What is kept of the password
        #[command(flatten)]
        keeping: Keeping,
        /// The user, exactly as clients will say it
        user: String,
    },
    /// Remove a user
    Del {
        /// The user
        user: String,
    },
    /// Print the users, one a line
    List,
    /// Add users from standard input, a line each: `user:password`, or `user:{SCRAM-SHA-256}...` with a verifier
    Import {
        /// What is kept of the password
        #[command(flatten)]
        keeping: Keeping,
    },
}

/// What is kept of a password.
#[derive(Debug, Args)]
pub struct Keeping {
    /// How often the password is hashed, 4096 or more
    #[arg(long, value_name = "NUMBER", default_value_t = Verifier::ITERATIONS, value_parser = clap::value_parser!(u32)
        .range(i64::from(Verifier::ITERATIONS_MIN)..=i64::from(Verifier::ITERATIONS_MAX)))]
    pub iterations: u32,
    /// Let the user do CRAM-MD5 too, for old clients: whoever can read the file can then do it as this user
    #[arg(long)]
    pub cram: bool,
}

/// `postern lint`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    postern lint --rules /etc/tcp.smtp.cdb\n  \
    postern lint -- mx.our.example /usr/local/sbin/auth-cdb /bin/false")]
pub struct Lint {
    /// The control directory to examine
    #[command(flatten)]
    pub place: Place,
    /// A variable of smtpd's environment to examine too; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Examine the variables that this cdb made by tcprules sets, and whether it is older than its source
    #[arg(long, value_name = "CDB")]
    pub rules: Option<PathBuf>,
    /// Look for grants to these addresses, which stand for many clients; may be given more than once [default: this
    /// host's default gateways, and its own addresses on bridges]
    #[arg(long = "gateway", value_name = "ADDRESS")]
    pub gateways: Vec<IpAddr>,
    /// Ask DNS whether the names in lists have addresses; without this no name server is asked
    #[arg(long)]
    pub dns: bool,
    /// Print JSON, an array of findings
    #[arg(long)]
    pub json: bool,
    /// The arguments of smtpd: HOSTNAME AUTHPGM ... FALSEPGM; the checker is asked about a user that nobody has
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<OsString>,
}

/// `postern convert`.
#[derive(Debug, Args)]
#[command(after_long_help = convert::forms())]
pub struct Convert {
    /// The mail system that the files are from
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub from: Source,
    /// Write the files into DIR, which is made if need be; a file that exists is never replaced, nothing is written then
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Its configuration; several files are read one behind the other; `-` or none: standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
