"""From copybook and layout to the JSON Schema of the documents that the records become."""
