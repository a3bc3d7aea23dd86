"""Runnable comparisons: what Quire does, side by side with what it is held against."""
