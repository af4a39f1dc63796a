"""Documents that are handed over or kept: built as plain data, rendered as HTML or Markdown."""
