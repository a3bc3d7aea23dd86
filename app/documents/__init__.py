"""Documents: stored bytes, what may come in, and what was read from them."""
