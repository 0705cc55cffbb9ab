"""Stores of other makers on this machine, each behind a proxy that keeps a log of what is asked and what comes back."""

import http.client
import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.fs as fs

from server import BINARY, environment

#: Azurite's account, and its key that everybody knows.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


@dataclass
class Request:
    """One line of the log."""

    method: str
    path: str
    query: dict
    status: int
    #: Bytes of the body that was sent back.
    sent: int

    @property
    def kind(self):
        """What the store bills it as."""
        lists = "list-type" in self.query or self.query.get("comp") == ["list"]
        deletes = self.method == "DELETE" or (self.method == "POST" and ("delete" in self.query or self.query.get("comp") == ["batch"]))
        if deletes:
            return "delete"
        return {"HEAD": "head", "GET": "list" if lists else "get"}.get(self.method, "put")


class Proxy:
    """Passes requests on to a port of this machine as they are, and keeps a log."""

    def __init__(self):
        self.log = []
        self.upstream = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=30)
                try:
                    connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in HOP_BY_HOP:
                            connection.putheader(name, value)
                    connection.endheaders(body)
                    answer = connection.getresponse()
                    content = answer.read()
                finally:
                    connection.close()
                path, _, query = self.path.partition("?")
                entry = Request(self.command, urllib.parse.unquote(path), urllib.parse.parse_qs(query, keep_blank_values=True),
                                answer.status, len(content))
                proxy.log.append(entry)
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP | {"content-length"}:
                        self.send_header(name, value)
                length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
                if length is not None and answer.status != 204:
                    self.send_header("content-length", length)
                try:
                    self.end_headers()
                    self.wfile.write(content)
                except ConnectionError:
                    # Whoever asked has gone.
                    self.close_connection = True

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        """What was asked since the last call."""
        taken, self.log = self.log, []
        return taken

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Store:
    """A store that runs until the `with` block ends. Subclasses say how it is started, and how Glaux finds it."""

    #: The root of the bucket `lake`, without a final slash.
    root = None
    #: What it calls a bucket.
    noun = "bucket"

    def __init__(self, directory):
        self.directory = directory
        self.proxy = Proxy()
        self.port = free_port()
        self.proxy.upstream = self.port
        self.output = directory / "output"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(self.command(), stdout=output, stderr=subprocess.STDOUT, cwd=directory)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.output.read_text()
                time.sleep(0.05)
        self.files = self.filesystem()
        self.files.create_dir("lake")

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.proxy.port}"

    def glaux(self, data_dir, *arguments, variables=None, fails=False):
        """Runs the command line with this store's variables; returns what it printed on both outputs."""
        names = {"AWS_", "AZURE_", "GOOGLE_"}
        plain = {name: value for name, value in environment().items() if not name.startswith(tuple(names))}
        done = subprocess.run(
            [BINARY, "--data-dir", str(data_dir), *arguments], capture_output=True, text=True, timeout=120,
            env={**plain, "HOME": str(data_dir), **(self.variables() if variables is None else variables)},
        )
        assert (done.returncode != 0) == fails, f"glaux {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def sql(self, data_dir, statement):
        """The rows of a statement as text, its figures, and what the store was asked."""
        self.proxy.take()
        rows, figures = self.glaux(data_dir, "sql", "-e", statement, "--format", "csv", "--stats", "json")
        [figures] = [json.loads(line) for line in figures.splitlines() if line.startswith("{")]
        return rows.splitlines()[1:], figures, self.proxy.take()

    def stop(self):
        self.proxy.stop()
        self.process.terminate()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Azurite(Store):
    root = f"abfss://lake@{ACCOUNT}.dfs.core.windows.net"
    noun = "container"

    def command(self):
        script = f"{os.environ['GLAUX_CLIENTS_AZURITE']}/node_modules/azurite/dist/src/blob/main.js"
        return ["node", script, "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--inMemoryPersistence",
                "--skipApiVersionCheck", "--disableTelemetry"]

    def filesystem(self):
        at = f"127.0.0.1:{self.port}"
        return fs.AzureFileSystem(account_name=ACCOUNT, account_key=ACCOUNT_KEY, blob_storage_authority=at, blob_storage_scheme="http",
                                  dfs_storage_authority=at, dfs_storage_scheme="http")

    def variables(self):
        return {"AZURE_ENDPOINT": f"{self.endpoint}/{ACCOUNT}", "AZURE_ALLOW_HTTP": "true", "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY}


class FakeGcs(Store):
    root = "gs://lake"

    def command(self):
        # Objects are answered for under the public name alone.
        return [os.environ["GLAUX_CLIENTS_FAKE_GCS"], "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port), "-backend", "memory",
                "-public-host", f"127.0.0.1:{self.proxy.port}", "-log-level", "warn"]

    def filesystem(self):
        return fs.GcsFileSystem(anonymous=True, scheme="http", endpoint_override=f"127.0.0.1:{self.port}", project_id="test")

    def variables(self):
        return {"GOOGLE_BASE_URL": self.endpoint, "GOOGLE_ALLOW_HTTP": "true", "GOOGLE_SKIP_SIGNATURE": "true"}


class Moto(Store):
    root = "s3://lake"
    #: The access key and its secret.
    keys = ("id", "secret")

    def command(self):
        return [os.environ["GLAUX_CLIENTS_MOTO"], "-H", "127.0.0.1", "-p", str(self.port)]

    def filesystem(self):
        identity, secret = self.keys
        return fs.S3FileSystem(access_key=identity, secret_key=secret, endpoint_override=f"127.0.0.1:{self.port}", scheme="http",
                               region="us-east-1", allow_bucket_creation=True)

    def variables(self):
        identity, secret = self.keys
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": identity, "AWS_SECRET_ACCESS_KEY": secret}


class S3sFs(Moto):
    #: It checks them; these are those of the page on stores.
    keys = ("minioadmin", "minioadmin")

    def command(self):
        root = self.directory / "objects"
        root.mkdir()
        identity, secret = self.keys
        return [os.environ["GLAUX_CLIENTS_S3S_FS"], "--host", "127.0.0.1", "--port", str(self.port), "--access-key", identity, "--secret-key",
                secret, str(root)]


#: By the variable that says where each is installed; one that is not set was left out, and a line said so.
STORES = {"GLAUX_CLIENTS_AZURITE": Azurite, "GLAUX_CLIENTS_FAKE_GCS": FakeGcs, "GLAUX_CLIENTS_MOTO": Moto,
          "GLAUX_CLIENTS_S3S_FS": S3sFs}
