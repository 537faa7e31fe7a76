"""The runtime for programs that consume an AMQP subscription."""
