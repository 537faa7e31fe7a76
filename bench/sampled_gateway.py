"""Runs the gateway with a sampler: where does a process spend its CPU time?

`python -m bench.sampled_gateway api|relay` is `python -m gateway api|relay`, interrupted after each
tick of CPU time (ITIMER_PROF) to note the Python stack. SIGUSR2 writes the counts as JSON to the
file that BENCH_SAMPLES names, with the process id appended, and begins again. C code, the event
loop's included, counts for the Python function that runs next.
"""

import json
import os
import runpy
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

TICK = 0.002  # seconds; the kernel's own tick may be longer
OUTPUT = "BENCH_SAMPLES"


class Sampler:
    """Counts functions by the samples in which they ran, on top and anywhere in the stack."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._top: Counter[str] = Counter()
        self._anywhere: Counter[str] = Counter()
        self._samples = 0

    def start(self) -> None:
        """Begin to sample."""
        signal.signal(signal.SIGPROF, self._note)
        signal.signal(signal.SIGUSR2, self._write)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)

    def _note(self, _: int, frame: FrameType | None) -> None:
        self._samples += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(code.co_filename.rsplit('/', 2)[-2:])}:{code.co_qualname}"
            if not seen:
                self._top[name] += 1
            seen.add(name)
            frame = frame.f_back
        self._anywhere.update(seen)

    def _write(self, *_: object) -> None:
        found = {"samples": self._samples, "top": self._top, "anywhere": self._anywhere}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(found))
        fresh.replace(self._file)
        self.__init__(self._file)  # type: ignore[misc]  # begins anew


if __name__ == "__main__":
    Sampler(Path(f"{os.environ[OUTPUT]}.{os.getpid()}")).start()
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)
