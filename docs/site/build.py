# SPDX-License-Identifier: Apache-2.0
"""Build the documentation as a site: ``make docs``, which installs what this needs first.

Pages are staged in ``build/docs_source`` (``staging.py``), rendered into ``build/site`` with every
warning an error, and then every link of the result is followed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from dead_links import faults
from sphinx.cmd.build import build_main
from staging import Staging

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "build" / "docs_source"
SITE: Final = ROOT / "build" / "site"


def main() -> int:
    """Build and check; return the exit status."""
    os.chdir(ROOT)
    # A page that went would stay, and its links be followed.
    shutil.rmtree(SITE, ignore_errors=True)
    try:
        pages = Staging(ROOT, SOURCE).run()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    places = ["-d", str(ROOT / "build" / "docs_cache"), str(SOURCE), str(SITE)]
    strict = ["--fail-on-warning", "--quiet", "--fresh-env", "--write-all"]
    if status := build_main(["-b", "html", "-c", str(Path(__file__).parent), *strict, *places]):
        return status
    if found := faults(SITE):
        print(f"error: {len(found)} dead links:", *found, sep="\n  ", file=sys.stderr)
        return 1
    print(f"{pages} pages, no dead link: {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
