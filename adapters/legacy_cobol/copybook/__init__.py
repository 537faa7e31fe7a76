"""Copybooks: what a COBOL record description says about bytes."""
