"""The HTTP side: turns requests into calls on the core, and what comes back into answers. It decides nothing."""
