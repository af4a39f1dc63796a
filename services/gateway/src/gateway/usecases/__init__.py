"""One verb each; what only passes a question on is asked by the entry point itself."""
