"""Who may receive what."""

from gateway.contracts import Catalogue, Classification
from gateway.identity import Directory


def may_receive(organisation: str, types: str, directory: Directory, catalogue: Catalogue) -> bool:
    """Whether an organisation may receive an event type, or all that ever falls under a pattern.

    Its own namespace, what a grant covers, and single types that are its own or public. A pattern
    over public types is not enough: a confidential type may join them tomorrow.
    """
    if directory.may_receive(organisation, types):
        return True
    contract = catalogue.contract(types)
    return contract is not None and (
        contract.owner == organisation or contract.classification is Classification.PUBLIC
    )
