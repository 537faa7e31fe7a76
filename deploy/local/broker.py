"""The broker of this machine: the installed server where there is one, else a container."""

from pathlib import Path
from typing import Protocol

from deploy.local.compose import ComposeRabbitMQ
from deploy.local.install import Source, broker_system, ensure_rabbitmq
from deploy.local.rabbitmq import RabbitMQ


class Broker(Protocol):
    """What both kinds offer."""

    @property
    def amqp_url(self) -> str: ...

    @property
    def management_url(self) -> str: ...

    @property
    def running(self) -> bool: ...

    def prepare(self) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def restart(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def erase(self) -> None: ...

    def ctl(self, *arguments: str, tool: str = "rabbitmqctl") -> str: ...

    def set_memory_alarm(self, on: bool) -> None: ...


def local_broker(folder: Path) -> Broker:
    """A private broker in `folder`, RabbitMQ being installed if need be. Raises NotInstalled."""
    if ensure_rabbitmq() is Source.SERVER:
        if broker_system():  # neither version reads what the other has written
            folder = folder.with_name(f"{folder.name}-debian13")
        return RabbitMQ(folder)
    return ComposeRabbitMQ(folder)
