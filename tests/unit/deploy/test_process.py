"""Processes are never taken for one another, and die together."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from deploy.process import ProcessId, dying_with, free_ports

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_number_given_out_again_is_not_the_same_process() -> None:
    with subprocess.Popen(FOREVER) as process:
        named = ProcessId.of(process.pid)
        assert named is not None
        earlier = msgspec.structs.replace(named, started_ticks=named.started_ticks - 1)
        other_boot = msgspec.structs.replace(named, boot="another")
        for stranger in (earlier, other_boot):
            assert not stranger.alive()
            assert not stranger.signal(signal.SIGKILL)
        assert process.poll() is None
        assert named.alive()
        assert named.signal(signal.SIGKILL)
        assert process.wait(5) == -signal.SIGKILL
        assert not named.alive()
        assert not named.signal(signal.SIGKILL)


def test_a_process_that_ended_but_was_not_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    named = ProcessId.of(process.pid)
    if named is not None:  # it may have ended already
        assert named.wait_gone(5)
    assert ProcessId.of(process.pid) is None
    process.wait()


def test_a_tied_child_dies_with_its_parent() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "from deploy.process import dying_with\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " preexec_fn=dying_with(os.getpid()))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = ProcessId.of(int(parent.stdout.readline()))
        assert child is not None
        assert child.alive()
        parent.kill()
    assert child.wait_gone(5)


def test_a_child_whose_parent_died_before_the_tie_ends_at_once() -> None:
    tie = dying_with(parent_pid=1 if os.getpid() != 1 else 2)
    with subprocess.Popen(FOREVER, preexec_fn=tie) as child:
        assert child.wait(5) == 1


def test_free_ports_differ_and_are_not_the_kernels_to_give_to_clients() -> None:
    ports = free_ports(5)
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 5
    for port in ports:
        assert 1024 < port < first_ephemeral
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
