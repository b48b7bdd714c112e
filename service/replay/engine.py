"""Engine: who reads the chunks and walks the buckets. All give the same bytes."""

from __future__ import annotations

from typing import Protocol as Shape

from msgspec import Struct

from service.replay.ask import Ask
from service.replay.folder import Done, Folder
from service.replay.source import Chunk


class Task(Struct, frozen=True):
    """The work: ``chunks`` of input to be spread over ``buckets`` of patients."""

    ask: Ask
    chunks: tuple[Chunk, ...]
    buckets: int


class Progress(Shape):
    """Is told how far it is: bytes read, buckets walked; ``left`` of them in this run."""

    def reading(self, total: int, left: int) -> None: ...
    def read(self, size: int) -> None: ...
    def walking(self, total: int, left: int) -> None: ...
    def walked(self, done: Done) -> None: ...


class Engine(Shape):
    """Does what is not in the folder yet. Both raise ReplayError."""

    def read(self, folder: Folder, task: Task, progress: Progress) -> None:
        """Every chunk: its ``Scan``, rejected lines, and the Medications of all."""

    def walk(self, folder: Folder, task: Task, held: tuple[str, ...], progress: Progress) -> None:
        """Every bucket: its ``Done`` and rows. ``held`` are the types the export holds."""
