"""Bench: how fast the service is, beside the least that any such service would cost.

| room | what |
|---|---|
| bodies | requests of a size, each of another patient |
| load | the client: one epoll loop in a process of its own |
| subjects, serve | the servers that are compared, and the floors |
| record | a FHIR server that takes 5 ms |
| measure | rounds in turn, medians, ratios within a round |
| hooks, curves, start, soak | what is measured over HTTP |
| inside, stages, profile | what is measured in this process |
| findings, report, setting, __main__ | tables, targets, plot, raw numbers, the command |
"""
