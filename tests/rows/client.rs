//! The client of smtpd: it plays the transactions of a connection.

use crate::notation::Case;
use crate::smtp::Smtp;

/// What every client says of itself.
pub const HELO: &str = "client.example";
/// Who authenticates.
pub const USER: &str = "joe@local.ex";

/// Plays the client; for each case the last line of the reply that decides.
pub fn talk(smtp: &Smtp, session: &[Case]) -> Result<Vec<String>, String> {
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
            must(smtp, "STARTTLS", "220")?;
            return Err("this client cannot speak TLS yet".to_owned());
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

fn must(smtp: &Smtp, command: &str, code: &str) -> Result<(), String> {
    let heard = ask(smtp, command)?;
    if heard.starts_with(code) { Ok(()) } else { Err(format!("{command}: {heard}")) }
}

fn ask(smtp: &Smtp, command: &str) -> Result<String, String> {
    smtp.send(format!("{command}\r\n"));
    reply(smtp)
}

/// The last line of the next reply.
fn reply(smtp: &Smtp) -> Result<String, String> {
    loop {
        let line = smtp.line().map_err(|error| format!("{error:?}"))?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}
