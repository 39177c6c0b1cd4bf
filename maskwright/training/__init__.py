"""Labelled pictures into weights: one plain loop, losses, augmentation."""
