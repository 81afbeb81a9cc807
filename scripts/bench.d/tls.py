"""TLS: what it costs where it is configured and not used, handshakes beside OpenSSL's own server, and records."""

import os
import socket
import ssl
import statistics
import subprocess
import time

from client import Session
from shared import DIST, HOST, OURS, QUICK, Daemon, Row, at_most_ratio, instructions, make_home, proportional_kib

SMTPS = Daemon(OURS.argv, {**OURS.home, "SMTPS": ""})
# A variable costs what it costs, whatever it is: one of the same length stands in the place of STARTTLS.
OFFERED = Daemon(OURS.argv, {**OURS.home, "STARTTLS": ""})
NOT_OFFERED = Daemon(OURS.argv, {**OURS.home, "AUTH_ALL": ""})
KINDS = {"RSA-2048": ["rsa:2048"], "ECDSA P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


def make_certificate(home, kind):
    """A certificate of its own authority and its key, in one file that both servers read."""
    path, key = f"{home}/control/servercert.pem", f"{home}/key.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", *KINDS[kind], "-subj", f"/CN={HOST}", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", path], check=True, stderr=subprocess.DEVNULL)
    with open(path, "a", encoding="ascii") as both, open(key, encoding="ascii") as text:
        both.write(text.read())
    return path


def make_context(path):
    context = ssl.create_default_context(cafile=path)
    context.check_hostname = False
    return context


class TlsSession(Session):
    """A daemon of its own, and the client that talks TLS with it from the first octet."""

    def __init__(self, context, *arguments, known=None, prefix=(), stderr=os.devnull):
        super().__init__(*arguments, prefix=prefix, stderr=stderr)
        self.socket = context.wrap_socket(self.socket, server_hostname=HOST, session=known)
        self.shaken = time.perf_counter_ns()
        self.reader.socket = self.socket

    def quit(self):
        # What resumes the session comes with the first reply.
        self.known = self.socket.session
        super().quit()


def unused(home):
    """Instructions of greeting, EHLO and QUIT, where STARTTLS is offered, and where it is not."""
    offered, plain = (instructions(daemon, home, lambda session: None) for daemon in (OFFERED, NOT_OFFERED))
    yield at_most_ratio("TLS configured and not used *", "instr.", offered, plain, 1.02)


def one_of_ours(context, home, known=None):
    """A whole session: microseconds from start to the end of the handshake, CPU microseconds of the server, its ticket."""
    session = TlsSession(context, SMTPS, home, known=known)
    elapsed = (session.shaken - session.began) / 1000
    session.reader.expect(b"220")
    was_known = session.socket.session_reused
    cpu = session.finish() * 1e6
    assert was_known == (known is not None)
    return elapsed, cpu, session.known


def one_of_openssl(context, path):
    """The same of a server of OpenSSL that takes one connection and ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-naccept", "1", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", path]
    began = time.perf_counter_ns()
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            plain = socket.create_connection(("127.0.0.1", port))
            break
        except ConnectionRefusedError:
            pass
    with context.wrap_socket(plain, server_hostname=HOST):
        elapsed = (time.perf_counter_ns() - began) / 1000
    usage = os.wait4(server.pid, 0)[2]
    server.stdin.close()
    return elapsed, (usage.ru_utime + usage.ru_stime) * 1e6


def handshakes(home):
    rounds = 20 if QUICK else 100
    subprocess.run([f"{DIST}/postern", "ticket-keys", "--certdir", f"{home}/control"], check=True)
    for kind in KINDS:
        path = make_certificate(home, kind)
        context = make_context(path)
        full, resumed, theirs = [], [], []
        for _ in range(rounds):
            full.append(one_of_ours(context, home))
            resumed.append(one_of_ours(context, home, known=full[-1][2]))
            theirs.append(one_of_openssl(context, path))
        medians = [[statistics.median(one[column] for one in kept) for kept in (full, resumed, theirs)] for column in (0, 1)]
        (full_us, _, theirs_us), (full_cpu, resumed_cpu, theirs_cpu) = medians
        yield at_most_ratio(f"start and handshake, {kind} +", "us", full_us, theirs_us, 1.0)
        yield at_most_ratio(f"the same, CPU, {kind} +", "us", full_cpu, theirs_cpu, 1.0)
        yield Row(f"CPU, resumed session, {kind}, to full", "us", resumed_cpu, full_cpu)
        yield handshake_instructions(context, home, kind)


def handshake_instructions(context, home, kind):
    """What the handshake alone costs, full and resumed: a session without TLS is taken off."""

    def count(known=None):
        def start(daemon, at, prefix, stderr):
            sessions.append(TlsSession(context, daemon, at, known=known, prefix=prefix, stderr=stderr))
            return sessions[-1]

        sessions = []
        return instructions(SMTPS, home, lambda session: None, start), sessions[0].known

    plain = instructions(OURS, home, lambda session: None)
    full, known = count()
    resumed, _ = count(known)
    # With ECDSA the signature, which is left out, costs less than the exchange of keys, which is done again.
    return at_most_ratio(f"a resumed handshake, {kind}, to full", "instr.", resumed - plain, full - plain, 0.6)


def records(home):
    """A message of 100 MB over TLS, and memory of sessions that wait."""
    context = make_context(make_certificate(home, "ECDSA P-256"))
    line = b"A" * 76 + b"\r\n"
    block = line * (1_000_000 // len(line))
    speeds = []
    for _ in range(1 if QUICK else 5):
        session = TlsSession(context, SMTPS, home)
        session.greet()
        session.begin()
        session.say(b"DATA", b"354")
        for _ in range(100):
            session.socket.sendall(block)
        session.socket.sendall(b".\r\n")
        session.reader.expect(b"250")
        speeds.append(100 * len(block) / 1e6 / session.finish())
    speed = statistics.median(speeds)
    yield Row("100 MB over TLS, a second of the server's CPU", "MB", speed, None, ">= 400", speed >= 400)
    sessions = [TlsSession(context, SMTPS, home) for _ in range(50)]
    for session in sessions:
        session.greet()
    size = statistics.mean(proportional_kib(session.pid) for session in sessions)
    for session in sessions:
        session.finish()
    yield Row("memory of an idle session of TLS (PSS, 50 open)", "KiB", size)


def rows(_home):
    home = make_home("crypt", ["example.org"])
    make_certificate(home, "ECDSA P-256")
    yield from unused(home)
    yield from handshakes(home)
    yield from records(home)
