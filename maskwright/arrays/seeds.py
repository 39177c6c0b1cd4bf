"""Nearest, geodesic and random-walk spreading of a few known pixels: the names, each from the file that explains it."""

from maskwright.arrays.nearest import nearest_seed

__all__ = ["nearest_seed"]
