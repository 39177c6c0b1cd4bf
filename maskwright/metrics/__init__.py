"""Scores as plain functions of counts; counts add up over pictures and machines."""
