"""fetch_movielens: cache, checksums and parsing, on tiny archives and offline."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from sklearn_invlearn.datasets import _movielens, fetch_movielens

ROWS = np.array(
    [[196, 242, 3, 881250949], [186, 302, 2, 891717742], [22, 377, 5, 878887116]]
)


@pytest.fixture(autouse=True)
def _no_pooch_log(caplog):
    caplog.set_level("ERROR", logger="pooch")


@pytest.fixture(params=["100k", "1m"])
def variant(request):
    return request.param


@pytest.fixture
def content(variant, monkeypatch):
    """Bytes of a tiny archive, registered as if it were the published one."""
    published, member, separator = _movielens._VARIANTS[variant]
    lines = [separator.join(b"%d" % value for value in row) for row in ROWS]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(member, b"\n".join(lines) + b"\n")
    archive = published._replace(sha256=hashlib.sha256(buffer.getvalue()).hexdigest())
    table = {variant: (archive, member, separator)}
    monkeypatch.setattr(_movielens, "_VARIANTS", _movielens._VARIANTS | table)
    return buffer.getvalue()


@pytest.fixture
def cached(content, variant, tmp_path):
    path = tmp_path / "sklearn_invlearn" / f"ml-{variant}.zip"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


@pytest.fixture
def server(monkeypatch):
    """A stand-in for the network: sends `sent`, or fails with it."""
    pooch = pytest.importorskip("pooch")

    class Server:
        sent: bytes | Exception = b""
        urls: list[str]

    def download(url, output_file, pooch_object):
        Server.urls.append(url)
        if isinstance(Server.sent, Exception):
            raise Server.sent
        with open(output_file, "wb") as file:
            file.write(Server.sent)

    Server.urls = []
    monkeypatch.setattr(
        pooch.core, "choose_downloader", lambda url, progressbar: download
    )
    return Server


def check(data):
    np.testing.assert_array_equal(data.X, ROWS[:, :2])
    np.testing.assert_array_equal(data.rating, ROWS[:, 2])
    np.testing.assert_array_equal(data.timestamp, ROWS[:, 3])
    np.testing.assert_array_equal(data.y, [1, 0, 1])


def test_local_archive(content, variant, tmp_path):
    path = tmp_path / "brought.zip"
    path.write_bytes(content)
    data = fetch_movielens(variant, archive=path, data_home=tmp_path / "unused")
    check(data)
    assert data.X.dtype == data.y.dtype == data.timestamp.dtype == np.int64
    assert data.rating.dtype == np.float64
    assert data.frame is None
    assert not (tmp_path / "unused").exists()
    for part in ("10.1145/2827872", "research", "redistribution", variant.upper()):
        assert part in data.DESCR


def test_threshold_and_return_X_y(cached, variant, tmp_path):
    X, y = fetch_movielens(variant, data_home=tmp_path, threshold=4, return_X_y=True)
    np.testing.assert_array_equal(X, ROWS[:, :2])
    np.testing.assert_array_equal(y, [0, 0, 1])


def test_as_frame(cached, variant, tmp_path):
    pytest.importorskip("pandas")
    data = fetch_movielens(variant, data_home=tmp_path, as_frame=True)
    check(data)
    assert list(data.X.columns) == ["user", "item"]
    assert list(data.frame.columns) == ["user", "item", "rating", "timestamp", "y"]
    X, y = fetch_movielens(variant, data_home=tmp_path, as_frame=True, return_X_y=True)
    assert X.equals(data.X)
    assert y.equals(data.y)


def test_default_home_follows_the_environment(cached, variant, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    check(fetch_movielens(variant, download_if_missing=False))


def test_download_goes_to_the_cache(content, variant, tmp_path, server):
    server.sent = content
    for _ in range(2):
        check(fetch_movielens(variant, data_home=tmp_path))
    url = f"https://files.grouplens.org/datasets/movielens/ml-{variant}.zip"
    assert server.urls == [url]
    folder = tmp_path / "sklearn_invlearn"
    assert [path.name for path in folder.iterdir()] == [f"ml-{variant}.zip"]


def test_damaged_cache_is_replaced(content, cached, variant, tmp_path, server):
    cached.write_bytes(content[:-10])
    server.sent = content
    check(fetch_movielens(variant, data_home=tmp_path))
    assert cached.read_bytes() == content


def test_damaged_cache_never_passes(content, cached, variant, tmp_path):
    cached.write_bytes(content[:-10])
    with pytest.raises(OSError, match="is damaged"):
        fetch_movielens(variant, data_home=tmp_path, download_if_missing=False)


def test_broken_download_leaves_nothing(content, variant, tmp_path, server):
    server.sent = content[: len(content) // 2]
    with pytest.raises(OSError, match="its SHA-256 differs"):
        fetch_movielens(variant, data_home=tmp_path)
    assert list((tmp_path / "sklearn_invlearn").iterdir()) == []


@pytest.mark.parametrize(
    "error", [ConnectionError("no route"), OSError(28, "No space left on device")]
)
def test_offline_or_disk_full(content, variant, tmp_path, server, error):
    server.sent = error
    with pytest.raises(OSError, match="by hand") as raised:
        fetch_movielens(variant, data_home=tmp_path)
    assert str(error) in str(raised.value)
    assert f"archive='ml-{variant}.zip'" in str(raised.value)
    assert list((tmp_path / "sklearn_invlearn").iterdir()) == []


def test_missing_without_download(content, variant, tmp_path):
    with pytest.raises(OSError, match="does not exist, and download_if_missing=False"):
        fetch_movielens(variant, data_home=tmp_path, download_if_missing=False)


def test_without_pooch(content, variant, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-invlearn\[datasets\]"):
        fetch_movielens(variant, data_home=tmp_path)


def test_archive_of_other_content(content, variant, tmp_path):
    path = tmp_path / f"ml-{variant}.zip"
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match=r"SHA-256 of archive=.* load_ratings"):
        fetch_movielens(variant, archive=path)


def test_archive_that_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a file"):
        fetch_movielens("1m", archive=tmp_path)


def test_unknown_variant():
    with pytest.raises(ValueError, match="'variant' parameter"):
        fetch_movielens("20m")


@pytest.mark.parametrize("threshold", [True, float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_of_stars(threshold):
    with pytest.raises(ValueError, match="'threshold' parameter"):
        fetch_movielens(threshold=threshold, download_if_missing=False)
