"""Rule packs as people write them: YAML or JSON, read with the line of everything."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import msgspec
import yaml

from schemas.derivation import element, fields, is_record, optional
from schemas.promotion import Example, Rule, RulePack
from schemas.record import Record
from streams.pricing.findings import Finding, LintCode, Path
from streams.pricing.lint import lint

MAX_BYTES = 1_000_000
"""Of a file: what a record on Kafka may have."""

_TIMES: dict[type[Record], dict[str, str]] = {
    Rule: {
        "effective_from": "effective_from_ms",
        "effective_until": "effective_until_ms",
    },
    Example: {"at": "at_ms"},
}
"""Times are written as dates and kept as epoch milliseconds: name in the file -> of the record."""

_SET_BY_PUBLISHING: dict[type[Record], set[str]] = {RulePack: {"version"}}


class Located(NamedTuple):
    """A finding and the line of the file (from 1) that it is about."""

    finding: Finding
    line: int


class PackFile(NamedTuple):
    """What a file says: the pack (None: it is none) and everything that is wrong."""

    pack: RulePack | None
    findings: tuple[Located, ...]


def read_pack(path: FilePath, now_ms: int) -> PackFile:
    """Read and lint a file. ``now_ms`` (epoch ms) is what rules may be over by.

    Raises OSError when it cannot be read.
    """
    return parse_pack(path.read_bytes(), now_ms)


def parse_pack(text: bytes, now_ms: int) -> PackFile:
    """Read and lint the text of a file."""
    reading = _Reading()
    pack = reading.pack(text)
    if pack is not None and not reading.findings:
        reading.findings += lint(pack, now_ms)
    located = [Located(finding, reading.line(finding.path)) for finding in reading.findings]
    return PackFile(pack, tuple(sorted(located, key=lambda one: one.line)))


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file, for the completion of editors."""
    schema: dict[str, Any] = msgspec.json.schema(RulePack)
    kinds: dict[str, type[Record]] = {"RulePack": RulePack, "Rule": Rule, "Example": Example}
    for name, definition in schema["$defs"].items():
        if definition.get("type") != "object":
            continue
        definition["additionalProperties"] = False
        kind = kinds.get(name)
        if kind is None:
            continue
        properties, required = definition["properties"], definition.get("required", [])
        for hidden in _SET_BY_PUBLISHING.get(kind, ()):
            del properties[hidden]
        for written, kept in _TIMES.get(kind, {}).items():
            del properties[kept]
            properties[written] = {"type": "string", "format": "date-time"}
            if kept in required:
                required[required.index(kept)] = written
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


class _Reading:
    """Reads one file, keeping the line of everything by its path."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._lines: dict[Path, int] = {}

    def line(self, path: Path) -> int:
        """Return the line of what is at ``path``, or of what it would be in."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def pack(self, text: bytes) -> RulePack | None:
        """Return the pack; None when the text is none, which ``findings`` explain."""
        if len(text) > MAX_BYTES:
            self._bad((), f"{len(text)} bytes; write at most {MAX_BYTES}")
            return None
        try:
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
                self._bad((), "aliases (*name) are not taken; write it out")
                return None
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            if node is None:
                self._bad((), "the file is empty")
                return None
            plain = self._plain(loader, node, ())
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            if mark is not None:
                self._lines[()] = mark.line + 1
            problem = getattr(error, "problem", None) or str(error)
            self._bad((), f"neither YAML nor JSON: {problem}")
            return None
        plain = self._known(RulePack, plain, ())
        if self.findings:
            return None
        try:
            return msgspec.convert(plain, RulePack)
        except msgspec.ValidationError as error:
            detail, _, where = str(error).partition(" - at `")
            self._bad(_path_of(where.rstrip("`")), detail)
            return None

    def _bad(self, path: Path, detail: str, rule_id: str = "") -> None:
        code = LintCode.BAD_RULE if path[:1] == ("rules",) else LintCode.BAD_PACK
        self.findings.append(Finding(code, rule_id, path, detail))

    def _plain(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path) -> Any:
        """Return the value of a node, and keep the lines of all that it is made of."""
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._plain(loader, item, (*path, index)) for index, item in enumerate(node.value)
            ]
        if not isinstance(node, yaml.MappingNode):
            return loader.construct_object(node)
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            here = (*path, name)
            self._lines[here] = key.start_mark.line + 1
            if name in found:
                self._bad(here, f"{name} is there twice; keep one")
            found[name] = self._plain(loader, value, here)
        return found

    def _known(self, annotation: Any, plain: Any, path: Path) -> Any:
        """Return the value in the terms of the record; find names that it does not have."""
        if (inner := optional(annotation)) is not None:
            return self._known(inner, plain, path)
        if (inner := element(annotation)) is not None and isinstance(plain, list):
            return [self._known(inner, item, (*path, n)) for n, item in enumerate(plain)]
        if not is_record(annotation) or not isinstance(plain, dict):
            return plain
        times = _TIMES.get(annotation, {})
        hidden = {*times.values(), *_SET_BY_PUBLISHING.get(annotation, ())}
        kinds = {f.name: f.annotation for f in fields(annotation) if f.name not in hidden}
        rule_id = str(plain.get("rule_id", "")) if annotation is Rule else ""
        known: dict[str, Any] = {}
        for name, value in plain.items():
            here = (*path, name)
            if name in times:
                known[times[name]] = self._time(value, here, rule_id)
            elif name in kinds:
                known[name] = self._known(kinds[name], value, here)
            else:
                names = ", ".join((*kinds, *times))
                self._bad(here, f"there is no {name} here; known: {names}", rule_id)
        return known

    def _time(self, value: Any, path: Path, rule_id: str) -> int:
        """Return epoch milliseconds; times without a zone mean nothing."""
        at = value
        if isinstance(value, str):
            try:
                at = dt.datetime.fromisoformat(value)
            except ValueError:
                at = None
        if not isinstance(at, dt.datetime) or at.tzinfo is None:
            detail = "write a time with its zone, e.g. 2026-11-11T00:00:00+08:00"
            self._bad(path, detail, rule_id)
            return 0
        return int(at.timestamp() * 1000)


def _path_of(where: str) -> Path:
    """Return the path of msgspec's ``$.rules[0].effect``."""
    parts = re.findall(r"\.([A-Za-z_]+)|\[(\d+)\]", where)
    names: dict[str, str] = {
        kept: written for times in _TIMES.values() for written, kept in times.items()
    }
    return tuple(names.get(name, name) if name else int(index) for name, index in parts)
