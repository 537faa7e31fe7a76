"""Reference consumers, and the runtime that they and others are built on."""
