"""The history of the database's shape, run by `python -m gateway migrate`."""
