"""The ground floor: numpy in, numpy out. No files, no torch, no types of ours."""
