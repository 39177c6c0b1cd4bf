"""The one loop (label, fuse, refine, train, predict, again), its ledger, stories and reports."""
