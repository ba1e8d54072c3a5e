"""The embedded stack: real servers, and what remains of them when things end badly."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pymysql
import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from deploy import stack as embedded
from deploy.errors import AlreadyRunningError, StartError
from deploy.process import ProcessId, free_ports
from deploy.service import Exited, Http, LogLine, Service, Tcp
from deploy.settings import ENDPOINT_VARIABLES
from deploy.stack import Endpoints, Options, running

SERVE = (sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1")
FOREVER = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of its own, with nothing running in it before or after."""
    for variable in ENDPOINT_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    yield tmp_path
    embedded.down(tmp_path)


def _processes(home: Path) -> list[ProcessId]:
    found = embedded.state(home)
    assert found is not None
    return [found.supervisor, *(one.process for one in found.services if one.process)]


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:  # it ended meanwhile
        return ""


def _eventually(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_kafka_keeps_what_was_produced(stack: Endpoints) -> None:
    topic = f"stack-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": stack.kafka, "acks": "all"})
    producer.produce(topic, b"value", key=b"key")
    assert producer.flush(10) == 0
    consumer = Consumer(
        {"bootstrap.servers": stack.kafka, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(15)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value()) == (b"key", b"value")


def test_kafka_makes_no_topic_that_was_not_declared(stack: Endpoints) -> None:
    topic = f"undeclared-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.list_topics(topic, timeout=10)
    assert topic not in admin.list_topics(timeout=10).topics


def test_kafka_commits_a_transaction(stack: Endpoints) -> None:
    topic = f"transaction-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"value")
    producer.commit_transaction(20)


def test_the_registry_refuses_a_schema_that_breaks_readers(stack: Endpoints) -> None:
    subject = f"{stack.registry}/subjects/stack-{uuid.uuid4().hex}"
    with httpx2.Client() as client:

        def register(fields: str) -> httpx2.Response:
            schema = f'{{"type":"record","name":"R","fields":[{fields}]}}'
            return client.post(f"{subject}/versions", json={"schema": schema}, timeout=10)

        config = subject.replace("/subjects/", "/config/")
        assert register('{"name":"a","type":"int"}').status_code == 200
        client.put(config, json={"compatibility": "BACKWARD"}).raise_for_status()
        assert register('{"name":"a","type":"int"},{"name":"b","type":"int"}').status_code == 409


def test_redis_runs_a_script(stack: Endpoints) -> None:
    with redis.Redis.from_url(stack.redis) as client:
        assert client.eval("return redis.call('INCRBY', KEYS[1], 2)", 1, uuid.uuid4().hex) == 2


def test_mysql_upserts(stack: Endpoints) -> None:
    address = urlsplit(stack.mysql)
    connection = pymysql.connect(
        host=address.hostname,
        port=address.port or 3306,
        user=address.username,
        password=address.password or "",
        database=address.path.lstrip("/"),
    )
    table = f"stack_{uuid.uuid4().hex}"
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, amount DECIMAL(18, 2))")
        for amount in ("1.10", "2.20"):
            cursor.execute(f"REPLACE INTO {table} VALUES (1, {amount})")
        cursor.execute(f"SELECT CONCAT(amount) FROM {table}")
        assert cursor.fetchall() == (("2.20",),)
        cursor.execute(f"DROP TABLE {table}")


def test_data_is_kept_between_runs_and_wiped_when_fresh(home: Path) -> None:
    options = Options(servers=("kafka", "registry", "redis"), data_dir=home)
    with running(options) as endpoints:
        admin = AdminClient({"bootstrap.servers": endpoints.kafka})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)
        with redis.Redis.from_url(endpoints.redis) as client:
            client.set("kept", "1")
        schema = {"schema": '{"type":"record","name":"R","fields":[]}'}
        url = "subjects/kept/versions"
        first = httpx2.post(f"{endpoints.registry}/{url}", json=schema, timeout=10).json()
    with running(options) as endpoints:
        admin = AdminClient({"bootstrap.servers": endpoints.kafka})
        assert "kept" in admin.list_topics(timeout=10).topics
        with redis.Redis.from_url(endpoints.redis) as client:
            assert client.get("kept") == b"1"
        again = httpx2.post(f"{endpoints.registry}/{url}", json=schema, timeout=10).json()
        assert again["id"] == first["id"]
        assert httpx2.get(f"{endpoints.registry}/subjects", timeout=10).json() == ["kept"]
    fresh = Options(servers=("redis",), data_dir=home, fresh=True)
    with running(fresh) as endpoints, redis.Redis.from_url(endpoints.redis) as client:
        assert client.get("kept") is None


def test_nothing_survives_a_supervisor_that_is_killed(home: Path) -> None:
    embedded.up(Options(data_dir=home))
    supervisor, *children = _processes(home)
    assert len(children) == len(embedded.ALL_SERVERS)
    assert supervisor.signal(signal.SIGKILL)
    for one in children:
        assert one.wait_gone(5)
    assert embedded.status(home) == []


def test_down_stops_everything_and_says_whether_something_ran(home: Path) -> None:
    embedded.up(Options(servers=("redis", "mysql"), data_dir=home))
    processes = _processes(home)
    assert embedded.down(home)
    assert not any(one.alive() for one in processes)
    assert not embedded.down(home)


def test_up_leaves_a_running_stack_as_it_is(home: Path) -> None:
    options = Options(servers=("redis",), data_dir=home)
    first = embedded.up(options)
    processes = _processes(home)
    assert embedded.up(options).addresses == first.addresses
    assert _processes(home) == processes
    with pytest.raises(AlreadyRunningError, match="orderstream down"):
        embedded.up(Options(servers=("redis",), data_dir=home, fresh=True))


def test_a_bound_stack_and_its_temporary_data_go_when_its_parent_is_killed(home: Path) -> None:
    code = (
        "import time\n"
        "from deploy.stack import Options, running\n"
        "with running(Options(servers=('redis',))) as endpoints:\n"
        "    print(endpoints.redis, flush=True)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(home)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().decode().strip()
        assert redis.Redis.from_url(address).ping()
        (data_dir,) = home.iterdir()
        processes = _processes(data_dir)
        parent.kill()
    for one in processes:
        assert one.wait_gone(10)
    _eventually(lambda: not data_dir.exists())


def test_a_server_that_dies_comes_back_at_the_same_address_with_its_data(home: Path) -> None:
    with running(Options(servers=("redis",), data_dir=home)) as endpoints:
        with redis.Redis.from_url(endpoints.redis) as client:
            client.set("kept", "1")
            time.sleep(1.2)  # its log is synced once a second
        (server,) = embedded.status(home)
        assert server.process is not None
        server.process.signal(signal.SIGKILL)
        _eventually(lambda: [one.restarts for one in embedded.status(home)] == [1])
        _eventually(lambda: [one.phase for one in embedded.status(home)] == ["ready"])
        with redis.Redis.from_url(endpoints.redis) as client:
            assert client.get("kept") == b"1"


def test_services_start_in_order_and_find_the_servers(home: Path) -> None:
    look = "import os; print('redis at', os.environ['ORDERSTREAM_REDIS'], os.environ['MORE'])"
    (port,) = free_ports(1)
    services = (
        Service(name="job", argv=(sys.executable, "-c", look), env={"MORE": "too"}, ready=Exited()),
        Service(
            name="web",
            argv=(*SERVE, str(port)),
            ready=Http(f"http://127.0.0.1:{port}/"),
            after=("job",),
        ),
        Service(name="port", argv=FOREVER, ready=Tcp("127.0.0.1", port), after=("web",)),
        Service(
            name="line",
            argv=(sys.executable, "-uc", "import time; print('up'); time.sleep(600)"),
            ready=LogLine("^up$"),
        ),
    )
    options = Options(servers=("redis",), data_dir=home, services=services)
    with running(options) as endpoints:
        phases = {one.name: one.phase for one in embedded.status(home)}
        assert phases.pop("job") == "done"
        assert phases == dict.fromkeys(("redis", "web", "port", "line"), "ready")
        assert (home / "logs" / "job.log").read_text() == f"redis at {endpoints.redis} too\n"


def test_a_service_that_ends_is_started_again_after_a_pause(home: Path) -> None:
    service = Service(name="frail", argv=FOREVER)
    with running(Options(servers=(), services=(service,), data_dir=home)):
        (before,) = embedded.status(home)
        assert before.process is not None
        before.process.signal(signal.SIGKILL)
        _eventually(lambda: embedded.status(home)[0].restarts == 1)
        _eventually(lambda: embedded.status(home)[0].phase == "ready")
        (after,) = embedded.status(home)
        assert after.process not in (None, before.process)


def test_a_start_that_fails_shows_the_end_of_the_log_and_leaves_nothing(home: Path) -> None:
    broken = Service(
        name="broken",
        argv=(sys.executable, "-uc", "import sys, time; time.sleep(0.2); sys.exit('no disk')"),
        ready=LogLine("never"),
    )
    with (
        pytest.raises(StartError, match=r"(?s)broken ended with exit code 1 .*no disk"),
        running(Options(servers=("redis",), services=(broken,), data_dir=home)),
    ):
        pass
    assert embedded.status(home) == []
    assert not [
        command
        for process in Path("/proc").glob("[0-9]*")
        if str(home) in (command := _command(process))
    ]


def test_a_service_that_is_never_ready_is_given_up_after_its_limit(home: Path) -> None:
    slow = Service(name="slow", argv=FOREVER, ready=LogLine("never"), ready_timeout_s=0.5)
    with (
        pytest.raises(StartError, match=r"slow did not become ready within 0\.5 s"),
        running(Options(servers=(), services=(slow,), data_dir=home)),
    ):
        pass
