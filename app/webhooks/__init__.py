"""Telling other services what has happened."""
