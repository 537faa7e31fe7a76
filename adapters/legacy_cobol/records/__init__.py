"""Records: framing, record types, and fields as columns and documents, in both directions."""
