"""`make run`: a whole Nusabus on this machine, with demo events, until Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.local import demo, demo_legacy, demo_retention
from deploy.local.credentials import Credentials
from deploy.local.install import NotInstalled
from deploy.local.processes import AlreadyRunning, ServerError
from deploy.local.stack import Stack, Step
from deploy.local.supervise import supervise

RUN = Path(".run")
console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run until a signal; with `--once` until the demo's table is printed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the demo's table")
    once: bool = parser.parse_args().once
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    given = {name: value for name, value in os.environ.items() if name.startswith("NUSABUS_")}
    stack = Stack(RUN, given)
    try:
        stack.take()
        asyncio.run(_run(stack, once))
    except AlreadyRunning as error:
        sys.exit(f"Nusabus runs here already: {error}; Ctrl-C there ends it.")
    except (NotInstalled, ServerError) as error:
        sys.exit(str(error))


async def _run(stack: Stack, once: bool) -> None:
    """Start, show, supervise; the first signal stops in order, the second at once."""
    work = asyncio.create_task(_work(stack, once))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, work.cancel)
    await asyncio.wait([work])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _leave)
    with suppress(OSError):  # the terminal may be gone
        console.print("Stopping ...")
    await stack.stop()
    if not work.cancelled():
        work.result()


async def _work(stack: Stack, once: bool) -> None:
    with _steps() as step:
        operator = await stack.start(step)
    if once:
        if not await demo.run(stack.url, operator, stack.run):
            raise ServerError("Not every event arrived.")
        if not await demo_legacy.run(stack.url, operator, stack.run, console):
            raise ServerError("Not every batch file got through.")
        if not await _show_retention(stack, operator):
            raise ServerError("Retention did not do what the contracts say.")
        return
    watch = asyncio.create_task(supervise(stack.supervised(), console.print))
    try:
        await demo.run(stack.url, operator, stack.run)
        await demo_legacy.run(stack.url, operator, stack.run, console)
        await _show_retention(stack, operator)
        demo.print_next_steps(stack.url, stack.run)
        console.print(f"gRPC is at {stack.grpc}. Logs are in {RUN}/log. Ctrl-C ends it all.")
        await watch
    finally:
        watch.cancel()


async def _show_retention(stack: Stack, operator: Credentials) -> bool:
    """Nothing is copied of a database that is somebody's own."""
    if stack.superuser_url is None:
        return True
    database = stack.superuser_url, stack.retain
    return await demo_retention.run(stack.url, operator, stack.run, database, console)


def _leave() -> None:
    """A second signal: our children die with us (PR_SET_PDEATHSIG), the next start recovers."""
    os._exit(130)


@contextmanager
def _steps() -> Iterator[Step]:
    """Show each step while it is under way and how long it took."""
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:

        @contextmanager
        def step(description: str) -> Iterator[None]:
            task = progress.add_task(description, total=1)
            yield
            progress.advance(task)

        yield step


if __name__ == "__main__":
    main()
