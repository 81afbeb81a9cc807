//! The command lines of `opensmtp` and `clearopensmtp`; help, man pages and completions are made from them.

use std::ffi::OsString;

use clap::Parser;

/// Rows that are deleted at once if nobody says otherwise.
const BATCH_DEFAULT: u32 = 1000;
/// The most rows that may be deleted at once.
const BATCH_MAX: i64 = 100_000;

/// Record that a user has read mail, so that he may send mail from the same address for a while (POP before SMTP)
///
/// For the end of a login: Dovecot's post-login scripting, courier's authentication modules, a chain of checkpassword. Records
/// the user and address in the relay table that `relaydb` names, then runs PROGRAM, whatever came of it: a table that cannot
/// be reached costs one line of warning and two seconds at most, never a login.
#[derive(Debug, Parser)]
#[command(name = "opensmtp", version, after_long_help = OPENSMTP_HELP)]
#[command(
    override_usage = "opensmtp [--user USER] [--ip IP] [--] [PROGRAM [ARG...]]\n       opensmtp --export\n       opensmtp --import < ROWS"
)]
pub struct OpenSmtp {
    /// The user, with or without a domain [default: AUTHENTICATED, else USER, of the environment]
    #[arg(long, value_name = "USER")]
    pub user: Option<OsString>,
    /// The address he comes from [default: IP, TCP6REMOTEIP or TCPREMOTEIP of the environment]
    #[arg(long, value_name = "IP")]
    pub ip: Option<OsString>,
    /// Print every row of the table: user, address and seconds since 1970, with tabs between them
    #[arg(long, conflicts_with_all = ["import", "user", "ip", "program"])]
    pub export: bool,
    /// Put the rows on standard input into the table, each unless there is a newer one
    #[arg(long, conflicts_with_all = ["user", "ip", "program"])]
    pub import: bool,
    /// What to run then, with its arguments
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, allow_hyphen_values = true)]
    pub program: Vec<OsString>,
}

const OPENSMTP_HELP: &str = "\
Nothing is recorded when NORELAY is set, and for an address that the rules of TCP_FILE let relay anyway. A user without a \
domain is one of `me`. In vpopmail's layout the table has no user, and the address alone is recorded.

Exit code: that of PROGRAM; 111 if it cannot be run. Without PROGRAM 0: recorded, or not needed; 100: the user or address is \
none; 111: the table cannot be reached. With --import and --export 0; 100: a malformed row, which is named; 111.

From one place to another: opensmtp --export > rows; change relaydb; opensmtp --import < rows.

relaydb(5) tells where the table is, who has to be able to write it, and how mail servers are set up.

Examples:
  Dovecot: service imap-postlogin { executable = script-login /usr/local/sbin/opensmtp -- }
  qmail-pop3d: tcpserver 0 110 qmail-popup mx.example checkpassword opensmtp qmail-pop3d Maildir
  by hand: opensmtp --user joe@client.example --ip 192.0.2.7";

/// Forget the logins that no longer count, and make tcp.smtp.cdb anew
///
/// For cron. Without options it does both. Deletes a bounded number of rows at a time, so that no login waits long. The rules
/// in TCP_FILE come first in tcp.smtp.cdb, then a rule that lets each address relay from which somebody has read mail; an
/// address that the rules deny stays denied.
#[derive(Debug, Parser)]
#[command(name = "clearopensmtp", disable_version_flag = true, after_long_help = CLEAROPENSMTP_HELP)]
pub struct ClearOpenSmtp {
    /// Forget logins, and leave tcp.smtp.cdb alone: all that a site needs whose smtpd asks the table itself (CHECKRELAY)
    #[arg(short = 's', conflicts_with_all = ["rebuild", "cluster"])]
    pub clear: bool,
    /// Make tcp.smtp.cdb anew, and forget nothing
    #[arg(short = 't', conflicts_with = "cluster")]
    pub rebuild: bool,
    /// Forget logins in every database of the cluster, which mcdinfo names
    #[arg(short = 'C')]
    pub cluster: bool,
    /// Print the version
    #[arg(short = 'V', long)]
    pub version: bool,
    /// Print how many rows would go, and change nothing
    #[arg(long, conflicts_with = "rebuild")]
    pub dry_run: bool,
    /// Delete at most so many rows at a time; fewer when that takes longer than 50 ms
    #[arg(long, value_name = "N", default_value_t = BATCH_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=BATCH_MAX))]
    pub batch: u32,
    /// Tell what was done
    #[arg(long)]
    pub verbose: bool,
}

const CLEAROPENSMTP_HELP: &str = "\
A login counts for RELAY_CLEAR_MINUTES (60), by the clock of the database; one that is exactly as old does not. With a file \
mcdinfo tcp.smtp.cdb is left alone: a cluster asks its databases.

Exit code 0: all was done; 1: the table or the rules cannot be read or changed, or another clearopensmtp runs; 100: wrong \
usage, or a setting that is none; 111: trouble with this machine.

relaydb(5) tells where the table is, opensmtp(8) who writes it.

Examples:
  clearopensmtp -s
  clearopensmtp --dry-run
  RELAY_CLEAR_MINUTES=30 TCP_FILE=/etc/tcp.smtp clearopensmtp --verbose";
