"""The background side: arq tasks, each a thin door to the core in `app`."""
