"""The main job: examples/quickstart.py on tiny data, in this process."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parents[1] / "examples" / "quickstart.py"
WORLD = {"n_users": 50, "n_items": 30, "n_exposures": 1200}
METRICS = ["AUC", "GAUC", "NDCG@10", "log loss"]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def quickstart():
    """Names of the script."""
    return runpy.run_path(str(SCRIPT))


def check_table(table):
    assert len(table) == 7
    numbers = table[[*METRICS, "seconds"]].to_numpy(dtype=float)
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (table[["AUC", "GAUC", "NDCG@10"]] <= 1).all(axis=None)
    assert table["chosen"].str.contains("=|nothing to choose").all()


def write_ratings(path):
    """Write ratings of 40 users and 25 items as CSV."""
    rng = np.random.default_rng(0)
    pairs = np.array([(user, item) for user in range(40) for item in range(25)])
    frame = pd.DataFrame(pairs, columns=["userId", "movieId"])
    quality = pairs[:, 1] / 12 + pairs[:, 0] / 20
    frame["rating"] = np.clip(np.round(1 + quality + rng.normal(size=1000)), 1, 5)
    frame.to_csv(path, index=False)


def test_generated_data(quickstart, tmp_path, capsys):
    figure = tmp_path / "trace.png"
    argv = ["--figure", str(figure), "--label-fraction", "0.3"]
    table = quickstart["main"](argv, n_trials=2, world=WORLD)
    check_table(table)
    assert figure.read_bytes().startswith(PNG)
    printed = capsys.readouterr()
    assert all(name in printed.out for name in [*table.index, *METRICS])
    assert f"Highest AUC: {table['AUC'].idxmax()}" in printed.out
    assert printed.err == ""


def test_ratings_file(quickstart, tmp_path):
    ratings, figure = tmp_path / "ratings.csv", tmp_path / "trace.png"
    write_ratings(ratings)
    argv = ["--ratings", str(ratings), "--figure", str(figure)]
    table = quickstart["main"](
        [*argv, "--label-fraction", "0.3", "--threshold", "4"], n_trials=1
    )
    check_table(table)
    assert figure.read_bytes().startswith(PNG)


def test_same_seed_same_table(quickstart):
    data = quickstart["generate_data"](0.3, 1, **WORLD)
    first, again = (
        quickstart["compare"](data, n_trials=1, seed=1)[0][METRICS] for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_parts_share_no_row(quickstart, tmp_path):
    path = tmp_path / "ratings.csv"
    write_ratings(path)
    data = quickstart["read_data"](str(path), 3, 0.1, 0)
    parts = [data.X, data.X_unlab, data.X_choose, data.X_report]
    assert [len(part) for part in parts] == [60, 540, 200, 200]
    assert len(np.unique(np.vstack(parts), axis=0)) == 1000


def test_validation_part_of_the_file_is_halved(quickstart, tmp_path):
    path = tmp_path / "ratings.npz"
    rng = np.random.default_rng(0)
    arrays = {
        f"{part}_{name}": rng.integers(1, 6, size)
        for part, size in {"train": 100, "valid": 60}.items()
        for name in ("user", "item", "rating")
    }
    np.savez(path, **arrays)
    data = quickstart["read_data"](str(path), 3, 0.2, 0)
    sizes = [len(y) for y in (data.y, data.y_choose, data.y_report)]
    assert sizes == [20, 30, 30]
    assert len(data.X_unlab) == 80


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--ratings", "missing.csv"], "there is no file 'missing.csv'"),
        (["--label-fraction", "5"], "must be between 0 and 1"),
        (["--figure", "no/such/folder/trace.png"], "there is no folder"),
    ],
)
def test_wrong_arguments(quickstart, argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        quickstart["main"](argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_too_few_labels(quickstart):
    with pytest.raises(SystemExit, match=r"labelled pairs .* larger --label-fraction"):
        quickstart["main"](["--label-fraction", "0.01"], world=WORLD)


def test_no_user_with_both_classes(quickstart, tmp_path):
    rows = "".join(f"{user},{user % 9},{1 + user % 5}\n" for user in range(400))
    ratings = tmp_path / "once.csv"
    ratings.write_text("user,item,rating\n" + rows)
    with pytest.raises(SystemExit, match="No user has a positive and a negative"):
        quickstart["main"](["--ratings", str(ratings), "--label-fraction", "0.5"])


def test_help_names_every_option(quickstart, capsys):
    with pytest.raises(SystemExit):
        quickstart["main"](["--help"])
    printed = capsys.readouterr().out
    options = ("ratings", "threshold", "label-fraction", "figure", "seed", "n-jobs")
    assert all(f"--{option}" in printed for option in options)
