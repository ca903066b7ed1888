"""Runs the built gateway for tests: any free port, its address read from the banner, always stopped by its pid.

It knows the program's command line, its start-up banner and its exit codes, and nothing of the protocol.
"""

import http.client
import os
import pathlib
import queue
import re
import subprocess
import tempfile
import threading
import time
from contextlib import closing

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 30
BANNER_ADDRESS = re.compile(r"http://([^/\s]+:\d+)/")


def binary():
    """The program under test: $TICKCAST_BIN, or what cargo built last."""
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "tickcast"
    return pathlib.Path(os.environ.get("TICKCAST_BIN", built))


def eventually(what, probe, seconds=20):
    """The first true value of `probe`, asked again until the deadline; what it raised last is told when it passes."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if value := probe():
                return value
        except (OSError, http.client.HTTPException, AssertionError, KeyError) as error:
            last = repr(error)
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what} (last: {last})")


def http_get(host, path):
    """Status and body of a plain request, by way of no proxy; it leaves no socket open, whatever happens."""
    name, port = host.rsplit(":", 1)
    with closing(http.client.HTTPConnection(name, int(port), timeout=10)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status, answer.read()


class Gateway:
    """One running gateway, as a context manager. Leaving it sends SIGTERM and requires exit code 0."""

    def __init__(self, *arguments, **settings):
        """Arguments of the command line; settings such as `server__drain_ms=0` become environment variables."""
        self.arguments = [str(binary()), "--bind", "127.0.0.1:0", "--feed", "demo", *arguments]
        # The caller's own settings must not change what is tested.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKCAST_")}
        self.environment |= {f"TICKCAST_{key.upper()}": str(value) for key, value in settings.items()}
        self.process = None
        self.asked_to_stop = False
        self.host = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        # A folder of its own, so that no tickcast.toml of the working directory is read.
        self.folder = tempfile.TemporaryDirectory(prefix="tickcast-")
        self.process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=self.environment,
            cwd=self.folder.name,
            text=True,
        )
        try:
            self.host = self._address()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, _error, _traceback):
        try:
            code = self.stop()
            if kind is None:
                assert code == 0, f"exit code {code} after SIGTERM; its log:\n{self.logged()}"
        finally:
            self.kill()

    def _address(self):
        """The bound address; standard output is read to its end in the background, so that it never blocks."""
        lines = queue.Queue()

        def read():
            with self.process.stdout as stdout:
                for line in stdout:
                    lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        seen = []
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            seen.append(line)
            if found := BANNER_ADDRESS.search(line):
                return found[1]
        raise AssertionError(f"no address in the banner {seen}; exit code {self.process.poll()}; log:\n{self.logged()}")

    def ask_to_stop(self):
        """Sends SIGTERM, once: a second one would end it at once, with another exit code."""
        if not self.asked_to_stop and self.process.poll() is None:
            self.process.terminate()
        self.asked_to_stop = True

    def stop(self):
        """Asks it to stop, and returns the exit code."""
        self.ask_to_stop()
        return self.process.wait(STOP_SECONDS)

    def kill(self):
        """Leaves no process behind, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def logged(self):
        """The end of its log."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def ws(self, path="/v1/ws"):
        return f"ws://{self.host}{path}"

    def get(self, path):
        """The body of a request that must succeed."""
        status, body = http_get(self.host, path)
        assert status == 200, (path, status, body)
        return body
