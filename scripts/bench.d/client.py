"""The clients of the benchmark: each talks to a daemon it started itself, or to a server that listens."""

import os
import socket
import time

HEADER = b"From: a@client.example\r\nTo: b@example.org\r\nSubject: bench\r\n\r\n"
CONTENT = HEADER + b"One line of text.\r\n" * 20 + b".\r\n"


class Client:
    """The client's end of a conversation."""

    def __init__(self, sock):
        self.socket = sock
        self.reader = Reader(sock)

    def say(self, line, code):
        self.socket.sendall(line + b"\r\n")
        self.reader.expect(code)

    def greet(self):
        self.reader.expect(b"220")
        self.say(b"EHLO client.example", b"250")

    def begin(self, recipient=b"b@example.org", code=b"250"):
        self.say(b"MAIL FROM:<a@client.example>", b"250")
        self.say(b"RCPT TO:<" + recipient + b">", code)

    def send(self, content=CONTENT):
        self.begin()
        self.say(b"DATA", b"354")
        self.socket.sendall(content)
        self.reader.expect(b"250")

    def quit(self):
        self.say(b"QUIT", b"221")
        self.socket.recv(1)  # the end, when the server has closed it
        self.socket.close()


class Session(Client):
    """A daemon of its own and the client that talks to it."""

    def __init__(self, daemon, home, prefix=(), stderr=os.devnull):
        ours, child = socket.socketpair()
        super().__init__(ours)
        argv = [*prefix, *daemon.argv]
        dup, create = os.POSIX_SPAWN_DUP2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(dup, child.fileno(), 0), (dup, child.fileno(), 1), (os.POSIX_SPAWN_OPEN, 2, stderr, create, 0o644)]
        env = daemon.env(home)
        self.began = time.perf_counter_ns()
        self.pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
        child.close()

    def finish(self):
        """Says QUIT, waits for the end, and returns user and system time in seconds, children included."""
        self.quit()
        usage = os.wait4(self.pid, 0)[2]
        return usage.ru_utime + usage.ru_stime


class Connection(Client):
    """A client over TCP, of a server that listens."""

    def __init__(self, port):
        super().__init__(socket.create_connection(("127.0.0.1", port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Reader:
    """Reads replies, whatever pieces they come in."""

    def __init__(self, sock):
        self.socket = sock
        self.rest = b""

    def expect(self, code, count=1):
        """Reads this many replies, each of this code."""
        while count:
            line, newline, rest = self.rest.partition(b"\n")
            if not newline:
                more = self.socket.recv(65536)
                if not more:
                    raise EOFError(f"closed after {self.rest!r}")
                self.rest += more
                continue
            self.rest = rest
            if not line.startswith(code):
                raise ValueError(f"{line!r} instead of {code!r}")
            if line[3:4] != b"-":
                count -= 1
