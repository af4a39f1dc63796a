"""What can be searched: text without its spelling, items reduced to what people look for, questions in words."""
