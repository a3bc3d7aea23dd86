"""Vectors of texts: what a model that makes them must be able to do, and the models that there are."""
