"""The decoder and the encoder of a layout for the records of one framing."""

from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.framing import Fixed, FixedBlocked, Framing, Lines


def decoder_of(layout: Layout, framing: Framing) -> Decoder:
    """The decoder of a layout. Raises ValueError for a layout that contradicts itself."""
    body = framing.body
    padded = isinstance(body, Lines) and body.trimmed
    rest = body.rest if isinstance(body, Fixed | FixedBlocked) else None
    types = [each.type for each in layout.records]
    return Decoder(types, layout.encoding, padded=padded, rest=rest)


def encoder_of(layout: Layout, framing: Framing) -> Encoder:
    """The encoder of a layout: all records have one length if the framing says so."""
    body = framing.body
    width = body.length if isinstance(body, Fixed | FixedBlocked) else 0
    return Encoder([each.type for each in layout.records], layout.encoding, width=width)
