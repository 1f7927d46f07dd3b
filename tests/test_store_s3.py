"""A store in a bucket, through a real S3 protocol on loopback; with failing requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from commands import Run
from s3 import s3_server
from store_rows import bar_rows
from writers import finish, start, writer

from alphalab.data.store.store import Store
from alphalab.errors import DataError


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as options:
        yield options


def test_a_store_in_a_bucket(s3: dict[str, str]) -> None:
    store = Store("s3://bucket/one", options=s3)
    rows = pa.concat_tables([bar_rows("BTC/USDT", 0, 50), bar_rows("it's", 0, 50)])
    assert store.write("bars", rows, record={"source": "x"}) == ("bars", 0, 100, 0, 0)
    assert store.write("bars", rows) == ("bars", 0, 0, 0, 100)
    revised = bar_rows("it's", 40, 60, 2.0)
    with pytest.raises(DataError, match="open: stored 1, given 2"):
        store.write("bars", revised)
    assert store.write("bars", revised, revise=True) == ("bars", 1, 10, 10, 0)
    assert store.read("bars", version=0).equals(rows)
    assert store.read("bars", where={"symbol": "it's"})["close"].to_pylist() == [1] * 40 + [2] * 20
    assert store.restore("bars", 0) == 2
    assert store.read("bars").equals(rows)
    assert store.restore("bars", 1) == 3
    assert [commit.record for commit in store.history("bars")[2:]] == [{}, {"source": "x"}]
    assert [series.n_rows for series in store.series("bars")] == [50, 60]
    answer = store.sql("select symbol, sum(close) s from bars group by 1 order by 1")
    assert answer["s"].to_pylist() == [50, 80]


def test_writers_that_meet_in_a_bucket(s3: dict[str, str]) -> None:
    store = Store("s3://bucket/two", options=s3)
    body = """
for part in {parts}:
    print(store.write("bars", bar_rows("A", 10 * part, 10 * part + 15)).n_new)
"""
    orders = [range(5), range(4, -1, -1)]
    processes = [writer(body.format(parts=list(order)), store.url, s3) for order in orders]
    start(*processes)
    assert sum(int(line) for out in finish(*processes) for line in out.split()) == 55
    assert store.read("bars").equals(bar_rows("A", 0, 55))


def test_the_command_line_takes_the_environment(
    s3: dict[str, str], cli: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    Store("s3://bucket/three").write("bars", bar_rows("A", 0, 5))
    query = "select count(*) as n from bars"
    run = cli("data", "sql", query, "--store", "s3://bucket/three", "--json")
    assert run.object["rows"] == [{"n": 5}]
    denied = cli("data", "list", "--store", "s3://nobody/x", "--json")
    assert denied.code == 2
    assert "s3://nobody/x/bars: there is no such bucket" in denied.object["error"]["message"]


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_what_cannot_be_reached(s3: dict[str, str]) -> None:
    nowhere = s3 | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{_unused_port()}"}
    cases = [
        ("s3://bucket/x", nowhere, "it does not answer .*refused"),
        ("s3://nobody/x", s3, "there is no such bucket"),
        ("s3://bucket/x", s3 | {"AWS_ALLOW_HTTP": "false"}, "plain http is not allowed"),
    ]
    for url, options, message in cases:
        begun = time.monotonic()
        for ask in (
            lambda store: store.read("bars"),
            lambda store: store.write("bars", bar_rows("A", 0, 5)),
        ):
            with pytest.raises(DataError, match=message) as caught:
                ask(Store(url, options=options))
            assert url in str(caught.value) and "secret" not in str(caught.value)
        assert time.monotonic() - begun < 15
