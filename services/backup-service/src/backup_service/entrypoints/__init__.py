"""Typed calls in, no decisions."""
