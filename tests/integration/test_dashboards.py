"""Every panel of Grafana asks its real store, and gets data: the system runs as `up` runs it."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from confluent_kafka import Producer

from dashboards.grafana.files import DASHBOARDS
from dashboards.grafana.panels import Panel, Source
from deploy.process import free_ports
from deploy.programs import PROMETHEUS
from deploy.settings import DeploySettings
from deploy.stack import Endpoints, Options, running
from sinks.mysql.connection import connect as ledger
from sinks.warehouse.clickhouse import ClickHouseSink
from topologies import prometheus
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect, run_name
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus
from topologies.services import api_url, keys, measured, pipeline, sinks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS.find() is None, reason="prometheus is missing: make programs"),
]

_SERVERS = ("kafka", "registry", "mysql", "clickhouse")
_ORDERS = 150
_LIMIT_S = 60.0
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]


class System(NamedTuple):
    endpoints: Endpoints
    api: str
    prometheus: str


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("dashboards")
    api_port, port = free_ports(2)
    env = {"ORDERSTREAM_PAYMENT_WINDOW_MS": "3000"}
    front = {**keys(home), "ORDERSTREAM_API_SPOOL_FOLDER": str(home / "spool")}
    parts = measured(
        (*pipeline(1, env, api_port=api_port, front_env=front), *sinks(_SERVERS)),
    )
    config = prometheus.lay_out(home / "prometheus", parts)
    watching = prometheus.service(config, config.parent / "data", port)
    settings = DeploySettings(kafka=None, registry=None, mysql=None, clickhouse=None)
    options = Options(
        servers=_SERVERS, services=(*parts, watching), data_dir=home, settings=settings
    )
    with running(options) as endpoints:
        _trade(endpoints)
        yield System(endpoints, api_url(api_port), prometheus.url(port))


def _trade(endpoints: Endpoints) -> None:
    """Let buyers of every kind buy from a shop that has little, and somebody send rubbish."""
    where, run = connect(endpoints.kafka, endpoints.registry), run_name()
    catalogue = make_catalogue(skus=20, stock=12, seed=3)
    list_skus(where, catalogue)
    bring_stock(where, catalogue, run)
    producer = Producer({"bootstrap.servers": endpoints.kafka})
    producer.produce("order.intents", b"rubbish")
    assert producer.flush(_LIMIT_S) == 0
    mix = Mix({Payer.PAY: 8.0, Payer.TWICE: 1.0, Payer.NEVER: 1.0})
    report = run_load(where, catalogue, Load(orders=_ORDERS, window=50, mix=mix), run)
    assert report.ok, report.missing


def ask(system: System, panel: Panel) -> list[Any]:
    """Return what the panel would draw, of the last hour."""
    if panel.source is Source.PROMETHEUS:
        with urlopen(f"{system.api}/health") as answer:  # somebody has to use the API
            answer.read()
        with urlopen(f"{system.prometheus}/api/v1/query?query={quote(panel.query)}") as answer:
            found = json.load(answer)["data"]["result"]
        return [one for one in found if not math.isnan(float(one["value"][1]))]
    if panel.source is Source.LEDGER:
        sql = _of_last_hour(panel.query, "UTC_TIMESTAMP()")
        with ledger(system.endpoints.mysql) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return [row for row in cursor.fetchall() if None not in row]
    warehouse = ClickHouseSink(system.endpoints.clickhouse)
    try:
        return [row for row in warehouse.query(_of_last_hour(panel.query, "now()")) if any(row)]
    finally:
        warehouse.close()


def _of_last_hour(sql: str, now: str) -> str:
    return re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= {now} - INTERVAL 1 HOUR", sql)


def _eventually(found: Callable[[], list[Any]], what: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not found():
        assert time.monotonic() < deadline, f"{what}: no data"
        time.sleep(0.5)


def test_every_panel_has_data(system: System) -> None:
    # Nothing is parked here: that this panel's number is 0 is its data.
    wanted = [panel for panel in PANELS if panel.title != "Orders parked"]
    for panel in wanted:
        _eventually(lambda panel=panel: ask(system, panel), panel.title)  # type: ignore[misc]
    warehouse = ClickHouseSink(system.endpoints.clickhouse)
    (parked,) = [panel for panel in PANELS if panel.title == "Orders parked"]
    assert warehouse.query(parked.query) == [(0,)]
    warehouse.close()


def test_prometheus_reaches_every_process_and_takes_the_rules(system: System) -> None:
    with urlopen(f"{system.prometheus}/api/v1/query?query=up") as answer:
        found = json.load(answer)["data"]["result"]
    reached = {one["metric"]["process"] for one in found if one["value"][1] == "1"}
    assert reached == {
        *("worker-1", "api", "flow-sales", "flow-stock", "flow-alerts"),
        *("sink-ledger", "sink-warehouse"),
    }
    with urlopen(f"{system.prometheus}/api/v1/rules") as answer:
        (group,) = json.load(answer)["data"]["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert Path(group["file"]) == prometheus.RULES
