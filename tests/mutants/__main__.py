"""``python -m tests.mutants [--invariants | --record] [WORD]``: what catches each seeded fault.

``--record`` keeps what caught it in ``caught.toml``, to be tried first from then on.
``--invariants`` leaves the vignettes out, to see what the sweep alone would notice.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

from . import FAULTS, verdict
from .judge import CAUGHT, RECORD


def main(arguments: list[str]) -> int:
    skip = "vignette" if "--invariants" in arguments else ""
    words = [word for word in arguments if not word.startswith("--")]
    chosen = [f for f in FAULTS if not words or any(w in f"{f.file} {f.name}" for w in words)]
    by: Counter[str] = Counter()
    record: dict[str, str] = dict(CAUGHT)
    for fault in chosen:
        found = verdict(fault, skip=skip)
        by[found.by or "nothing"] += 1
        record[fault.name] = found.name
        what = f"{found.by} {found.what}" if found.caught else "NOT CAUGHT"
        print(f"{fault.file.removesuffix('.py')} | {fault.name} | {what[:150]}", flush=True)
    if "--record" in arguments:
        lines = (
            f"{json.dumps(f.name, ensure_ascii=False)} = {json.dumps(record[f.name])}\n"
            for f in FAULTS
            if record.get(f.name)
        )
        RECORD.write_text("".join(lines), encoding="utf-8")
    print(", ".join(f"{count} by {name}" for name, count in by.most_common()))
    return 1 if by["nothing"] and not skip else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
