"""HTTP: a typed call in, a typed answer or a problem out."""
