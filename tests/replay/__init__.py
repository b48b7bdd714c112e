"""Replay: made-up exports, tests, and a large run (``python -m tests.replay.large``)."""
