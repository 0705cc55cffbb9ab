"""The shell as somebody at a terminal has it: a pseudo terminal, keys and pastes, and the screen that comes of it."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pyte
import pytest

from server import BINARY, PATIENCE, environment

COLUMNS, LINES = 100, 400

#: Computes for hours, and reads nothing.
ENDLESS = "SELECT count(*) AS c FROM generate_series(1, 100000) AS a (x), generate_series(1, 10000000) AS b (y) WHERE x + y < 0;"


class Shell:
    """`glaux sql` on a terminal of its own."""

    def __init__(self, data_dir, *arguments, columns=COLUMNS, term="xterm-256color"):
        self.screen = pyte.Screen(columns, LINES)
        self.stream = pyte.ByteStream(self.screen)
        # The other end stays open here, so that the terminal's settings can be looked at when the shell has gone.
        self.keys, self.terminal = os.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        self.settings = termios.tcgetattr(self.terminal)
        self.process = subprocess.Popen(
            [BINARY, "--data-dir", str(data_dir), "sql", *arguments],
            env=environment() | {"TERM": term}, preexec_fn=lambda: os.login_tty(os.dup(self.terminal)),
        )
        if not arguments:
            self.waits_for_input()

    def send(self, keys):
        # What the terminal has no room for yet is written once the shell has read some.
        data = keys if isinstance(keys, bytes) else keys.encode()
        while data:
            self.read()
            _, ready, _ = select.select([], [self.keys], [], 0.1)
            if ready:
                data = data[os.write(self.keys, data[:512]):]

    def paste(self, data, wanted):
        """Sends bytes while it reads until what is wanted comes; returns what was written to the screen, which it does not draw."""
        written, end = bytearray(), time.monotonic() + PATIENCE
        while data or not re.search(wanted, written[-4096:]):
            assert time.monotonic() < end, f"{wanted} does not come"
            readable, writable, _ = select.select([self.keys], [self.keys] if data else [], [], 1)
            if readable:
                written += os.read(self.keys, 65536)
            if writable:
                data = data[os.write(self.keys, data[:512]):]
        return written

    def read(self):
        """Takes what the shell has written so far."""
        while select.select([self.keys], [], [], 0)[0]:
            self.stream.feed(os.read(self.keys, 65536))

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def shows(self, wanted):
        """Waits until the screen holds what is wanted, a regular expression; returns the screen."""
        end = time.monotonic() + PATIENCE
        while not re.search(wanted, self.text, re.MULTILINE):
            assert time.monotonic() < end, f"{wanted} does not come; the screen is\n{self.text}"
            assert self.process.poll() is None, f"{wanted} did not come before the shell left; the screen is\n{self.text}"
            if select.select([self.keys], [], [], 1)[0]:
                self.read()
        return self.text

    def waits_for_input(self):
        """Waits for a prompt behind which nothing is typed."""
        return self.shows(r"^glaux:\w+>\Z")

    def leaves(self, code=0):
        """Waits for the end of the shell, which leaves the terminal as it was; returns the screen."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"the shell does not leave; the screen is\n{self.text}"
            if select.select([self.keys], [], [], 0.02)[0]:
                self.read()
        self.read()
        assert self.process.returncode == code, self.text
        assert termios.tcgetattr(self.terminal) == self.settings
        return self.text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.keys)
        os.close(self.terminal)


@pytest.fixture
def shell(tmp_path):
    with Shell(tmp_path / "data") as shell:
        yield shell


def number(n):
    """A statement whose result, and nothing else on the screen, is 1000000 and n."""
    return f"SELECT 1000 * 1000 + {n} AS n;"


def results(screen):
    """The numbers that have come, in order."""
    return [int(found) - 1_000_000 for found in re.findall(r"^ *(10000\d\d)$", screen, re.MULTILINE)]


@pytest.mark.parametrize("newline", ["\n", "\r"], ids=["LF", "CR"])
def test_pasted_lines_run_in_order(shell, newline):
    shell.send(newline.join([number(1), number(2), number(3), ""]))
    shell.shows("^ *1000003$")
    assert results(shell.waits_for_input()) == [1, 2, 3]


def test_a_long_paste_runs_to_its_end(shell):
    shell.send("".join(number(n) + "\n" for n in range(1, 91)))
    shell.shows("^ *1000090$")
    assert results(shell.waits_for_input())[-20:] == list(range(71, 91))


def test_a_pasted_statement_of_several_lines_is_one(shell):
    shell.send("SELECT\n  1000 * 1000\n  + 4\n  AS n; SELECT 1000 * 1000 + 5 AS n;\n-- that is all\n;" + number(6) + "\n")
    shell.shows("^ *1000006$")
    assert results(shell.waits_for_input()) == [4, 5, 6]


def test_a_paste_with_brackets_runs_when_it_is_entered(shell):
    shell.send("\x1b[200~" + number(1) + "\n" + number(2) + "\x1b[201~")
    shell.shows(re.escape("+ 2 AS n;"))
    assert results(shell.text) == []
    shell.send("\r" + number(3) + "\r")
    shell.shows("^ *1000003$")
    assert results(shell.waits_for_input()) == [1, 2, 3]


def test_a_failure_does_not_stop_the_lines_after_it(shell):
    shell.send(number(1) + "\nSELECT * FROM absent;\n" + number(2) + "\n")
    shell.shows("^ *1000002$")
    screen = shell.waits_for_input()
    assert results(screen) == [1, 2] and "error[NOT_FOUND]" in screen


def test_what_is_typed_while_a_query_runs_waits(shell):
    shell.send(ENDLESS + "\n")
    shell.shows(r"scanned 0 B  [1-9]")
    shell.send("\r".join([number(1), number(2), number(3), "SEL"]))
    assert results(shell.text) == []
    shell.send("\x03")
    shell.shows("^ *1000003$")
    screen = shell.shows(r"^glaux:\w+> SEL\Z")
    assert results(screen) == [1, 2, 3]
    assert screen.count("error[") == 1 and "scanned 0 B  " not in screen, "the line of progress has gone"
    shell.send("ECT 1000 * 1000 + 4 AS n;\r")
    shell.shows("^ *1000004$")


def test_lines_wait_until_a_query_ends_by_itself(shell):
    # More than a line that a terminal itself edits can have.
    long = f"SELECT 1000000 + length('{'x' * 6000}') - 5999 AS n;"
    shell.send("SET SESSION timeout = '1s';\n" + ENDLESS + "\n" + long + "\n" + number(2) + "\n")
    shell.shows("^ *1000002$")
    screen = shell.waits_for_input()
    assert results(screen) == [1, 2] and "limit of 1s" in screen


def test_interrupting_one_of_several_pasted_statements(shell):
    shell.send(number(1) + "\n" + ENDLESS + "\n" + number(2) + "\n")
    shell.shows(r"scanned 0 B  [1-9]")
    shell.send("\x03")
    shell.shows("^ *1000002$")
    assert results(shell.waits_for_input()) == [1, 2]


def test_interrupting_a_line_forgets_it_and_not_those_after_it(shell):
    shell.send("SELECT nonsense,\nand more\x03" + number(1) + "\r" + "half a line\x03" + number(2) + "\r")
    shell.shows("^ *1000002$")
    screen = shell.waits_for_input()
    assert results(screen) == [1, 2] and "error[" not in screen


@pytest.mark.parametrize("words", ["exit", "exit;", "quit", "QUIT ;", "\\q", "\x04"])
def test_leaving(shell, words):
    shell.send(words + "\r")
    shell.leaves()


def test_lines_before_leaving_run(shell):
    shell.send(number(1) + "\n" + number(2) + "\nexit\n" + number(3) + "\n")
    assert results(shell.leaves()) == [1, 2]


@pytest.mark.parametrize("words", ["help", "help;", "\\?"])
def test_help(shell, words):
    shell.send(words + "\r")
    screen = shell.shows("Tab completes")
    assert "exit, quit" in screen
    shell.waits_for_input()


def test_a_signal_leaves_the_terminal_as_it_was(shell):
    shell.send(ENDLESS + "\n")
    shell.shows(r"scanned 0 B  [1-9]")
    shell.process.send_signal(signal.SIGTERM)
    shell.leaves(128 + signal.SIGTERM)


def test_interrupting_a_statement_of_an_argument(tmp_path):
    with Shell(tmp_path / "data", "-e", ENDLESS) as shell:
        shell.shows(r"scanned 0 B  [1-9]")
        shell.send("\x03")
        screen = shell.leaves(130)
        assert "error[CANCELLED]" in screen
        assert "scanned 0 B  " not in screen, "the line of progress has gone"


@pytest.mark.parametrize("statement", ["SELECT 1000 * 1000 + length('a\tb') AS n;", "SELECT\t1000 * 1000 + 3 AS n;"])
def test_a_tab_with_more_behind_it_is_a_tab(shell, statement):
    shell.send(statement + "\n\t" + number(4) + "\n")
    shell.shows("^ *1000004$")
    assert results(shell.waits_for_input()) == [3, 4]


def test_a_tab_completes(shell):
    shell.send("SELE")
    shell.shows(r"> SELE\Z")
    shell.send("\t")
    shell.shows(r"> SELECT\Z")
    shell.send(" 1000 * 1000 + 1 AS n;\r")
    shell.shows("^ *1000001$")


def test_keys_typed_ahead_keep_their_tabs(shell):
    shell.send(ENDLESS + "\n")
    shell.shows(r"scanned 0 B  [1-9]")
    shell.send("SELECT\t1000 * 1000 + length('\t') AS n;\r\x03")
    shell.shows("^ *1000001$")


def test_bytes_that_are_not_utf_8_fail_their_statement_only(shell):
    shell.send(number(1).encode() + b"\nSELECT\n'\xe9' AS n;\n" + number(2).encode() + b"\n")
    shell.shows("^ *1000002$")
    screen = shell.waits_for_input()
    assert results(screen) == [1, 2]
    assert "error[INVALID]: the statement holds bytes that are not UTF-8, on line 3" in screen


@pytest.mark.parametrize("statement", [
    b"SELECT 1000 * 1000 + 1 AS n\n" + b"-- a line of a comment\n" * 2000 + b";\n",
    b"SELECT 1000 * 1000 - 99999 + length('" + b"x" * 100_000 + b"') AS n;\n",
], ids=["lines", "line"])
def test_a_long_paste_is_not_drawn_anew_at_each_key(shell, statement):
    written = shell.paste(statement, rb"\r\n *1000001\r\n")
    assert len(written) < 150 * len(statement)


@pytest.mark.parametrize("words", ["\\format csv\n\\timing\n", "\\format csv; \\timing"])
def test_commands_in_a_paste_run_line_by_line(shell, words):
    shell.send("\x1b[200~" + words + "\x1b[201~")
    shell.send("\r")
    shell.shows("format is csv")
    shell.shows("timing is on")
    assert "error[" not in shell.waits_for_input()


def test_leaving_within_a_paste(shell):
    shell.send("\x1b[200~" + number(1) + "\nexit\n" + number(2) + "\x1b[201~")
    shell.send("\r")
    screen = shell.leaves()
    assert results(screen) == [1] and "error[" not in screen


def test_a_line_that_begins_with_a_blank_is_not_kept(shell, tmp_path):
    shell.send(" " + number(1) + "\n" + number(2) + "\n")
    shell.shows("^ *1000002$")
    shell.waits_for_input()
    shell.send(" " + number(3))
    shell.send("\r")
    shell.shows("^ *1000003$")
    shell.send("exit\n")
    shell.leaves()
    assert "+ 3 AS n" not in (tmp_path / "data" / "shell_history").read_text()


def test_the_signal_of_a_key_leaves_the_terminal_as_it_was(shell):
    shell.send(ENDLESS + "\n")
    shell.shows(r"scanned 0 B  [1-9]")
    shell.send("\x1c")
    shell.leaves(128 + signal.SIGQUIT)


@pytest.mark.parametrize("terminal", [{"columns": 1}, {"columns": 3}, {"term": "dumb"}], ids=["1 column", "3 columns", "dumb"])
def test_no_progress_where_it_cannot_be_drawn(tmp_path, terminal):
    with Shell(tmp_path / "data", "-e", "SET SESSION timeout = '1s'; " + ENDLESS, **terminal) as shell:
        written = shell.paste(b"", rb"error\[TIMED_OUT\]")
        assert b"planning  " not in written and b"scanned 0 B  " not in written
        shell.leaves(15)
