//! A real socket on descriptors 0 and 1, as inetd gives it: the address of the peer, signals, and clients that vanish.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, setsockopt, socketpair, sockopt};
use nix::unistd::Pid;

use crate::home;
use crate::home::Home;
use crate::net::Client;
use crate::support::program;

/// smtpd on a connected socket, without a variable that tells who calls.
fn start(home: &Home) -> (TcpStream, Child) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut command = Command::new(program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("CONTROLDIR", home.control());
    command.env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path());
    command.stdin(Stdio::from(OwnedFd::from(server.try_clone().unwrap())));
    command.stdout(Stdio::from(OwnedFd::from(server))).stderr(Stdio::piped());
    (client, command.spawn().unwrap())
}

/// Closes the connection in the rude way: without lingering, which resets it.
fn reset(stream: TcpStream, smtp: Client) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &linger).unwrap();
    drop((smtp, stream));
}

/// Exit code and log.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// D40: inetd makes the connection descriptor 2 as well; what we log must not reach the client.
#[test]
fn the_log_is_not_told_to_the_client() {
    let home = home();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut command = Command::new(program("smtpd"));
    // As tcp-env tells it, the usual companion of inetd.
    command.env_clear().env("CONTROLDIR", home.control()).env("TCPREMOTEIP", "127.0.0.1");
    command.stdin(Stdio::from(OwnedFd::from(server.try_clone().unwrap())));
    command.stdout(Stdio::from(OwnedFd::from(server.try_clone().unwrap()))).stderr(Stdio::from(OwnedFd::from(server)));
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut smtp = Client::new(stream);
    assert!(smtp.reply().starts_with("220 mx.test "));
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    let refused = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1";
    assert_eq!(smtp.ask("RCPT TO:<u@far.example>"), refused);
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// D26: without TCPREMOTEIP the address is that of the peer.
#[test]
fn the_peer_of_descriptor_0_is_the_client() {
    let home = home();
    home.write("relayclients", "127.0.0.1:\n");
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream);
    assert!(smtp.reply().starts_with("220 mx.test "));
    assert_eq!(smtp.ask("HELO"), "250 mx.test [127.0.0.1]");
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    assert_eq!(smtp.ask("RCPT TO:<u@far.example>"), "250 ok");
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    let (code, log) = end(child);
    assert_eq!(code, Some(0));
    let line =
        " from 127.0.0.1 Accepted RECIPIENT: MAIL from <a@b.c> RCPT <u@far.example> helo=unknown reason=relayclients:1";
    assert!(log.contains(line), "{log}");
}

/// The client hears why, the log tells, and the exit code is 1.
#[test]
fn sigterm_says_goodbye() {
    let home = home();
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream);
    assert!(smtp.reply().starts_with("220 mx.test "));
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let goodbye = smtp.reply();
    assert_eq!(goodbye, "421 mx.test Service not available, closing tranmission channel (#4.3.2)");
    assert_eq!(smtp.reply(), "", "nothing after goodbye");
    let (code, log) = end(child);
    assert_eq!(code, Some(1));
    assert!(log.contains(" from 127.0.0.1 going down on SIGTERM"), "{log}");
}

/// A signal in the middle of DATA: the queue program is told to discard.
#[test]
fn sigterm_in_data_discards() {
    let home = home();
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream);
    assert!(smtp.reply().starts_with("220 mx.test "));
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    assert_eq!(smtp.ask("RCPT TO:<u@test>"), "250 ok");
    assert_eq!(smtp.ask("DATA"), "354 go ahead");
    smtp.send(b"half a message\r\n");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let goodbye = smtp.reply();
    assert!(goodbye.starts_with("421 mx.test "), "{goodbye}");
    let (code, log) = end(child);
    assert_eq!(code, Some(1), "{log}");
    let deliveries = home.deliveries();
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert!(delivery.envelope.is_empty() && delivery.finished, "{delivery:?}");
}

/// A client that resets the connection in DATA: no message, and the queue program is waited for.
#[test]
fn a_reset_connection_in_data_discards() {
    let home = home();
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream.try_clone().unwrap());
    assert!(smtp.reply().starts_with("220 mx.test "));
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    assert_eq!(smtp.ask("RCPT TO:<u@test>"), "250 ok");
    assert_eq!(smtp.ask("DATA"), "354 go ahead");
    smtp.send(b"half a message\r\n");
    reset(stream, smtp);
    let (code, log) = end(child);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(" from 127.0.0.1 read error"), "{log}");
    let deliveries = home.deliveries();
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert!(delivery.envelope.is_empty() && delivery.finished, "{delivery:?}");
}

/// A client that goes away while we answer is no crash: SIGPIPE is ignored, the exit code is 1.
#[test]
fn a_client_that_is_gone_when_we_answer() {
    let home = home();
    let (mut stream, child) = start(&home);
    stream.write_all(&b"NOOP\r\n".repeat(20_000)).ok();
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let (code, log) = end(child);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(" error"), "{log}");
}

/// A client that resets the connection while we wait for a command: logged, exit code 1.
#[test]
fn a_reset_connection_between_commands() {
    let home = home();
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream.try_clone().unwrap());
    assert!(smtp.reply().starts_with("220 mx.test "));
    reset(stream, smtp);
    let (code, log) = end(child);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(" from 127.0.0.1 read error: "), "{log}");
}

/// Replies to what came in one piece go out in one piece: a socket that keeps writes apart counts them.
#[test]
fn pipelined_replies_share_a_write() {
    const COMMANDS: usize = 50;
    let home = home();
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let mut command = Command::new(program("smtpd"));
    command.current_dir(home.path()).env_clear().env("CONTROLDIR", home.control()).env("TCPREMOTEIP", "10.1.2.3");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::from(theirs)).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut packet = [0; 65_536];
    let mut next = || {
        let length = recv(ours.as_raw_fd(), &mut packet, MsgFlags::empty()).unwrap();
        String::from_utf8(packet[..length].to_vec()).unwrap()
    };
    assert!(next().starts_with("220 mx.test "));
    input.write_all("NOOP\r\n".repeat(COMMANDS).as_bytes()).unwrap();
    assert_eq!(next(), "250 ok\r\n".repeat(COMMANDS));
    input.write_all(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<u@far.example>\r\nRSET\r\nQUIT\r\n").unwrap();
    let replies = next();
    assert_eq!(replies.lines().count(), 4, "{replies}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The queue program gets no descriptor of the connection, nor what we wait with, and all signals as usual.
#[test]
fn the_queue_program_inherits_nothing_of_ours() {
    let home = home();
    let (stream, child) = start(&home);
    let mut smtp = Client::new(stream);
    assert!(smtp.reply().starts_with("220 mx.test "));
    for command in ["MAIL FROM:<a@b.c>", "RCPT TO:<u@test>", "DATA"] {
        let reply = smtp.ask(command);
        assert!(reply.starts_with(['2', '3']), "{reply}");
    }
    assert!(smtp.ask("hi\r\n.").starts_with("250 ok "));
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    assert_eq!(end(child).0, Some(0));
    let deliveries = home.deliveries();
    let descriptors = &deliveries.first().unwrap().descriptors;
    // Descriptors that the test itself was started with may be there too: they are not ours to close.
    assert!(descriptors.iter().any(|line| line.contains(" 0 -> pipe:")), "{descriptors:#?}");
    let ours = descriptors.iter().find(|line| line.contains("socket:") || line.contains("anon_inode:"));
    assert_eq!(ours, None);
    let status = &deliveries.first().unwrap().status;
    let signals = |name: &str| {
        let line = status.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let usual = [Signal::SIGTERM, Signal::SIGPIPE, Signal::SIGCHLD, Signal::SIGALRM, Signal::SIGHUP];
    for signal in usual {
        let bit = 1 << (signal as u32 - 1);
        assert_eq!((signals("SigBlk:") & bit, signals("SigIgn:") & bit), (0, 0), "{signal} is blocked or ignored");
    }
}
