"""The review page and the tile server move in here with later issues."""
