//! The options of `postern explain`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::operator::command::Place;
use crate::operator::{moment, situation};

/// `postern explain`.
#[derive(Debug, Args)]
#[command(after_long_help = help())]
pub struct Explain {
    /// The control directory to judge by
    #[command(flatten)]
    pub place: Place,
    /// The client's address
    #[arg(long, value_name = "ADDRESS", required_unless_present = "batch")]
    pub ip: Option<IpAddr>,
    /// The client's name from DNS (TCPREMOTEHOST)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What the client says in EHLO [default: its name or address]
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// The sender, as in MAIL FROM
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub from: String,
    /// A recipient, as in RCPT TO; may be given more than once
    #[arg(long, value_name = "ADDRESS", required_unless_present = "batch", num_args = 1..)]
    pub rcpt: Vec<String>,
    /// Suppose that the client has authenticated itself as this user (AUTH)
    #[arg(long, value_name = "USER")]
    pub auth: Option<String>,
    /// Suppose that the connection is encrypted (TLS)
    #[arg(long)]
    pub tls: bool,
    /// Suppose that it is, and that the client has shown a certificate of this mail address, which is in order
    #[arg(long, value_name = "ADDRESS")]
    pub cert: Option<String>,
    /// Suppose this moment: 2026-11-21T19:21:46Z, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub at: Option<u64>,
    /// Look through this message; `-`: standard input. Lines end as they do on the wire, or all in LF
    #[arg(long, value_name = "FILE")]
    pub message: Option<PathBuf>,
    /// Explain the situations on standard input, one a line
    #[arg(long, conflicts_with_all = ["ip", "name", "helo", "from", "rcpt", "auth", "tls", "cert", "at", "message"])]
    pub batch: bool,
    /// Ask DNS where smtpd would; without this, what only DNS can tell is told so
    #[arg(long)]
    pub dns: bool,
    /// A variable of smtpd's environment, as RELAYCLIENT= from tcp.smtp; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Take RELAYCLIENT and so on from the rule for the client in a cdb made by tcprules
    #[arg(long, value_name = "CDB")]
    pub rules: Option<PathBuf>,
    /// Print JSON: one object, with --batch one a line
    #[arg(long)]
    pub json: bool,
}

fn help() -> String {
    format!(
        "{}\n\nA batch is answered line by line, in order: accept, temp or reject; the code; the reason; the situation; with tabs \
         between them. Several recipients have their codes and reasons separated by commas, and the worst verdict. A \
         malformed line is told with its number and makes the exit code 100; the others are answered all the same. The \
         settings are read once for a batch, the lists for each situation.\n\n\
         A message whose first line ends in CR LF is taken as it is on the wire: a CR or LF alone stays one. If its last line is a \
         dot alone, that ends it and dots are doubled already. Of any other message each LF stands for CR LF.\n\n\
         Examples:\n  postern explain --ip 192.0.2.7 --from a@b.ex --rcpt c@d.ex\n  \
         postern explain --ip 192.0.2.7 --rcpt c@d.ex --rules tcp.smtp.cdb\n  \
         postern explain --ip 192.0.2.7 --rcpt c@d.ex --message mail.eml\n  \
         postern explain --batch --json < situations",
        situation::FORMS
    )
}
