"""The spool's files: what was promised survives whatever ends the process or hurts the file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.segments import FRAME_BYTES, SegmentFolder

HEADER_BYTES = 16
SEGMENT_BYTES = 1024 * 1024
PAYLOADS = [b"first", b"", b"third" * 20, b"fourth"]

Take = Callable[..., SegmentFolder]


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Take]:
    """Take folders below one root; those still taken are given up at the end."""
    taken: list[SegmentFolder] = []

    def folder(segment_bytes: int = SEGMENT_BYTES) -> SegmentFolder:
        taken.append(SegmentFolder.take(tmp_path, segment_bytes))
        return taken[-1]

    yield folder
    for one in taken:
        if one.is_taken:
            one.close()


def contents(folder: SegmentFolder) -> list[bytes]:
    """Return all that a folder's closed segments hold, in order."""
    return [payload for segment in folder.segments for payload in folder.read(segment)]


def file_of(folder: SegmentFolder, suffix: str = ".spool") -> Path:
    (path,) = folder.path.glob(f"*{suffix}")
    return path


def test_what_is_appended_is_read_in_order_over_all_segments(take: Take) -> None:
    folder = take(segment_bytes=64)
    for payload in PAYLOADS:
        folder.append([payload])
    folder.seal()
    assert contents(folder) == PAYLOADS
    assert len(folder.segments) > 1
    assert folder.records == len(PAYLOADS)
    assert folder.size == sum(path.stat().st_size for path in folder.path.glob("*.spool"))


def test_the_next_process_finds_what_was_left_and_appends_behind_it(take: Take) -> None:
    first = take()
    first.append(PAYLOADS)
    first.close()
    second = take()
    assert second.path == first.path
    second.append([b"fifth"])
    second.seal()
    assert contents(second) == [*PAYLOADS, b"fifth"]


def test_a_removed_segment_is_gone_for_the_next_process_too(take: Take) -> None:
    first = take(segment_bytes=1)
    first.append([b"one"])
    first.append([b"two"])
    first.remove(first.segments[0])
    first.close()
    assert contents(take()) == [b"two"]


def test_a_segment_cut_at_any_byte_gives_every_record_that_is_whole(take: Take) -> None:
    written = take()
    written.append(PAYLOADS)
    written.close()
    path, ends, end = file_of(written), [], HEADER_BYTES
    content = path.read_bytes()
    for payload in PAYLOADS:
        end += FRAME_BYTES + len(payload)
        ends.append(end)
    assert end == len(content)
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        found = take()
        whole = sum(one <= size for one in ends)
        assert contents(found) == PAYLOADS[:whole], f"cut at {size}"
        found.append([b"later"])
        found.close()
        again = take()
        assert contents(again) == [*PAYLOADS[:whole], b"later"], f"cut at {size}"
        assert not list(again.path.glob("*.damaged"))
        for segment in list(again.segments):
            again.remove(segment)
        again.close()


def test_a_byte_that_rots_costs_no_other_record_and_the_file_is_kept(take: Take) -> None:
    written = take()
    written.append(PAYLOADS)
    written.close()
    path = file_of(written)
    content, last = path.read_bytes(), FRAME_BYTES + len(PAYLOADS[-1])
    for at in range(HEADER_BYTES, len(content) - last):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :])
        found = take()
        left = contents(found)
        hit = next(index for index, payload in enumerate(PAYLOADS) if payload not in left)
        assert left == [*PAYLOADS[:hit], *PAYLOADS[hit + 1 :]], f"byte {at}"
        file_of(found, ".damaged").unlink()
        found.close()


def test_a_file_whose_head_is_lost_is_kept_for_a_person(take: Take) -> None:
    written = take()
    written.append(PAYLOADS)
    written.close()
    content = file_of(written).read_bytes()
    file_of(written).write_bytes(b"\0" * 8 + content[8:])
    found = take()
    assert contents(found) == []
    assert file_of(found, ".damaged").read_bytes()[8:] == content[8:]


@settings(max_examples=50)
@given(payloads=st.lists(st.binary(max_size=200), min_size=1, max_size=5), data=st.data())
def test_no_payload_can_pass_for_a_frame(payloads: list[bytes], data: st.DataObject) -> None:
    """A client that could put a frame into its own record would be believed after a crash."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        victim = SegmentFolder.take(root, SEGMENT_BYTES)
        victim.append(payloads)
        victim.seal()
        stolen = victim.segments[0].path.read_bytes()
        victim.append([b"before", stolen + data.draw(st.binary(max_size=20))])
        victim.close()
        path = sorted(victim.path.glob("*.spool"))[-1]
        os.truncate(path, path.stat().st_size - 1)
        found = SegmentFolder.take(root, SEGMENT_BYTES)
        assert contents(found) == [*payloads, b"before"]
        found.close()


def test_each_process_has_a_folder_of_its_own(take: Take) -> None:
    first, second = take(), take()
    assert first.path != second.path
    second.append([b"of the second"])
    assert first.adopt_orphans() == 0
    second.close()
    first.append([b"of the first"])
    first.seal()
    assert first.adopt_orphans() == 1
    assert contents(first) == [b"of the first", b"of the second"]
    assert contents(take()) == []


def test_a_full_disk_is_an_error_and_what_was_promised_stays(take: Take) -> None:
    folder = take()
    folder.append([b"promised"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (folder.size + FRAME_BYTES + 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            folder.append([b"not promised"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    folder.append([b"promised, too"])
    folder.close()
    assert contents(take()) == [b"promised", b"promised, too"]


_APPENDING = """
import sys
from itertools import count
from pathlib import Path
from api.segments import SegmentFolder

folder = SegmentFolder.take(Path(sys.argv[1]), 4096)
for number in count():
    folder.append([b"%d" % number, b"%d again" % number])
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_promised(take: Take, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _APPENDING, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        promised = [int(process.stdout.readline()) for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        promised += [int(line) for line in process.stdout if line.endswith(b"\n")]
    found = contents(take())
    written = [text for number in range(len(found)) for text in _texts(number)]
    assert found == written[: len(found)]
    assert len(found) >= 2 * len(promised)


def _texts(number: int) -> tuple[bytes, bytes]:
    return b"%d" % number, b"%d again" % number
