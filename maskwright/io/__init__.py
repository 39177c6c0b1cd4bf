"""Formats. Coordinates are turned here, at the door: files say (x, y), the house says (row, col)."""
