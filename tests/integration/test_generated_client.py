"""A client in Python that a stranger generates, against a running bus."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.builders import CITIZEN, FREE, a_name, an_id
from tests.bus import Actor, Bus
from tests.integration.contracts.registration import a_type, a_version, register
from tests.integration.contracts.test_versions import NARROW

PACKAGE = "generated_nusabus"
# Names that a generator makes up for a schema without a name of its own.
MADE_UP = re.compile(r"Type\d|Item$|Response\d|AdditionalProperty|Body|Input|Output")


@pytest.fixture(scope="module")
def generated(bus: Bus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package that openapi-python-client makes of the document, importable."""
    folder = tmp_path_factory.mktemp("generated")
    document, config = folder / "openapi.json", folder / "config.json"
    document.write_bytes(bus.http.get("/openapi.json").content)
    config.write_text(json.dumps({"post_hooks": []}))
    generator = Path(sys.executable).with_name("openapi-python-client")
    options = ("--path", document, "--config", config, "--meta", "none")
    subprocess.run(
        [
            str(each)
            for each in (generator, "generate", *options, "--output-path", folder / PACKAGE)
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def models(generated: Path) -> Any:
    """Its models."""
    return importlib.import_module(f"{PACKAGE}.models")


def operation(tag: str, name: str) -> Any:
    """The module of an operation."""
    return importlib.import_module(f"{PACKAGE}.api.{tag}.{name}")


@contextmanager
def client_of(actor: Actor, models: Any) -> Iterator[Any]:
    """A generated client with an access token that it has got itself."""
    package: ModuleType = importlib.import_module(PACKAGE)
    url = str(actor.bus.http.base_url)
    form = models.TokenRequest(
        grant_type="client_credentials", client_id=actor.id, client_secret=actor.secret
    )
    with package.Client(url) as anonymous:
        issued = operation("tokens", "issue_token").sync(client=anonymous, body=form)
    assert isinstance(issued, models.AccessToken)
    with package.AuthenticatedClient(url, issued.access_token) as client:
        yield client


def test_it_publishes_subscribes_and_receives(bus: Bus, generated: Path, models: Any) -> None:
    with client_of(bus.actor("uji"), models) as uji:
        name = a_name()
        wanted = models.NewSubscription(types=[FREE], delivery=models.Delivery.PULL)
        made = operation("subscriptions", "create_subscription").sync(name, client=uji, body=wanted)
        assert isinstance(made, models.Subscription)
        assert made.state is models.SubscriptionState.ACTIVE
        event = models.CloudEvent("1.0", an_id(), "/uji", FREE, data={"n": 1})
        receipt = operation("events", "publish_event").sync(client=uji, body=event)
        assert isinstance(receipt, models.Receipt)
        assert (receipt.id, receipt.duplicate) == (event.id, False)
        wanted = models.ReceiveRequest(max_=1, wait=20)
        received = operation("pull", "receive_events").sync(name, client=uji, body=wanted)
        assert isinstance(received, models.ReceivedEvents)
        (first,) = received.events
        assert isinstance(first.event, models.DeliveredEvent)
        assert (first.event.id, first.event.data) == (event.id, {"n": 1})
        tokens = models.Acknowledgement([first.token])
        settled = operation("pull", "acknowledge_events").sync(name, client=uji, body=tokens)
        assert settled.results == [models.TokenResult.SETTLED]
        page = operation("subscriptions", "list_subscriptions").sync(client=uji)
        assert isinstance(page, models.SubscriptionPage)
        ended = operation("subscriptions", "delete_subscription").sync(name, client=uji)
        assert isinstance(ended, models.DeletedSubscription)


def test_it_reads_typed_errors(bus: Bus, generated: Path, models: Any) -> None:
    with client_of(bus.actor("uji"), models) as uji:
        event = models.CloudEvent("1.0", an_id(), "/uji", CITIZEN, data={"nik": "x"})
        refused = operation("events", "publish_event").sync(client=uji, body=event)
        assert isinstance(refused, models.Problem)
        assert (refused.status, refused.contract) == (422, CITIZEN)
        assert {"/nik"} <= {violation.pointer for violation in refused.violations}
        page = operation("subscriptions", "list_subscriptions").sync(client=uji, cursor="?")
        assert isinstance(page, models.Problem)
        assert (page.status, page.parameter) == (422, "cursor")


def test_it_reads_why_a_version_is_refused(bus: Bus, generated: Path, models: Any) -> None:
    admin, type = bus.actor("uji", "admin"), a_type()
    register(admin, type)
    assert bus.actor("uji").put_subscription(name := a_name(), type).status_code == 201
    with client_of(admin, models) as client:
        narrow = models.NewVersion.from_dict(a_version(schema=NARROW))
        add = operation("contracts", "register_version")
        refused = add.sync(type, client=client, body=narrow, if_match="*")
    assert isinstance(refused, models.Problem)
    assert isinstance(refused.compatibility, models.CompatibilityReport)
    assert refused.compatibility.against == 1
    assert isinstance(refused.compatibility.counterexample, models.Counterexample)
    assert isinstance(refused.impact, models.Impact)
    assert name in [each.name for each in refused.impact.subscriptions]


def test_its_classes_have_names_that_one_would_write(models: Any) -> None:
    names = set(models.__all__)
    assert sorted(name for name in names if MADE_UP.search(name)) == []
    assert {
        *("Subscription", "SubscriptionPage", "NewSubscription", "SubscriptionTerms"),
        *("CloudEvent", "DeliveredEvent", "Receipt", "BatchResult", "Problem", "Violation"),
        *("DeadLetter", "InspectedDeadLetter", "Redrive", "Contract", "ContractVersion"),
        *("Organisation", "Client", "ClientSecret", "Grant", "AccessToken", "Request"),
    } <= names
