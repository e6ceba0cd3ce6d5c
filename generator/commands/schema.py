"""`hardhost schema profile|control`: JSON Schema, so that editors complete and check the files."""

from __future__ import annotations

from generator import console
from generator.model import ControlFile, Frozen, ProfileFile

_MODELS: dict[str, type[Frozen]] = {"control": ControlFile, "profile": ProfileFile}


def schema(kind: str) -> int:
    """Print the schema of one kind of file."""
    data = _MODELS[kind].model_json_schema(by_alias=True)
    console.print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **data})
    return 0
