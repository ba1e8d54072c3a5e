"""A wire that can be cut: TCP passed on to a real server, until a test says no."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

_TURN_S = 0.05
_CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes connections to ``host`` and ``port`` of its own on to those of a server."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._is_cut = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End every connection, and new ones as soon as they are made; return when it is done."""
        self._is_cut.set()
        with (
            contextlib.suppress(OSError),
            socket.create_connection((self.host, self.port)) as probe,
        ):
            probe.settimeout(10.0)
            probe.recv(1)  # ends when the wire is cut

    def mend(self) -> None:
        """Pass everything on again."""
        self._is_cut.clear()

    def close(self) -> None:
        """End it."""
        self._is_over.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._is_over.is_set():
                ready = selector.select(_TURN_S)
                if self._is_cut.is_set():
                    self._hang_up(selector)
                for key, _ in ready:
                    if key.fileobj is self._listener:
                        self._connect(selector)
                    elif key.fileobj in {k.fileobj for k in selector.get_map().values()}:
                        self._pass_on(selector, key)
            self._hang_up(selector)

    def _connect(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        if self._is_cut.is_set():
            self._hang_up(selector)
            client.close()
            return
        server = socket.create_connection(self._server)
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)

    def _pass_on(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        source, target = key.fileobj, key.data
        assert isinstance(source, socket.socket)
        try:
            chunk = source.recv(_CHUNK_BYTES)
            target.sendall(chunk)
        except OSError:
            chunk = b""
        if not chunk:
            for end in (source, target):
                selector.unregister(end)
                end.close()

    def _hang_up(self, selector: selectors.BaseSelector) -> None:
        for key in list(selector.get_map().values()):
            if key.fileobj is not self._listener:
                selector.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()
