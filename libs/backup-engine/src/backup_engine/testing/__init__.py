"""Helpers for tests of the engine and of what is built on it."""
