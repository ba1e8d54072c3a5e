"""Changing a record by hand: as JSON, checked against its type before it is a record again."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import InvalidMessage
from schemas.record import Record

_EDITOR = "vi"


def with_fields(record: Record, changes: Sequence[str]) -> Record:
    """Return ``record`` with ``field=value`` changes; raise InvalidMessage (BAD_EDIT).

    A field of a part is named by dots (``lines.0.qty=2``); a value is JSON, else it is text.
    """
    content = msgspec.to_builtins(record)
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise _bad(f"{change!r} is not <field>=<value>")
        _set(content, path.split("."), _value(text), path)
    return _record(content, type(record))


def in_editor(record: Record) -> Record:
    """Return ``record`` as the person at $EDITOR leaves it; raise InvalidMessage (BAD_EDIT)."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{type(record).__name__}.json")
        file.write_text(json.dumps(msgspec.to_builtins(record), indent=2, ensure_ascii=False))
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise _bad(f"the editor ({editor}) did not end well: {error}") from error
        try:
            content = json.loads(file.read_text())
        except ValueError as error:
            raise _bad(f"not JSON any more: {error}") from error
    return _record(content, type(record))


def _set(content: Any, path: Sequence[str], value: Any, name: str) -> None:
    *outer, last = path
    for step in outer:
        content = _step(content, step, name)
    _step(content, last, name)  # a field that is not there is a typing mistake
    content[int(last) if isinstance(content, list) else last] = value


def _step(content: Any, step: str, name: str) -> Any:
    try:
        return content[int(step) if isinstance(content, list | tuple) else step]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise _bad(f"there is no field {name}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _record(content: Any, kind: type[Record]) -> Record:
    try:
        return msgspec.convert(content, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _bad(f"not a {kind.__name__}: {error}") from error


def _bad(detail: str) -> InvalidMessage:
    return InvalidMessage("BAD_EDIT", detail)
