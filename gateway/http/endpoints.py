"""The endpoint of a webhook, as its owner writes and sees it."""

from pydantic import BaseModel, Field

from gateway.http.models import RequestBody
from gateway.subscriptions import Endpoint, Signature, webhooks


class EndpointBody(RequestBody):
    """Where to deliver, and how hard to push."""

    url: str = Field(
        max_length=2000,
        description="https://; it must agree to the validation request of CloudEvents web hooks",
        examples=["https://layanan.example.go.id/nusabus"],
    )
    signature: Signature = Field(
        Signature.HMAC, description="of the next secret: Standard Webhooks v1 (hmac) or v1a"
    )
    concurrency: int = Field(8, ge=1, le=64, description="calls under way at most")
    timeout: float = Field(15, ge=1, le=60, description="seconds for one call")

    def value(self) -> Endpoint:
        """As the noun knows it."""
        return Endpoint(**self.model_dump())


class WebhookBody(BaseModel):
    """How it stands with an endpoint."""

    agreed: bool = Field(description="whether it took part in the handshake with its present URL")
    allowed_rate: float | None = Field(None, description="calls in a second, as it allowed")
    trouble: str | None = Field(None, description="why nothing is delivered now")
    public_keys: list[str] = Field(description="whpk_...: what verifies signatures of v1a")

    @classmethod
    def of(cls, webhook: webhooks.Webhook, url: str) -> "WebhookBody":
        """From the value."""
        return cls(
            agreed=webhook.agreed_url == url,
            allowed_rate=webhook.agreed_rate,
            trouble=webhook.last_error,
            public_keys=[key.public for key in webhook.keys if key.public],
        )
