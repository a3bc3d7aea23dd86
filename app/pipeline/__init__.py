"""The pipeline: one table of stages, what each does, the runner that carries jobs through, and the sweep behind it."""
