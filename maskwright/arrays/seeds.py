"""Nearest, geodesic and random-walk spreading of a few known pixels: the names, each from the file that explains it."""

from maskwright.arrays.geodesic import geodesic_distance, geodesic_nearest
from maskwright.arrays.nearest import nearest_seed
from maskwright.arrays.random_walk import random_walk
from maskwright.arrays.raster import raster_geodesic

__all__ = ["geodesic_distance", "geodesic_nearest", "nearest_seed", "random_walk", "raster_geodesic"]
