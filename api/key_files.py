"""Secret keys that several processes share by a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_BYTES = 32
"""Of keys for HMAC-SHA256. RFC 2104, section 3: not shorter than the hash."""


def shared_key(file: Path) -> bytes:
    """Return the key in ``file``; the first who asks makes it, readable by this user only.

    Several processes may start at the same moment: the file appears with its content or not at all.
    Raises OSError, and ValueError when what is there is too short.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(made, file)
        except FileExistsError:
            pass  # the other one was first
        finally:
            made.unlink()
    key = file.read_bytes()
    if len(key) < KEY_BYTES:
        raise ValueError(f"{file} holds {len(key)} bytes; a key has at least {KEY_BYTES}")
    return key
