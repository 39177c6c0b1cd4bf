"""Torch modules: tensors in, tensors out; weights found and checked."""
