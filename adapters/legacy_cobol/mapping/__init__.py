"""The layout file: what an operator declares about a feed's records beyond the copybook."""
