"""Toy data sets: procedural pictures whose truth is known, for trying, testing and showing.

Each module has one `make(count, *, random_state=0, size=...)` that gives a list of `Scene`: the same bytes for the
same seed, whatever the number of workers, because scene k of a set never depends on scene k - 1.
"""
