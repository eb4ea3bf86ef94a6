# SPDX-License-Identifier: Apache-2.0
"""Lay out what the site is made of: the pages of the repository, and what they link to.

Pages are written for people who read them beside the code, so their links lead out of ``docs/``.
The staged folder looks like the repository: pages stay where they are, and every file or folder
that some page links to becomes a page, too. Links of the list of public modules
(``docs/api/README.md``) lead to a page of the reference for each.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

FRONT: Final = "README.md"
CHANGES: Final = "CHANGELOG.md"
INDEX: Final = "docs/README.md"
"""The order of the pages, and what they are grouped by."""
REFERENCE: Final = "docs/api/README.md"
"""The list of public modules."""
PICTURES: Final = (".jpg", ".png", ".svg")
LANGUAGES: Final = {
    ".json": "json",
    ".py": "python",
    ".rviz": "yaml",
    ".sh": "bash",
    ".toml": "toml",
    ".xml": "xml",
    ".yaml": "yaml",
}
"""How files are coloured; all others are plain text."""

_LINK: Final = re.compile(
    r"(?P<code>^```.*?^```$|(?P<ticks>`+)[^`].*?(?P=ticks))|(?P<head>\]\()(?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)


def with_links(text: str, change: Callable[[str], str]) -> str:
    """Return a page with the target of every link changed; the code's font holds none."""

    def changed(match: re.Match[str]) -> str:
        return match[0] if match["code"] else f"{match['head']}{change(match['target'])})"

    return _LINK.sub(changed, text)


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures."""
    found: list[str] = []
    with_links(text, lambda target: found.append(target) or target)
    return found


def public_modules(root: Path) -> dict[str, str]:
    """Return the files of the reference's list, with the name of each module."""
    home = (root / REFERENCE).parent
    files = [target for target in links((root / REFERENCE).read_text()) if target.endswith(".py")]
    paths = [Path(os.path.normpath(home / file)).relative_to(root) for file in files]
    return {
        path.as_posix(): ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in paths
    }


def sections(root: Path) -> dict[str, list[str]]:
    """Return the pages of ``docs/README.md`` in its order, by its words in bold."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^(?=\*\*)", (root / INDEX).read_text(), flags=re.MULTILINE)[1:]:
        title = part[2:].partition("**")[0]
        pages = [target for target in links(part) if re.fullmatch(r"[\w/]+\.md", target)]
        found[title] = [page for page in dict.fromkeys(pages) if page != "api/README.md"]
    return found


class Staging:
    """Writes the staged folder, page after page, until every link has its target."""

    def __init__(self, root: Path, out: Path) -> None:
        """Begin anew.

        Args:
            root: The repository.
            out: The staged folder; what is in it is removed.
        """
        self.root, self.out = root, out
        self._public = public_modules(root)
        self._waiting = [FRONT, INDEX, REFERENCE]
        self._done: set[str] = set()
        shutil.rmtree(out, ignore_errors=True)

    def run(self) -> int:
        """Stage everything; return how many pages there are.

        Raises:
            ValueError: A link leads nowhere, or out of the repository.
        """
        self._waiting += [f"docs/{path.name}" for path in sorted(self.root.glob("docs/*.md"))]
        while self._waiting:
            name = self._waiting.pop(0)
            if name not in self._done:
                self._done.add(name)
                self._stage(name)
        for module in dict.fromkeys(self._public.values()):
            self._write(f"docs/api/{module}.rst", _module_page(module))
        return len(self._done) + len(self._public)

    def _stage(self, name: str) -> None:
        """Write one file or folder of the repository as a page; pictures are copied."""
        path, to = self.root / name, _staged(self.root, name)
        if path.suffix in PICTURES:
            self._write(to, path.read_bytes())
        elif path.suffix == ".md":
            text = with_links(path.read_text(), lambda target: self._moved(name, target))
            if path.parent != self.root / "docs" and name not in (FRONT, REFERENCE, CHANGES):
                text = f"---\norphan: true\n---\n{text}"
            self._write(to, text + self._trees(name))
        else:
            page = _folder_page(path, name) if path.is_dir() else _file_page(name, path.read_text())
            self._write(to, f"---\norphan: true\nno-search: true\n---\n{page}")

    def _trees(self, name: str) -> str:
        """Return what hangs the pages that follow a page into the site's navigation."""
        if name == FRONT:
            return _tree("", [INDEX, REFERENCE, CHANGES])
        if name == INDEX:
            return "".join(_tree(*section) for section in sections(self.root).items())
        modules = dict.fromkeys(self._public.values())
        return _tree("", [f"{one}.rst" for one in modules]) if name == REFERENCE else ""

    def _moved(self, page: str, target: str) -> str:
        """Return where a link leads in the staged folder, and see to it that something is there."""
        if "://" in target or target.startswith(("#", "mailto:")):
            return target
        file, hash_mark, anchor = target.partition("#")
        home = self.root / Path(page).parent
        path = Path(os.path.normpath(home / unquote(file)))
        if not path.exists() or not path.is_relative_to(self.root):
            raise ValueError(f"{page} links to {target}: there is no such file in the repository")
        name = path.relative_to(self.root).as_posix()
        if page == REFERENCE and name in self._public:
            return f"{self._public[name]}.rst"
        self._waiting.append(name)
        staged = os.path.relpath(_staged(self.root, name), Path(page).parent)
        return f"{staged}{hash_mark}{anchor}"

    def _write(self, name: str, content: str | bytes) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _staged(root: Path, name: str) -> str:
    """Return the file of the staged folder that shows a file or folder of the repository."""
    if name == FRONT:
        return "index.md"
    if (root / name).is_dir():
        return f"{name}/folder.md"
    return name if Path(name).suffix in (".md", *PICTURES) else f"{name}.md"


def _file_page(name: str, text: str) -> str:
    """Return a page that shows a file."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    language = LANGUAGES.get(Path(name).suffix, "text")
    return f"# `{name}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _folder_page(path: Path, name: str) -> str:
    """Return the page of a folder: its files, each with the first line of its docstring."""
    lines = [f"# `{name}/`", ""]
    for one in sorted(path.iterdir()):
        if not one.name.startswith((".", "__pycache__")):
            about = _first_line(one) if one.suffix == ".py" else ""
            slash = "/" if one.is_dir() else ""
            lines.append(f"* `{one.name}{slash}`{about and ': '}{about}")
    return "\n".join(lines) + "\n"


def _module_page(module: str) -> str:
    """Return the page of the reference for one module, as reStructuredText."""
    title = f"``{module.partition('.')[2]}``"
    directive = f".. autoapimodule:: {module}\n   :members:\n   :show-inheritance:\n"
    return f"{title}\n{'=' * len(title)}\n\n``import {module}``\n\n{directive}"


def _tree(caption: str, pages: list[str]) -> str:
    """Return what puts pages into the site's navigation."""
    head = "\n```{toctree}\n:hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return head + "\n" + "\n".join(pages) + "\n```\n"


def _first_line(path: Path) -> str:
    """Return the first line of a module's docstring, as Markdown."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.partition("\n")[0].replace("``", "`")
