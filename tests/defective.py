"""Processes of the gateway with a defect that a test puts into them.

Python imports `sitecustomize` when it starts, so the process that is tested is the real one, and
the production code knows nothing of it.
"""

import os
from pathlib import Path
from textwrap import dedent

from deploy.local.gateway import ROOT


def defective(folder: Path, code: str) -> dict[str, str]:
    """Settings for a process that runs this code first, which replaces a piece of the gateway."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(dedent(code))
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
