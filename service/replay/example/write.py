"""Write: the example as files of a FHIR Bulk Data export, one a type."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from service.replay.example.people import person
from service.replay.example.shape import medications, resources

ADULTS = 300
_SEED = 1


class ExampleError(Exception):
    """The example cannot be written there; ``str()`` says why."""


def write_example(folder: Path, adults: int = ADULTS, seed: int = _SEED) -> dict[str, int]:
    """Writes the example into ``folder``, which must be new or empty; resources by type.

    Raises ExampleError.
    """
    counted: Counter[str] = Counter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ExampleError(f"{folder}: is not empty; name a new folder")
        with ExitStack() as stack:
            files: dict[str, TextIO] = {}
            for resource in _all(adults, seed):
                type_ = resource["resourceType"]
                if type_ not in files:
                    path = folder / f"{type_}.ndjson"
                    files[type_] = stack.enter_context(path.open("w", encoding="utf-8"))
                files[type_].write(json.dumps(resource) + "\n")
                counted[type_] += 1
    except OSError as error:
        raise ExampleError(f"{folder}: {error.strerror}") from None
    return dict(counted)


def _all(adults: int, seed: int) -> Iterator[dict[str, Any]]:
    yield from medications()
    for number in range(1, adults + 1):
        yield from resources(seed, person(seed, number))
