"""`/openapi.json`, and `/docs`: the same as a page without script that loads nothing."""

from gateway.http.documentation.endpoints import install
from gateway.http.documentation.page import POLICY

__all__ = ["POLICY", "install"]
