"""The committed versions of every schema: ``avro/<record>/<version>.avsc``.

The newest file of a record is what this code writes; the older ones are what logs may still hold,
and the tests prove that today's code reads each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from schemas.derivation import avro_schema
from schemas.record import Record, full_name

DIRECTORY = Path(__file__).parent / "avro"


def versions(name: str, directory: Path = DIRECTORY) -> list[dict[str, Any]]:
    """Return the stored schemas of a record by full name, oldest first."""
    files = sorted((directory / name).glob("*.avsc"), key=lambda path: int(path.stem))
    return [orjson.loads(path.read_bytes()) for path in files]


def store(kinds: Iterable[type[Record]], directory: Path = DIRECTORY) -> list[Path]:
    """Write a new version for every record whose schema changed; return the files written.

    A change of the documentation alone replaces the newest file.
    """
    written = []
    for kind in kinds:
        name, schema = full_name(kind), avro_schema(kind)
        known = versions(name, directory)
        if known and known[-1] == schema:
            continue
        same_fields = bool(known) and _undocumented(known[-1]) == _undocumented(schema)
        version = len(known) if same_fields else len(known) + 1
        path = directory / name / f"{version}.avsc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(schema, option=orjson.OPT_INDENT_2) + b"\n")
        written.append(path)
    return written


def _undocumented(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _undocumented(value) for key, value in schema.items() if key != "doc"}
    if isinstance(schema, list):
        return [_undocumented(item) for item in schema]
    return schema
