"""Server: the application put together, the process that serves it, and its upkeep."""
