//! The sample run script of submission: STARTTLS on one port, TLS at once on another, and nobody without a password.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustls::StreamOwned;

use crate::home::Home;
use crate::support::program;
use crate::{client, home};

/// The server; it ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(home: &Home, smtps: bool) -> (Server, TcpStream) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let rules = home.path().join("rules.cdb");
    let mut compile = Command::new(program("tcprules"));
    compile.arg(&rules).arg(home.path().join("rules.tmp")).stdin(Stdio::piped());
    let mut compiling = compile.spawn().unwrap();
    compiling.stdin.take().unwrap().write_all(b":allow\n").unwrap();
    assert!(compiling.wait().unwrap().success());
    let mut command = Command::new("sh");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/etc/run-submission")).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME_DIR", home.path()).env("RULES", &rules);
    command.env("SMTPD", program("smtpd")).env("AUTHPGM", program("auth-cdb")).env("ADDRESS", "127.0.0.1");
    command.env("PORT", free.to_string()).env("OWNER", me.trim()).env("QMAILQUEUE", home.queue());
    command.env("QUEUE_HOME", home.path()).env("SMTPS_PORT", if smtps { free.to_string() } else { "465".to_owned() });
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let server = Server(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(("127.0.0.1", free)) {
            Ok(stream) => return (server, stream),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says a line, hears the last line of the reply.
fn ask<S: std::io::Read + Write>(stream: &mut BufReader<S>, line: &str) -> String {
    if !line.is_empty() {
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }
    loop {
        let mut heard = String::new();
        stream.read_line(&mut heard).unwrap();
        if heard.as_bytes().get(3) != Some(&b'-') {
            return heard.trim_end().to_owned();
        }
    }
}

#[test]
fn the_sample_of_submission_takes_users_over_tls_and_nobody_else() {
    for smtps in [false, true] {
        let home = home();
        crate::binding::with_user(&home);
        let (_server, stream) = start(&home, smtps);
        let mut plain = BufReader::new(stream);
        if !smtps {
            assert!(ask(&mut plain, "").starts_with("220 "));
            assert_eq!(ask(&mut plain, "AUTH PLAIN AGpvZQBwZW5jaWw="), "530 must issue STARTTLS first (#5.7.0)");
            assert_eq!(ask(&mut plain, "STARTTLS"), "220 ready for tls");
        }
        let mut session = BufReader::new(StreamOwned::new(client().connection(), plain.into_inner()));
        if smtps {
            assert!(ask(&mut session, "").starts_with("220 "));
        }
        assert_eq!(ask(&mut session, "EHLO c.example"), "250 HELP");
        assert_eq!(ask(&mut session, "MAIL FROM:<joe@our.example>"), "530 authentication required (#5.7.1)");
        // joe and his password.
        assert_eq!(ask(&mut session, "AUTH PLAIN AGpvZQBwZW5jaWw="), "235 ok, go ahead (#2.0.0)");
        assert_eq!(ask(&mut session, "MAIL FROM:<joe@our.example>"), "250 ok");
        assert_eq!(ask(&mut session, "RCPT TO:<u@far.example>"), "250 ok");
        assert_eq!(ask(&mut session, "DATA"), "354 go ahead");
        assert!(ask(&mut session, "Subject: hello\r\n\r\nhello\r\n.").starts_with("250 ok "));
        assert!(ask(&mut session, "QUIT").starts_with("221 "));
        let trace = String::from_utf8(home.deliveries()[0].trace_and_content().0).unwrap();
        assert!(trace.contains(" with ESMTPSA (TLSv1.3 "), "{trace}");
    }
}
