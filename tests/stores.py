"""An S3 server in a process of its own, and a proxy before it that fails on request."""

from __future__ import annotations

import http.client
import itertools
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>not now</Message></Error>"

#: Settings of a client of the server.
CLIENT = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Seen:
    """A request that reached the proxy.

    Attributes:
        sent: Bytes of its body.
        received: Bytes of the response's body.
        fault: What the proxy did to it; see `Fault`.
    """

    method: str
    key: str
    query: str
    range: str
    sent: int = 0
    received: int = 0
    fault: str = ""


#: Returns what the proxy does to a request: 503, 403, cut, lost, slow, or "" for nothing.
Fault = Callable[[Seen], str]


class Store:
    """The server and its proxy.

    Attributes:
        url: Address of the proxy.
        seen: Requests that reached the proxy, in order.
        fault: Decides what the proxy does to a request.
        under_way: Requests that are not answered yet.
        most_under_way: The highest value of `under_way` so far.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.seen: list[Seen] = []
        self.fault: Fault = lambda seen: ""
        self.under_way = self.most_under_way = 0
        self._counting = threading.Lock()
        self._proxy = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._proxy.daemon_threads = True
        threading.Thread(target=self._proxy.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        self._names = itertools.count()
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
            return True
        return False

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Return as soon as the condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not start, or a request does not come")
            time.sleep(0.02)

    def bucket(self) -> str:
        """Create a bucket and return its URL."""
        name = f"bucket-{next(self._names)}"
        self.ask("PUT", f"/{name}")
        return f"s3://{name}"

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send a request to the server, past the proxy, and return the body of the response."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", body or None, method=method)
        request.add_header("Content-Type", "application/octet-stream")
        with urllib.request.urlopen(request, timeout=120) as response:
            return bytes(response.read())

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Let the proxy apply `fault` while the context lasts."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = lambda seen: ""

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Yield a counter that holds the requests of the context by method, once the context has ended."""
        before, counts = len(self.seen), Counter[str]()
        yield counts
        counts.update(one.method for one in self.seen[before:])

    @contextmanager
    def _counted_as_under_way(self) -> Iterator[None]:
        with self._counting:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            yield
        finally:
            with self._counting:
                self.under_way -= 1

    def end(self) -> None:
        """Stop the server and the proxy."""
        self._proxy.shutdown()
        self._server.kill()
        self._server.wait()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        store, port = self, self._port

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                with store._counted_as_under_way():
                    self._answer()

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                seen = Seen(self.command, unquote(parts.path), parts.query, self.headers.get("Range", ""))
                body = self._body()
                seen.sent = len(body)
                store.seen.append(seen)
                seen.fault = store.fault(seen)
                if seen.fault in ("503", "403"):
                    self._refuse(int(seen.fault))
                    return
                if seen.fault == "lost":  # before the server received it
                    self._hang_up()
                    return
                if seen.fault == "slow":
                    time.sleep(0.3)
                self._forward(seen, body)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                chunks = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            def _forward(self, seen: Seen, body: bytes) -> None:
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                server.request(seen.method, self.path, body, {**headers, "Content-Length": str(len(body))})
                response = server.getresponse()
                content = response.read()
                seen.received = len(content)
                self.send_response_only(response.status, response.reason)
                for name, value in response.getheaders():
                    if name.lower() not in {*_HOP, "content-length"}:
                        self.send_header(name, value)
                length = response.getheader("Content-Length") if seen.method == "HEAD" else len(content)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                if seen.fault == "cut":  # in the middle of the body, or after the headers if there is no body
                    self.wfile.write(content[: len(content) // 2])
                    self._hang_up()
                    return
                self.wfile.write(content)
                server.close()

            def _refuse(self, status: int) -> None:
                content = SLOW_DOWN % (b"AccessDenied" if status == 403 else b"ServiceUnavailable")
                self.send_response_only(status)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def _hang_up(self) -> None:
                self.close_connection = True
                with suppress(OSError):
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *given: object) -> None:
                pass

        for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_request)
        return Handler


_HOP = {"connection", "transfer-encoding", "keep-alive", "expect"}


def at_random(seed: int, share: float, kinds: tuple[str, ...] = ("503", "cut", "lost", "slow")) -> Fault:
    """Return faults of random kinds for a share of the requests."""
    chance = random.Random(seed)
    return lambda seen: chance.choice(kinds) if chance.random() < share else ""
