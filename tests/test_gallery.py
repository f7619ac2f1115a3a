"""Every example of the gallery runs, and the page shows all of them."""

import importlib.util
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "gallery"
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
EXAMPLES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def builder():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_leaves_a_picture_and_an_answer(script, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # what it writes, it writes elsewhere
    plt.close("all")
    runpy.run_path(str(script), run_name="__main__")
    assert plt.get_fignums()
    assert plt.gcf().axes
    assert capsys.readouterr().out.strip()
    plt.close("all")


def test_numbers_are_in_order_and_titles_are_questions():
    numbers = [int(path.name[:2]) for path in EXAMPLES]
    assert numbers == sorted(set(numbers))
    for script in EXAMPLES:
        title, text = builder().question(script)
        assert title.endswith("?"), script.name
        assert text, script.name


def test_the_page_has_every_example_with_its_question_and_picture():
    sections = builder().sections(PAGE)
    assert list(sections) == [script.name for script in EXAMPLES]
    for script in EXAMPLES:
        title, text = builder().question(script)
        section = sections[script.name]
        assert section.startswith(f"## {title}\n"), f"make gallery: {script.name}"
        assert text in section
        (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", section)
        assert (ROOT / "docs" / picture).is_file()
