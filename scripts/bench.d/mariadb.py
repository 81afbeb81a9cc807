"""A MariaDB of the benchmark's own: data directory and socket under target/bench, gone at the end."""

import os
import shutil
import subprocess
import time

from shared import WORK

PROGRAM = "/usr/sbin/mariadbd"
CLIENT = "/usr/bin/mariadb"
NAME = "bench"
PASSWORD = "bench"
# The character set is that of Debian's configuration, and the buffers hold the whole table; all else is as built in, so
# each change waits for the disk.
SERVER = [
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--innodb-buffer-pool-size=2G",
    "--skip-networking",
    "--skip-name-resolve",
]
START_SECONDS_MAX = 60


class MariaDb:
    """A server, from `with` to its end."""

    def __init__(self):
        self.directory = f"{WORK}/mariadb"
        self.socket = f"{self.directory}/socket"
        self.process = None

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(START_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        options = ["--no-defaults", f"--datadir={self.directory}/data", f"--tmpdir={self.directory}"]
        if os.geteuid() == 0:
            options.append("--user=root")
        install = ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = f"{self.directory}/log"
        with open(log, "wb") as out:
            command = [PROGRAM, *options, *SERVER, f"--socket={self.socket}", f"--pid-file={self.directory}/pid"]
            # In a session of its own, so that Ctrl-C reaches only us, who stop it.
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            with open(log, encoding="utf-8", errors="replace") as text:
                said = text.read()
            if "ready for connections" in said:
                break
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{PROGRAM} did not start:\n{said}")
            time.sleep(0.05)
        self.say(f"create database {NAME}", database=None)
        self.say(f"create user {NAME}@localhost identified by '{PASSWORD}'; grant all on {NAME}.* to {NAME}@localhost")

    def say(self, text, database=NAME):
        """Says this as root; returns what comes back."""
        command = [CLIENT, "--no-defaults", "--user=root", f"--socket={self.socket}", "--batch", "--skip-column-names"]
        command += [f"--execute={text}", *([database] if database else [])]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def settle(self):
        """Waits until what was changed is on the disk, so that it is not counted against what comes next."""
        self.say("set global innodb_max_dirty_pages_pct = 0")
        status = "select sum(variable_value) from information_schema.global_status where variable_name in "
        status += "('innodb_buffer_pool_pages_dirty', 'innodb_history_list_length')"
        until = time.monotonic() + START_SECONDS_MAX
        while float(self.say(status)) > 100 and time.monotonic() < until:
            time.sleep(0.2)
        self.say("set global innodb_max_dirty_pages_pct = default")


class Statements:
    """A connection that stays: MariaDB's own client, which gets one statement after the other."""

    def __init__(self, server):
        command = [CLIENT, "--no-defaults", "--user=root", f"--socket={server.socket}", "--batch", "--unbuffered"]
        pipe = subprocess.PIPE
        self.client = subprocess.Popen(command + [NAME], stdin=pipe, stdout=pipe, bufsize=0, start_new_session=True)

    def say(self, text):
        """Says this and waits until it is done."""
        self.client.stdin.write(f"{text}; select 'done' as '';\n".encode())
        said = b""
        while not said.endswith(b"done\n"):
            more = os.read(self.client.stdout.fileno(), 4096)
            if not more:
                raise EOFError("the server has closed the connection")
            said += more

    def close(self):
        self.client.stdin.close()
        self.client.wait()
