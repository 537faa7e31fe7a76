"""The main job of `make run`: the events of the scenarios, published and received for real."""

import asyncio
import json
import shlex
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from aio_pika.exceptions import AMQPError
from rich.console import Console
from rich.live import Live

from adapters.client import OutcomeUnknown, Problem
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS, Accounts, open_accounts
from deploy.local.demo_env import DemoEnv
from deploy.local.demo_inboxes import open_inboxes
from deploy.local.demo_queues import provide_queues, renew
from deploy.local.demo_scenarios import EVENT_PLANS, NISN, EventPlan
from deploy.local.demo_tally import Tally

ENV = "demo.env"
SILENCE = 15.0  # seconds without any delivery until what is missing counts as missing
FAILURES = (Problem, OutcomeUnknown, httpx.HTTPError, AMQPError, OSError)

PUBLISH = f"""\
. {{env}}
TOKEN=$(curl -s -u "$KEMENDIKBUD_CLIENT_ID:$KEMENDIKBUD_CLIENT_SECRET" -d grant_type=client_credentials "$NUSABUS_URL/oauth/token" | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')
curl -i "$NUSABUS_URL/v1/events" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -H "ce-specversion: 1.0" -H "ce-id: $(date +%s%N)" -H "ce-source: /kemendikbud/dapodik" -H "ce-type: {NISN}" -H "ce-subject: 42" -d @schemas/kemendikbud/{NISN}/examples/valid/seed.json
"""  # noqa: E501 - lines to paste into a shell
WATCH = ".venv/bin/python -m deploy.local.demo_watch dukcapil kependudukan\n"


async def run(url: str, operator: Credentials, folder: Path) -> bool:
    """Set up, publish, receive, print the table; `folder` gets `demo.env`.

    True when every receiver got every event; a failure is printed, never raised.
    """
    console = Console(highlight=False)
    try:
        tally = await perform(url, operator, folder / ENV, console)
    except FAILURES as error:
        text = f"The demo's events did not get through: {error!r}"
        console.print(text, style="bold red", markup=False)
        return False
    console.print(tally.table(), tally.summary())
    return tally.complete


def print_next_steps(url: str, folder: Path) -> None:
    """Print where everything is, and the lines that publish and receive the next event."""
    console = Console(highlight=False)
    env = folder / ENV
    if env.is_relative_to(Path.cwd()):
        env = env.relative_to(Path.cwd())

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, soft_wrap=True)

    say(f"\nThe gateway: {url} (its API: {url}/docs). Everybody's credentials: {env}")
    say("\nPublish the next event:", "bold")
    say(PUBLISH.format(env=shlex.quote(str(env))))
    say("Watch Dukcapil's queue meanwhile:", "bold")
    say(WATCH)


async def perform(url: str, operator: Credentials, file: Path, console: Console) -> Tally:
    """Publish every event of the scenarios as its owner, and see who receives it."""
    env = DemoEnv(file)
    async with AsyncExitStack() as stack:
        with console.status("The organisations of the demo ...") as status:
            accounts = await stack.enter_async_context(open_accounts(url, operator, env))
            queues = await provide_queues(accounts, env, status.update)
            tally = Tally([queue.plan for queue in queues])
            again = partial(renew, accounts=accounts, env=env)
            await stack.enter_async_context(open_inboxes(queues, tally.receive, again))
        await _publish(accounts, tally)
        await _wait(tally, console)
    return tally


async def _publish(accounts: Accounts, tally: Tally) -> None:
    run = datetime.now(UTC)
    for number, event_plan in enumerate(EVENT_PLANS, 1):
        event = _event(event_plan, f"demo-{run:%Y%m%dT%H%M%S.%f}-{number:02}")
        sent = tally.sending(event_plan, event, time.perf_counter())
        sent.receipt = await accounts.buses[event_plan.owner].publish(event)


async def _wait(tally: Tally, console: Console) -> None:
    """Show what has come until all is received, or until nothing has come for a while."""
    with Live(
        get_renderable=tally.table, console=console, auto_refresh=False, transient=True
    ) as it:
        while not tally.complete and time.perf_counter() - tally.last < SILENCE:
            it.refresh()
            await asyncio.sleep(0.1)


def _event(event_plan: EventPlan, id: str) -> dict[str, Any]:
    example = SCHEMAS / event_plan.owner / event_plan.type / "examples" / "valid" / "seed.json"
    event = {
        "specversion": "1.0",
        "id": id,
        "source": event_plan.source,
        "type": event_plan.type,
        "subject": event_plan.subject,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": json.loads(example.read_text()),
    }
    if event_plan.partitionkey is not None:
        event["partitionkey"] = event_plan.partitionkey
    return event
