"""One file per room of `maskwright.arrays`, each with a list `CASES`; a new file is found by itself."""
