"""SELinux: the kernel enforces its policy, and so will the next boot."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed

ASKS_ENGINE = False  # it is the kernel's affair


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["mandatory_access"]["selinux"]
    if not found["enabled"]:
        return failed("the kernel runs without SELinux")
    if not found["enforcing"]:
        return failed("the kernel is permissive: it writes down what it should prevent")
    if found["boot"] != "enforcing":
        said = found["boot"] or "nothing"
        return failed(f"enforcing now, but /etc/selinux/config says {said} for the next boot")
    if found["arguments"]:
        given = " ".join(found["arguments"])
        return failed(f"enforcing now, but this boot was given {given}, and so would be the next")
    if not found["menu"]:
        return failed("enforcing now, but GRUB's menu starts the next boot without it")
    if found["init"] != "init_t":
        return failed(f"systemd runs as {found['init'] or 'nothing'}: files have no labels")
    if not found["menu_seen"]:
        return passed(
            "enforcing, and so says /etc/selinux/config for the next boot; its boot loader was not "
            "looked at, for it is no GRUB as Debian has it; systemd runs as init_t"
        )
    return passed("enforcing, and so at the next boot; systemd runs as init_t")
