"""Measures Postern's programs beside mailfront's and the stock tcprules; started by scripts/bench."""

import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

import relay_table
import tls
from client import Connection, Session
from shared import DIST, DOMAIN, HOST, OURS, QUICK, WORK, Daemon, Row, at_most_ratio, instructions, make_home, proportional_kib


def mailfront():
    """What the script smtpfront-qmail starts; the shell that reads the script is not counted against mailfront."""
    with open("/usr/sbin/smtpfront-qmail", encoding="utf-8") as script:
        modules = re.search(r'^exec .*/mailfront (.*) "\$@"$', script.read(), re.M).group(1)
    return ["/usr/sbin/mailfront", *modules.split()]


THEIRS = Daemon(mailfront(), {"QMAILHOME": "{home}"})


def count_instructions(home):
    say_nothing, one_message = (lambda session: None), (lambda session: session.send())

    def one_refusal(session):
        session.begin(b"x@nowhere.example", b"55")

    ours, theirs = (instructions(daemon, home, say_nothing) for daemon in (OURS, THEIRS))
    yield Row("start, banner, EHLO, QUIT", "instr.", ours, theirs, "<= 110,000", ours <= 110_000)
    ours, theirs = (instructions(daemon, home, one_message) for daemon in (OURS, THEIRS))
    yield Row("the same with one message", "instr.", ours, theirs)
    ours, theirs = (instructions(daemon, home, one_refusal) for daemon in (OURS, THEIRS))
    yield Row("the same with a refused RCPT instead", "instr.", ours, theirs)


# What the same sessions cost before there were lists of senders and recipients, AUTH and rules: a session that has none of
# them must not pay for them.
BEFORE_LISTS = {"greeting and QUIT": 98_600, "one RCPT": 116_400, "a refused RCPT": 135_600}


def none_of_the_lists(home):
    nobody = (b"x@nowhere.example", b"55")
    talks = (lambda session: None, lambda session: session.begin(), lambda session: session.begin(*nobody))
    for (name, before), talk in zip(BEFORE_LISTS.items(), talks, strict=True):
        most = before * 1.02
        count = instructions(OURS, home, talk)
        yield Row(f"none of the lists: {name}", "instr.", count, None, f"<= {most:,.0f}", count <= most)


def start_to_banner(home):
    times = {id(OURS): [], id(THEIRS): []}
    for _ in range(60 if QUICK else 300):
        for daemon in (OURS, THEIRS):
            session = Session(daemon, home)
            session.reader.expect(b"220")
            times[id(daemon)].append((time.perf_counter_ns() - session.began) / 1000)
            session.finish()
    ours, theirs = statistics.median(times[id(OURS)]), statistics.median(times[id(THEIRS)])
    yield at_most_ratio("start to banner, median", "us", ours, theirs, 0.45)


def serve(daemon, home):
    """Starts tcpserver; returns its process and port."""
    command = ["tcpserver", "-1", "-H", "-R", "-l", HOST, "-c", "50", "127.0.0.1", "0", *daemon.argv]
    env = {**daemon.env(home), "PATH": os.environ["PATH"]}
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return server, int(server.stdout.readline())


def one_each(port, count):
    """Sends messages one after the other, each on a connection of its own."""
    for _ in range(count):
        connection = Connection(port)
        connection.greet()
        connection.send()
        connection.quit()


def many_on_one(port, count):
    connection = Connection(port)
    connection.greet()
    for _ in range(count):
        connection.send()
    connection.quit()


def under_tcpserver(daemon, home, work, clients, count):
    """Runs the work in this many clients at once: messages a second, and CPU microseconds of the server a message."""
    server, port = serve(daemon, home)
    threads = [threading.Thread(target=work, args=(port, count)) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    time.sleep(0.1)  # tcpserver still has to reap the last of its children, whose times it then carries
    server.send_signal(signal.SIGTERM)
    usage = os.wait4(server.pid, 0)[2]
    messages = clients * count
    return messages / seconds, (usage.ru_utime + usage.ru_stime) / messages * 1e6


def rates(home):
    rounds, count = (2, 100) if QUICK else (6, 200)
    results = {"each": {}, "many": {}}
    for _ in range(rounds):
        for daemon in (OURS, THEIRS):
            each = under_tcpserver(daemon, home, one_each, 2, count)
            many = under_tcpserver(daemon, home, many_on_one, 1, 2 * count)
            results["each"].setdefault(id(daemon), []).append(each)
            results["many"].setdefault(id(daemon), []).append(many)

    def median(kind, daemon, column):
        return statistics.median(result[column] for result in results[kind][id(daemon)])

    yield Row("one message a connection", "msg/s", median("each", OURS, 0), median("each", THEIRS, 0))
    yield Row("many messages on one connection", "msg/s", median("many", OURS, 0), median("many", THEIRS, 0))
    ours, theirs = median("each", OURS, 1), median("each", THEIRS, 1)
    yield at_most_ratio("CPU of a connection with one message", "us", ours, theirs, 0.65)
    yield Row("CPU of a further message", "us", median("many", OURS, 1), median("many", THEIRS, 1))


def big_message(daemon, home, size_mb):
    """One message of this size: MB/s, and CPU seconds of daemon and queue program together."""
    line = b"A" * 76 + b"\r\n"
    block = line * (1_000_000 // len(line))
    blocks = size_mb * 1_000_000 // len(block)
    session = Session(daemon, home)
    session.greet()
    session.begin()
    session.say(b"DATA", b"354")
    began = time.perf_counter()
    for _ in range(blocks):
        session.socket.sendall(block)
    session.socket.sendall(b".\r\n")
    session.reader.expect(b"250")
    seconds = time.perf_counter() - began
    return blocks * len(block) / 1e6 / seconds, session.finish()


def throughput(home):
    rounds = 1 if QUICK else 5
    results = [(big_message(OURS, home, 100), big_message(THEIRS, home, 100)) for _ in range(rounds)]
    ours_speed, theirs_speed = (statistics.median(result[who][0] for result in results) for who in (0, 1))
    ours_cpu, theirs_cpu = (statistics.median(result[who][1] * 1000 for result in results) for who in (0, 1))
    yield Row("a message of 100 MB", "MB/s", ours_speed, theirs_speed, ">= 500", ours_speed >= 500)
    yield at_most_ratio("CPU for it, with the queue program", "ms", ours_cpu, theirs_cpu, 0.40)


def content_checks(home):
    """What signatures and bodycheck add to a message of 100 MB, in CPU of daemon and queue program together."""
    checked = make_home("checked", [DOMAIN])
    with open(f"{checked}/control/signatures", "w", encoding="ascii") as signatures:
        signatures.writelines(f"TVqQAA{number}:program {number}\n" for number in range(20))
    with open(f"{checked}/control/bodycheck", "w", encoding="ascii") as expressions:
        expressions.writelines(f"cheap +pills{number}:no\n" for number in range(5))
    screened = Daemon(OURS.argv, {**OURS.home, "VIRUSCHECK": "1", "BODYCHECK": ""})
    rounds = 1 if QUICK else 5
    results = [(big_message(OURS, home, 100), big_message(screened, checked, 100)) for _ in range(rounds)]
    without, with_checks = (statistics.median(result[which][1] * 1000 for result in results) for which in (0, 1))
    speed = statistics.median(result[1][0] for result in results)
    yield Row("100 MB through 20 signatures, 5 expressions", "MB/s", speed)
    added = with_checks - without
    yield Row("CPU that they add", "ms", added, None, "< 250 ms", added < 250)


def idle_memory(home):
    def mean(daemon):
        sessions = [Session(daemon, home) for _ in range(200)]
        for session in sessions:
            session.greet()
        sizes = [proportional_kib(session.pid) for session in sessions]
        for session in sessions:
            session.finish()
        return statistics.mean(sizes)

    yield at_most_ratio("memory of an idle session (PSS, 200 open)", "KiB", mean(OURS), mean(THEIRS), 0.65)


def microseconds_per_rcpt(daemon, home, recipient, code):
    """Sends RCPT in pipelined groups and divides, the first one left out: it reads the lists."""
    groups, group = 40, 50
    line = b"RCPT TO:<" + recipient + b">\r\n"
    session = Session(daemon, home)
    session.greet()
    session.begin(recipient, code)
    began = time.perf_counter()
    for _ in range(groups):
        session.socket.sendall(line * group)
        session.reader.expect(code, group)
    seconds = time.perf_counter() - began
    session.finish()
    return seconds / (groups * group) * 1e6


def recipients(small):
    big = make_home("large", [f"d{number}.example" for number in range(100_000)])
    more = f"{big}/control/morercpthosts"
    with open(more, "w", encoding="ascii") as domains:
        domains.writelines(f"m{number}.example\n" for number in range(1_000_000))
    env = {**os.environ, "CONTROLDIR": f"{big}/control"}
    subprocess.run([f"{DIST}/qmail-cdb", "morercpthosts"], env=env, cwd=f"{big}/control", check=True)
    for name, recipient, code in (
        ("RCPT, last of 100,000 in rcpthosts", b"x@d99999.example", b"250"),
        ("RCPT, in a morercpthosts.cdb of 1,000,000", b"x@m999999.example", b"250"),
        ("RCPT, in neither (refused)", b"x@nowhere.example", b"55"),
    ):
        yield Row(name, "us", *(microseconds_per_rcpt(daemon, big, recipient, code) for daemon in (OURS, THEIRS)))
    os.remove(more)
    os.remove(more + ".cdb")
    with open(f"{big}/control/rcpthosts", "a", encoding="ascii") as hosts:
        hosts.write(DOMAIN + "\n")
    yield from list_cost(small, big)


def session_ms(daemon, home, *rcpt):
    """Milliseconds of a session with one RCPT, from its start to the end of the process."""
    session = Session(daemon, home)
    session.greet()
    session.begin(*rcpt)
    session.finish()
    return (time.perf_counter_ns() - session.began) / 1e6


def list_cost(small, big):
    """What a rcpthosts of 100,000 lines adds to a session."""
    rounds = 40 if QUICK else 200
    added = []
    for daemon in (OURS, THEIRS):
        pairs = [(session_ms(daemon, small), session_ms(daemon, big)) for _ in range(rounds)]
        added.append(statistics.median(pair[1] for pair in pairs) - statistics.median(pair[0] for pair in pairs))
    yield Row("rcpthosts of 100,000 adds, with RCPT", "ms", *added, "< 1 ms", added[0] < 1)

    def before_rcpt(session):
        session.say(b"MAIL FROM:<a@client.example>", b"250")

    added = []
    for daemon in (OURS, THEIRS):
        added.append(instructions(daemon, big, before_rcpt) - instructions(daemon, small, before_rcpt))
    yield Row("the same before RCPT", "instr.", *added, "0", added[0] == 0)


def many_networks(small):
    """What a relayclients of 100,000 networks adds to a session that is refused, as text and compiled; theirs has no such list."""
    rounds = 20 if QUICK else 100
    listed = make_home("networks", [DOMAIN])
    with open(f"{listed}/control/relayclients", "w", encoding="ascii") as networks:
        for number in range(100_000):
            networks.write(f"{11 + number % 100}.{number // 100 % 250}.{number // 25_000 * 16}.0/{20 + number % 5}\n")
    refused = (b"x@nowhere.example", b"55")

    def added_ms():
        pairs = [(session_ms(OURS, small, *refused), session_ms(OURS, listed, *refused)) for _ in range(rounds)]
        return statistics.median(pair[1] for pair in pairs) - statistics.median(pair[0] for pair in pairs)

    def added_instructions():
        def talk(session):
            session.begin(*refused)

        return instructions(OURS, listed, talk) - instructions(OURS, small, talk)

    text = added_ms()
    yield Row("relayclients of 100,000 networks adds", "ms", text, None, "< 5 ms", text < 5)
    yield Row("the same, instructions", "instr.", added_instructions())
    env = {**os.environ, "CONTROLDIR": f"{listed}/control"}
    subprocess.run([f"{DIST}/qmail-cdb", "relayclients"], env=env, check=True)
    compiled, count = added_ms(), added_instructions()
    yield Row("the same list compiled adds", "ms", compiled, None, "< 0.2 ms", compiled < 0.2)
    yield Row("the same, instructions", "instr.", count, None, "< 50,000", count < 50_000)


def many_rules(_home):
    """A million rules: seconds and CPU of our tcprules and of the stock one, which must write the same bytes."""
    rules = f"{WORK}/rules"
    with open(rules, "w", encoding="ascii") as out:
        for number in range(1_000_000):
            a, b, c = number >> 16, number >> 8 & 255, number & 255
            out.write(f'10.{a}.{b}.{c}:allow,RELAYCLIENT=""\n')
    took = {}
    for _ in range(1 if QUICK else 3):
        for name, program in (("ours", f"{DIST}/tcprules"), ("stock", "/usr/bin/tcprules")):
            began = time.perf_counter()
            with open(rules, "rb") as source:
                child = subprocess.Popen([program, f"{WORK}/{name}.cdb", f"{WORK}/{name}.tmp"], stdin=source)
                _, status, usage = os.wait4(child.pid, 0)
            if status:
                raise RuntimeError(f"{program} failed")
            took.setdefault(name, []).append((time.perf_counter() - began, usage.ru_utime + usage.ru_stime))
    subprocess.run(["cmp", f"{WORK}/ours.cdb", f"{WORK}/stock.cdb"], check=True)
    for column, name in enumerate(("a million rules through tcprules *", "CPU for them *")):
        ours, stock = (statistics.median(result[column] for result in took[who]) for who in ("ours", "stock"))
        yield at_most_ratio(name, "s", ours, stock, 1.0)


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}"


def print_row(name, unit, ours, theirs, ratio, goal, reached):
    print(f"{name:43} {unit:7} {ours:>12} {theirs:>12} {ratio:>7}  {goal:14} {reached}".rstrip(), flush=True)


def print_part(part, home):
    for row in part(home):
        ratio = f"{row.ours / row.theirs:.2f}" if row.theirs else "-"
        reached = "" if row.reached is None else "reached" if row.reached else "NOT reached"
        print_row(row.name, row.unit, number(row.ours), number(row.theirs), ratio, row.goal, reached)


def print_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        cpu = re.search(r"model name\s*: (.*)", info.read())
    model = cpu.group(1) if cpu else platform.machine()
    print(f"\n{model}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Linux {platform.release()}, ", end="")
    print(f"{time.strftime('%Y-%m-%d')}{', --quick' if QUICK else ''}\n")


def main():
    # However it is told to end, what was started ends too.
    for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, lambda *_: sys.exit(1))
    print_machine()
    home = make_home("small", [DOMAIN])
    if not {"--relay-table", "--tls"} & set(sys.argv[1:]):
        print_row("", "unit", "postern", "mailfront", "ratio", "goal", "")
        for part in PARTS:
            print_part(part, home)
        print("\n* beside Debian's own tcprules; both wrote the same bytes.\n")
    if "--relay-table" not in sys.argv[1:]:
        print_row("TLS", "unit", "postern", "openssl +", "ratio", "goal", "")
        print_part(tls.rows, home)
        print("\n* beside ourselves where it is not configured. + `openssl s_server -naccept 1` with the same certificate.\n")
    if "--tls" in sys.argv[1:]:
        return
    print_row("POP before SMTP", "unit", "postern", "mariadb +", "ratio", "goal", "")
    print_part(relay_table.rows, home)
    print("\n+ MariaDB's own client with the same question; one DELETE instead of clearopensmtp.")


PARTS = (
    count_instructions,
    none_of_the_lists,
    start_to_banner,
    rates,
    throughput,
    content_checks,
    idle_memory,
    recipients,
    many_networks,
    many_rules,
)
main()
