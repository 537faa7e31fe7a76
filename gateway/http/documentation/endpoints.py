"""The two public documents, made when the process starts and never for a request."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.http.documentation.page import render

DOCUMENT, PAGE = "/openapi.json", "/docs"


def install(app: FastAPI) -> None:
    """Serve the documents of an application that has all its routes.

    To make them takes 0.4 s of a processor. For a request, even in a thread, that would be a time
    in which a stranger makes everybody wait.
    """
    described = app.openapi()
    document, page = bytes(JSONResponse(described).body), render(described)
    app.openapi_schema = None  # the bytes are enough

    async def get_document(_: Request) -> Response:
        return Response(document, media_type=JSONResponse.media_type)

    async def get_page(_: Request) -> Response:
        return HTMLResponse(page)

    app.add_route(DOCUMENT, get_document, include_in_schema=False)
    app.add_route(PAGE, get_page, include_in_schema=False)
