"""What the parts of the benchmark share: where things are, the daemons, the rows of the table."""

import os
import re
import shutil
import sys
from dataclasses import dataclass

from client import Session

ROOT = os.getcwd()
DIST = f"{ROOT}/target/dist"
WORK = f"{ROOT}/target/bench"
SINK = f"{WORK}/sink"
QUICK = "--quick" in sys.argv[1:]

HOST = "mail.example.org"
DOMAIN = "example.org"


@dataclass
class Daemon:
    """A program that speaks SMTP on descriptors 0 and 1, and the environment that only it needs."""

    argv: list
    home: dict  # from the home directory (which holds control/) to variables

    def env(self, home):
        variables = {"PATH": "/usr/bin:/bin", "PROTO": "TCP", "TCPREMOTEIP": "127.0.0.1", "TCPLOCALHOST": HOST}
        variables.update({"TCPREMOTEHOST": "client.example", "TCPLOCALPORT": "25", "QMAILQUEUE": SINK})
        variables.update({name: value.format(home=home) for name, value in self.home.items()})
        return variables


OURS = Daemon([f"{DIST}/smtpd"], {"CONTROLDIR": "{home}/control"})


@dataclass
class Row:
    """One line of the table; theirs is None without a peer; goal is a text, reached says whether it holds."""

    name: str
    unit: str
    ours: float
    theirs: float = None
    goal: str = ""
    reached: bool = None


def at_most_ratio(name, unit, ours, theirs, limit):
    return Row(name, unit, ours, theirs, f"ratio <= {limit:.2f}", ours / theirs <= limit)


def make_home(name, rcpthosts):
    """A home directory whose control files both daemons read; names of one length, for a path costs instructions too."""
    home = f"{WORK}/{name}"
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(f"{home}/control")
    for file, lines in {"me": [HOST], "rcpthosts": rcpthosts}.items():
        with open(f"{home}/control/{file}", "w", encoding="ascii") as control:
            control.write("".join(line + "\n" for line in lines))
    return home


def proportional_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return int(re.search(r"^Pss:\s+(\d+)", rollup.read(), re.M).group(1))


def instructions(daemon, home, talk, start=Session):
    """Instructions of the daemon's own process, by valgrind; talk holds the conversation after EHLO."""
    log = f"{WORK}/callgrind.log"
    valgrind = [shutil.which("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    session = start(daemon, home, prefix=valgrind, stderr=log)
    session.greet()
    talk(session)
    session.finish()
    with open(log, encoding="utf-8", errors="replace") as text:
        return int(re.search(r"Collected : (\d+)", text.read()).group(1))
