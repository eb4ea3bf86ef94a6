# SPDX-License-Identifier: Apache-2.0
"""How Sphinx renders the staged pages (``staging.py``); ``build.py`` runs it."""

import re
import sys
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from staging import public_modules

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = "shared_encoder_perception"
PUBLIC: Final = public_modules(ROOT)

project = PACKAGE
root_doc = "index"
extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon"]
myst_heading_anchors = 6  # as a git host names them
highlight_language = "none"  # of a block that names no language: a drawing, or what was printed
suppress_warnings = [
    "myst.header",  # the models' cards begin at the second level
    "autoapi.python_import_resolution",  # public modules import others that are not
    "ref.python",  # attributes of one name in several classes
]

# Read, never imported: the reference needs neither torch nor ROS nor the package's own libraries.
autoapi_dirs = [str(ROOT / PACKAGE)]
autoapi_ignore = [
    str(path)
    for path in (ROOT / PACKAGE).rglob("*.py")
    if path.relative_to(ROOT).as_posix() not in PUBLIC
]
autoapi_generate_api_docs = False  # ``staging.py`` writes a page for each module
autoapi_add_toctree_entry = False
autoapi_python_class_content = "both"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes once, where the class explains them
napoleon_custom_sections = ["Returns"]  # no type before a colon: the signature has it

html_theme = "pydata_sphinx_theme"
html_title = PACKAGE
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_sidebars = {"index": [], "CHANGELOG": []}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
}


def _plain(text: str) -> str:
    """Escape what reStructuredText would take for markup, outside of the code's font."""
    parts = re.split(r"(``.+?``)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"(\*(?=\S)|\||(?<=\w)_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _house_docstrings(
    _app: Sphinx, what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Read a docstring as the house writes them: words, the code's font, sections, examples."""
    lines[:] = _plain("\n".join(lines)).split("\n")
    if what in ("module", "package"):  # an indented block is an example
        for index in range(len(lines) - 1, 0, -1):
            if lines[index].startswith("    ") and not lines[index - 1]:
                before = next((line for line in lines[index - 1 :: -1] if line), "")
                if not before.startswith("    "):
                    lines[index:index] = ["::", ""]


def _is_elsewhere(
    _app: Sphinx, _what: str, _name: str, member: Any, skip: bool, _options: Any
) -> bool:
    """Tell what a module imports: it is shown where it is defined."""
    return skip or bool(getattr(member, "imported", False))


def setup(app: Sphinx) -> None:
    """Take the docstrings before their sections are read."""
    app.connect("autodoc-process-docstring", _house_docstrings, priority=400)
    app.connect("autodoc-skip-member", _is_elsewhere)
