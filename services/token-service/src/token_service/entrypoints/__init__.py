"""Events, questions and due work: a typed call in, no decisions."""
