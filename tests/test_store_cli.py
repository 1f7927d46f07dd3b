"""Queries of a store in SQL and on the command line, and addresses of its tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from commands import Run
from store_rows import bar_rows, times

from alphalab.data.store.address import Address, parse_versions
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.store import Store
from alphalab.errors import AlphalabError, DataError, ParameterError

RECORD = {"source": "a.csv", "repairs": [{"step": "drop", "said": "3 rows dropped"}]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    store.write("bars", bar_rows("A/B", 0, 5), record=RECORD)
    store.write("bars", bar_rows("C", 2, 7, 2.0))
    rate = {"venue": ["binance"], "symbol": ["A/B"], "rate": [0.5], "time": times(1, 2)}
    store.write("funding", pa.table(rate))
    return store


def test_sql_joins_tables_and_reads_versions(store: Store) -> None:
    query = (
        "select symbol, count(*) n, sum(rate) r from bars left join funding using (symbol, time)"
    )
    grouped = f"{query} group by symbol order by symbol"
    first, second = store.sql(grouped).to_pylist()
    assert first == {"symbol": "A/B", "n": 5, "r": 0.5}
    assert second == {"symbol": "C", "n": 5, "r": None}
    assert store.sql(grouped, versions={"bars": 0}).num_rows == 1
    assert store.sql("select max(time) m from bars")["m"].type == pa.timestamp("us", "UTC")


SECRET = pa.table({"x": [1]})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "syntax error"),
        ("", "a query is one SELECT"),
        ("select 1; select 2", "is SELECT and SELECT"),
        ("select 1; drop view bars", "is SELECT and DROP"),
        ("drop view bars", "is DROP"),
        ("create table mine (x int)", "is CREATE"),
        ("explain select 1", "is EXPLAIN"),
        ("pivot bars on symbol using max(close)", "Name the values of a pivot"),
        ("select * from trades", "tables of this store are bars, funding"),
        ("select * from SECRET", "does not exist"),
        ("select * from '{file}'", "disabled by configuration"),
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        ("copy bars to '{file}'", "is COPY"),
        ("attach '{file}'", "is ATTACH"),
        ("install httpfs", "a query is one SELECT"),
        ("set enable_external_access = true", "is SET"),
        ("insert into bars select * from bars", "is INSERT"),
    ],
)
def test_a_query_reads_tables_and_nothing_else(
    store: Store, tmp_path: Path, query: str, message: str
) -> None:
    file = tmp_path / "file.csv"
    with pytest.raises(DataError, match=message):
        store.sql(query.format(file=file))
    assert not file.exists()


COMMANDS = ["", "ingest", "fetch", "check", "show", "list", "log", "restore", "sql"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Callable[..., Run], command: str) -> None:
    run = cli("data", *filter(None, [command]), "--help")
    assert (run.code, run.err) == (0, "")
    assert f"Usage: alphalab data {command}".strip() in run.out


def test_an_empty_store_says_so(tmp_path: Path, cli: Callable[..., Run]) -> None:
    where = ("--store", str(tmp_path / "nothing"))
    run = cli("data", "sql", "select * from bars", *where)
    assert run.code == 2 and "this store holds no table" in run.err
    assert cli("data", "list", *where).out == f"{tmp_path}/nothing holds no table\n"
    assert cli("data", "log", "trades", *where).out == f"{tmp_path}/nothing holds no trades\n"
    assert cli("data", "list", "--json", *where).object["tables"] == []
    assert list(tmp_path.iterdir()) == []


def test_list(store: Store, cli: Callable[..., Run]) -> None:
    run = cli("data", "list", "--store", store.url)
    assert run.out.splitlines()[:4] == [
        "bars, version 1, 10 rows",
        "venue    interval  symbol  rows                 first                  last",
        "binance        1m  A/B        5  1970-01-01T00:00:00Z  1970-01-01T00:04:00Z",
        "binance        1m  C          5  1970-01-01T00:02:00Z  1970-01-01T00:06:00Z",
    ]
    tables = cli("data", "list", "--store", store.url, "--json").object["tables"]
    assert [(table["table"], table["version"], table["rows"]) for table in tables] == [
        ("bars", 1, 10),
        ("funding", 0, 1),
    ]
    assert tables[1]["series"][0] == {
        "venue": "binance",
        "symbol": "A/B",
        "rows": 1,
        "first": "1970-01-01T00:01:00Z",
        "last": "1970-01-01T00:01:00Z",
        "files": 1,
    }
    only = cli("data", "list", "funding", "--store", store.url, "--json").object["tables"]
    assert only == tables[1:]
    assert "did you mean 'bars'" in cli("data", "list", "bar", "--store", store.url).err


def test_log(store: Store, cli: Callable[..., Run]) -> None:
    run = cli("data", "log", "bars", "--store", store.url)
    assert run.out.splitlines()[-1].split()[:2] == ["bars", "0"]
    assert run.out.splitlines()[-1].endswith("a.csv; 3 rows dropped")
    log = cli("data", "log", "--store", store.url, "--json").object
    done = [(v["table"], v["version"], v["n_new"], v["n_revised"]) for v in log["versions"]]
    assert done == [("funding", 0, 1, 0), ("bars", 1, 5, 0), ("bars", 0, 5, 0)]
    assert log["versions"][-1]["record"] == RECORD
    limited = cli("data", "log", "--limit", 1, "--store", store.url)
    assert len(limited.out.splitlines()) == 2 and "--limit 3" in limited.err


def test_restore(tmp_path: Path, cli: Callable[..., Run]) -> None:
    store = Store(tmp_path / "store")
    for minute in range(2):
        store.write("bars", bar_rows("A", minute, minute + 1))
    at = ("--store", store.url)
    assert cli("data", "restore", "bars", 0, *at).out == (
        "bars: version 2 has the content of version 0\n"
    )
    assert store.read("bars").num_rows == 1
    assert cli("data", "log", *at).out.splitlines()[1].endswith("version 0 restored")
    done = cli("data", "restore", "bars", 1, "--json", *at).object
    assert done["schema"] == "alphalab.data.restore/1"
    assert (done["table"], done["version"], done["restored"]) == ("bars", 3, 1)
    assert store.read("bars").num_rows == 2


def test_sql_on_the_command_line(store: Store, cli: Callable[..., Run]) -> None:
    at = ("--store", store.url)
    run = cli("data", "sql", "select symbol, avg(close) c from bars group by 1 order by 1", *at)
    assert run.out == "symbol  c\nA/B     1\nC       2\n"
    limited = cli("data", "sql", "select time, null x from bars", "--limit", 1, *at)
    assert limited.out.splitlines()[1].endswith("Z  n/a")
    assert "there are more rows than 1: see --limit" in limited.err

    query = "select time, 1.5::decimal(5, 2) d, [1] l, null x, 1/0 i from bars order by symbol"
    answer = cli("data", "sql", query, "--limit", 1, "--version", "bars=0", "--json", *at).object
    assert answer["columns"] == ["time", "d", "l", "x", "i"]
    assert answer["rows"] == [
        {"time": "1970-01-01T00:00:00Z", "d": 1.5, "l": [1], "x": None, "i": None}
    ]
    assert answer["more"] is True
    pivot = "pivot bars on symbol in ('A/B', 'C') using max(close) group by venue;"
    for query in ("describe bars", "show tables", "summarize bars", "from funding", pivot):
        assert cli("data", "sql", query, "--json", *at).object["more"] is False
    last = "select time from bars order by time desc"
    assert store.sql(last, limit=1).equals(store.sql(last).slice(0, 1))
    assert store.sql(last, limit=0).num_rows == 0
    with pytest.raises(ParameterError, match="limit=-1"):
        store.sql(last, limit=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sql", "selec"], "Parser Error"),
        (["sql", "select 1", "--version", "bars=9"], "its versions are 0 to 1"),
        (["sql", "select 1", "--version", "trades=0"], "there is no version 0"),
        (["sql", "select 1", "--version", "bar=1"], "unknown table 'bar'"),
        (["sql", "select 1", "--version", "new"], "versions 'new'"),
        (["restore", "bars", "9"], "its versions are 0 to 1"),
        (["restore", "bar", "0"], "unknown table 'bar'"),
        (["list", "--store", "s3:/bucket/x"], "An address reads s3://BUCKET/PREFIX"),
        (["list", "--store", "s3://"], "no bucket"),
        (["list", "--store", "ftp://x"], "unknown kind of address 'ftp'"),
    ],
)
def test_wrong_questions(
    store: Store, cli: Callable[..., Run], arguments: list[str], message: str
) -> None:
    at = [] if "--store" in arguments else ["--store", store.url]
    run = cli("data", *arguments, *at, "--json")
    assert run.code == 2
    assert message in json.dumps(run.object["error"])
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    "text",
    [
        "store:binance/1h",
        "store:binance/1h/BTC/USDT:USDT",
        "store:binance/1h/@SPOT@bars=2",
        "store:a/1d/x@y",
        "store:lean/1d/BRK.B@actions=3,bars=17",
    ],
)
def test_an_address_is_its_text(text: str) -> None:
    assert str(Address.parse(text)) == text
    assert Address.parse(str(Address.parse(text))) == Address.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("binance/1h", "is not an address in a store"),
        ("store:binance", "is not an address in a store"),
        ("store:/1h/A", "is not an address in a store"),
        ("store:binance/1h/", "is not an address in a store"),
        ("store:binance/1h/A?x", "holds no ?"),
        ("store:binance/1h/A@1@2", "does not end like a version"),
        ("store:b@x/1h/A", "a venue holds none of"),
        ("store:binance/1h@bar=1", "unknown table 'bar'"),
        ("store:binance/1h@bars=1,bars=2", "a table is named once"),
    ],
)
def test_what_is_no_address(text: str, message: str) -> None:
    with pytest.raises(AlphalabError) as caught:
        Address.parse(text)
    assert message in str(caught.value)


def test_versions_below_zero() -> None:
    with pytest.raises(DataError, match="versions count from 0"):
        Address("a", "1h", versions={"bars": -1})
    with pytest.raises(DataError, match="versions read 17"):
        parse_versions("-1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Kernel error -> S3\n  \x1b[31m↳\x1b[0m GET http://x\n  ↳ 404\n ↳ <?xml version='1'?>\n"
            "<Error><Code>NoSuchBucket</Code><Message>No bucket.</Message></Error>",
            "s3://b/bars: there is no such bucket (No bucket)\n  Make the bucket first",
        ),
        ("PUT http://169.254.169.254/latest -> 403", "no credentials were found"),
        ("GET http://x - 403 Forbidden\n ↳ SignatureDoesNotMatch", "access was denied (Signature"),
        ("client error (Connect)\n ↳ refused", "it does not answer (refused)"),
        ("builder error: URL scheme is not allowed", "Set AWS_ALLOW_HTTP=true"),
        ('Os { code: 13, kind: PermissionDenied, message: "..." }', "this user has no permission"),
        ("Json error\n  0: <unknown>\n  1: start_thread\n at ./nptl/x.c:4", "bars: Json error"),
        ("", "no reason was given"),
    ],
)
def test_errors_of_others_in_our_words(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught, in_our_words("s3://b/bars"):
        raise OSError(text)
    assert message in str(caught.value)
    assert "unknown" not in str(caught.value) and "\x1b" not in str(caught.value)
