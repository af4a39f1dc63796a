"""Subjects, streams, events, rpc and API models, error classes: the words every service shares."""
