"""Run the numbered examples; write their pictures and docs/gallery.md.

    python examples/gallery/build.py            # all of them
    python examples/gallery/build.py 02 04      # some

Each example is a plain script: its docstring is the question, what it prints is the
answer, and the figure it leaves open is the picture.
"""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
PICTURES = DOCS / "images" / "gallery"


def examples() -> list[Path]:
    """Return the numbered scripts, in order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def question(script: Path) -> tuple[str, str]:
    """Return title and text of an example: the two parts of its docstring."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    title, _, rest = text.partition("\n")
    return title.strip(), rest.strip()


def run(script: Path) -> str:
    """Run an example, save its figure, and return what it has printed."""
    plt.close("all")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
    PICTURES.mkdir(parents=True, exist_ok=True)
    plt.gcf().savefig(PICTURES / f"{script.stem}.png", dpi=90)
    plt.close("all")
    return printed.getvalue().rstrip()


def entry(script: Path, answer: str) -> str:
    """Return the section of an example on the gallery page."""
    title, text = question(script)
    picture = f"images/gallery/{script.stem}.png"
    source = f"../examples/gallery/{script.name}"
    parts = [f"## {title}", text, f"![{title}]({picture})"]
    if answer:
        parts.append(f"```\n{answer}\n```")
    parts.append(f"[{script.name}]({source})")
    return "\n\n".join(parts)


def sections(page: str) -> dict[str, str]:
    """Take an earlier page apart: section by name of its script."""
    found = {}
    for section in page.split("\n## ")[1:]:
        name = section.rpartition("[")[2].partition("]")[0]
        found[name] = "## " + section.strip()
    return found


def main(numbers: list[str]) -> None:
    """Run the examples with these numbers (all without), and write the page."""
    page = DOCS / "gallery.md"
    kept = sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    for script in examples():
        if numbers and script.name[:2] not in numbers:
            continue
        start = time.perf_counter()
        kept[script.name] = entry(script, run(script))
        print(f"{script.name}: {time.perf_counter() - start:.1f} s", flush=True)
    body = [kept[script.name] for script in examples() if script.name in kept]
    intro = (
        "# Gallery\n\nOne question, one picture and one answer each, in seconds; on "
        "generated data, so that the truth is known. `make gallery` writes this page."
    )
    page.write_text("\n\n".join([intro, *body]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
