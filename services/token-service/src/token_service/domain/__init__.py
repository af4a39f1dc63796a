"""What a tenant and its connections are, and when a token is due. No input, no output."""
