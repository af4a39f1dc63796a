"""Typed call in, no decisions."""
