//! A real client authenticates itself: swaks, tcpserver, auth-cdb and a user made by `postern passwd`.

use std::process::{Command, Stdio};

use crate::net::{TcpServer, compile_rules};
use crate::{home, messages, queue_maildir, support};

#[test]
fn swaks_authenticates_and_relays() {
    let home = home();
    let (maildir, queue) = queue_maildir(&home);
    let script = "echo pencil | \"$POSTERN\" passwd add --iterations 4096 joe@our.example";
    let mut command = Command::new("sh");
    command.env_clear().env("CONTROLDIR", home.control()).env("POSTERN", support::program("postern"));
    assert!(command.args(["-c", script]).stdin(Stdio::null()).status().unwrap().success());

    let rules = compile_rules(home.path(), ":allow\n");
    let checker = support::program("auth-cdb");
    let arguments = ["mx.test", checker.to_str().unwrap(), "/bin/false"];
    let server = TcpServer::start_with(&home, &rules, &[("QMAILQUEUE", &queue), ("PENALTY", "0")], &arguments);
    let swaks = |mechanism: &str, password: &str| {
        let mut command = Command::new("swaks");
        command.args(["--server", "127.0.0.1", "--port", &server.port.to_string(), "--helo", "client.example"]);
        command.args(["--from", "joe@our.example", "--to", "you@far.example", "--timeout", "30"]);
        command.args(["--auth", mechanism, "--auth-user", "joe@our.example", "--auth-password", password]);
        let output = command.output().expect("swaks is installed");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for mechanism in ["PLAIN", "LOGIN"] {
        let (code, said) = swaks(mechanism, "pencil");
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("<-  250-AUTH LOGIN PLAIN SCRAM-SHA-256\n"), "{said}");
        let (code, said) = swaks(mechanism, "pen");
        assert_eq!(code, Some(28), "{said}");
        assert!(said.contains("<** 535 authorization failure (#5.7.8)"), "{said}");
    }
    let stored = messages(&maildir);
    assert_eq!(stored.len(), 2);
    let text = String::from_utf8(stored[0].clone()).unwrap();
    assert!(text.contains(" (HELO client.example) (joe@our.example@127.0.0.1)\n  by mx.test with ESMTPA; "), "{text}");
    server.wait_for_log(" AUTH USER [joe@our.example] status=[0] AUTH LOGIN TLS=No auth success");
    server.wait_for_log(" AUTH USER [joe@our.example] status=[1] AUTH LOGIN TLS=No auth failure");
}
