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


def plain():
    """The environment without what changes how a terminal is used."""
    return {name: value for name, value in environment().items() if name not in ("PAGER", "NO_COLOR", "VISUAL", "EDITOR", "LESS")}


class Shell:
    """`glaux sql` on a terminal of its own."""

    def __init__(self, data_dir, *arguments, columns=COLUMNS, lines=LINES, term="xterm-256color", cwd=None, **variables):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        # The other end stays open here, so that the terminal's settings can be looked at when the shell has gone.
        self.keys, self.terminal = os.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.settings = termios.tcgetattr(self.terminal)
        self.process = subprocess.Popen(
            [BINARY, "--data-dir", str(data_dir), "sql", *arguments],
            env=plain() | {"TERM": term} | variables, cwd=cwd, preexec_fn=lambda: os.login_tty(os.dup(self.terminal)),
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


def cell(shell, line, text):
    """The first character of a text on the last line of the screen that matches."""
    rows = [row for row, shown in enumerate(shell.screen.display) if re.search(line, shown)]
    return shell.screen.buffer[rows[-1]][shell.screen.display[rows[-1]].index(text)]


def test_tables_fit_the_width(tmp_path):
    long = "a text that is longer than the terminal is wide"
    with Shell(tmp_path / "data", columns=40) as shell:
        shell.send(f"SELECT 123456789012345678 AS n, '{long}'\n AS t;\n")
        screen = shell.shows("^ 123456789012345678 \\| a text that")
        assert "\u2026" in screen
        shell.send("\\x\n")
        shell.shows("expanded display is on")
        shell.send(f"SELECT 5 AS n,\n'{long}'\nAS t;\n")
        shell.shows("^n \\| 5$")
        # Whole, over two lines of the terminal.
        assert f"t | {long}" in shell.waits_for_input().replace("\n", "")
        shell.send("\\x auto\n")
        shell.shows("expanded display is auto")
        shell.send("SELECT 6 AS n;\n")
        shell.shows("^ 6$")
        shell.send("\\width 20\n")
        shell.shows("width is 20")
        shell.waits_for_input()


def test_columns_that_do_not_fit_are_counted(tmp_path):
    with Shell(tmp_path / "data", columns=60) as shell:
        columns = ",\n".join(f"'a value of column {n}' AS column_{n}" for n in range(10))
        shell.send(f"SELECT\n{columns};\n")
        shell.shows("^\\(6 more columns did not fit: expanded display")
        assert re.search("^ column_0 .* \u2026 .*column_9$", shell.waits_for_input(), re.MULTILINE)


def test_wide_characters_are_measured(shell):
    shell.send("SELECT '\u732b' AS a, 1000 * 1000 + 1 AS n UNION ALL SELECT 'xyz', 1000 * 1000 + 2 ORDER BY 2;\n")
    shell.shows("^ xyz \\| 1000002$")
    rows = [row for row, line in enumerate(shell.screen.display) if re.search("100000[12]$", line.rstrip())]
    bars = [next(x for x in range(COLUMNS) if shell.screen.buffer[row][x].data == "|") for row in rows]
    assert len(bars) == 2 and len(set(bars)) == 1, shell.text


def test_results_longer_than_the_screen_go_to_a_pager(tmp_path):
    rows = "SELECT x FROM generate_series(1, {}) AS t (x) ORDER BY 1;\n"
    with Shell(tmp_path / "data", lines=20, PAGER="sed 's/^/page: /'") as shell:
        shell.send(rows.format(5))
        shell.shows("^ +5$")
        assert "page:" not in shell.waits_for_input()
        shell.send(rows.format(50))
        shell.shows("^page: +50$")
        shell.shows("^50 rows in ")
        shell.waits_for_input()
        shell.send("\\pager off\n")
        shell.shows("pager is off")
        shell.send(rows.format(60))
        shell.shows("^ +60$")
        shell.waits_for_input()


def test_leaving_a_pager_stops_the_query(tmp_path):
    with Shell(tmp_path / "data", lines=20, GLAUX_PAGER="head -n 3", PAGER="cat") as shell:
        shell.send("SELECT x + y AS n FROM generate_series(1, 100000) AS a (x), generate_series(1, 10000000) AS b (y);\n")
        screen = shell.shows("^cancelled in ")
        assert "error[" not in screen
        shell.waits_for_input()
        shell.send(number(1) + "\n")
        shell.shows("^ *1000001$")
        shell.send("exit\n")
        shell.leaves()


def test_a_pager_gets_the_keys(tmp_path):
    # It reads from the terminal, as pagers do, and leaves it as it found it.
    pager = "sh -c 'cat; printf \"more? \"; read answer < /dev/tty; echo \"answer: $answer\"'"
    with Shell(tmp_path / "data", lines=20, PAGER=pager) as shell:
        shell.send("SELECT x FROM generate_series(1, 50) AS t (x) ORDER BY 1;\n")
        shell.shows(r"more\?\Z")
        shell.send("no\n")
        shell.shows("^answer: no$")
        shell.waits_for_input()
        shell.send(number(1) + "\n")
        shell.shows("^ *1000001$")
        shell.waits_for_input()
        shell.send("exit\n")
        shell.leaves()


@pytest.mark.parametrize("variables, colored", [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colours", "NO_COLOR"])
def test_colours(tmp_path, variables, colored):
    with Shell(tmp_path / "data", **variables) as shell:
        shell.send("SELECT 1000 * 1000 + 1 AS name_of_a_number;\nSELECT * FROM absent;\n")
        shell.shows(r"error\[NOT_FOUND\]")
        shell.waits_for_input()
        assert cell(shell, "^ name_of_a_number", "name_of_a_number").bold == colored
        assert (cell(shell, r"error\[NOT_FOUND\]", "error").fg == "red") == colored


def test_the_last_statement_is_edited_and_run(tmp_path):
    with Shell(tmp_path / "data", EDITOR="sed -i 's/+ 1 AS/+ 2 AS/'") as shell:
        shell.send(number(1) + "\n")
        shell.shows("^ *1000001$")
        shell.waits_for_input()
        shell.send("\\e\n")
        shell.shows("^ *1000002$")
        shell.waits_for_input()
        shell.send("\\e\n")
        shell.shows("nothing was changed")
        assert results(shell.waits_for_input()) == [1, 2]
        shell.send("exit\n")
        shell.leaves()
    assert "+ 2 AS n" in (tmp_path / "data" / "shell_history").read_text()


def test_an_editor_has_the_terminal(tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'what? '\nread answer\necho \"SELECT 1000 * 1000 + $answer AS n;\" > \"$1\"\n")
    editor.chmod(0o755)
    with Shell(tmp_path / "data", VISUAL=str(editor)) as shell:
        shell.send("\\e\n")
        shell.shows(r"what\?\Z")
        shell.send("7\n")
        shell.shows("^ *1000007$")
        shell.waits_for_input()


def test_watching_until_a_key(shell):
    shell.send(number(1) + "\n")
    shell.shows("^ *1000001$")
    shell.waits_for_input()
    shell.send("\\watch 0.2\n")
    end = time.monotonic() + PATIENCE
    while len(results(shell.text)) < 4:
        assert time.monotonic() < end, shell.text
        time.sleep(0.05)
        shell.read()
    shell.send("\x03")
    screen = shell.waits_for_input()
    assert "every 0.2 s until Ctrl-C" in screen and set(results(screen)) == {1}
    shell.send(number(2) + "\n")
    shell.shows("^ *1000002$")


def test_files_are_run_and_written(tmp_path):
    (tmp_path / "report.sql").write_text(f"{number(1)}\n{number(2)}\n")
    with Shell(tmp_path / "data", cwd=tmp_path) as shell:
        shell.send("\\i rep")
        shell.shows(r"i rep\Z")
        shell.send("\t")
        shell.shows(r"i report\.sql\Z")
        shell.send("\r")
        shell.shows("^ *1000002$")
        shell.waits_for_input()
        shell.send("\\o r.csv\n\\format csv\n" + number(3) + "\n\\o\n\\format table\n" + number(4) + "\n")
        shell.shows("^ *1000004$")
        assert results(shell.waits_for_input()) == [1, 2, 4]
    assert (tmp_path / "r.csv").read_text() == "n\n1000003\n"


@pytest.mark.parametrize("typed, completed", [
    ("SELECT * FROM system.us", "SELECT * FROM system.usage"),
    ("SET SESSION max_s", "SET SESSION max_scan"),
    ("SELECT date_tru", "SELECT date_trunc("),
    ("SHOW PARTI", "SHOW PARTITIONS"),
    ("\\tim", "\\timing"),
    ("\\format pa", "\\format parquet"),
])
def test_a_tab_completes_what_may_stand_there(shell, typed, completed):
    shell.send(typed)
    shell.shows(re.escape("> " + typed) + r"\Z")
    shell.send("\t")
    shell.shows(re.escape("> " + completed) + r"\s*\Z")


def test_a_tab_completes_columns_of_an_alias(shell):
    shell.send("SELECT  FROM system.queries AS q")
    shell.shows(r"AS q\Z")
    shell.send("\x01\x1bf ")
    shell.send("q.data_sc")
    shell.shows("SELECT q.data_sc")
    shell.send("\t")
    shell.shows("SELECT q.data_scanned_bytes")


def test_an_unknown_command_suggests_the_nearest(shell):
    shell.send("\\foramt csv\n")
    shell.shows(re.escape("Did you mean \\format?"))
    shell.waits_for_input()
