"""All disposable hosts of this checkout, containers and virtual machines alike."""

from __future__ import annotations

from tests.hosts import container_host, engine, images, machine_images, virtual_machine
from tests.hosts.container_host import Host

SYSTEMS = sorted([*images.RECIPES, *machine_images.RECIPES])


def up(name: str, os_name: str) -> Host:
    if os_name in machine_images.RECIPES:
        return virtual_machine.up(name, os_name)
    return container_host.up(name, os_name)


def every() -> list[Host]:
    found: list[Host] = list(virtual_machine.every())
    # Where no engine answers there are no containers, and machines do not need one.
    found += container_host.every() if engine.answers() else []
    return sorted(found, key=lambda host: host.name)


def find(name: str) -> Host:
    hosts = every()
    for host in hosts:
        if host.name == name:
            return host
    running = ", ".join(host.name for host in hosts) or "none"
    raise LookupError(f"no running host {name!r}; running: {running}")


def down(name: str) -> None:
    virtual_machine.down(name)
    if engine.answers():
        container_host.down(name)


def prune() -> list[str]:
    return [*virtual_machine.prune(), *(container_host.prune() if engine.answers() else [])]
