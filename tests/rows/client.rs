//! The client of smtpd: it plays the transactions of a connection.

use crate::certificates::Authority;
use crate::notation::Case;
use crate::secure::{Client, Secure};

/// What every client says of itself.
pub const HELO: &str = "client.example";
/// Who authenticates.
pub const USER: &str = "joe@local.ex";

/// Plays the client; for each case the last line of the reply that decides.
pub fn talk(smtp: &mut Secure, session: &[Case]) -> Result<Vec<String>, String> {
    let greeting = reply(smtp)?;
    if !greeting.starts_with('2') {
        // Who goes on all the same is refused too.
        must(smtp, &format!("MAIL FROM:<{}>", session[0].sender), "5")?;
        return Ok(vec![greeting]);
    }
    let (mut authenticated, mut encrypted) = (false, false);
    ask(smtp, &format!("EHLO {HELO}"))?;
    let mut decided = Vec::new();
    for case in session {
        for command in &case.before {
            must(smtp, command, "2")?;
        }
        if case.tls && !encrypted {
            must(smtp, "RSET", "250")?;
            must(smtp, "STARTTLS", "220")?;
            let client = Client::new(&Authority::shared().certificate());
            smtp.encrypt(&client).map_err(|error| error.to_string())?;
            ask(smtp, &format!("EHLO {HELO}"))?;
            authenticated = false;
        }
        if case.auth && !authenticated {
            // NUL, user, NUL, password.
            must(smtp, "AUTH PLAIN AGpvZUBsb2NhbC5leABzZWNyZXQ=", "235")?;
        }
        assert!(case.auth || !authenticated || case.tls, "{}: nobody loses AUTH but by STARTTLS", case.at);
        (authenticated, encrypted) = (case.auth, case.tls);
        let mut heard = ask(smtp, &format!("MAIL FROM:<{}>", case.sender))?;
        if heard.starts_with('2') {
            heard = ask(smtp, &format!("RCPT TO:<{}>", case.recipient))?;
        }
        decided.push(heard);
        if !case.queued.is_empty() {
            must(smtp, "DATA", "354")?;
            must(smtp, "Subject: row\r\n\r\nHello.\r\n.", "250")?;
        }
    }
    smtp.send("QUIT\r\n");
    Ok(decided)
}

fn must(smtp: &mut Secure, command: &str, code: &str) -> Result<(), String> {
    let heard = ask(smtp, command)?;
    if heard.starts_with(code) { Ok(()) } else { Err(format!("{command}: {heard}")) }
}

fn ask(smtp: &mut Secure, command: &str) -> Result<String, String> {
    smtp.send(format!("{command}\r\n"));
    reply(smtp)
}

/// The last line of the next reply.
fn reply(smtp: &mut Secure) -> Result<String, String> {
    loop {
        let line = smtp.line()?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}
