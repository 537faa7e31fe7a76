"""The layout file: what an operator declares about records beyond the copybook."""
