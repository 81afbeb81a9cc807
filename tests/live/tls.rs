//! TLS with the clients that people have, through a real tcpserver: swaks, curl, smtplib, gnutls-cli and gsasl.

#[path = "tls/openssl.rs"]
mod openssl;
#[path = "tls/postfix.rs"]
mod postfix;
#[path = "tls/probes.rs"]
mod probes;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::certificates::Authority;
use crate::home::Home;
use crate::net::{TcpServer, compile_rules};
use crate::{home, support};

/// No client needs as many seconds, even on a busy machine.
const DEADLINE: &str = "60";
const USER: &str = "joe@our.example";
const PASSWORD: &str = "pencil";
const ELSEWHERE: &str = "you@far.example";
const MESSAGE: &str = "Subject: over TLS\n\nfirst line\n";

/// Where users submit mail: nothing without TLS, and elsewhere only with a password.
struct Site {
    home: Home,
    /// With STARTTLS, as on port 587.
    submission: TcpServer,
    /// With TLS from the first octet, as on port 465.
    submissions: TcpServer,
}

impl Site {
    /// With a certificate of localhost, whose authority is the shared one, and with a user.
    fn start() -> Site {
        let home = home();
        home.write("servercert.pem", Authority::shared_local());
        Site::of(home)
    }

    fn of(home: Home) -> Site {
        let script = "echo \"$1\" | \"$POSTERN\" passwd add --iterations 4096 \"$0\"";
        let mut command = Command::new("sh");
        command.env_clear().env("CONTROLDIR", home.control()).env("POSTERN", support::program("postern"));
        assert!(command.args(["-c", script, USER, PASSWORD]).stdin(Stdio::null()).status().unwrap().success());

        fs::write(home.path().join("message"), MESSAGE).unwrap();
        let rules = compile_rules(home.path(), ":allow\n");
        let checker = support::program("auth-cdb");
        let cram = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cram.sh");
        let arguments = ["mx.test", checker.to_str().unwrap(), cram, "/bin/false"];
        let start = |how| {
            let variables = [(how, ""), ("FORCE_TLS", ""), ("SECURE_AUTH", ""), ("PENALTY", "0")];
            TcpServer::start_with(&home, &rules, &variables, &arguments)
        };
        Site { submission: start("STARTTLS"), submissions: start("SMTPS"), home }
    }

    /// The authority of its certificate, a file.
    fn authority(&self) -> String {
        Authority::shared().path("authority.pem").to_str().unwrap().to_owned()
    }

    /// The message that arrived as number `count` is the last, from the user to elsewhere; `with` is in its trace header.
    fn arrived(&self, count: usize, with: &str) {
        let deliveries = self.home.deliveries();
        assert_eq!(deliveries.len(), count);
        let last = &deliveries[count - 1];
        assert_eq!(last.envelope_items(), [format!("F{USER}"), format!("T{ELSEWHERE}")]);
        let (trace, content) = last.trace_and_content();
        let trace = String::from_utf8(trace).unwrap();
        assert!(trace.contains(with), "{with:?} is not in {trace}");
        let content = String::from_utf8_lossy(&content);
        assert!(content.contains("Subject: over TLS\n") && content.contains("\n\nfirst line\n"), "{content}");
    }
}

/// The log's line of a password that was right.
fn success(mechanism: &str, version: &str) -> String {
    format!(" AUTH USER [{USER}] status=[0] AUTH {mechanism} TLS={version} auth success\n")
}

fn failure(mechanism: &str, version: &str) -> String {
    format!(" AUTH USER [{USER}] status=[1] AUTH {mechanism} TLS={version} auth failure\n")
}

/// Runs a client to its end: its exit code, 124 after the deadline, and all it said.
fn run(client: &str, arguments: &[&str]) -> (i32, String) {
    talk(client, arguments, None)
}

/// The same with something to read, after which there is no end.
fn talk(client: &str, arguments: &[&str], input: Option<&str>) -> (i32, String) {
    let mut command = Command::new("timeout");
    command.args([DEADLINE, client]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().unwrap();
    let mut kept_open = child.stdin.take();
    if let (Some(stdin), Some(input)) = (&mut kept_open, input) {
        let _ = stdin.write_all(input.as_bytes()); // It may have ended already: what it said tells.
    }
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    assert_ne!(output.status.code(), Some(127), "{client} is not installed: {said}");
    (output.status.code().unwrap_or(-1), said)
}

/// A session in one piece, as a client without a mind of its own sends it.
fn session(name: &str, sender: &str, recipient: &str) -> String {
    format!("EHLO {name}\nMAIL FROM:<{sender}>\nRCPT TO:<{recipient}>\nDATA\n{MESSAGE}.\nQUIT\n")
}

#[test]
fn swaks_relays_with_every_mechanism_that_we_have() {
    let site = Site::start();
    let authority = site.authority();
    let swaks = |server: &TcpServer, tls: &str, authority: &str, mechanism: &str, password: &str| {
        let port = server.port.to_string();
        let address = ["--server", "localhost", "--port", &port, "--helo", "client.example", "--timeout", "30"];
        let secure = [tls, "--tls-verify", "--tls-ca-path", authority];
        let mail = ["--from", USER, "--to", ELSEWHERE, "--header", "Subject: over TLS", "--body", "first line"];
        let auth = ["--auth", mechanism, "--auth-user", USER, "--auth-password", password];
        run("swaks", &[&address[..], &secure, &mail, &auth].concat())
    };
    let mut count = 0;
    for (server, tls) in [(&site.submission, "--tls"), (&site.submissions, "--tls-on-connect")] {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let (code, said) = swaks(server, tls, &authority, mechanism, PASSWORD);
            assert_eq!(code, 0, "{said}");
            count += 1;
            site.arrived(count, " with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384 bits=256)");
            server.wait_for_log(&success(mechanism, "TLSv1.3"));
            let (code, said) = swaks(server, tls, &authority, mechanism, "pen");
            assert_eq!(code, 28, "{said}");
            assert!(said.contains("<~* 535 authorization failure (#5.7.8)"), "{said}");
            server.wait_for_log(&failure(mechanism, "TLSv1.3"));
        }
        // Those that it knows too and that are not built are not offered (D66).
        for mechanism in ["DIGEST-MD5", "CRAM-SHA1"] {
            let (code, said) = swaks(server, tls, &authority, mechanism, PASSWORD);
            assert_eq!(code, 28, "{said}");
            assert!(said.contains("250-AUTH LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS\n"), "{said}");
        }
        // It does look at the certificate.
        let strange = Authority::new();
        let strange = strange.path("authority.pem");
        let (code, said) = swaks(server, tls, strange.to_str().unwrap(), "PLAIN", PASSWORD);
        assert_eq!(code, 29, "{said}");
    }
    let (code, said) = run("swaks", &clear(&site.submission.port.to_string()));
    assert_eq!(code, 28, "no password in clear: {said}");
    assert_eq!(site.home.deliveries().len(), count);
}

/// Without TLS.
fn clear(port: &str) -> Vec<&str> {
    let address = ["--server", "localhost", "--port", port, "--from", USER, "--to", ELSEWHERE, "--timeout", "30"];
    [&address[..], &["--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD]].concat()
}

#[test]
fn curl_relays_by_both_schemes() {
    let site = Site::start();
    let authority = site.authority();
    let curl = |scheme: &str, server: &TcpServer, authority: &str, mechanism: &str| {
        let url = format!("{scheme}://localhost:{}/client.example", server.port);
        let message = site.home.path().join("message");
        let login = [format!("{USER}:{PASSWORD}"), format!("AUTH={mechanism}")];
        let how = ["-q", "--verbose", "--crlf", "--ssl-reqd", "--url", &url, "--cacert", authority];
        let who = ["--user", &login[0], "--login-options", &login[1], "--mail-from", USER, "--mail-rcpt", ELSEWHERE];
        run("curl", &[&how[..], &who, &["--upload-file", message.to_str().unwrap()]].concat())
    };
    let mut count = 0;
    for (scheme, server) in [("smtp", &site.submission), ("smtps", &site.submissions)] {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let (code, said) = curl(scheme, server, &authority, mechanism);
            assert_eq!(code, 0, "{said}");
            count += 1;
            site.arrived(
                count,
                "(HELO client.example) (joe@our.example@127.0.0.1)\n  by mx.test with ESMTPSA (TLSv1.3 ",
            );
            server.wait_for_log(&success(mechanism, "TLSv1.3"));
        }
        let strange = Authority::new();
        let (code, said) = curl(scheme, server, strange.path("authority.pem").to_str().unwrap(), "PLAIN");
        assert_eq!(code, 60, "{said}");
    }
    assert_eq!(site.home.deliveries().len(), count);
}

const PYTHON: &str = r#"
import smtplib, ssl, sys
kind, port, authority, mechanism, user, password, to, message = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
if kind == "SMTP_SSL":
    smtp = smtplib.SMTP_SSL("localhost", int(port), "client.example", context=context, timeout=30)
else:
    smtp = smtplib.SMTP("localhost", int(port), "client.example", timeout=30)
    smtp.starttls(context=context)
smtp.ehlo()
if mechanism == "its own choice":
    smtp.login(user, password)
else:
    smtp.user, smtp.password = user, password
    smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower()))
assert smtp.sendmail(user, [to], message) == {}
print(smtp.sock.version(), smtp.quit())
"#;

#[test]
fn smtplib_relays_after_starttls_and_with_smtp_ssl() {
    let site = Site::start();
    let authority = site.authority();
    let mut count = 0;
    for (kind, server) in [("SMTP", &site.submission), ("SMTP_SSL", &site.submissions)] {
        for (mechanism, logged) in [("its own choice", "CRAM-MD5"), ("PLAIN", "PLAIN"), ("LOGIN", "LOGIN")] {
            let port = server.port.to_string();
            let arguments =
                ["-I", "-c", PYTHON, kind, &port, &authority, mechanism, USER, PASSWORD, ELSEWHERE, MESSAGE];
            let (code, said) = run("python3", &arguments);
            assert_eq!((code, said.as_str()), (0, "TLSv1.3 (221, b'mx.test closing connection')\n"));
            count += 1;
            site.arrived(
                count,
                "(HELO client.example) (joe@our.example@127.0.0.1)\n  by mx.test with ESMTPSA (TLSv1.3 ",
            );
            server.wait_for_log(&success(logged, "TLSv1.3"));
        }
    }
}

#[test]
fn gnutls_cli_talks_in_either_version() {
    let site = Site::start();
    let authority = site.authority();
    let mut count = 0;
    for (server, starttls) in [(&site.submission, &["--starttls-proto=smtp"][..]), (&site.submissions, &[])] {
        for (version, with) in [("1.2", "TLSv1.2 ECDHE-ECDSA-"), ("1.3", "TLSv1.3 TLS_")] {
            let port = server.port.to_string();
            let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{version}");
            let arguments = ["--x509cafile", &authority, "--priority", &priority, "--port", &port, "localhost"];
            let plain = "AUTH PLAIN AGpvZUBvdXIuZXhhbXBsZQBwZW5jaWw=\n";
            let input = format!("EHLO client.example\n{plain}{}", session("client.example", USER, ELSEWHERE));
            let (code, said) = talk("gnutls-cli", &[starttls, &arguments].concat(), Some(&input.replace('\n', "\r\n")));
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("- Status: The certificate is trusted."), "{said}");
            assert!(said.contains("235 ok, go ahead (#2.0.0)\n") && said.contains("221 mx.test"), "{said}");
            count += 1;
            site.arrived(count, &format!(" with ESMTPSA ({with}"));
            server.wait_for_log(&success("PLAIN", &format!("TLSv{version}")));
        }
    }
}

#[test]
fn gsasl_authenticates_with_and_without_a_binding() {
    let site = Site::start();
    let authority = site.authority();
    let port = format!("localhost:{}", site.submission.port);
    let gsasl = |mechanism: &str, password: &str, more: &[&str]| {
        let how = ["--smtp", "--starttls", "--connect", &port, "--x509-ca-file", &authority, "--verbose"];
        let who = ["-m", mechanism, "-a", USER, "-p", password];
        run("gsasl", &[&how[..], &who, more].concat())
    };
    const OF_12: &[&str] = &["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"];
    for (mechanism, version, more) in [
        ("PLAIN", "TLSv1.3", &[][..]),
        ("LOGIN", "TLSv1.3", &[]),
        ("CRAM-MD5", "TLSv1.3", &[]),
        ("SCRAM-SHA-256", "TLSv1.3", &["--no-cb"]),
        ("SCRAM-SHA-256-PLUS", "TLSv1.3", &[]),
        ("SCRAM-SHA-256", "TLSv1.2", &[&["--no-cb"], OF_12].concat()),
    ] {
        let (code, said) = gsasl(mechanism, PASSWORD, more);
        assert_eq!(code, 0, "{mechanism}: {said}");
        assert!(said.contains("235 ok, go ahead (#2.0.0)\n"), "{mechanism}: {said}");
        site.submission.wait_for_log(&success(mechanism, version));
        let (code, said) = gsasl(mechanism, "pen", more);
        assert_ne!(code, 0, "{mechanism}: {said}");
        assert!(said.contains("535 authorization failure (#5.7.8)\n"), "{mechanism}: {said}");
        site.submission.wait_for_log(&failure(mechanism, version));
    }
}

/// Writes a file into the home and gives its name.
fn write(home: &Home, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = home.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Makes new ticket keys for the home.
fn make_ticket_keys(control: &Path) {
    let mut command = Command::new(support::program("postern"));
    command.env_clear().args(["ticket-keys".as_ref(), "--certdir".as_ref(), control.as_os_str()]);
    assert!(command.status().unwrap().success());
}
