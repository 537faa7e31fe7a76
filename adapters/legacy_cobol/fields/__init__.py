"""Codecs: decode one field of many records to a column of values, and encode it."""
