"""The example that newcomers copy."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_says_what_its_comments_say():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(example, names)
    assert names["proba"].shape == (len(names["data"].X_test), 2)
    assert names["w1"].shape == (len(names["data"].X_unlab),)
    assert set(names["trace"]["direction"]) <= {"direct", "inverse", "pass"}
    for alpha in names["grid"]["alpha"]:  # of which none stands for no step at all
        est = names["gmf"].set_params(alpha=alpha, gamma=names["grid"]["gamma"][0])
        est.fit(names["data"].X, names["data"].y, X_unlab=names["pool"])
        assert (est.trace_["direction"] != "pass").any(), alpha


def test_links_to_files_lead_somewhere():
    root = Path(__file__).parents[1]
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert targets
    for target in targets:
        assert (root / target).exists(), target
