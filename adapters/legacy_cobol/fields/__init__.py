"""Codecs: the bytes of one field of many records to a column of values, and back."""
