"""What runs was started from digests; of tags it is said whether they still mean what runs."""

from __future__ import annotations

from typing import Any

from verdict import ObservedHost, Verdict, failed, passed


def check(host: ObservedHost, _control: dict[str, Any], _artifact: dict[str, Any]) -> Verdict:
    found = host.reading["surfaces"]["image_trust"]["image_digests"]
    wrong = [_worded(one) for one in found if not one["digest"] and one["named"]]
    if wrong:
        return failed(f"started from tags: {'; '.join(wrong[:10])}")
    return passed(f"{len(found)} running containers, none of them started from a tag")


def _worded(one: dict[str, Any]) -> str:
    text = f"{one['name']} from {one['reference']}"
    if not one["digests"]:
        return f"{text} (built or loaded here)"
    if not one["means"]:
        return f"{text} (what the tag means now, its registry does not say)"
    if one["means"] in one["digests"]:
        return f"{text} (the tag still means what runs)"
    return f"{text} (THE TAG NOW MEANS {one['means'][:19]}, {one['digests'][0][:19]} runs)"
