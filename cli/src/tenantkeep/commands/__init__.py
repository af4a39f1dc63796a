"""The commands that talk to a gateway, and the demo."""
