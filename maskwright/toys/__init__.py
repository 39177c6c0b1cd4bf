"""Toy data made by code: seeded, with known truth, beautiful enough to show."""
