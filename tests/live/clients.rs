//! Real clients with every mechanism that they know: swaks, smtplib, curl and GNU SASL, and checkers in either convention.

use std::process::{Command, Stdio};

use crate::home;
use crate::home::Home;
use crate::net::{TcpServer, compile_rules};

const USER: &str = "joe@our.example";
const PASSWORD: &str = "pencil";

/// smtpd with a checker in Python, which these arguments follow.
fn server(home: &Home, checker: &str, last: &str, variables: &[(&str, &str)]) -> TcpServer {
    let rules = compile_rules(home.path(), ":allow\n");
    let script = format!("{}/tests/support/{checker}", env!("CARGO_MANIFEST_DIR"));
    let variables = [&[("PENALTY", "0"), ("AUTH_MAXFAIL", "99")], variables].concat();
    TcpServer::start_with(home, &rules, &variables, &["mx.test", "/usr/bin/env", "python3", &script, last])
}

/// A server whose checker knows everything, and which offers everything.
fn indimail(home: &Home) -> TcpServer {
    let checks = ("AUTH_CHECKS", "cram token scram-sha-1 scram-sha-256");
    server(home, "indimail_checker.py", "/bin/false", &[("AUTH_LEGACY", ""), checks])
}

/// The exit code, and everything that was said.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn swaks(server: &TcpServer, mechanism: &str, password: &str) -> (Option<i32>, String) {
    let mut command = Command::new("swaks");
    command.args(["--server", "127.0.0.1", "--port", &server.port.to_string(), "--helo", "client.example"]);
    command.args(["--quit-after", "AUTH", "--timeout", "30", "--auth", mechanism, "--auth-user", USER]);
    run(command.args(["--auth-password", password]))
}

#[test]
fn swaks_knows_four_mechanisms() {
    let home = home();
    let server = indimail(&home);
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-SHA1"] {
        let (code, said) = swaks(&server, mechanism, PASSWORD);
        assert!(code == Some(0) && said.contains("<-  235 ok, go ahead (#2.0.0)"), "{mechanism}: {said}");
        let (code, said) = swaks(&server, mechanism, "pencils");
        assert!(code == Some(28) && said.contains("<** 535 authorization failure (#5.7.8)"), "{mechanism}: {said}");
        server.wait_for_log(&format!(" AUTH USER [{USER}] status=[0] AUTH {mechanism} TLS=No auth success"));
    }
}

#[test]
fn swaks_is_checked_in_the_convention_of_vpopmail() {
    let home = home();
    let server = server(&home, "vpopmail_checker.py", "/bin/true", &[("AUTH_CONVENTION", "vpopmail")]);
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let (code, said) = swaks(&server, mechanism, PASSWORD);
        assert_eq!(code, Some(0), "{mechanism}: {said}");
        let (code, said) = swaks(&server, mechanism, "pencils");
        assert!(code == Some(28) && said.contains("<** 535 authorization failure (#5.7.8)"), "{mechanism}: {said}");
    }
}

/// `login` takes the best mechanism that both know; `auth` the one that is named, with an initial response or without.
const SMTPLIB: &str = "
import smtplib, sys
port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for mechanism in ['', 'PLAIN', 'LOGIN', 'CRAM-MD5']:
    for initial in [True, False]:
        with smtplib.SMTP('127.0.0.1', port, timeout=30) as smtp:
            smtp.ehlo('client.example')
            smtp.user, smtp.password = user, password
            try:
                if mechanism:
                    attempt = getattr(smtp, 'auth_' + mechanism.lower().replace('-', '_'))
                    code, text = smtp.auth(mechanism, attempt, initial_response_ok=initial)
                else:
                    code, text = smtp.login(user, password, initial_response_ok=initial)
            except smtplib.SMTPAuthenticationError as error:
                code = error.smtp_code
            print(mechanism, initial, code, smtp.noop()[0])
";

#[test]
fn smtplib_knows_three_mechanisms() {
    let home = home();
    let server = indimail(&home);
    for (password, code) in [(PASSWORD, 235), ("pencils", 535)] {
        let mut command = Command::new("python3");
        let (_, said) = run(command.args(["-c", SMTPLIB, &server.port.to_string(), USER, password]));
        let tried = ["", "PLAIN", "LOGIN", "CRAM-MD5"]
            .map(|mechanism| ["True", "False"].map(|initial| format!("{mechanism} {initial} {code} 250\n")).concat());
        assert_eq!(said, tried.concat());
    }
}

#[test]
fn curl_knows_four_mechanisms() {
    let home = home();
    let server = indimail(&home);
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"] {
        for initial in [true, false] {
            let curl = |secret: &str| {
                let mut command = Command::new("curl");
                command.args(["-sS", "-v", "--max-time", "30", "--login-options", &format!("AUTH={mechanism}")]);
                command.args(["--url", &format!("smtp://127.0.0.1:{}/client.example", server.port), "-X", "NOOP"]);
                command.args(["--user", &format!("{USER}:{secret}")]).args(initial.then_some("--sasl-ir"));
                let token = ["--oauth2-bearer", secret];
                run(command.args(token.into_iter().filter(|_| mechanism == "XOAUTH2")))
            };
            let right = if mechanism == "XOAUTH2" { "tok123" } else { PASSWORD };
            let (code, said) = curl(right);
            assert!(code == Some(0) && said.contains("< 235 ok, go ahead (#2.0.0)"), "{mechanism}: {said}");
            let (code, said) = curl("wrong");
            // It hangs up when it is told of the scope, and is in the log all the same.
            let last =
                if mechanism == "XOAUTH2" { "< 334 eyJzdGF0dXMi" } else { "< 535 authorization failure (#5.7.8)" };
            assert!(code == Some(67) && said.contains(last), "{mechanism}: {said}");
        }
        server.wait_for_log(&format!(" AUTH USER [{USER}] status=[1] AUTH {mechanism} TLS=No auth failure"));
    }
}

#[test]
fn gsasl_knows_scram() {
    let home = home();
    let server = indimail(&home);
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let gsasl = |password: &str, more: &[&str]| {
            let mut command = Command::new("gsasl");
            command.args(["--smtp", "--connect", &format!("127.0.0.1:{}", server.port), "-m", mechanism]);
            run(command.args(["-a", USER, "-p", password]).args(more))
        };
        for more in [&["-z", ""][..], &["-z", USER], &["-z", "", "--no-client-first"]] {
            let (code, said) = gsasl(PASSWORD, more);
            assert!(code == Some(0) && said.contains("235 ok, go ahead (#2.0.0)"), "{mechanism} {more:?}: {said}");
            let (code, said) = gsasl("pencils", more);
            assert!(
                code != Some(0) && said.contains("535 authorization failure (#5.7.8)"),
                "{mechanism} {more:?}: {said}"
            );
        }
    }
    for name in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        server.wait_for_log(&format!(" AUTH USER [{USER}] status=[0] AUTH {name} TLS=No auth success"));
    }
}
