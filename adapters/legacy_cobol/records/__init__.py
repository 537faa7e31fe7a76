"""Records: where each begins, which type it is, its fields as columns and documents, and back."""
