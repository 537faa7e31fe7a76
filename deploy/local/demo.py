"""The main job of `make run`: the events of the scenarios, published and received for real."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from aio_pika.exceptions import AMQPError
from rich.console import Console
from rich.live import Live

from adapters.client import OutcomeUnknown, Problem
from deploy.local.credentials import Credentials
from deploy.local.demo_accounts import SCHEMAS, Accounts, open_accounts
from deploy.local.demo_inboxes import open_inboxes
from deploy.local.demo_scenarios import HAPPENINGS, NISN, Happening
from deploy.local.demo_tally import Tally

SILENCE = 15.0  # seconds without any delivery until what is missing counts as missing
FAILURES = (Problem, OutcomeUnknown, httpx.HTTPError, AMQPError, OSError)

PUBLISH = f"""\
. {{env}}
TOKEN=$(curl -s -u "$KEMENDIKBUD_CLIENT_ID:$KEMENDIKBUD_CLIENT_SECRET" -d grant_type=client_credentials "$NUSABUS_URL/oauth/token" | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')
curl -i "$NUSABUS_URL/v1/events" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -H "ce-specversion: 1.0" -H "ce-id: $(date +%s%N)" -H "ce-source: /kemendikbud/dapodik" -H "ce-type: {NISN}" -H "ce-subject: 42" -d @schemas/kemendikbud/{NISN}/examples/valid/seed.json
"""  # noqa: E501 - lines to paste into a shell
WATCH = ".venv/bin/python -m deploy.local.demo_watch dukcapil kependudukan\n"


async def run(url: str, operator: Credentials, folder: Path) -> bool:
    """Set up, publish, receive, print the table and how to go on.

    True when every receiver got every event; a failure is printed, never raised.
    """
    console = Console(highlight=False)
    file = folder / "demo.env"
    try:
        async with open_accounts(url, operator, file) as accounts:
            tally = await perform(accounts, console)
    except FAILURES as error:
        console.print(f"The demo's events did not get through: {error!r}", style="bold red")
        return False
    console.print(tally.summary())
    return tally.complete


async def perform(accounts: Accounts, console: Console) -> Tally:
    """Publish every event of the scenarios as its owner, and see who receives it."""
    tally = Tally(accounts.interests)
    run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    with console.status("Organisations and their queues ..."):
        inboxes = open_inboxes(accounts, tally.receive)
        await inboxes.__aenter__()
