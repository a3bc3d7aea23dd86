"""Quire: documents go in over HTTP, their text comes out, and every step is there to watch."""

__version__ = "0.1.0"
