"""Time and peak memory against the tools a user would reach for; `python -m benchmarks arrays` prints the table."""
