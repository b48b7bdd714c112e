"""The shell: everything that touches the world (HTTP, files, clock, environment, log)."""
