"""Lakes on stores of other makers: Azurite, fake-gcs-server, moto and s3s-fs. Rows are pyarrow's, requests and bytes those of each store's log."""

import os
import re

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from docs import PAGES
from server import Server
from stores import ACCOUNT, STORES, Azurite, FakeGcs, Moto, S3sFs

DAYS = ["2024-06-01", "2024-06-02", "2024-06-03"]
#: Rows of a file.
ROWS = 5_000


@pytest.fixture(scope="module", params=STORES)
def store(request, tmp_path_factory):
    if not os.environ.get(request.param):
        pytest.skip("it was not installed: see the lines above")
    with STORES[request.param](tmp_path_factory.mktemp("store")) as store:
        for number, day in enumerate(DAYS):
            for part in range(2):
                first = (number * 2 + part) * ROWS
                table = pa.table({"id": pa.array(range(first, first + ROWS), pa.int64()),
                                  "text": pa.array([f"{n:032}" for n in range(first, first + ROWS)])})
                pq.write_table(table, f"lake/events/dt={day}/part-{part}.parquet", filesystem=store.files, row_group_size=1_000,
                               use_dictionary=False, compression="none")
        yield store


@pytest.fixture(scope="module")
def data_dir(store, tmp_path_factory):
    """A catalog with the table `events`, made by hand."""
    path = tmp_path_factory.mktemp("catalog")
    store.sql(path, "CREATE EXTERNAL TABLE events (id BIGINT, text STRING) PARTITIONED BY (dt STRING) STORED AS PARQUET "
                    f"LOCATION '{store.root}/events/'")
    rows, figures, log = store.sql(path, "MSCK REPAIR TABLE events")
    assert rows[0].startswith("Partitions not in metastore:") and all(day in rows[0] for day in DAYS)
    is_billed(figures, log)
    return path


def is_billed(figures, log):
    """The figures are those of the store's log."""
    asked = {"get": 0, "head": 0, "list": 0, "put": 0, "delete": 0}
    for request in log:
        asked[request.kind] += 1
    assert figures["requests"] == asked
    assert figures["fetched_bytes"] == sum(request.sent for request in log if request.kind == "get" and request.status in (200, 206))


def test_a_query_reads_what_it_must_and_its_figures_are_the_stores(store, data_dir):
    rows, figures, log = store.sql(data_dir, "SELECT dt, count(*) AS n, sum(id) AS total, max(text) AS last FROM events GROUP BY dt ORDER BY dt")
    of = lambda number: range(number * 2 * ROWS, (number + 1) * 2 * ROWS)
    assert rows == [f"{day},{2 * ROWS},{sum(of(number))},{max(of(number)):032}" for number, day in enumerate(DAYS)]
    is_billed(figures, log)
    assert figures["partitions"] == {"scanned": 3, "total": 3} and figures["files"]["scanned"] == 6


def test_partitions_and_row_groups_are_pruned(store, data_dir):
    first = 2 * ROWS
    rows, figures, log = store.sql(data_dir, f"SELECT id, text FROM events WHERE dt = '{DAYS[1]}' AND id < {first + 2} ORDER BY id")
    assert rows == [f"{n},{n:032}" for n in (first, first + 1)]
    is_billed(figures, log)
    assert figures["partitions"] == {"scanned": 1, "total": 3} and figures["row_groups"]["scanned"] == 1
    keys = {request.path.rsplit("events/", 1)[-1] for request in log if request.kind == "get"}
    # The other file of the day is left out by its footer, which the query before may have left.
    assert f"dt={DAYS[1]}/part-0.parquet" in keys and all(key.startswith(f"dt={DAYS[1]}/") for key in keys)


def test_a_file_that_is_replaced_is_read_anew(store, data_dir):
    write = lambda values: pq.write_table(pa.table({"n": values}), "lake/replaced/a.parquet", filesystem=store.files)
    write([1, 2])
    store.sql(data_dir, f"CREATE EXTERNAL TABLE replaced (n BIGINT) STORED AS PARQUET LOCATION '{store.root}/replaced/'")
    assert store.sql(data_dir, "SELECT sum(n) AS s FROM replaced")[0] == ["3"]
    write([5, 6])
    assert store.sql(data_dir, "SELECT sum(n) AS s FROM replaced")[0] == ["11"]


def test_repair_drops_what_is_gone_and_keeps_aliases(store, data_dir):
    for day in DAYS[:2]:
        pq.write_table(pa.table({"n": [1]}), f"lake/repaired/dt={day}/a.parquet", filesystem=store.files)
    store.sql(data_dir, f"CREATE EXTERNAL TABLE repaired (n BIGINT) PARTITIONED BY (dt STRING) STORED AS PARQUET LOCATION '{store.root}/repaired/'")
    store.sql(data_dir, "MSCK REPAIR TABLE repaired")
    store.sql(data_dir, f"ALTER TABLE repaired ADD PARTITION (dt = 'latest') LOCATION '{store.root}/repaired/dt={DAYS[1]}/' "
                        f"PARTITION (dt = 'gone') LOCATION '{store.root}/nowhere/'")
    store.files.delete_file(f"lake/repaired/dt={DAYS[0]}/a.parquet")
    if not isinstance(store, (FakeGcs, S3sFs)):
        # pyarrow leaves a marker of the directory here.
        store.files.delete_dir(f"lake/repaired/dt={DAYS[0]}")
    rows, figures, log = store.sql(data_dir, "MSCK REPAIR TABLE repaired SYNC PARTITIONS")
    assert rows[0].split("\t")[1:] == [f"repaired:dt={DAYS[0]}", "repaired:dt=gone"]
    is_billed(figures, log)
    assert store.sql(data_dir, "SHOW PARTITIONS repaired")[0] == [f"dt={DAYS[1]}", "dt=latest"]


def test_a_crawl_finds_tables(store, tmp_path):
    rows, figures, log = store.sql(tmp_path, f"CALL system.crawl('{store.root}/events/', table_level => 0)")
    assert len(rows) == 1 and ",created," in rows[0] and "3 partitions" in rows[0]
    is_billed(figures, log)
    assert store.sql(tmp_path, "SELECT count(*) AS n FROM events")[0] == [str(6 * ROWS)]


def test_rows_are_taken_in(store, data_dir, tmp_path, monkeypatch):
    if isinstance(store, FakeGcs):
        pytest.skip("fake-gcs-server does not take uploads by Google's XML interface, which is how files are written")
    for name, value in store.variables().items():
        monkeypatch.setenv(name, value)
    rows = pa.table({"n": pa.array(range(1_000), pa.int64()), "dt": pa.array(["a", "b"] * 500)})
    with Server(tmp_path) as server, flightsql.connect(server.uri) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE EXTERNAL TABLE taken (n BIGINT) PARTITIONED BY (dt STRING) STORED AS PARQUET LOCATION '{store.root}/taken/'")
        assert cursor.adbc_ingest("taken", rows, mode="append") == 1_000
        cursor.execute("SELECT dt, count(*), sum(n) FROM taken GROUP BY dt ORDER BY dt")
        assert cursor.fetchall() == [("a", 500, 249_500), ("b", 500, 250_000)]
    listed = store.files.get_file_info(pa.fs.FileSelector("lake/taken", recursive=True))
    written = [pq.read_table(file.path, filesystem=store.files, partitioning=None) for file in listed if file.is_file]
    assert sum(table.num_rows for table in written) == 1_000


def test_a_missing_bucket_is_named(store, data_dir):
    if isinstance(store, FakeGcs):
        pytest.skip("fake-gcs-server answers a listing of a bucket that is not there otherwise than Google")
    missing = store.root.replace("lake", "missing")
    store.sql(data_dir, f"CREATE EXTERNAL TABLE m{store.port} (n BIGINT) STORED AS PARQUET LOCATION '{missing}/t/'")
    _, error = store.glaux(data_dir, "sql", "-e", f"SELECT * FROM m{store.port}", fails=True)
    assert "NOT_FOUND" in error and "missing" in error
    if isinstance(store, (Azurite, Moto)):
        assert f'the {store.noun} "missing" does not exist' in error
    speaks_of_its_own(store, error)


def test_wrong_credentials_are_told_by_where_they_come_from(store, data_dir, tmp_path):
    query = ("sql", "-e", "SELECT count(*) FROM events")
    if isinstance(store, Azurite):
        wrong = {**store.variables(), "AZURE_STORAGE_ACCOUNT_KEY": "d3Jvbmc="}
        _, error = store.glaux(data_dir, *query, variables=wrong, fails=True)
        assert "DENIED" in error and "AZURE_STORAGE_ACCOUNT_KEY" in error
        speaks_of_its_own(store, error)
        wrong["AZURE_STORAGE_ACCOUNT_KEY"] = "no base64!"
        _, error = store.glaux(data_dir, *query, variables=wrong, fails=True)
        assert "INVALID" in error and "AZURE_STORAGE_ACCOUNT_KEY" in error
        speaks_of_its_own(store, error)
        config = tmp_path / "glaux.toml"
        config.write_text('[storage.buckets.lake]\naccount_key = "d3Jvbmc="\n')
        _, error = store.glaux(data_dir, "--config", str(config), *query, fails=True)
        assert "DENIED" in error and "account_key in [storage.buckets.lake]" in error
    if isinstance(store, FakeGcs):
        signed = {name: value for name, value in store.variables().items() if name != "GOOGLE_SKIP_SIGNATURE"}
        for content, told in [(None, "cannot read the credentials file"), ("not JSON", "is not JSON"), ('{"type": "service_account"}', "client_email")]:
            key = tmp_path / "key.json"
            if content is not None:
                key.write_text(content)
            _, error = store.glaux(data_dir, *query, variables={**signed, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}, fails=True)
            assert "INVALID" in error and str(key) in error and told in error and "GOOGLE_APPLICATION_CREDENTIALS" in error
            speaks_of_its_own(store, error)


def speaks_of_its_own(store, error):
    """An error of one provider has no advice for another."""
    others = {Azurite: "AWS_|GOOGLE_|s3://", FakeGcs: "AWS_|AZURE_|s3://", Moto: "AZURE_|GOOGLE_", S3sFs: "AZURE_|GOOGLE_"}[type(store)]
    assert not re.search(others, error), error


def test_locations_that_cannot_be_opened_are_refused(store, data_dir):
    wrong = {Azurite: ["abfss://lake/t/", f"abfss://@{ACCOUNT}.dfs.core.windows.net/t/"], FakeGcs: ["gs:///t/"], Moto: ["s3a://lake/t/"], S3sFs: ["s3n://lake/t/"]}[type(store)]
    for location in [*wrong, "hdfs://name/t/"]:
        create = f"CREATE EXTERNAL TABLE never (n BIGINT) STORED AS PARQUET LOCATION '{location}'"
        _, error = store.glaux(data_dir, "sql", "-e", create, fails=True)
        assert "INVALID" in error or "UNSUPPORTED" in error
    assert "never" not in store.sql(data_dir, "SHOW TABLES")[0]


def test_the_page_on_stores(store, tmp_path):
    """The example for this store, as it is written."""
    section = {Azurite: "## Azure", FakeGcs: "## Google", Moto: "## Amazon S3", S3sFs: "## Amazon S3"}[type(store)]
    page = (PAGES.parent / "stores.md").read_text()
    [block] = re.findall(r"```sh\n(.*?)```", page.split(section + "\n")[1].split("\n## ")[0], re.DOTALL)
    block = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{store.proxy.port}", block)
    variables = dict(re.findall(r"(?:export |\s)([A-Z_]+)=(\S+)", block))
    [statement] = re.findall(r'glaux sql -e "(.*)"', block)
    rows, _ = store.glaux(tmp_path, "sql", "-e", statement, "--format", "csv", variables=variables)
    assert any(row.startswith("events,table,events,new,") for row in rows.splitlines()), rows
    rows, _ = store.glaux(tmp_path, "sql", "-e", "SELECT count(*) AS n FROM events", "--format", "csv", variables=variables)
    assert rows.splitlines()[1:] == [str(6 * ROWS)]
