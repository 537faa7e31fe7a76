"""Copybooks: parse COBOL record descriptions and compute the bytes of every item."""
