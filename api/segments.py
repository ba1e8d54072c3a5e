"""The files of a spool: how records lie on disk, and what a crash can do to them.

A folder belongs to the process that holds the lock of its file ``lock``; the lock ends with the
process, however it ends. It holds segments ``000000000001.spool`` and so on, oldest first::

    segment = b"OSSPOOL1" salt:8 frame*
    frame   = salt:8 length:4 crc:4 payload          big endian; CRC-32 (zlib) of length and payload

The salt is random per segment, so nothing that a client sends can look like a frame. A reader looks
for it: bytes that are no whole frame are passed over, wherever they are. At the end of a segment
they are what a crash tore off, and were promised to nobody, because a frame counts only when the
file has been synced behind it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

_MAGIC = b"OSSPOOL1"
_SALT_BYTES = 8
_HEADER_BYTES = len(_MAGIC) + _SALT_BYTES
_LENGTH = struct.Struct(">I")
_LENGTH_AND_CRC = struct.Struct(">II")
FRAME_BYTES = _SALT_BYTES + _LENGTH_AND_CRC.size  # around each payload
_SUFFIX = ".spool"
_DAMAGED = ".damaged"
_LOCK = "lock"
_MOST_PROCESSES = 1_000  # of one machine; one folder each


@dataclass(slots=True)
class Segment:
    """One file of whole frames: ``size`` in bytes, ``records`` that a reader finds in it."""

    path: Path
    size: int
    records: int


class SegmentFolder:
    """The segments of one process. All methods block; one thread at a time.

    ``segments`` are the closed ones, oldest first; a crash may have left them, or ``seal`` did.
    """

    def __init__(self, folder: Path, lock: int, segment_bytes: int) -> None:
        self.path = folder
        self.segments = [
            segment for path in sorted(folder.glob(f"*{_SUFFIX}")) if (segment := _mended(path))
        ]
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._number = _number(self.segments[-1].path) if self.segments else 0
        self._open: Segment | None = None
        self._file = -1
        self._salt = b""

    @classmethod
    def take(cls, root: Path, segment_bytes: int) -> SegmentFolder:
        """Take the first folder below ``root`` that no living process has, with what is in it."""
        for number in range(_MOST_PROCESSES):
            folder = root / f"{number:03d}"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _locked(folder)
            if lock is not None:
                return cls(folder, lock, segment_bytes)
        raise OSError(f"all {_MOST_PROCESSES} spool folders in {root} are taken")

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(one.size for one in self._all())

    @property
    def records(self) -> int:
        """Records in all segments."""
        return sum(one.records for one in self._all())

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write ``payloads`` in order; when it returns, they survive a crash of the machine.

        Raises OSError when the disk refuses; a reader may then find some of them, in order.
        """
        if self._open is None:
            self._open = self._begin()
        before = self._open.size
        frames = b"".join(_frame(self._salt, one) for one in payloads)
        try:
            _write_all(self._file, frames)
            os.fdatasync(self._file)
        except OSError:
            # What the kernel holds of a failed sync is unknown: nothing is written behind it.
            self._abandon(before)
            raise
        self._open.size += len(frames)
        self._open.records += len(payloads)
        if self._open.size >= self._segment_bytes:
            self.seal()

    def seal(self) -> None:
        """Close the segment that is written; the next append begins another."""
        if self._open is not None:
            os.close(self._file)
            self.segments.append(self._open)
            self._open = None

    def read(self, segment: Segment) -> list[bytes]:
        """Return the payloads of a closed segment, in order."""
        return [payload for _, payload in _frames(segment.path.read_bytes())]

    def remove(self, segment: Segment) -> None:
        """Forget a closed segment for good."""
        segment.path.unlink()
        self.segments.remove(segment)

    def adopt_orphans(self) -> int:
        """Take over the segments of processes that are gone; return how many records they hold.

        They come behind the closed segments of this folder, in their own order.
        """
        adopted = 0
        for folder in sorted(self.path.parent.iterdir()):
            if folder == self.path or not any(folder.glob(f"*{_SUFFIX}")):
                continue
            lock = _locked(folder)
            if lock is None:
                continue
            try:
                adopted += sum(self._adopt(path) for path in sorted(folder.glob(f"*{_SUFFIX}")))
            finally:
                os.close(lock)
        return adopted

    @property
    def is_taken(self) -> bool:
        """Say whether the folder is this one's still."""
        return self._lock >= 0

    def close(self) -> None:
        """Close the files and give the folder up to whoever comes next."""
        self.seal()
        os.close(self._lock)
        self._lock = -1

    def _all(self) -> Iterator[Segment]:
        yield from self.segments
        if self._open is not None:
            yield self._open

    def _begin(self) -> Segment:
        self._salt = os.urandom(_SALT_BYTES)
        path = self._next_path()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(self._file, _MAGIC + self._salt)
            _sync_folder(self.path)
        except OSError:
            os.close(self._file)
            path.unlink()
            raise
        return Segment(path, _HEADER_BYTES, 0)

    def _abandon(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)  # gives the room back
        except OSError as error:
            log.warning("spool_segment_left_torn", folder=str(self.path), why=str(error))
        self.seal()

    def _adopt(self, path: Path) -> int:
        segment = _mended(path)
        if segment is None:
            return 0
        segment.path = path.rename(self._next_path())
        _sync_folder(self.path)
        self.segments.append(segment)
        return segment.records

    def _next_path(self) -> Path:
        self._number += 1
        return self.path / f"{self._number:012d}{_SUFFIX}"


def _frame(salt: bytes, payload: bytes) -> bytes:
    length = _LENGTH.pack(len(payload))
    crc = zlib.crc32(payload, zlib.crc32(length))
    return b"".join((salt, length, _LENGTH.pack(crc), payload))


def _frames(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the end and the payload of each whole frame."""
    if len(content) < _HEADER_BYTES or not content.startswith(_MAGIC):
        return
    salt, at = content[len(_MAGIC) : _HEADER_BYTES], _HEADER_BYTES
    while (start := content.find(salt, at)) >= 0:
        payload = _payload(content, start)
        at = start + 1 if payload is None else start + FRAME_BYTES + len(payload)
        if payload is not None:
            yield at, payload


def _payload(content: bytes, start: int) -> bytes | None:
    begin = start + FRAME_BYTES
    if len(content) < begin:
        return None
    length, crc = _LENGTH_AND_CRC.unpack_from(content, start + _SALT_BYTES)
    payload = content[begin : begin + length]
    is_whole = len(payload) == length
    return (
        payload
        if is_whole and zlib.crc32(payload, zlib.crc32(_LENGTH.pack(length))) == crc
        else None
    )


def _mended(path: Path) -> Segment | None:
    """Cut off the torn end of a segment that a crash left; None when no record is left in it.

    What cannot be read and is no torn end is kept beside, as ``.damaged``, for a person.
    """
    content = path.read_bytes()
    records, end, whole = 0, _HEADER_BYTES, 0
    for frame_end, payload in _frames(content):
        end = frame_end
        records += 1
        whole += FRAME_BYTES + len(payload)
    has_header = content.startswith(_MAGIC)
    if len(content) > _HEADER_BYTES and (not has_header or end - _HEADER_BYTES > whole):
        log.error("spool_damaged", segment=str(path), bytes=len(content), records=records)
        path.with_suffix(_DAMAGED).write_bytes(content)
    elif len(content) > end:
        log.info("spool_tail_cut", segment=str(path), bytes=len(content) - end, records=records)
    if not records:
        path.unlink()
        return None
    os.truncate(path, end)
    return Segment(path, end, records)


def _locked(folder: Path) -> int | None:
    """Lock ``folder`` for this process; None when a living one has it."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _number(path: Path) -> int:
    return int(path.stem)


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make names in ``folder`` survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
