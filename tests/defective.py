"""Processes of the gateway with a defect that a test puts into them.

Python imports `sitecustomize` when it starts, so the process that is tested is the real one, and
the production code knows nothing of it.
"""

import json
import os
from pathlib import Path
from textwrap import dedent
from typing import Any

from deploy.local.gateway import ROOT
from tests.bus import Bus

NIK = "3273014105900001"
"""What the text of a defect quotes."""
_BROKEN = """
import os

def broken(owner, name, meets):
    whole = getattr(owner, name)
    def part(*given, **more):
        if meets(*given) and not os.path.exists({mended!r}):
            int("{nik}x")
        return whole(*given, **more)
    setattr(owner, name, part)
"""


def defective(folder: Path, code: str, mended: Path | None = None) -> dict[str, str]:
    """Settings for a process that runs this code first, which replaces a piece of the gateway.

    `broken(owner, name, meets)` in it lets a function raise where `meets` is true of its positional
    arguments, until the file `mended` is there.
    """
    folder.mkdir(exist_ok=True)
    broken = _BROKEN.format(mended=str(mended or folder / "never"), nik=NIK)
    (folder / "sitecustomize.py").write_text(broken + dedent(code))
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}


def defects_found(bus: Bus, work: str) -> list[Any]:
    """What the processes of a bus have logged of defects in this work."""
    lines = (json.loads(line) for line in bus.logs().splitlines() if line.startswith("{"))
    return [each for each in lines if each["event"] == "defect.found" and each["work"] == work]
