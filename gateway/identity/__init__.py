"""Organisations and clients: how they authenticate, and what they may do.

The hot path reads a `Directory` and checks `Tokens`; everything else reads and writes the tables.
"""

from gateway.base.sealing import WrongSecretKey
from gateway.identity import policy
from gateway.identity.bootstrap import bootstrap
from gateway.identity.certificates import (
    add_certificate,
    list_certificates,
    remove_certificate,
)
from gateway.identity.clients import change_client, create_client, find_client, list_clients
from gateway.identity.credentials import (
    ClientAuthenticator,
    TooManyAttempts,
    add_secret,
    list_secrets,
    remove_secret,
)
from gateway.identity.directory import Directory, Rights
from gateway.identity.directory_loader import DirectoryLoader
from gateway.identity.grants import create_grant, list_grants, remove_grant
from gateway.identity.organisations import (
    create_organisation,
    find_organisation,
    list_organisations,
    provide_organisation,
    resume_organisation,
    suspend_organisation,
)
from gateway.identity.peer_certificate import PeerCertificate
from gateway.identity.quota_values import (
    BUILT_IN,
    CONCURRENT,
    COUNTED,
    OF_CLIENTS,
    RATES,
    Quota,
    QuotaReached,
    Quotas,
    default_quotas,
    require_below,
)
from gateway.identity.quotas import QuotaSettings, change_quotas, find_quotas
from gateway.identity.signing import (
    KeyState,
    SigningKey,
    list_signing_keys,
    maintain_signing_keys,
    rotate_signing_keys,
    withdraw_signing_key,
)
from gateway.identity.source_owners import SourcePrefix
from gateway.identity.source_prefixes import (
    assign_source_prefix,
    list_source_prefixes,
    withdraw_source_prefix,
)
from gateway.identity.tokens import (
    BoundElsewhere,
    Tokens,
    VerifiedToken,
    not_authenticated,
    require_binding,
)
from gateway.identity.values import (
    NOBODY,
    OPERATOR,
    ORGANISATION_NAME,
    CertificateKind,
    Client,
    ClientCertificate,
    ClientSecret,
    ClientState,
    Credential,
    Grant,
    GrantAction,
    Organisation,
    OrganisationSuspended,
    Role,
)

__all__ = [
    "BUILT_IN",
    "CONCURRENT",
    "COUNTED",
    "NOBODY",
    "OF_CLIENTS",
    "OPERATOR",
    "ORGANISATION_NAME",
    "RATES",
    "BoundElsewhere",
    "CertificateKind",
    "Client",
    "ClientAuthenticator",
    "ClientCertificate",
    "ClientSecret",
    "ClientState",
    "Credential",
    "Directory",
    "DirectoryLoader",
    "Grant",
    "GrantAction",
    "KeyState",
    "Organisation",
    "OrganisationSuspended",
    "PeerCertificate",
    "Quota",
    "QuotaReached",
    "QuotaSettings",
    "Quotas",
    "Rights",
    "Role",
    "SigningKey",
    "SourcePrefix",
    "Tokens",
    "TooManyAttempts",
    "VerifiedToken",
    "WrongSecretKey",
    "add_certificate",
    "add_secret",
    "assign_source_prefix",
    "bootstrap",
    "change_client",
    "change_quotas",
    "create_client",
    "create_grant",
    "create_organisation",
    "default_quotas",
    "find_client",
    "find_organisation",
    "find_quotas",
    "list_certificates",
    "list_clients",
    "list_grants",
    "list_organisations",
    "list_secrets",
    "list_signing_keys",
    "list_source_prefixes",
    "maintain_signing_keys",
    "not_authenticated",
    "policy",
    "provide_organisation",
    "remove_certificate",
    "remove_grant",
    "remove_secret",
    "require_below",
    "require_binding",
    "resume_organisation",
    "rotate_signing_keys",
    "suspend_organisation",
    "withdraw_signing_key",
    "withdraw_source_prefix",
]
