"""Kernel parameters and modules are as wanted now, and are so again after the next boot."""

from __future__ import annotations

from typing import Any

from verdict import FAIL, PENDING, ObservedHost, Verdict, failed, passed, pending

ASKS_ENGINE = False  # it is the kernel's affair


def check(host: ObservedHost, control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["kernel"][control["id"]]
    known = [one for one in found["sysctls"] if one["live"] is not None]
    verdicts = [_parameter(one) for one in known] + [_module(one) for one in found["modules"]]
    for status in (FAIL, PENDING):
        reasons = [one.reason for one in verdicts if one.status == status]
        if reasons:
            return Verdict(status, "; ".join(reasons))
    if not verdicts:
        return failed("this kernel has nothing of it, so there is nothing to prove")
    return passed("; ".join(one.reason for one in verdicts))


def _parameter(one: dict[str, Any]) -> Verdict:
    key, wanted, boot = one["key"], one["wanted"], one["boot"]
    if not one["enough"]:
        return failed(f"{key} is {one['live']}, wanted is {wanted}")
    if boot is None:
        return failed(f"{key} is {one['live']}, but no file sets it at the next boot")
    if not one["boot_enough"]:
        return failed(f"{key} is {one['live']}, but the next boot sets it to {_place(boot)}")
    against = [line for line in one["afterwards"] if not line["enough"]]
    if against:
        others = "; ".join(f"{line['by']} sets it to {_place(line)}" for line in against)
        return failed(f"{key} is {one['live']}, but {others}, whenever it is started")
    over = ", ".join(_place(line) for line in boot["over"])
    return passed(f"{key} is {one['live']}" + (f", which overrides {over}" if over else ""))


def _place(line: dict[str, Any]) -> str:
    return f"{line['value']} ({line['file']}, line {line['line']})"


def _module(one: dict[str, Any]) -> Verdict:
    name = one["name"]
    if one["wanted"] == "loaded":
        return _loaded(one)
    if one["built_in"]:
        return failed(f"{name} is built into this kernel and cannot be kept out")
    if not one["refused"]:
        return failed(f"{name} is not refused" + (", and is loaded" if one["loaded"] else ""))
    if one["loaded"]:
        return pending(f"{name} is still loaded: unload it (modprobe -r), or boot")
    return passed(f"{name} is refused")


def _loaded(one: dict[str, Any]) -> Verdict:
    name = one["name"]
    if one["built_in"]:
        return passed(f"{name} is built into this kernel")
    if not one["loaded"]:
        return failed(f"{name} is not loaded")
    if not one["persisted"]:
        return failed(f"{name} is loaded, but nothing loads it at the next boot")
    return passed(f"{name} is loaded")
