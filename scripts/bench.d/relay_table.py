"""POP before SMTP: what a question to the relay table costs, and how long logins wait while it is cleaned."""

import random
import statistics
import subprocess
import threading
import time

from client import Session
from mariadb import CLIENT, NAME, PASSWORD, MariaDb, Statements
from shared import DIST, DOMAIN, OURS, QUICK, WORK, Daemon, Row, make_home

ROWS = 100_000 if QUICK else 1_000_000
ADDRESSES = 10_000 if QUICK else 100_000
ROUNDS = 100 if QUICK else 1000
COLUMNS = "email char(96) not null, ipaddr char(46) not null, timestamp int, "
COLUMNS += "unique (email, ipaddr), index (ipaddr), index (timestamp)"
# Who may relay, from where every daemon here believes that its client comes.
SENDER, CLIENT_ADDRESS = "a@client.example", "127.0.0.1"
ELSEWHERE = b"x@elsewhere.example"
EXPIRED_SECONDS = 7200

ASKING = Daemon(OURS.argv, {**OURS.home, "CHECKRELAY": "1", "MYSQL_DATABASE": NAME})
FROM_UNKNOWN_ADDRESS = Daemon(OURS.argv, {**ASKING.home, "TCPREMOTEIP": "192.0.2.1"})


def row_of(number):
    """Users and addresses; those of odd numbers have expired in a fresh table."""
    return f"user{number}@example.org", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def run(home, program, *arguments, **options):
    env = {"PATH": "/usr/bin:/bin", "CONTROLDIR": f"{home}/control", "MYSQL_DATABASE": NAME}
    return subprocess.run([f"{DIST}/{program}", *arguments], env=env, check=True, **options)


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


# What a question costs.


def first_rcpt_us(daemon, home, code):
    """Microseconds from RCPT to its reply, in a session of its own."""
    session = Session(daemon, home)
    session.greet()
    session.say(b"MAIL FROM:<" + SENDER.encode() + b">", b"250")
    began = time.perf_counter_ns()
    session.say(b"RCPT TO:<" + ELSEWHERE + b">", code)
    took = (time.perf_counter_ns() - began) / 1000
    session.finish()
    return took


def refused_transaction_us(daemon, home):
    """Microseconds of one of many transactions in a session, pipelined, each with another sender, all refused."""
    groups, group = 20, 50
    session = Session(daemon, home)
    session.greet()
    lines = b"MAIL FROM:<u%d@other.example>\r\nRCPT TO:<" + ELSEWHERE + b">\r\nRSET\r\n"
    texts = [b"".join(lines % number for number in range(at, at + group)) for at in range(0, groups * group, group)]
    began = time.perf_counter()
    for text in texts:
        session.socket.sendall(text)
        session.reader.expect((b"250", b"553"), 3 * group)
    seconds = time.perf_counter() - began
    session.finish()
    return seconds / (groups * group) * 1e6


def rcpt_by_table(database_home, directory_home):
    by_database, by_directory, refused = [], [], []
    for _ in range(ROUNDS):
        by_database.append(first_rcpt_us(ASKING, database_home, b"250"))
        by_directory.append(first_rcpt_us(ASKING, directory_home, b"250"))
        refused.append(first_rcpt_us(OURS, directory_home, b"553"))
    median = statistics.median(by_database) / 1000
    yield Row("RCPT that MariaDB decides, cold, median", "ms", median, goal="< 4 ms", reached=median < 4)
    yield Row("the same, 99 of 100 within", "ms", percentile(by_database, 0.99) / 1000)
    yield Row("RCPT that a directory decides, median", "us", statistics.median(by_directory))
    yield Row("the same, 99 of 100 within", "us", percentile(by_directory, 0.99))
    more = statistics.median(by_directory) - statistics.median(refused)
    yield Row("more than one refused without CHECKRELAY", "us", more, goal="< 20 us", reached=more < 20)
    rounds = [
        [refused_transaction_us(daemon, directory_home) for daemon in (OURS, ASKING, FROM_UNKNOWN_ADDRESS)]
        for _ in range(5 if QUICK else 20)
    ]
    for name, column in (("lookup in the directory, another user's file", 1), ("lookup in the directory, no file", 2)):
        more = statistics.median(result[column] - result[0] for result in rounds)
        yield Row(name, "us", more, goal="< 20 us", reached=more < 20)


def ask(home, at_once, count, *command):
    """Runs the command so often: seconds, CPU seconds of the processes, the most KiB that one of them had."""
    question = f"{WORK}/question"
    with open(question, "wb") as out:
        out.write(f"{SENDER}\0{CLIENT_ADDRESS}\0\0".encode())
    env = {"CONTROLDIR": f"{home}/control", "MYSQL_DATABASE": NAME}
    command = [f"{WORK}/ask", str(at_once), str(count), question, *command]
    seconds, cpu, peak, failures = subprocess.check_output(command, env=env).split()
    if int(failures):
        raise RuntimeError(f"{int(failures)} of {count} questions failed: {command}")
    return float(seconds), float(cpu), int(peak)


def questions(server, home):
    """checkrelay beside MariaDB's client, which says the same statement."""
    statement = f"select email, timestamp, unix_timestamp() from relay where email = '{SENDER}' and "
    statement += f"ipaddr in ('{CLIENT_ADDRESS}', '::ffff:{CLIENT_ADDRESS}')"
    client = [CLIENT, "--no-defaults", f"--user={NAME}", f"--password={PASSWORD}", f"--socket={server.socket}"]
    commands = ([f"{DIST}/checkrelay"], [*client, "--batch", f"--execute={statement}", NAME])
    single = [[ask(home, 1, 1, *command) for command in commands] for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(result[who][0] for result in single) * 1000 for who in (0, 1))
    yield Row("checkrelay, start to end, median", "ms", ours, theirs)
    ours, theirs = (statistics.mean(result[who][1] for result in single) * 1000 for who in (0, 1))
    yield Row("CPU for it", "ms", ours, theirs)
    ours, theirs = (max(result[who][2] for result in single) / 1024 for who in (0, 1))
    yield Row("the most memory it has (RSS)", "MiB", ours, theirs, "< 10 MiB", ours < 10)
    for at_once in (1, 2, 4, 8):
        rates = []
        for _ in range(1 if QUICK else 5):
            rates.append([ROUNDS / ask(home, at_once, ROUNDS, *command)[0] for command in commands])
        ours, theirs = (statistics.median(result[who] for result in rates) for who in (0, 1))
        yield Row(f"questions a second, {at_once} at once", "1/s", ours, theirs)


# How long logins wait while the table is cleaned.


class Logins:
    """Logins that are recorded over and over while something else happens, and how many milliseconds each one took: a
    statement on a connection that stays, the same for another table, whose locks nobody else wants, and opensmtp."""

    def __init__(self, server=None, home=None):
        self.over = threading.Event()
        self.lost = 0
        self.waits = {}
        self.threads = []
        self.failed = []
        if server:
            self.also("a statement", self.statements(server, "relay"))
            self.also("elsewhere", self.statements(server, "other"))
        self.also("opensmtp", self.processes(home))

    def also(self, name, records):
        self.waits[name] = []
        self.threads.append(threading.Thread(target=self.repeat, args=(self.waits[name], records)))

    def repeat(self, waits, records):
        # Half of them are of users that are there, and half of those have expired.
        numbers = random.Random()
        try:
            next(records)
            while not self.over.is_set():
                row = row_of(numbers.randrange(2 * ROWS))
                began = time.perf_counter()
                records.send(row)
                waits.append((time.perf_counter() - began) * 1000)
            records.close()
        except Exception as error:
            self.failed.append(error)

    @staticmethod
    def statements(server, table):
        """As opensmtp says it, on a connection that stays."""
        connection = Statements(server)
        try:
            user, address = yield
            while True:
                values = f"'{user}', '{address}', unix_timestamp()"
                insert = f"insert into {table} (email, ipaddr, timestamp) values ({values})"
                connection.say(f"{insert} on duplicate key update timestamp = values(timestamp)")
                user, address = yield
        finally:
            connection.close()

    def processes(self, home):
        """opensmtp, started anew each time; it gives up after two seconds, and the login is lost."""
        user, address = yield
        while True:
            try:
                run(home, "opensmtp", "--user", user, "--ip", address, stderr=subprocess.DEVNULL)
            except subprocess.CalledProcessError:
                self.lost += 1
            user, address = yield

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        for waits in self.waits.values():
            waits.clear()
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.began
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.failed:
            raise self.failed[0]

    def longest(self, name):
        return max(self.waits[name])


def fill(server):
    """Every second row has expired."""
    user = "concat('user', seq, '@example.org')"
    address = "concat('10.', seq >> 16, '.', seq >> 8 & 255, '.', seq & 255)"
    age = f"if(seq & 1, {EXPIRED_SECONDS} + seq % 3600, seq % 1800)"
    server.say(f"drop table if exists relay, other; create table relay ({COLUMNS}); create table other ({COLUMNS})")
    server.say(f"insert into relay select {user}, {address}, unix_timestamp() - {age} from seq_1_to_{ROWS}")
    server.say(f"insert into relay values ('{SENDER}', '{CLIENT_ADDRESS}', unix_timestamp())")
    server.settle()


def expired(server):
    return int(server.say("select count(*) from relay where timestamp <= unix_timestamp() - 3600"))


def cleaning(server, home):
    """clearopensmtp, which deletes in batches, beside one DELETE."""
    with Logins(server, home) as quiet:
        time.sleep(2 if QUICK else 8)
    with Logins(server, home) as batches:
        run(home, "clearopensmtp", "-s")
    if expired(server):
        raise RuntimeError("clearopensmtp has left rows that have expired")
    fill(server)
    with Logins(server, home) as at_once:
        server.say("delete from relay where timestamp <= unix_timestamp() - 3600")
    yield Row(f"clearopensmtp -s, {ROWS:,} rows, half go", "s", batches.seconds, at_once.seconds)
    ours, theirs = (logins.longest("a statement") for logins in (batches, at_once))
    yield Row("longest wait of an insert meanwhile", "ms", ours, theirs, "<= 200 ms", ours <= 200)
    ours, theirs = (logins.longest("opensmtp") for logins in (batches, at_once))
    yield Row("longest run of opensmtp meanwhile", "ms", ours, theirs, "<= 200 ms", ours <= 200)
    yield Row("logins lost meanwhile", "", batches.lost, at_once.lost, "0", batches.lost == 0)
    ours, theirs = (logins.longest("elsewhere") for logins in (batches, at_once))
    yield Row("longest wait for another table meanwhile", "ms", ours, theirs)
    yield Row("longest wait of an insert, nothing going on", "ms", quiet.longest("a statement"))


def directory_cleaning(home):
    """A directory: one that has just grown, which gets its two levels, and one that has them."""
    now = int(time.time())
    rows = [f"{user}\t{address}\t{{}}\n" for user, address in map(row_of, range(ADDRESSES))]
    old, new = now - EXPIRED_SECONDS, now
    text = "".join(row.format(old if number & 1 else new) for number, row in enumerate(rows)).encode()
    run(home, "opensmtp", "--import", input=text)
    began = time.perf_counter()
    run(home, "clearopensmtp", "-s")
    grown = time.perf_counter() - began
    run(home, "opensmtp", "--import", input=text)
    with Logins(home=home) as logins:
        run(home, "clearopensmtp", "-s")
    left = run(home, "clearopensmtp", "--dry-run", stdout=subprocess.PIPE).stdout.strip()
    if left != b"0":
        raise RuntimeError(f"clearopensmtp has left {left} rows that have expired")
    yield Row(f"clearopensmtp -s, {ADDRESSES:,} files, half go", "s", logins.seconds)
    longest = logins.longest("opensmtp")
    yield Row("longest run of opensmtp meanwhile", "ms", longest, None, "<= 200 ms", longest <= 200)
    yield Row("the first one, which makes two levels", "s", grown)


def rows(_home):
    directory_home, database_home = make_home("directory", [DOMAIN]), make_home("database", [DOMAIN])
    with open(f"{directory_home}/control/relaydb", "w", encoding="ascii") as place:
        place.write("relay\n")
    with MariaDb() as server:
        with open(f"{database_home}/control/host.mysql", "w", encoding="ascii") as place:
            place.write(f"localhost:{NAME}:{PASSWORD}:{server.socket}\n")
        fill(server)
        yield from directory_cleaning(directory_home)
        run(directory_home, "opensmtp", "--user", SENDER, "--ip", CLIENT_ADDRESS)
        yield from rcpt_by_table(database_home, directory_home)
        yield from questions(server, database_home)
        yield from cleaning(server, database_home)
