"""`/v1/contracts`: event types, their schemas, lifecycle, defaults, generated code and AsyncAPI."""

from fastapi import APIRouter

from gateway.http.contracts import (
    asyncapi,
    code,
    contract_defaults,
    contracts,
    convert,
    lifecycle,
    lint,
    versions,
)

PREFIX = contracts.router.prefix
router = APIRouter()
for _module in (contracts, versions, lifecycle, contract_defaults, code, lint, convert, asyncapi):
    router.include_router(_module.router)
