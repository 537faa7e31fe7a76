"""The one way in which a measurement ends badly."""


class BenchFailure(Exception):
    """Something was refused, lost or late: the numbers would mean nothing. The text says what."""
