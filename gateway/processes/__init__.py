"""The composition root of each process: plain constructors, one TaskGroup, one way to stop.

Nothing is imported here: a process loads its own module, and so only the libraries that it needs.
"""
