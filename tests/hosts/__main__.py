"""Command line: `python -m tests.hosts COMMAND`; `--help` lists them."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import yaml

from tests.hosts import cases, engine, fleet
from tests.hosts.container_host import Host
from tests.hosts.inventory import inventory, molecule_instance
from tests.hosts.project import Project, render, scenario_directory


def main() -> int:
    arguments = parser().parse_args()
    try:
        arguments.run(arguments)
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.hosts")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("up", help="make a host; returns when its sshd and dockerd work")
    one.add_argument("name")
    one.add_argument("--os", choices=fleet.SYSTEMS, default="debian12")
    one.set_defaults(run=up)
    one = commands.add_parser("down", help="remove hosts")
    one.add_argument("names", nargs="+")
    one.set_defaults(run=down)
    one = commands.add_parser("list", help="running hosts of this checkout")
    one.set_defaults(run=show)
    one = commands.add_parser("ssh", help="run a command on a host, or a shell")
    one.add_argument("name")
    one.add_argument("command", nargs=argparse.REMAINDER)
    one.set_defaults(run=ssh)
    one = commands.add_parser("inventory", help="print an Ansible inventory")
    one.add_argument("names", nargs="+")
    one.add_argument("--group", action="append", help="may be repeated; default: production")
    one.set_defaults(run=print_inventory)
    one = commands.add_parser("begin", help="forget an earlier run of a scenario")
    one.add_argument("scenario")
    one.set_defaults(run=begin)
    one = commands.add_parser("instances", help="tell molecule how hosts are reached")
    one.add_argument("-o", dest="output", type=Path, required=True, help="instance config to write")
    one.add_argument("names", nargs="+")
    one.set_defaults(run=instances)
    one = commands.add_parser("project", help="render a profile and its inventory for a scenario")
    one.add_argument("--profiles", type=Path, help="a folder with profiles of the scenario's own")
    one.add_argument("scenario")
    one.add_argument("profile")
    one.add_argument("names", nargs="+")
    one.set_defaults(run=render_project)
    one = commands.add_parser("give", help="give inputs to a scenario's project")
    one.add_argument("scenario")
    one.add_argument("inputs", nargs="+", metavar="NAME=VALUE")
    one.set_defaults(run=give)
    one = commands.add_parser("cases", help="count the cases of a scenario that passed")
    one.add_argument("scenario")
    one.set_defaults(run=count)
    one = commands.add_parser("prune", help="remove every host of this checkout")
    one.set_defaults(run=prune)
    one = commands.add_parser("engine-start", help="start a dockerd where none answers")
    one.set_defaults(run=engine_start)
    one = commands.add_parser("engine-stop", help="end the dockerd that was started here")
    one.set_defaults(run=engine_stop)
    return top


def up(arguments: argparse.Namespace) -> None:
    print(line(fleet.up(arguments.name, arguments.os)))


def down(arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        fleet.down(name)


def show(_: argparse.Namespace) -> None:
    for host in fleet.every():
        print(line(host))


def line(host: Host) -> str:
    return f"{host.name} {host.os} {host.address} {host.port}"


def ssh(arguments: argparse.Namespace) -> None:
    host = fleet.find(arguments.name)
    words = host.ssh_command(" ".join(arguments.command) or None)
    os.execvp(words[0], words)


def print_inventory(arguments: argparse.Namespace) -> None:
    hosts = [fleet.find(name) for name in arguments.names]
    print(inventory(hosts, arguments.group or ["production"]), end="")


def begin(arguments: argparse.Namespace) -> None:
    shutil.rmtree(scenario_directory(arguments.scenario))


def instances(arguments: argparse.Namespace) -> None:
    """Write molecule's instance config, and the hosts' keys next to it."""
    hosts = [fleet.find(name) for name in arguments.names]
    arguments.output.write_text(yaml.safe_dump([molecule_instance(host) for host in hosts]))
    keys = [host.known_hosts.read_text().replace("*", known_as(host), 1) for host in hosts]
    arguments.output.with_name("known_hosts").write_text("".join(keys))


def known_as(host: Host) -> str:
    return host.address if host.port == 22 else f"[{host.address}]:{host.port}"


def render_project(arguments: argparse.Namespace) -> None:
    directory = scenario_directory(arguments.scenario)
    hosts = [fleet.find(name) for name in arguments.names]
    render(arguments.profile, directory / "project", hosts, arguments.profiles)


def give(arguments: argparse.Namespace) -> None:
    directory = scenario_directory(arguments.scenario) / "project"
    pairs = [pair.partition("=") for pair in arguments.inputs]
    inputs = {name: yaml.safe_load(value) for name, _, value in pairs}
    Project(directory, directory / "inventory.yml").give(**inputs)


def count(arguments: argparse.Namespace) -> None:
    passed = cases.passed(arguments.scenario)
    wanted = cases.expected(arguments.scenario)
    if passed != wanted:
        raise RuntimeError(f"{passed} cases passed, {wanted} are expected")
    print(f"{passed} cases passed")


def prune(_: argparse.Namespace) -> None:
    for name in fleet.prune():
        print(f"removed {name}")


def engine_start(_: argparse.Namespace) -> None:
    engine.ensure()


def engine_stop(_: argparse.Namespace) -> None:
    print("stopped" if engine.stop() else "nothing to stop: no engine was started here")


if __name__ == "__main__":
    sys.exit(main())
