"""Several hundred questions about the compatibility of schemas, each with its answer.

`python -m tests.compatibility` prints how far the answers agree. The labels were derived by hand
from the JSON Schema specification; `format` is asserted, as it is at intake.
"""
