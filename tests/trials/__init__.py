"""Trials: the product on real data written by others, which is never part of this project.

``python -m tests.trials --data ../shared/data [eicu] [cds-requests] [odd-resources] [hl7-cases]
[sandbox-requests]`` runs the trials named (all without a name) and prints what was met. Not
collected by pytest: the data is not ours to keep. The exit status is 1 when something was met
that must not be: an exception, a 5xx, an answer or a suggested resource that is not valid.
"""
