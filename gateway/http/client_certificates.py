"""`/v1/clients/{id}/certificates`: what a client shows in place of a secret (RFC 8705)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from gateway import identity
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.clients import ClientId
from gateway.http.context import Admin, AdminOrAuditor, Context, took_effect
from gateway.http.models import RequestBody, Resource, example
from gateway.http.paging import Page
from gateway.http.problems import responses

router = APIRouter(prefix="/v1/clients/{id}/certificates", tags=["clients"])
LONGEST = 16 << 10  # characters of a certificate as PEM
CertificateId = Annotated[str, Path(examples=["5f0c2a9d1e77"])]


class NewClientCertificate(RequestBody):
    """A certificate, or a name in certificates of an authority that the operator trusts."""

    model_config = example(kind="san_dns", value="app.dukcapil.go.id")

    kind: identity.CertificateKind
    value: str = Field(
        min_length=1,
        max_length=LONGEST,
        description="The certificate (PEM), or the name as it stands in certificates; a "
        "distinguished name as in RFC 4514.",
    )


class ClientCertificate(Resource):
    """A certificate that a client shows in place of a secret, or a name in it."""

    id: str
    kind: identity.CertificateKind
    value: str = Field(description="The name, or `x5t#S256` of the certificate.")
    created: datetime


@router.post("", status_code=201, responses=responses(403, 404, 409, body=True))
async def create_client_certificate(
    id: ClientId, body: NewClientCertificate, client: Admin, context: Context
) -> ClientCertificate:
    """Register a certificate; a client may have two. Deploy the new one, then delete the old one.

    With it the client gets access tokens that only its holder can use.
    """
    added = await identity.add_certificate(
        context.database, by=client, client=id, kind=body.kind, value=body.value
    )
    await took_effect(context, Topic.IDENTITY)
    log().info(
        "certificate.created", client=id, certificate=added.id, kind=added.kind, by=client.id
    )
    return ClientCertificate.model_validate(added)


@router.get("", responses=responses(403, 404))
async def list_client_certificates(
    id: ClientId, client: AdminOrAuditor, context: Context
) -> Page[ClientCertificate]:
    """The certificates of a client."""
    found = await identity.list_certificates(context.database, by=client, client=id)
    return Page(items=[ClientCertificate.model_validate(each) for each in found], next=None)


@router.delete("/{certificate}", status_code=204, responses=responses(403, 404))
async def delete_client_certificate(
    id: ClientId, certificate: CertificateId, client: Admin, context: Context
) -> None:
    """Delete a certificate. Every access token that it got is void within a second."""
    await identity.remove_certificate(context.database, by=client, client=id, id=certificate)
    await took_effect(context, Topic.IDENTITY)
    log().info("certificate.removed", client=id, certificate=certificate, by=client.id)
