"""A `glaux serve` process on free ports of the loopback, and the command line beside it."""

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

BINARY = os.environ["GLAUX_BIN"]

#: Seconds that a test waits for what must come. A machine that builds and tests several things at once is slow; only what hangs gets this far.
PATIENCE = 600

FLIGHT = re.compile(r"glaux: Flight SQL on (grpc(?:\+tls)?://\S+)")
HTTP = re.compile(r"glaux: HTTP on (https?://\S+)")


def environment():
    """This process's variables without those that configure Glaux."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GLAUX_")}


def glaux(data_dir, *arguments, stdin=None):
    """Runs the command line on a data directory; returns its standard output."""
    done = subprocess.run(
        [BINARY, "--data-dir", str(data_dir), *arguments],
        input=stdin, capture_output=True, text=True, env=environment(), timeout=PATIENCE,
    )
    assert done.returncode == 0, f"glaux {' '.join(arguments)}: {done.stderr}"
    return done.stdout


class Server:
    """A server that runs until `stop`, or until the `with` block ends."""

    def __init__(self, data_dir, *arguments, config=None):
        self.data_dir = Path(data_dir)
        command = [BINARY, "--data-dir", str(data_dir)]
        if config is not None:
            file = self.data_dir / "serve.toml"
            file.write_text(config)
            command += ["--config", str(file)]
        command += ["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", *arguments]
        self.lines = []
        self.uri = self.http = None
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            # Tests define tables over files of their own.
            env={"GLAUX__ENGINE__LOCATIONS__FILE": "true", **environment()},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(PATIENCE) or self.uri is None:
            self.process.kill()
            raise AssertionError("the server does not say where it listens:\n" + self.log())

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if found := FLIGHT.search(line):
                self.uri = found.group(1)
            if found := HTTP.search(line):
                self.http = found.group(1)
            if self.uri and self.http:
                self.ready.set()
        self.ready.set()

    def log(self):
        return "".join(self.lines)

    @property
    def port(self):
        return int(self.uri.rsplit(":", 1)[1])

    def stop(self):
        """Ends the server as an operator does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the server does not stop on SIGTERM:\n" + self.log()) from None
        self.reader.join(PATIENCE)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
