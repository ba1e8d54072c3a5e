"""StarRocks: the contract of sinks on a stand-in that keeps Stream Load's rules, and its SQL.

The same contract runs on a real one where Docker is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
import sqlglot
from sqlglot import exp

from sinks.batches import Placed
from sinks.orders import OrderRow
from sinks.sink import Fact, Sink, StoreAway
from sinks.warehouse import starrocks
from sinks.warehouse.starrocks import StarRocksSink, label
from sinks.warehouse.stream_load import LoadRefused, StreamLoad
from sinks.warehouse.table import Kind
from sinks.warehouse.tables import ORDERS, TABLES, order_row
from tests.contracts.reports import report_log
from tests.contracts.sinks import Log, SinkContract, batches, interleaved, shop_log, wanted
from tests.stack import docker_answers
from tests.starrocks import PASSWORD, USER, StandIn, stand_in

_KINDS = {column.name: column.kind for column in ORDERS.columns}


def _ms(text: str | None) -> int | None:
    if text is None:
        return None
    time = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def sink_of(store: StandIn, url: str) -> StarRocksSink:
    """Return a sink that asks the stand-in's tables for earlier orders: it speaks no SQL."""

    def load(order_nos: Sequence[str], _placed: Placed | None) -> list[OrderRow]:
        rows = [row for key, row in store.tables["orders"].items() if key[0] in order_nos]
        times = (Kind.TIME, Kind.MAYBE)
        return [
            order_row([_ms(v) if _KINDS[n] in times else v for n, v in row.items() if n in _KINDS])
            for row in rows
        ]

    return StarRocksSink(url, load)


class TestStandIn(SinkContract):
    def log(self) -> Log:
        return shop_log() + report_log()

    @pytest.fixture(autouse=True)
    def _store(self) -> Iterator[None]:
        with stand_in() as self.store:
            yield

    def address(self) -> tuple[str, int]:
        return self.store.frontend

    def make(self, host: str, port: int) -> Sink:
        return sink_of(self.store, f"http://{USER}:{PASSWORD}@{host}:{port}/shop")

    def dump(self) -> Any:
        return {name: dict(rows) for name, rows in self.store.tables.items()}

    def clear(self) -> None:
        for rows in self.store.tables.values():
            rows.clear()
        self.store.labels.clear()

    def test_loads_that_fail_or_are_not_answered_are_repeated_and_count_once(self) -> None:
        expected = self.expected()
        sink = self.make(*self.address())
        faults = ("lost", "fail", "publish timeout", "running", "lost", "")
        for turn, batch in enumerate(batches(interleaved(wanted(sink, self.log())))):
            self.store.faults = [faults[turn % len(faults)]]
            for _ in range(5):
                try:
                    sink.write(batch)
                    break
                except StoreAway:
                    self.store.labels = {
                        name: state
                        for name, state in self.store.labels.items()
                        if state == "VISIBLE"
                    }
            else:
                pytest.fail("it was never written")
        assert self.dump() == expected

    def test_every_load_says_its_zone_its_merge_condition_and_the_offsets_it_is_of(self) -> None:
        facts = list(shop_log()[0][:3])
        self.make(*self.address()).write(facts)
        load = next(one for one in self.store.loads if one["table"] == "orders")
        place = f"{facts[0].partition}-{facts[0].offset}-{facts[2].offset}"
        assert load["label"] == f"orders-order_events-{place}"
        assert (load["timezone"], load["merge_condition"]) == ("UTC", "standing")

    def test_rows_that_are_filtered_stop_the_sink(self) -> None:
        with pytest.raises(LoadRefused, match="filtered"):
            StreamLoad(self.store.url).put("orders", "one", b'[{"version": 1}]', "version")

    def test_a_wrong_password_is_not_tried_for_ever(self) -> None:
        url = self.store.url.replace(PASSWORD, "wrong")
        with pytest.raises(LoadRefused, match="password"):
            StreamLoad(url).put("orders", "one", b"[]", "version")


def test_a_label_is_of_the_ranges_of_its_partitions_and_never_too_long() -> None:
    some = [
        Fact(fact.record, "order.events", p, p + 5, 0) for p, fact in enumerate(shop_log()[0][:9])
    ]
    assert label("orders", some[:1]) == "orders-order_events-0-5-5"
    assert label("orders", some) == label("orders", some[::-1])
    assert len(label("orders", some)) <= 128
    assert label("orders", some) != label("orders", some[:8])


@pytest.mark.parametrize("statement", starrocks.ddl())
def test_the_ddl_is_starrocks_sql(statement: str) -> None:
    parsed = sqlglot.parse_one(statement, read="starrocks")
    assert isinstance(parsed, exp.Create)
    assert parsed.args["kind"] in ("TABLE", "VIEW")


def test_views_name_columns_that_the_tables_have() -> None:
    columns = {table.name: {column.name for column in table.columns} for table in TABLES}
    for query in starrocks.VIEWS.values():
        parsed = sqlglot.parse_one(query, read="starrocks")
        (table,) = parsed.find_all(exp.Table)
        assert {one.name for one in parsed.find_all(exp.Column)} <= columns[table.name]


@pytest.mark.skipif(not docker_answers(), reason="StarRocks has no binary here; Docker is needed")
class TestRealStarRocks(SinkContract):
    @pytest.fixture(autouse=True, scope="class")
    def _store(self, request: pytest.FixtureRequest) -> Iterator[None]:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.waiting_utils import wait_for_logs

        image = DockerContainer("starrocks/allin1-ubuntu:3.3-latest")
        with image.with_exposed_ports(8030, 8040, 9030) as container:
            wait_for_logs(container, "Enjoy the journey to StarRocks", timeout=180)
            host = container.get_container_host_ip()
            request.cls.place = (host, int(container.get_exposed_port(8030)))
            request.cls.query_port = int(container.get_exposed_port(9030))
            StarRocksSink(self._url(*request.cls.place)).prepare()
            yield

    place: tuple[str, int]
    query_port: int

    def address(self) -> tuple[str, int]:
        return self.place

    def make(self, host: str, port: int) -> Sink:
        return StarRocksSink(self._url(host, port))

    def dump(self) -> Any:
        with self._cursor() as cursor:
            found = []
            for table in TABLES:
                cursor.execute(f"SELECT * FROM {table.name}")
                found.append(sorted(cursor.fetchall(), key=str))
            return found

    def clear(self) -> None:
        with self._cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"TRUNCATE TABLE {table.name}")

    def _url(self, host: str, port: int) -> str:
        return f"http://root:@{host}:{port}/shop?query_port={self.query_port}"

    def _cursor(self) -> Any:
        url = urlsplit(self._url(*self.place))
        connection = pymysql.connect(
            host=url.hostname, port=self.query_port, user="root", database="shop", autocommit=True
        )
        return connection.cursor()
