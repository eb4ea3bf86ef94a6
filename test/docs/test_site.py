# SPDX-License-Identifier: Apache-2.0
"""What the site is made of, and what it calls a dead link; ``make docs`` builds the site itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT
from doc_pages import links as links_of

sys.path.insert(0, str(ROOT / "docs" / "site"))

from dead_links import faults
from staging import INDEX, REFERENCE, Staging, links, public_modules, sections, with_links


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Stage the repository's pages."""
    out = tmp_path_factory.mktemp("staged")
    Staging(ROOT, out).run()
    return out


def small_repository(root: Path, page: str) -> Path:
    """Write a repository of few pages, one of which holds ``page``."""
    (root / "docs" / "api").mkdir(parents=True)
    (root / "docs" / "api" / "README.md").write_text("# R\n\n[`m`](../../code/m.py)\n")
    (root / "docs" / "README.md").write_text("# P\n\n**Use**\n\n1. [a](a.md)\n")
    (root / "docs" / "a.md").write_text(page)
    (root / "code" / "inner").mkdir(parents=True)
    (root / "code" / "m.py").write_text('"""A module: ``x``."""\n')
    (root / "README.md").write_text("# F\n\n[a](docs/a.md)\n")
    (root / "CHANGELOG.md").write_text("# C\n")
    return root


def test_every_page_is_staged_and_no_link_leads_out_of_what_is_staged(staged):
    pages = {path.relative_to(ROOT).as_posix() for path in PAGES} - {"README.md"}
    assert all((staged / page).is_file() for page in pages | {"index.md", REFERENCE})
    for page in staged.rglob("*.md"):
        for target in links(page.read_text()):
            if "://" not in target and not target.startswith("#"):
                assert (page.parent / target.partition("#")[0]).is_file(), (page, target)


def test_the_navigation_holds_every_page_once():
    listed = [page for pages in sections(ROOT).values() for page in pages]
    assert len(listed) == len(set(listed))
    assert set(listed) == {path.name for path in PAGES[1:]} - {"README.md"}


def test_public_modules_exist_and_say_what_they_are(staged):
    public = public_modules(ROOT)
    assert len(public) > 30
    for file, module in public.items():
        assert ast.get_docstring(ast.parse((ROOT / file).read_text())), file
        assert f".. autoapimodule:: {module}\n" in (staged / f"docs/api/{module}.rst").read_text()


def test_what_pages_import_is_public():
    public = set(public_modules(ROOT).values())
    for path in PAGES:
        text = path.read_text()
        lines = [line for line in text.splitlines() if line.startswith("from shared_encoder")]
        assert {line.split()[1] for line in lines} <= public, path.name


def test_links_are_changed_but_not_in_the_codes_font():
    page = "[`a`](b.md) `[no](c.md)`\n\n```\n[no](d.md)\n```\n![p](e.png)\n"
    assert links(page) == links_of(page) == ["b.md", "e.png"]
    assert with_links(page, lambda target: f"x/{target}") == page.replace("b.md", "x/b.md").replace(
        "e.png", "x/e.png"
    )


def test_files_and_folders_of_the_repository_become_pages(tmp_path):
    page = "# A\n\n[m](../code/m.py) [c](../code) [c](../CHANGELOG.md#c) [f](../README.md)\n"
    out = tmp_path / "out"
    Staging(small_repository(tmp_path / "root", page), out).run()
    text = (out / "docs" / "a.md").read_text()
    targets = ["../code/m.py.md", "../code/folder.md", "../CHANGELOG.md#c", "../index.md"]
    assert links(text) == targets
    assert "```python" in (out / "code" / "m.py.md").read_text()
    assert "* `m.py`: A module: `x`." in (out / "code" / "folder.md").read_text()
    assert links((out / REFERENCE).read_text()) == ["code.m.rst"]
    assert "a.md" in (out / INDEX).read_text().partition("{toctree}")[2]


@pytest.mark.parametrize("target", ["gone.md", "../../outside.md"])
def test_a_link_to_nothing_is_refused_with_its_page(tmp_path, target):
    root = small_repository(tmp_path / "root", f"# A\n\n[x]({target})\n")
    (tmp_path / "outside.md").write_text("# O\n")
    with pytest.raises(ValueError, match=r"docs/a\.md links to .*no such file in the repository"):
        Staging(root, tmp_path / "out").run()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<a href="b.html#there">x</a><a href="b.html"></a><a href="#top">x</a>', ""),
        ('<a href="https://example.org/">x</a>', ""),
        ('<a href="gone.html">x</a>', "no such file"),
        ('<a href="b.html#gone">x</a>', "b.html has no such anchor"),
        ('<a href="#gone">x</a>', "a.html has no such anchor"),
        ('<img src="gone.png">', "no such file"),
        ('<script src="https://example.org/x.js"></script>', "another server"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "another server"),
    ],
)
def test_dead_links_of_a_site_are_found(tmp_path, body, reason):
    (tmp_path / "a.html").write_text(f"<html><body>{body}</body></html>")
    (tmp_path / "b.html").write_text('<html><body><h1 id="there">b</h1></body></html>')
    found = faults(tmp_path)
    assert (found == []) if not reason else (len(found) == 1 and reason in found[0])
